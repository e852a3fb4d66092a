//! Path templates as documents write them.
//!
//! Takes a key of `paths` or the path of a server URL, gives [`Part`]s: literals percent-decoded, parameters by name.
//! Reads the notations of other worlds (`:id`, `<int:id>`, `{id:[0-9]+}`, `{path+}`, `*`) with a remark. Never fails.

use super::documents::percent_decode;
use crate::inventory::documented::Part;

/// A template, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Template {
    /// Its segments; empty ones are left out, as they are in observed paths.
    pub segments: Vec<Part>,
    /// Names of query parameters that the template itself holds.
    pub query: Vec<String>,
    /// Its query or fragment, with the delimiter; empty when it has none.
    pub variant: String,
    /// What was odd.
    pub remarks: Vec<String>,
}

/// Reads a template. `spans` tells of a parameter's name whether its value may hold slashes.
pub fn template(text: &str, spans: &dyn Fn(&str) -> bool) -> Template {
    let mut out = Template::default();
    let mut path = text.trim();
    if path.len() != text.len() {
        out.remarks.push("white space around the path".to_owned());
    }
    if let Some((scheme, rest)) = path.split_once("://")
        && scheme.chars().all(|c| c.is_ascii_alphanumeric())
        && !scheme.is_empty()
    {
        path = rest.find('/').map_or("/", |at| &rest[at..]);
        out.remarks.push("a whole URL as a path; its path was taken".to_owned());
    }
    let (path, tail) = split_outside(path, &['?', '#']);
    if let Some(tail) = tail {
        out.variant = tail.to_owned();
        if let Some(query) = tail.strip_prefix('?') {
            let query = query.split('#').next().unwrap_or_default();
            out.query = query
                .split('&')
                .map(|pair| percent_decode(pair.split('=').next().unwrap_or_default()))
                .filter(|name| !name.is_empty())
                .collect();
        }
    }
    if !path.is_empty() && !path.starts_with(['/', '{']) {
        out.remarks.push("the path does not begin with `/`".to_owned());
    }
    let pieces: Vec<&str> = split_all_outside(path).into_iter().filter(|s| !s.is_empty()).collect();
    let last = pieces.len().saturating_sub(1);
    for (n, piece) in pieces.iter().enumerate() {
        if let Some(part) = segment(piece, n == last, spans, &mut out) {
            out.segments.push(part);
        }
    }
    out
}

/// Splits at the first of these outside of braces.
fn split_outside<'t>(text: &'t str, at: &[char]) -> (&'t str, Option<&'t str>) {
    let mut depth = 0usize;
    for (n, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            c if at.contains(&c) && (depth == 0 || !text[n..].contains('}')) => return (&text[..n], Some(&text[n..])),
            _ => {}
        }
    }
    (text, None)
}

/// Splits at each slash outside of braces; where braces are not closed, at each slash.
fn split_all_outside(text: &str) -> Vec<&str> {
    let balanced = text.matches('{').count() == text.matches('}').count();
    let mut depth = 0usize;
    text.split(|c| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == '/' && (depth == 0 || !balanced)
    })
    .collect()
}

/// A parameter between braces, understood.
struct Brace {
    name: String,
    spans: bool,
    /// The template operators `{?a,b}` and `{&a}` name query parameters instead (RFC 6570, 3.2.8).
    query: bool,
}

fn brace(inside: &str) -> Brace {
    let inside = inside.trim();
    if let Some(names) = inside.strip_prefix(['?', '&']) {
        return Brace { name: names.to_owned(), spans: false, query: true };
    }
    let bare = inside.trim_start_matches(['+', '#', '.', ';', '/', '*']);
    let mut spans = inside.starts_with(['+', '*']);
    let bare = bare.strip_suffix("...").inspect(|_| spans = true).unwrap_or(bare);
    let bare = bare.strip_suffix(['+', '*']).inspect(|_| spans = true).unwrap_or(bare);
    let (name, pattern) = bare.split_once(':').unwrap_or((bare, ""));
    spans |= matches!(pattern, "path" | ".*" | ".+" | "*" | "**");
    let name = name.trim();
    Brace { name: if name.is_empty() { "value".to_owned() } else { name.to_owned() }, spans, query: false }
}

fn segment(text: &str, last: bool, spans: &dyn Fn(&str) -> bool, out: &mut Template) -> Option<Part> {
    // Matrix parameters (`;v=1`) are left out of observed paths as well.
    let (text, _) = split_outside(text, &[';']);
    if text.is_empty() {
        return None;
    }
    match text {
        "*" | "**" if last => return Some(Part::CatchAll("path".to_owned())),
        "*" => return Some(Part::Parameter("value".to_owned())),
        _ => {}
    }
    let word = |s: &str| !s.is_empty() && s.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if let Some(name) = text.strip_prefix(':').filter(|name| word(name)) {
        out.remarks.push(format!("`:{name}` was read as `{{{name}}}`"));
        return Some(Part::Parameter(name.to_owned()));
    }
    if let Some(inside) = text.strip_prefix('<').and_then(|t| t.strip_suffix('>')) {
        let (kind, name) = inside.split_once(':').unwrap_or(("", inside));
        out.remarks.push(format!("`{text}` was read as `{{{name}}}`"));
        let name = name.to_owned();
        return Some(if last && kind == "path" { Part::CatchAll(name) } else { Part::Parameter(name) });
    }
    if !text.contains('{') {
        return Some(Part::Literal(percent_decode(text)));
    }

    let mut pieces: Vec<Result<String, String>> = Vec::new();
    let mut spanning = false;
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let Some(length) = close(&rest[open..]) else {
            out.remarks.push(format!("a brace is not closed in `{text}`; the rest is taken literally"));
            break;
        };
        if open > 0 {
            literal(&mut pieces, &rest[..open]);
        }
        let found = brace(&rest[open + 1..open + length]);
        if found.query {
            out.query.extend(found.name.split(',').map(|name| name.trim_end_matches('*').to_owned()));
        } else {
            spanning |= found.spans || spans(&found.name);
            pieces.push(Ok(found.name));
        }
        rest = &rest[open + length + 1..];
    }
    if !rest.is_empty() {
        literal(&mut pieces, rest);
    }
    match pieces.as_slice() {
        [] => None,
        [Ok(name)] if spanning && last => Some(Part::CatchAll(name.clone())),
        [Ok(name)] => Some(Part::Parameter(name.clone())),
        [Err(text)] => Some(Part::Literal(text.clone())),
        _ => Some(Part::Mixed(pieces)),
    }
}

/// Length from an opening brace to the one that closes it (patterns nest: `{id:[a-z]{2}}`).
fn close(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (n, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(n);
                }
            }
            _ => {}
        }
    }
    None
}

/// Appends a literal, joined with one before it.
fn literal(pieces: &mut Vec<Result<String, String>>, text: &str) {
    let text = percent_decode(text);
    match pieces.last_mut() {
        Some(Err(before)) => before.push_str(&text),
        _ => pieces.push(Err(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Template {
        template(text, &|name| name == "spanning")
    }

    fn literal(text: &str) -> Part {
        Part::Literal(text.to_owned())
    }

    fn parameter(name: &str) -> Part {
        Part::Parameter(name.to_owned())
    }

    fn catch_all(name: &str) -> Part {
        Part::CatchAll(name.to_owned())
    }

    fn mixed(pieces: &[Result<&str, &str>]) -> Part {
        Part::Mixed(pieces.iter().map(|p| p.map(str::to_owned).map_err(str::to_owned)).collect())
    }

    #[test]
    fn ordinary_templates() {
        assert_eq!(read("/").segments, []);
        assert_eq!(read("/pets/{petId}").segments, [literal("pets"), parameter("petId")]);
        assert!(read("/pets/{petId}").remarks.is_empty());
        assert_eq!(read("/pets/").segments, read("/pets").segments);
        assert_eq!(read("//pets///x").segments, [literal("pets"), literal("x")]);
    }

    #[test]
    fn hard_case_8_several_parameters_in_one_segment() {
        assert_eq!(
            read("/{service}/{caseId}.{ext}").segments,
            [parameter("service"), mixed(&[Ok("caseId"), Err("."), Ok("ext")])]
        );
        assert_eq!(read("/{lat},{lon}").segments, [mixed(&[Ok("lat"), Err(","), Ok("lon")])]);
        assert_eq!(
            read("/compare/{base}...{head}").segments,
            [literal("compare"), mixed(&[Ok("base"), Err("..."), Ok("head")])]
        );
        assert_eq!(read("/Entity('{key}')").segments, [mixed(&[Err("Entity('"), Ok("key"), Err("')")])]);
        assert_eq!(read("/{name}:cancel").segments, [mixed(&[Ok("name"), Err(":cancel")])]);
        assert_eq!(read("/pets:batch").segments, [literal("pets:batch")]);
    }

    #[test]
    fn hard_case_14_catch_alls() {
        for text in ["/c/{path+}", "/c/{path*}", "/c/{+path}", "/c/{path:path}", "/c/{path:.*}", "/c/{path...}", "/c/*"]
        {
            assert_eq!(read(text).segments, [literal("c"), catch_all("path")], "{text}");
        }
        assert_eq!(read("/c/{spanning}").segments, [literal("c"), catch_all("spanning")]);
        assert_eq!(
            read("/c/{spanning}/x").segments,
            [literal("c"), parameter("spanning"), literal("x")],
            "only at the end"
        );
    }

    #[test]
    fn hard_case_9_escapes_and_matrix_parameters() {
        assert_eq!(
            read("/a%20b/%E5%AE%A0%E7%89%A9;v=1/{id};x={x}").segments,
            [literal("a b"), literal("宠物"), parameter("id")]
        );
        assert_eq!(read("/100%/%zz").segments, [literal("100%"), literal("%zz")]);
    }

    #[test]
    fn queries_and_fragments() {
        let action = read("/?Action=List&Version=2010-05-08");
        assert_eq!(action.segments, []);
        assert_eq!(action.query, ["Action", "Version"]);
        assert_eq!(action.variant, "?Action=List&Version=2010-05-08");
        let fragment = read("/foo#X-Amz-Target=Do.It");
        assert_eq!((fragment.segments, fragment.variant.as_str()), (vec![literal("foo")], "#X-Amz-Target=Do.It"));
        let rfc6570 = read("/pets{?page,size*}");
        assert_eq!((rfc6570.segments, rfc6570.variant.as_str()), (vec![literal("pets")], ""));
        assert_eq!(rfc6570.query, ["page", "size"]);
    }

    #[test]
    fn notations_of_other_worlds() {
        assert_eq!(read("/users/:id").segments, [literal("users"), parameter("id")]);
        assert_eq!(read("/users/<int:id>").segments, [literal("users"), parameter("id")]);
        assert_eq!(read("/users/{id:[0-9/]{2}}").segments, [literal("users"), parameter("id")]);
        assert_eq!(read("users/{ id }").segments, [literal("users"), parameter("id")]);
        assert_eq!(read("https://h.example/users").segments, [literal("users")]);
        assert_eq!(read(" /users\t").segments, [literal("users")]);
        assert!(!read("users").remarks.is_empty());
    }

    #[test]
    fn braces_that_do_not_close() {
        assert_eq!(read("/a/{b/c").segments, [literal("a"), literal("{b"), literal("c")]);
        assert_eq!(read("/a}/b").segments, [literal("a}"), literal("b")]);
        assert_eq!(read("/a/{}").segments, [literal("a"), parameter("value")]);
    }
}
