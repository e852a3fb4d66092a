//! One request of a log, whatever the log's format.
//!
//! Takes a line (or a HAR entry), gives its request. Never fails: what is not a request is `None`.

use std::net::IpAddr;

use serde_json::Value;

use crate::base::{Address, Timestamp};
use crate::observe::Logged;
use crate::spec::percent_decode;

/// A request, owned.
#[derive(Debug, Default)]
pub(super) struct Entry {
    ts: f64,
    client: String,
    host: String,
    method: String,
    target: String,
    status: Option<u16>,
    request_type: String,
    response_type: String,
    /// Bodies of request and response, and the fields that may name values.
    bodies: [String; 2],
    location: Option<String>,
    authorization: Option<String>,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

/// A body as a log has it: a text, or the JSON itself. Only JSON says something.
fn body(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => text.clone(),
        Value::Object(_) | Value::Array(_) => value.to_string(),
        _ => String::new(),
    }
}

/// A header field: of an object of names and values (or lists of them), of a list of pairs, or of HAR's list of `name` and `value`.
fn field(fields: &Value, name: &str) -> Option<String> {
    let text = |v: &Value| v.as_str().or_else(|| v[0].as_str()).map(str::to_owned);
    let named = |n: &Value| n.as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
    match fields {
        Value::Object(map) => map.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| text(v)),
        Value::Array(list) => list.iter().find_map(|f| match f {
            Value::Array(_) if named(&f[0]) => text(&f[1]),
            Value::Object(_) if named(&f["name"]) => text(&f["value"]),
            _ => None,
        }),
        _ => None,
    }
}

/// The media type that a log names, else that of the header fields.
fn typed(named: String, fields: &Value) -> String {
    if named.is_empty() { field(fields, "content-type").unwrap_or_default() } else { named }
}

fn status(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok())?;
    u16::try_from(number).ok().filter(|s| (100..1000).contains(s))
}

fn time(value: &Value) -> f64 {
    let stamp = || value.as_str()?.parse::<Timestamp>().ok().map(|t| t.0 as f64 / 1e9);
    value.as_f64().or_else(stamp).unwrap_or_default()
}

impl Entry {
    /// From a line of JSON: our own form, Zeek's or Suricata's.
    pub(super) fn of_json(v: &Value) -> Option<Self> {
        if v["event_type"].is_string() {
            return Self::of_eve(v);
        }
        if v["uri"].is_string() {
            let entry = Self {
                ts: time(&v["ts"]),
                client: text(v, "id.orig_h"),
                host: text(v, "host"),
                method: text(v, "method"),
                target: text(v, "uri"),
                status: status(&v["status_code"]).or_else(|| status(&v["status"])),
                request_type: v["orig_mime_types"][0].as_str().unwrap_or_default().to_owned(),
                response_type: v["resp_mime_types"][0].as_str().unwrap_or_default().to_owned(),
                ..Self::default()
            };
            return Some(entry).filter(|e| !e.method.is_empty());
        }
        let (path, query) = (text(v, "path"), text(v, "query"));
        let target = match (path.is_empty(), query.is_empty()) {
            (true, _) => text(v, "url"),
            (_, true) => path,
            _ => format!("{path}?{query}"),
        };
        let entry = Self {
            ts: time(&v["ts"]),
            client: text(v, "client"),
            host: text(v, "host"),
            method: text(v, "method"),
            target,
            status: status(&v["status"]),
            request_type: typed(text(v, "req_content_type"), &v["req_headers"]),
            response_type: typed(text(v, "resp_content_type"), &v["resp_headers"]),
            bodies: [body(&v["req_body"]), body(&v["resp_body"])],
            location: field(&v["resp_headers"], "location"),
            authorization: field(&v["req_headers"], "authorization"),
        };
        Some(entry).filter(|e| !e.method.is_empty() && !e.target.is_empty())
    }

    fn of_eve(v: &Value) -> Option<Self> {
        let http = &v["http"];
        let entry = Self {
            ts: time(&v["timestamp"]),
            client: text(v, "src_ip"),
            host: text(http, "hostname"),
            method: text(http, "http_method"),
            target: text(http, "url"),
            status: status(&http["status"]),
            request_type: String::new(),
            response_type: text(http, "http_content_type"),
            ..Self::default()
        };
        Some(entry).filter(|e| v["event_type"] == "http" && !e.method.is_empty() && !e.target.is_empty())
    }

    /// From an entry of a HAR file (HAR 1.2, `log.entries[]`).
    pub(super) fn of_har(v: &Value) -> Option<Self> {
        let (request, response) = (&v["request"], &v["response"]);
        let entry = Self {
            ts: time(&v["startedDateTime"]),
            client: String::new(),
            host: String::new(),
            method: text(request, "method"),
            target: text(request, "url"),
            status: status(&response["status"]),
            request_type: text(&request["postData"], "mimeType"),
            response_type: text(&response["content"], "mimeType"),
            bodies: [
                body(&request["postData"]["text"]),
                // A body that is encoded is no text.
                if response["content"]["encoding"].is_null() {
                    body(&response["content"]["text"])
                } else {
                    String::new()
                },
            ],
            location: field(&response["headers"], "location"),
            authorization: field(&request["headers"], "authorization"),
        };
        Some(entry).filter(|e| !e.method.is_empty() && !e.target.is_empty())
    }

    /// From a line of a Zeek log in columns, by the names of its columns.
    pub(super) fn of_columns(names: &[String], line: &str) -> Option<Self> {
        let columns: Vec<_> = line.split('\t').collect();
        let column = |name: &str| {
            let at = names.iter().position(|n| n == name)?;
            columns.get(at).copied().filter(|v| *v != "-" && *v != "(empty)")
        };
        let owned = |name: &str| column(name).unwrap_or_default().to_owned();
        let first = |name: &str| column(name).and_then(|v| v.split(',').next()).unwrap_or_default().to_owned();
        Some(Self {
            ts: column("ts").and_then(|t| t.parse().ok()).unwrap_or_default(),
            client: owned("id.orig_h"),
            host: owned("host"),
            method: column("method")?.to_owned(),
            target: column("uri")?.to_owned(),
            status: column("status_code").and_then(|s| s.parse().ok()),
            request_type: first("orig_mime_types"),
            response_type: first("resp_mime_types"),
            ..Self::default()
        })
    }

    /// From a line of a common or combined access log: `client - user [date] "GET /a HTTP/1.1" 200 12 …`.
    pub(super) fn of_access_log(line: &str) -> Option<Self> {
        let (before, after) = line.split_once('"')?;
        let (request, after) = after.split_once('"')?;
        let mut words = request.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let is_method = (1..=32).contains(&method.len()) && method.bytes().all(|b| b.is_ascii_alphabetic());
        let is_target = target.starts_with('/') || target == "*" || target.contains("://");
        if !is_method || !is_target {
            return None;
        }
        Some(Self {
            client: before.split(' ').next().unwrap_or_default().to_owned(),
            method: method.to_owned(),
            target: target.to_owned(),
            status: after.split_whitespace().next()?.parse().ok().filter(|s| (100..1000).contains(s)),
            ..Self::default()
        })
    }

    pub(super) fn succeeded(&self) -> bool {
        self.status.is_some_and(|s| (200..300).contains(&s))
    }

    /// The first segment of its path, decoded.
    pub(super) fn base(&self) -> String {
        let path = match self.target.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |at| &rest[at..]),
            None => &self.target,
        };
        let path = path.trim_start_matches('/');
        percent_decode(path.split(['/', '?', '#']).next().unwrap_or_default())
    }

    /// As the floor below takes it. `host` is that of entries that name none.
    pub(super) fn borrow<'a>(&'a self, host: &'a str) -> Logged<'a> {
        let address = match self.client.parse() {
            Ok(IpAddr::V4(ip)) => Address::v4(ip.into(), 0),
            Ok(IpAddr::V6(ip)) => Address::v6(ip.into(), 0),
            Err(_) => Address::v4(0, 0),
        };
        Logged {
            ts: Timestamp((self.ts.max(0.0) * 1e9) as u64),
            client: address,
            server: Address::v4(0, if self.target.starts_with("https:") { 443 } else { 80 }),
            host: if self.host.is_empty() { host } else { &self.host },
            method: &self.method,
            target: &self.target,
            status: self.status,
            request_type: &self.request_type,
            response_type: &self.response_type,
            bodies: [self.bodies[0].as_bytes(), self.bodies[1].as_bytes()],
            location: self.location.as_deref(),
            authorization: self.authorization.as_deref(),
            ..Logged::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(entry: Option<Entry>) -> String {
        entry.map_or("none".to_owned(), |e| {
            format!("{} {} {} {:?} {}", e.method, e.host, e.target, e.status, e.response_type)
        })
    }

    fn json(line: &str) -> String {
        told(Entry::of_json(&serde_json::from_str(line).unwrap()))
    }

    #[test]
    fn lines_of_json_are_ours_or_those_of_zeek_and_suricata() {
        assert_eq!(
            json(
                r#"{"method":"GET","host":"a","path":"/x","query":"q=1","status":200,"resp_content_type":"text/plain"}"#
            ),
            "GET a /x?q=1 Some(200) text/plain"
        );
        assert_eq!(
            json(
                r#"{"ts":1.5,"host":"a","method":"PUT","uri":"/y","status_code":404,"resp_mime_types":["text/html"]}"#
            ),
            "PUT a /y Some(404) text/html"
        );
        assert_eq!(
            json(
                r#"{"timestamp":"2026-01-01T00:00:00Z","event_type":"http","http":{"hostname":"h","url":"/z","http_method":"GET","status":201,"http_content_type":"application/json"}}"#
            ),
            "GET h /z Some(201) application/json"
        );
        assert_eq!(json(r#"{"event_type":"dns"}"#), "none");
        assert_eq!(json("17"), "none");
    }

    #[test]
    fn access_logs_and_columns() {
        let line = r#"10.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /a/b?c HTTP/1.1" 200 2326 "-" "curl""#;
        assert_eq!(told(Entry::of_access_log(line)), "GET  /a/b?c Some(200) ");
        assert_eq!(told(Entry::of_access_log(r#"10.0.0.1 - - [x] "\x16\x03" 400 0"#)), "none");
        let names: Vec<_> = ["ts", "host", "method", "uri", "status_code"].map(str::to_owned).into();
        assert_eq!(told(Entry::of_columns(&names, "1.0\th\tGET\t/q\t200")), "GET h /q Some(200) ");
        assert_eq!(told(Entry::of_columns(&names, "1.0\th\t-\t-\t-")), "none");
    }
}
