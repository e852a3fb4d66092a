//! From a document's tree to its contract.
//!
//! Takes parsed documents, gives a [`Contract`], warnings, and the files that are still wanted to follow each `$ref`.
//! Takes what is there: a key of the wrong kind is left out with a warning, never an error. Looks into schemas only for
//! the names of query parameters that an object spreads out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Options;
use super::contract::{Contract, Operation, QueryParameter, Response, StatusKey, Variant, Version, structure};
use super::documents::{Astray, Documents, Node};
use super::error::Warning;
use super::path;
use super::server::{self, Base, ServerRule, Variable};
use crate::inventory::documented::Part;

/// Characters of a path template or a server URL that are read; longer ones are no honest ones.
const TEXT_LIMIT: usize = 4096;
/// Variables of one server.
const VARIABLE_LIMIT: usize = 64;
/// Keys of a path item that are operations, up to OpenAPI 3.2.
const METHODS: [&str; 9] = ["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];
/// Keys of a path item that are none.
const NO_METHODS: [&str; 6] = ["$ref", "summary", "description", "servers", "parameters", "additionalOperations"];

/// A pass over a document.
pub struct Walk<'d> {
    documents: &'d Documents<'d>,
    version: Version,
    options: &'d Options,
    strip: Vec<Part>,
    add: Vec<Part>,
    stripped: bool,
    wanted: BTreeSet<String>,
    warnings: Vec<Warning>,
    /// Query parameters that carry credentials, documented once for the whole document.
    credentials: Vec<QueryParameter>,
}

/// A node and those that it refers to, nearest first.
type Chain<'d> = Vec<Node<'d>>;

/// What a list of parameters says.
#[derive(Default)]
struct Parameters {
    query: Vec<QueryParameter>,
    any_query: bool,
    /// Names of path parameters whose values may hold slashes.
    spanning: BTreeSet<String>,
    /// Swagger 2.0: a body parameter; form parameters.
    body: bool,
    form: bool,
}

fn field<'d>(chain: &[Node<'d>], key: &str) -> Option<Node<'d>> {
    chain.iter().find_map(|node| node.get(key))
}

fn flag(chain: &[Node<'_>], key: &str) -> bool {
    chain.iter().any(|node| node.flag(key))
}

impl<'d> Walk<'d> {
    /// A pass over these documents.
    pub fn new(documents: &'d Documents<'d>, version: Version, options: &'d Options) -> Self {
        let prefix = |text: &Option<String>| text.as_deref().map(server::base_path).unwrap_or_default();
        Self {
            documents,
            version,
            options,
            strip: prefix(&options.strip_prefix),
            add: prefix(&options.add_prefix),
            stripped: false,
            wanted: BTreeSet::new(),
            warnings: Vec::new(),
            credentials: Vec::new(),
        }
    }

    /// Files still wanted, and the warnings.
    pub fn done(self) -> (BTreeSet<String>, Vec<Warning>) {
        (self.wanted, self.warnings)
    }

    fn warn(&mut self, node: &Node<'d>, message: impl Into<String>) {
        // Sorted and cut at the end; this bound only keeps the list itself from growing without end.
        if self.warnings.len() < self.options.limits.warnings.saturating_mul(10) {
            let file = self.documents.path_of(node).to_owned();
            let warning = Warning { file, line: None, pointer: node.pointer.clone(), message: message.into() };
            self.warnings.push(warning);
        }
    }

    /// A node and all that its `$ref` leads to.
    fn chain(&mut self, node: Node<'d>) -> Chain<'d> {
        let mut chain = vec![node];
        while let Some(reference) = chain.last().and_then(|n| n.value.get("$ref")).and_then(Value::as_str) {
            let from = chain[chain.len() - 1].clone();
            match self.documents.follow(from.file, reference) {
                Ok(node) if chain.iter().any(|n| std::ptr::eq(n.value, node.value)) => {
                    self.warn(&from, format!("`$ref: {reference}` leads round in a circle; left out"));
                    break;
                }
                Ok(_) if chain.len() > self.options.limits.references => {
                    self.warn(&from, format!("`$ref: {reference}`: over the limit `references`; left out"));
                    break;
                }
                Ok(node) => chain.push(node),
                Err(Astray::Wanted(path)) => {
                    self.wanted.insert(path);
                    break;
                }
                Err(Astray::Broken(why)) => {
                    self.warn(&from, format!("`$ref: {reference}` cannot be followed: {why}"));
                    break;
                }
            }
        }
        chain
    }

    /// The whole document.
    pub fn contract(&mut self) -> Contract {
        let top = self.documents.top();
        let source = self.documents.main().path.clone();
        let info = |key: &str| top.get("info").and_then(|info| info.text_at(key)).map(|t| t.trim().to_owned());
        let name = source.rsplit('/').next().unwrap_or_default().to_owned();
        let mut contract = Contract {
            title: info("title").filter(|t| !t.is_empty()).unwrap_or(name),
            version: info("version").unwrap_or_default(),
            source,
            format: self.version,
            operations: Vec::new(),
            messages: BTreeMap::new(),
        };
        self.credentials = self.credentials(&top);
        let bases = self.top_bases(&top);
        match top.get("paths") {
            Some(paths) => {
                for node in self.chain(paths).iter().rev().collect::<Vec<_>>() {
                    for (key, item) in node.entries().filter(|(key, _)| !key.starts_with("x-") && *key != "$ref") {
                        self.path_item(key, item, &top, &bases, &mut contract.operations);
                    }
                }
            }
            None => self.warn(&top, "`paths` is missing: no operation is documented"),
        }
        if contract.operations.is_empty() && top.get("paths").is_some() && self.wanted.is_empty() {
            self.warn(&top, "no operation is documented");
        }
        if !self.strip.is_empty() && !self.stripped && !contract.operations.is_empty() {
            let prefix = structure(&self.strip);
            self.warn(&top, format!("strip_prefix `{prefix}` is the beginning of no documented path"));
        }
        self.twins(&contract.operations);
        contract
    }

    /// Warns of operations that no request could tell apart.
    fn twins(&mut self, operations: &[Operation]) {
        let mut first: BTreeMap<(&str, String), &Operation> = BTreeMap::new();
        for operation in operations.iter().filter(|o| o.variant.is_none()) {
            let Some(server) = operation.servers.first() else { continue };
            match first.entry((&operation.method, structure(&server.segments))) {
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(operation);
                }
                std::collections::btree_map::Entry::Occupied(entry) if entry.get().path != operation.path => {
                    let (file, pointer) = operation.pointer.split_once('#').unwrap_or_default();
                    let message = format!("the same path as `{}` by structure", entry.get().path);
                    self.warnings.push(Warning {
                        file: file.to_owned(),
                        line: None,
                        pointer: pointer.to_owned(),
                        message,
                    });
                }
                std::collections::btree_map::Entry::Occupied(_) => {}
            }
        }
    }

    /// API keys in the query are parameters that no operation lists.
    fn credentials(&mut self, top: &Node<'d>) -> Vec<QueryParameter> {
        let schemes = match self.version {
            Version::Swagger2 => top.get("securityDefinitions"),
            _ => top.get("components").and_then(|c| c.get("securitySchemes")),
        };
        let mut out = Vec::new();
        for (_, scheme) in schemes.iter().flat_map(|s| s.entries().collect::<Vec<_>>()) {
            let chain = self.chain(scheme);
            let text = |key: &str| field(&chain, key).and_then(|n| n.text()).unwrap_or_default();
            if text("type").eq_ignore_ascii_case("apiKey") && text("in").eq_ignore_ascii_case("query") {
                out.push(QueryParameter { name: text("name"), deprecated: false });
            }
        }
        out
    }

    fn top_bases(&mut self, top: &Node<'d>) -> Vec<Base> {
        if self.version != Version::Swagger2 {
            return self.bases(top.get("servers")).unwrap_or_else(|| vec![Base::any()]);
        }
        let path = top.get("basePath").and_then(|n| n.text()).unwrap_or_default();
        let host = top.get("host").and_then(|n| n.text()).unwrap_or_default();
        let host = host.trim().trim_end_matches('/');
        if path.len() > TEXT_LIMIT || host.len() > TEXT_LIMIT {
            self.warn(top, "`host` or `basePath` is too long; left out");
            return vec![Base::any()];
        }
        if host.contains('/') {
            self.warn(top, "`host` should be a host alone, with a port at most");
        }
        let host = host.split_once("://").map_or(host, |(_, rest)| rest);
        let url = match host {
            "" => format!("/{}", path.trim().trim_start_matches('/')),
            host => format!("//{}/{}", host.trim_end_matches('/'), path.trim().trim_start_matches('/')),
        };
        let (bases, remarks) = server::read(&url, &[], self.options.limits.servers);
        remarks.into_iter().for_each(|remark| self.warn(top, remark));
        bases
    }

    /// The servers of a list; `None` where there is none, or an empty one.
    fn bases(&mut self, servers: Option<Node<'d>>) -> Option<Vec<Base>> {
        let servers = servers?;
        let most = self.options.limits.servers;
        let mut bases = BTreeSet::new();
        let nodes: Vec<_> = match servers.value {
            Value::Array(_) => servers.elements().collect(),
            // One server without its list, or its URL alone.
            _ => vec![servers.clone()],
        };
        for node in nodes.into_iter().take(most) {
            let chain = self.chain(node.clone());
            let url = field(&chain, "url").and_then(|n| n.text()).or_else(|| node.text());
            let Some(url) = url.filter(|u| u.len() <= TEXT_LIMIT) else {
                self.warn(&node, "a server without a usable `url`; left out");
                continue;
            };
            let variables: Vec<Variable> = field(&chain, "variables")
                .iter()
                .flat_map(|v| v.entries().collect::<Vec<_>>())
                .take(VARIABLE_LIMIT)
                .map(|(name, v)| Variable {
                    name: name.to_owned(),
                    values: v.get("enum").map_or_else(Vec::new, |e| {
                        e.elements().filter_map(|n| n.text()).filter(|t| t.len() <= TEXT_LIMIT).collect()
                    }),
                    default: v.text_at("default").filter(|t| t.len() <= TEXT_LIMIT).unwrap_or_default(),
                })
                .collect();
            let (read, remarks) = server::read(&url, &variables, most);
            remarks.into_iter().for_each(|remark| self.warn(&node, remark));
            bases.extend(read);
        }
        (!bases.is_empty()).then(|| bases.into_iter().take(most).collect())
    }

    fn path_item(
        &mut self,
        key: &str,
        item: Node<'d>,
        top: &Node<'d>,
        top_bases: &[Base],
        operations: &mut Vec<Operation>,
    ) {
        if key.len() > TEXT_LIMIT {
            self.warn(&item, "the path is too long; left out");
            return;
        }
        if !item.value.is_object() {
            self.warn(&item, "a path should be an object; left out");
            return;
        }
        let chain = self.chain(item.clone());
        let bases = self.bases(field(&chain, "servers"));
        let shared = self.parameter_list(field(&chain, "parameters"), key);
        let mut seen = BTreeSet::new();
        let mut found: Vec<(String, Node<'d>)> = Vec::new();
        for node in &chain {
            for (name, operation) in node.entries() {
                let method = name.to_ascii_lowercase();
                if METHODS.contains(&method.as_str()) {
                    if method != name || (method == "query" && self.version < Version::OpenApi32) {
                        self.warn(&operation, format!("`{name}` was read as the method {}", method.to_uppercase()));
                    }
                    if seen.insert(method.clone()) {
                        found.push((method.to_ascii_uppercase(), operation));
                    }
                } else if !name.starts_with("x-") && !NO_METHODS.contains(&name) {
                    self.warn(&operation, format!("`{name}` is no method; left out"));
                }
            }
            for (name, operation) in node.get("additionalOperations").iter().flat_map(|n| n.entries()) {
                if seen.insert(name.to_owned()) {
                    found.push((name.to_owned(), operation));
                }
            }
        }
        let mut remarks = BTreeSet::new();
        for (method, node) in found {
            if operations.len() >= self.options.limits.operations {
                self.warn(&node, "over the limit `operations`; this one and those after it are left out");
                return;
            }
            let bases = bases.as_deref().unwrap_or(top_bases);
            let operation = self.operation(key, method, node, top, bases, &shared, &mut remarks);
            operations.push(operation);
        }
        remarks.into_iter().for_each(|remark| self.warn(&item, remark));
    }

    #[expect(clippy::too_many_arguments, reason = "one call, from the place where all of these are at hand")]
    fn operation(
        &mut self,
        key: &str,
        method: String,
        node: Node<'d>,
        top: &Node<'d>,
        outer_bases: &[Base],
        shared: &BTreeMap<(String, String), Chain<'d>>,
        remarks: &mut BTreeSet<String>,
    ) -> Operation {
        if !node.value.is_object() {
            self.warn(&node, "an operation should be an object; read as one that says nothing");
        }
        let pointer = self.documents.place(&node);
        let chain = self.chain(node);
        let mut list = shared.clone();
        list.extend(self.parameter_list(field(&chain, "parameters"), key));
        let mut parameters = self.parameters(list);
        let template = path::template(key, &|name| spans(name) || parameters.spanning.contains(name));
        remarks.extend(template.remarks);
        for name in template.query.iter().filter(|n| !n.is_empty()) {
            parameters.query.push(QueryParameter { name: name.clone(), deprecated: false });
        }
        parameters.query.extend(self.credentials.iter().cloned());
        parameters.query.sort_by(|a, b| a.name.cmp(&b.name));
        parameters.query.dedup_by(|a, b| a.name == b.name);

        let own_bases = if self.version == Version::Swagger2 { None } else { self.bases(field(&chain, "servers")) };
        let bases = own_bases.as_deref().unwrap_or(outer_bases);
        let written = key.trim();
        Operation {
            servers: self.servers(bases, &template.segments),
            path: written.split(['?', '#']).next().unwrap_or(written).to_owned(),
            variant: (!template.variant.is_empty())
                .then_some(Variant { text: template.variant, query: template.query }),
            deprecated: flag(&chain, "deprecated"),
            responses: self.responses(&chain, top),
            request_types: self.request_types(&chain, top, &parameters),
            query: parameters.query,
            any_query: parameters.any_query,
            method,
            pointer,
            rpc: None,
        }
    }

    /// Whole paths: base and template, prefixes rewritten, hosts as the configuration overrides them.
    fn servers(&mut self, bases: &[Base], template: &[Part]) -> Vec<ServerRule> {
        let mut out = BTreeSet::new();
        for base in bases {
            let mut segments: Vec<Part> = base.segments.iter().chain(template).cloned().collect();
            self.stripped |= server::rewrite(&mut segments, &self.strip, &self.add);
            // A prefix may reach into the template itself.
            let base_length = segments.len().saturating_sub(template.len());
            if self.options.services.is_empty() {
                out.insert(ServerRule { host: base.host.clone(), port: base.port, segments, base: base_length });
                continue;
            }
            for pattern in &self.options.services {
                let segments = segments.clone();
                out.insert(ServerRule { host: pattern.host.clone(), port: pattern.port, segments, base: base_length });
            }
        }
        out.into_iter().collect()
    }

    /// Parameters by place and name, so that an operation's own replace those of its path.
    fn parameter_list(&mut self, list: Option<Node<'d>>, path: &str) -> BTreeMap<(String, String), Chain<'d>> {
        let mut out = BTreeMap::new();
        let Some(list) = list else { return out };
        let nodes: Vec<Node<'d>> = match list.value {
            Value::Array(_) => list.elements().collect(),
            Value::Object(_) => list.entries().map(|(_, node)| node).collect(),
            _ => {
                self.warn(&list, "`parameters` should be a list; left out");
                return out;
            }
        };
        for node in nodes {
            let chain = self.chain(node.clone());
            let Some(name) = field(&chain, "name").and_then(|n| n.text()) else {
                // A reference that could not be followed has been reported already.
                if node.value.get("$ref").is_none() {
                    self.warn(&node, "a parameter without a name; left out");
                }
                continue;
            };
            let place = field(&chain, "in").and_then(|n| n.text()).map(|t| t.trim().to_ascii_lowercase());
            let place = place.unwrap_or_else(|| {
                let place = if path.contains(&format!("{{{name}}}")) { "path" } else { "query" };
                self.warn(&node, format!("parameter `{name}` has no `in`; read as `{place}`"));
                place.to_owned()
            });
            out.insert((place, name), chain);
        }
        out
    }

    fn parameters(&mut self, list: BTreeMap<(String, String), Chain<'d>>) -> Parameters {
        let mut out = Parameters::default();
        for ((place, name), chain) in list {
            match place.as_str() {
                "query" => {
                    let deprecated = flag(&chain, "deprecated");
                    match self.spread(&chain) {
                        Some(names) if names.is_empty() => out.any_query = true,
                        Some(names) => {
                            out.query.extend(names.into_iter().map(|name| QueryParameter { name, deprecated }));
                        }
                        None => out.query.push(QueryParameter { name, deprecated }),
                    }
                }
                "querystring" => out.any_query = true,
                "path" => {
                    let format = |node: Node<'_>| node.text_at("format");
                    let path_format = field(&chain, "schema")
                        .and_then(format)
                        .or_else(|| field(&chain, "format").and_then(|n| n.text()));
                    let flags = ["allowReserved", "x-multi-segment", "x-spans-segments", "x-allow-slashes"];
                    if flags.iter().any(|f| flag(&chain, f)) || path_format.as_deref() == Some("path") {
                        out.spanning.insert(name);
                    }
                }
                "body" => out.body = true,
                "formdata" | "form" => out.form = true,
                _ => {}
            }
        }
        out
    }

    /// The names that an object in the query spreads out into (style `form` with `explode`, OpenAPI 3.2, Style
    /// Values); none at all when they are not known; `None` for a parameter that keeps its own name.
    fn spread(&mut self, chain: &[Node<'d>]) -> Option<Vec<String>> {
        if self.version == Version::Swagger2 {
            return None;
        }
        let style = field(chain, "style").and_then(|n| n.text());
        let explode = field(chain, "explode").is_none_or(|n| n.value != &Value::Bool(false));
        if !explode || style.is_some_and(|s| s != "form") {
            return None;
        }
        let schema = self.chain(field(chain, "schema")?);
        let is_object = match field(&schema, "type").map(|n| n.value) {
            Some(Value::String(kind)) => kind == "object",
            Some(Value::Array(kinds)) => kinds.iter().any(|k| k == "object"),
            _ => field(&schema, "properties").is_some(),
        };
        if !is_object {
            return None;
        }
        let closed = !["allOf", "oneOf", "anyOf", "patternProperties"].iter().any(|k| field(&schema, k).is_some())
            && field(&schema, "additionalProperties").is_none_or(|n| n.value == &Value::Bool(false));
        let names = field(&schema, "properties")
            .map_or_else(Vec::new, |p| p.entries().map(|(name, _)| name.to_owned()).collect::<Vec<_>>());
        Some(if closed { names } else { Vec::new() })
    }

    fn responses(&mut self, chain: &[Node<'d>], top: &Node<'d>) -> Vec<Response> {
        let Some(responses) = field(chain, "responses") else { return Vec::new() };
        let mut out: Vec<Response> = Vec::new();
        let chain_of_all = self.chain(responses);
        let entries: Vec<_> = chain_of_all.iter().flat_map(|n| n.entries()).collect();
        for (key, node) in entries {
            if key == "$ref" || key.starts_with("x-") {
                continue;
            }
            let keys = status_keys(key);
            if keys.is_empty() {
                self.warn(&node, format!("`{key}` is no status; read as `default`"));
            }
            let response = self.chain(node);
            for status in if keys.is_empty() { vec![StatusKey::Default] } else { keys } {
                let types = self.response_types(chain, &response, status, top);
                match out.iter_mut().find(|r| r.status == status) {
                    None => out.push(Response { status, types }),
                    Some(before) => before.types.extend(types),
                }
            }
        }
        out.sort_by_key(|r| r.status);
        out
    }

    fn response_types(
        &mut self,
        operation: &[Node<'d>],
        response: &[Node<'d>],
        status: StatusKey,
        top: &Node<'d>,
    ) -> Vec<String> {
        if self.version != Version::Swagger2 {
            return field(response, "content").map(|content| media_keys(&content)).unwrap_or_default();
        }
        // `produces` speaks of what the operation makes; an error often comes from something in front of it.
        let error = match status {
            StatusKey::Code(code) => code >= 400,
            StatusKey::Class(class) => class >= 4,
            StatusKey::Default => true,
        };
        if error || field(response, "schema").is_none() {
            return Vec::new();
        }
        let mut types = media_list(field(operation, "produces").or_else(|| top.get("produces")));
        types.extend(field(response, "examples").map(|e| media_keys(&e)).unwrap_or_default());
        types
    }

    fn request_types(&mut self, operation: &[Node<'d>], top: &Node<'d>, parameters: &Parameters) -> Vec<String> {
        if self.version != Version::Swagger2 {
            let Some(body) = field(operation, "requestBody") else { return Vec::new() };
            let body = self.chain(body);
            return field(&body, "content").map(|content| media_keys(&content)).unwrap_or_default();
        }
        if !parameters.body && !parameters.form {
            return Vec::new();
        }
        let stated = media_list(field(operation, "consumes").or_else(|| top.get("consumes")));
        if parameters.form && !stated.iter().any(|t| t.contains("form")) {
            return ["application/x-www-form-urlencoded", "multipart/form-data"].map(str::to_owned).to_vec();
        }
        stated
    }
}

/// May the value of a path parameter of this name hold slashes? Documents rarely say so, and these are the names that
/// parameters of file trees, proxies and object stores have.
fn spans(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with("path") || matches!(name.as_str(), "proxy" | "wildcard" | "splat" | "path_info" | "pathinfo")
}

/// `200`, `2XX`, `2xx`, `default`, `200 OK`, `200, 201`; empty when it is no status.
fn status_keys(key: &str) -> Vec<StatusKey> {
    let key = key.trim();
    if key.eq_ignore_ascii_case("default") {
        return vec![StatusKey::Default];
    }
    let one = |text: &str| {
        let text = text.trim();
        let code = text.split(['.', ' ', '-', '_', ':']).next().unwrap_or_default();
        match code.as_bytes() {
            [class @ b'1'..=b'9', b'x' | b'X', b'x' | b'X'] => Some(StatusKey::Class(class - b'0')),
            [b'1'..=b'9', b'0'..=b'9', b'0'..=b'9'] => code.parse().ok().map(StatusKey::Code),
            _ => None,
        }
    };
    let all: Option<Vec<_>> = key.split([',', '|', '/']).map(one).collect();
    all.unwrap_or_default()
}

/// A media type without its parameters, lower case (RFC 9110, 8.3.1).
fn essence(text: &str) -> String {
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn media_keys(content: &Node<'_>) -> Vec<String> {
    content.entries().map(|(key, _)| essence(key)).filter(|t| t.contains('/')).collect()
}

fn media_list(list: Option<Node<'_>>) -> Vec<String> {
    let Some(list) = list else { return Vec::new() };
    let texts: Vec<String> = match list.value {
        Value::Array(_) => list.elements().filter_map(|n| n.text()).collect(),
        _ => list.text().into_iter().collect(),
    };
    texts.iter().flat_map(|t| t.split(',')).map(essence).filter(|t| t.contains('/')).collect()
}
