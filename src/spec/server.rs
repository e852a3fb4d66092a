//! Where operations are served.
//!
//! Takes server URLs with their variables (OpenAPI 3) or host and base path (Swagger 2.0), gives host, port and base
//! path. The scheme is left out of account: documents name what clients outside see, and a sensor behind the TLS
//! terminator sees cleartext. For the same reason a port counts only where the document states it. Never looks a
//! name up.

use std::str::FromStr;

use super::documents::normalise;
use super::path;
use crate::inventory::documented::Part;

/// Which hosts.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostRule {
    /// The document does not say (a relative server, a variable for the whole host).
    Any,
    /// This one; lower case, without a trailing dot.
    Exact(String),
    /// Those that fit a pattern; `*` stands for any text.
    Glob(String),
}

impl HostRule {
    /// A rule from text; `*` makes it a pattern.
    pub fn new(text: &str) -> Self {
        let text = text.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
        match text.as_str() {
            "" => Self::Any,
            t if t.chars().all(|c| c == '*') => Self::Any,
            t if t.contains('*') => Self::Glob(text),
            _ => Self::Exact(text),
        }
    }

    /// The one host, where there is one.
    pub fn exact(&self) -> Option<&str> {
        match self {
            Self::Exact(host) => Some(host),
            _ => None,
        }
    }

    /// Does it name this host? [`HostRule::Any`] names none.
    pub fn names(&self, host: &str) -> bool {
        match self {
            Self::Any => false,
            Self::Exact(name) => name == host,
            Self::Glob(pattern) => glob(pattern.as_bytes(), host.as_bytes()),
        }
    }
}

/// `*` stands for any text, the empty one included. Goes back to the last star alone, so that time is at most
/// pattern × text.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

/// One place where an operation is served.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerRule {
    /// Hosts.
    pub host: HostRule,
    /// The port that is stated; `None`: any.
    pub port: Option<u16>,
    /// The whole path from the root, base path included, prefixes rewritten.
    pub segments: Vec<Part>,
    /// How many of them come before the documented path.
    pub base: usize,
}

impl ServerRule {
    /// Does the document name this service?
    pub fn names(&self, host: &str, port: u16) -> bool {
        self.host.names(host) && self.port.is_none_or(|p| p == port)
    }
}

/// Services as the configuration names them: a host pattern and perhaps a port, `*.shop.example:8080`, `10.0.0.5`,
/// `[fd00::5]:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePattern {
    /// Hosts.
    pub host: HostRule,
    /// Port; `None`: any.
    pub port: Option<u16>,
}

impl FromStr for ServicePattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (host, port) = split_port(text);
        let bad = |what: &str| format!("`{text}`: {what}; write a host with or without a port, `*.shop.example:8080`");
        if host.is_empty() || host.contains(['/', ' ']) {
            return Err(bad("no host"));
        }
        let port = match port {
            None | Some("*") => None,
            Some(port) => Some(port.parse().map_err(|_| bad("the port is no number"))?),
        };
        // Here a star is meant: every host, rather than none in particular.
        let host = match HostRule::new(host) {
            HostRule::Any => HostRule::Glob("*".to_owned()),
            rule => rule,
        };
        Ok(Self { host, port })
    }
}

/// A server, as far as it can be known without the path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base {
    /// Hosts.
    pub host: HostRule,
    /// The port that is stated.
    pub port: Option<u16>,
    /// Base path.
    pub segments: Vec<Part>,
}

impl Base {
    /// Any host, from the root.
    pub fn any() -> Self {
        Self { host: HostRule::Any, port: None, segments: Vec::new() }
    }
}

/// A server variable.
#[derive(Clone, Debug, Default)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its values, where they are listed.
    pub values: Vec<String>,
    /// Its value when nothing else is said.
    pub default: String,
}

/// Stands for a variable of free value while a URL is taken apart: the first code points of the private use area.
const FREE: u32 = 0xe000;

/// Reads a server URL. Variables with listed values are written out, up to `most` servers; a free one in the host
/// matches any text there, in the port any port, in the path it has its default. The second value says what was odd.
pub fn read(url: &str, variables: &[Variable], most: usize) -> (Vec<Base>, Vec<String>) {
    let mut remarks = Vec::new();
    let free: Vec<&Variable> = variables.iter().filter(|v| v.values.is_empty()).collect();
    let mut texts = vec![url.trim().replace(|c| ('\u{e000}'..='\u{f8ff}').contains(&c), "")];
    for variable in variables {
        let mark = format!("{{{}}}", variable.name);
        if !texts.iter().any(|t| t.contains(&mark)) {
            continue;
        }
        let values = match free.iter().position(|f| f.name == variable.name) {
            // Where the default is itself a URL or a path, the text around it does not show where the host ends.
            Some(_) if variable.default.contains("://") || variable.default.starts_with('/') => {
                vec![variable.default.clone()]
            }
            Some(n) => vec![char::from_u32(FREE + n as u32).map(String::from).unwrap_or_default()],
            None => variable.values.clone(),
        };
        let before = texts;
        texts = before.iter().flat_map(|t| values.iter().map(|v| t.replace(&mark, v))).take(most + 1).collect();
        if texts.len() > most {
            texts.truncate(most);
            remarks.push(format!("more than {most} servers (limit `servers`); the rest is left out"));
        }
    }
    let mut bases: Vec<Base> = texts.iter().map(|text| take_apart(text, &free, &mut remarks)).collect();
    bases.sort_unstable();
    bases.dedup();
    remarks.sort_unstable();
    remarks.dedup();
    (bases, remarks)
}

fn take_apart(url: &str, free: &[&Variable], remarks: &mut Vec<String>) -> Base {
    let is_free = |c: char| (FREE..FREE + free.len() as u32).contains(&(c as u32));
    let (authority, path) = if let Some((_, rest)) = url.split_once("://") {
        rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at))
    } else if let Some(rest) = url.strip_prefix("//") {
        rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at))
    } else if looks_like_host(url) {
        remarks.push(format!("`{}` has no scheme; its beginning was taken for a host", shown(url, free)));
        url.find('/').map_or((url, ""), |at| url.split_at(at))
    } else {
        ("", url)
    };

    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = split_port(authority);
    // Variables that were never declared stay in braces: they may be anything.
    let mut pattern = String::new();
    let mut depth = 0usize;
    for c in host.chars() {
        match c {
            '{' => {
                depth += 1;
                pattern.push('*');
            }
            '}' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            c if is_free(c) => pattern.push('*'),
            c => pattern.push(c),
        }
    }
    let port = match port {
        None => None,
        Some(port) if port.contains(is_free) || port.contains('{') => None,
        Some(port) => port.parse().ok().or_else(|| {
            remarks.push(format!("the port `{port}` is no number; any port was taken"));
            None
        }),
    };
    let mut written = String::with_capacity(path.len());
    for c in path.chars() {
        match free.get((c as u32).wrapping_sub(FREE) as usize) {
            Some(variable) => written.push_str(&variable.default),
            None => written.push(c),
        }
    }
    let template = path::template(&normalise(&format!("/{written}")), &|_| false);
    // A base path is followed by more: nothing in it can span to the end.
    let segments = template
        .segments
        .into_iter()
        .map(|part| if let Part::CatchAll(name) = part { Part::Parameter(name) } else { part })
        .collect();
    Base { host: HostRule::new(&pattern), port, segments }
}

/// A URL with its placeholders as they were written.
fn shown(url: &str, free: &[&Variable]) -> String {
    url.chars()
        .map(|c| match free.get((c as u32).wrapping_sub(FREE) as usize) {
            Some(variable) => format!("{{{}}}", variable.name),
            None => c.to_string(),
        })
        .collect()
}

/// `api.example.com/v1`, `localhost:8080`: by the letter a relative reference, by intent a host.
fn looks_like_host(url: &str) -> bool {
    let first = url.split('/').next().unwrap_or_default();
    let (host, port) = split_port(first);
    let labels = host.split('.').count() > 1 && !host.starts_with('.') && !host.ends_with('.');
    let characters = host.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '{' | '}' | '_'));
    let ports = port.is_some_and(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    !host.is_empty() && characters && (ports || host == "localhost" || (labels && !host.ends_with(".json")))
}

/// Host and port of an authority (RFC 3986, 3.2). An IPv6 address without brackets is a host.
pub fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(end) = authority.find(']') {
        let (host, rest) = authority.split_at(end + 1);
        return (host, rest.strip_prefix(':').filter(|p| !p.is_empty()));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (host, Some(port).filter(|p| !p.is_empty())),
        _ => (authority, None),
    }
}

/// A base path that may be short of its slash, without host.
pub fn base_path(text: &str) -> Vec<Part> {
    take_apart(&format!("/{}", text.trim().trim_start_matches('/')), &[], &mut Vec::new()).segments
}

/// Takes the prefix off and puts the other one before; `false` when there was nothing to take off.
pub fn rewrite(segments: &mut Vec<Part>, strip: &[Part], add: &[Part]) -> bool {
    let fits = segments.starts_with(strip);
    if fits {
        segments.drain(..strip.len());
    }
    segments.splice(..0, add.iter().cloned());
    fits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(url: &str) -> Base {
        let (mut bases, _) = read(url, &[], 32);
        assert_eq!(bases.len(), 1);
        bases.remove(0)
    }

    fn base(host: &str, port: Option<u16>, path: &str) -> Base {
        Base { host: HostRule::new(host), port, segments: base_path(path) }
    }

    fn variable(name: &str, values: &[&str], default: &str) -> Variable {
        Variable {
            name: name.to_owned(),
            values: values.iter().map(|v| (*v).to_owned()).collect(),
            default: default.to_owned(),
        }
    }

    #[test]
    fn urls_of_all_forms() {
        assert_eq!(one("https://API.example.com/v1/"), base("api.example.com", None, "/v1"));
        assert_eq!(one("http://api.example.com.:8080"), base("api.example.com", Some(8080), "/"));
        assert_eq!(one("//api.example.com/v1"), base("api.example.com", None, "/v1"));
        assert_eq!(one("/v1"), base("", None, "/v1"));
        assert_eq!(one("v1/x"), base("", None, "/v1/x"));
        assert_eq!(one(""), Base::any());
        assert_eq!(one("."), Base::any());
        assert_eq!(one("http://[fd00::5]:80/x"), base("fd00::5", Some(80), "/x"));
        assert_eq!(one("https://user@h.example/x?y#z"), base("h.example", None, "/x"));
        assert_eq!(one("api.example.com/v1"), base("api.example.com", None, "/v1"));
        assert_eq!(one("localhost:8080"), base("localhost", Some(8080), "/"));
        assert_eq!(one("http://localhost:80a/x"), base("localhost", None, "/x"));
    }

    #[test]
    fn variables() {
        let (bases, _) = read(
            "https://{region}.example.com/{v}",
            &[variable("region", &["eu", "us"], "eu"), variable("v", &[], "v2")],
            32,
        );
        assert_eq!(bases, [base("eu.example.com", None, "/v2"), base("us.example.com", None, "/v2")]);
        let (bases, _) = read(
            "https://{tenant}.example.com:{port}",
            &[variable("tenant", &[], "demo"), variable("port", &[], "443")],
            32,
        );
        assert_eq!(bases, [base("*.example.com", None, "/")]);
        assert!(bases[0].host.names("acme.example.com") && !bases[0].host.names("example.org"));
        let (bases, _) = read(
            "{scheme}://{host}{base}",
            &[
                variable("scheme", &["http", "https"], "https"),
                variable("host", &[], "localhost"),
                variable("base", &[], "/api/v1"),
            ],
            32,
        );
        assert_eq!(bases, [base("", None, "/api/v1")]);
        let (bases, _) = read("{url}/x", &[variable("url", &[], "https://h.example/api")], 32);
        assert_eq!(bases, [base("h.example", None, "/api/x")]);
        assert_eq!(one("https://{undeclared}.example.com").host, HostRule::Glob("*.example.com".to_owned()));
    }

    #[test]
    fn too_many_servers_are_cut() {
        let values: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        let all = [variable("a", &values, ""), variable("b", &values, ""), variable("c", &values, "")];
        let (bases, remarks) = read("https://{a}.{b}.{c}.example.com", &all, 32);
        assert_eq!(bases.len(), 32);
        assert!(remarks.iter().any(|r| r.contains("limit `servers`")), "{remarks:?}");
    }

    #[test]
    fn patterns() {
        let pattern: ServicePattern = "*.shop.example:8080".parse().unwrap();
        assert!(pattern.host.names("eu.shop.example") && !pattern.host.names("shop.example"));
        assert_eq!(pattern.port, Some(8080));
        assert_eq!("[fd00::5]:80".parse(), Ok(ServicePattern { host: HostRule::new("fd00::5"), port: Some(80) }));
        assert_eq!("fd00::5".parse(), Ok(ServicePattern { host: HostRule::new("fd00::5"), port: None }));
        let any: ServicePattern = "*:8080".parse().unwrap();
        assert!(any.host.names("anything"));
        assert!("".parse::<ServicePattern>().is_err());
        assert!("h:x".parse::<ServicePattern>().is_err());
        assert!("http://h".parse::<ServicePattern>().is_err());
        assert!(glob(b"a*b*c", b"axxbyyc") && !glob(b"a*b*c", b"axxbyy") && glob(b"*", b""));
    }

    #[test]
    fn prefixes_are_rewritten_by_whole_segments() {
        let mut path = base_path("/gateway/api/pets");
        assert!(rewrite(&mut path, &base_path("/gateway"), &base_path("/v1")));
        assert_eq!(path, base_path("/v1/api/pets"));
        assert!(!rewrite(&mut path, &base_path("/v"), &[]));
        assert_eq!(path, base_path("/v1/api/pets"));
    }
}
