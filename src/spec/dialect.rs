//! Which kind of document is this?
//!
//! Takes a parsed document, gives the version of OpenAPI or Swagger that it follows, or an error that names what it is
//! instead and what to do. Never reads more than the keys at the top.

use serde_json::Value;

use super::contract::Version;
use super::error::SpecError;

/// Decides the version. The second value is a warning about the version itself.
pub fn identify(file: &str, value: &Value, text: &str) -> Result<(Version, Option<String>), SpecError> {
    let foreign = |what: &str, remedy| Err(SpecError::Foreign { file: file.to_owned(), what: what.to_owned(), remedy });
    let has = |key: &str| value.get(key).is_some_and(|v| !v.is_null());
    let major_minor = |key: &str| value.get(key).and_then(version_text);

    if let Some(stated) = major_minor("openapi") {
        return Ok(match stated.as_str() {
            "3.0" | "3" => (Version::OpenApi30, None),
            "3.1" => (Version::OpenApi31, None),
            "3.2" => (Version::OpenApi32, None),
            "2.0" | "2" => (Version::Swagger2, Some("`openapi: 2.0` should be `swagger: \"2.0\"`".to_owned())),
            other if other.starts_with("3.") => {
                (Version::OpenApi32, Some(format!("OpenAPI {other} is not known yet; read as 3.2")))
            }
            other => {
                return foreign(&format!("OpenAPI {other}"), "versions 3.0, 3.1, 3.2 and Swagger 2.0 are supported");
            }
        });
    }
    if let Some(stated) = major_minor("swagger") {
        return Ok(match stated.as_str() {
            "2.0" | "2" => (Version::Swagger2, None),
            other if other.starts_with("3.0") || other == "3" => {
                (Version::OpenApi30, Some(format!("`swagger: {other}` should be `openapi`; read as OpenAPI 3.0")))
            }
            other if other.starts_with("2.") => {
                (Version::Swagger2, Some(format!("Swagger {other} does not exist; read as 2.0")))
            }
            other => return foreign(&format!("Swagger {other}"), "convert it to OpenAPI 3 first"),
        });
    }
    if has("swaggerVersion") {
        return foreign("Swagger 1", "convert it to OpenAPI 3 first");
    }
    if let Some((what, remedy)) = other_kind(value, text) {
        return foreign(what, remedy);
    }
    let Some(object) = value.as_object() else {
        return foreign(
            if value.is_null() { "an empty file" } else { "no OpenAPI document (it is no object)" },
            "name a file that begins with `openapi:` or `swagger:`",
        );
    };
    if object.get("paths").is_some_and(Value::is_object) {
        let two = ["basePath", "host", "schemes", "definitions", "consumes", "produces"].iter().any(|k| has(k));
        let version = if two { Version::Swagger2 } else { Version::OpenApi30 };
        return Ok((version, Some(format!("openapi: missing; read as {version}"))));
    }
    foreign("no OpenAPI document (openapi: missing)", "name a file that begins with `openapi:` or `swagger:`")
}

/// `3.0.1`, `"3.0"`, `3.1`, `3`, `v3.0` → `3.0`, `3.1`, `3`.
fn version_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().trim_start_matches(['v', 'V']).to_owned(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    if text.is_empty() {
        return None;
    }
    Some(text.splitn(3, '.').take(2).collect::<Vec<_>>().join("."))
}

/// Documents that people mistake for OpenAPI ones.
fn other_kind(value: &Value, text: &str) -> Option<(&'static str, &'static str)> {
    const CONVERT: &str = "not supported yet; export or convert it to OpenAPI";
    let has = |key: &str| value.get(key).is_some();
    let text_at = |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let head = text.trim_start();
    let begins = |with: &str| head.get(..with.len()).is_some_and(|h| h.eq_ignore_ascii_case(with));

    Some(if has("asyncapi") {
        ("AsyncAPI", "it describes messages, not HTTP operations; name an OpenAPI document")
    } else if value.pointer("/info/_postman_id").is_some()
        || text_at("/info/schema").contains("getpostman.com")
        || (has("info") && has("item"))
    {
        ("a Postman collection", CONVERT)
    } else if has("arazzo") {
        ("an Arazzo workflow", "name the OpenAPI documents that it refers to")
    } else if has("overlay") {
        ("an OpenAPI Overlay", "apply it first and name the result")
    } else if text_at("/kind").starts_with("discovery#") || has("discoveryVersion") {
        ("a Google API discovery document", CONVERT)
    } else if value.pointer("/log/entries").is_some() {
        ("an HTTP archive (HAR)", "name an OpenAPI document")
    } else if text_at("/_type") == "export" && has("resources") {
        ("an Insomnia export", CONVERT)
    } else if has("apiVersion") && has("kind") && has("metadata") {
        ("a Kubernetes manifest", "name an OpenAPI document")
    } else if value.pointer("/data/__schema").is_some() || has("__schema") {
        ("a GraphQL schema", "name an OpenAPI document")
    } else if begins("#%RAML") {
        ("RAML", CONVERT)
    } else if begins("FORMAT: 1A") {
        ("API Blueprint", CONVERT)
    } else if begins("<!DOCTYPE html") || begins("<html") {
        ("a web page", "a documentation page is no document: save the `openapi.json` or `swagger.json` that it loads")
    } else if begins("<?xml") || begins("<") {
        ("XML (WSDL, WADL or OData metadata?)", CONVERT)
    } else if begins("syntax =") || begins("syntax=") {
        ("a protobuf file", "name an OpenAPI document")
    } else if has("$schema") && !has("paths") {
        ("a JSON Schema", "name the OpenAPI document that uses it")
    } else if value.as_object().is_some_and(|o| !o.is_empty() && o.keys().all(|k| k.starts_with('/'))) {
        ("the inside of `paths` alone", "name the document that refers to it")
    } else {
        return None;
    })
}
