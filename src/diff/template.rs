//! Templates of the inventory, taken apart again.
//!
//! Takes the text of a template as a view holds it, gives its parts. Literals are percent-decoded, as they are in
//! documented paths: a view escapes what would be read as a delimiter or a parameter.

use crate::inventory::documented::Part;
use crate::spec::percent_decode;

/// Reads a template such as `/users/{userId}/files/{name}.{ext}`. A parameter that ends with `*`, `+` or `...`, or the
/// segment `*` or `**`, stands for all the rest of the path.
pub(super) fn parse(template: &str) -> Vec<Part> {
    template.split('/').filter(|s| !s.is_empty()).map(segment).collect()
}

fn segment(text: &str) -> Part {
    if matches!(text, "*" | "**") {
        return Part::CatchAll(text.to_owned());
    }
    let mut pieces: Vec<Result<String, String>> = Vec::new();
    let mut rest = text;
    while let Some((literal, name, after)) = next_parameter(rest) {
        if !literal.is_empty() {
            pieces.push(Err(percent_decode(literal)));
        }
        pieces.push(Ok(name.to_owned()));
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Err(percent_decode(rest)));
    }
    match pieces.as_slice() {
        [Ok(name)] if name.ends_with(['*', '+']) || name.ends_with("...") => Part::CatchAll(name.clone()),
        [Ok(name)] => Part::Parameter(name.clone()),
        [Err(literal)] => Part::Literal(literal.clone()),
        _ => Part::Mixed(pieces),
    }
}

/// The text before the next parameter, its name, and what follows.
fn next_parameter(text: &str) -> Option<(&str, &str, &str)> {
    let open = text.find('{')?;
    let close = open + text[open..].find('}')?;
    Some((&text[..open], &text[open + 1..close], &text[close + 1..]))
}

/// Parameters of a part.
pub(super) fn parameters(part: &Part) -> usize {
    match part {
        Part::Literal(_) => 0,
        Part::Parameter(_) | Part::CatchAll(_) => 1,
        Part::Mixed(pieces) => pieces.iter().filter(|p| p.is_ok()).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts() {
        assert_eq!(parse("/"), []);
        assert_eq!(
            parse("/users/{id}/{a}.{b}/x{*"),
            [
                Part::Literal("users".to_owned()),
                Part::Parameter("id".to_owned()),
                Part::Mixed(vec![Ok("a".to_owned()), Err(".".to_owned()), Ok("b".to_owned())]),
                Part::Literal("x{*".to_owned()),
            ]
        );
        let escaped = ["a b".to_owned(), "宠物".to_owned(), "{x}".to_owned()].map(Part::Literal);
        assert_eq!(parse("/a%20b/%E5%AE%A0%E7%89%A9/%7Bx%7D"), escaped);
        assert!(matches!(parse("/files/{path*}").as_slice(), [_, Part::CatchAll(_)]));
        assert!(matches!(parse("/files/*").as_slice(), [_, Part::CatchAll(_)]));
    }
}
