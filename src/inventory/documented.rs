//! Routes that documents name: they win over statistics.
//!
//! Takes nothing by itself; a reader of specs (floor 7) makes routes, the inventory obeys them. Never holds more of a
//! document than its routes.

use crate::observe::glue;

/// One documented route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// Only for services of this host (lower case, as in [`ServiceKey`](crate::observe::ServiceKey)); `None`: for any.
    pub host: Option<String>,
    /// Only for services on this port; `None`: on any.
    pub port: Option<u16>,
    /// The whole path from the root, base path included.
    pub segments: Vec<Part>,
}

/// One segment of a documented route.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A literal, percent-decoded.
    Literal(String),
    /// One parameter that is the whole segment.
    Parameter(String),
    /// Literals and parameters in one segment, in order (`{service}.{ext}`): `Ok` is a parameter's name, `Err` a literal.
    Mixed(Vec<Result<String, String>>),
    /// Any number of segments, one or more, up to the end of the path (`{path}` that spans slashes).
    CatchAll(String),
}

impl Route {
    /// The same route as segments are observed: those that are more than one thing taken apart
    /// (see [`glue`]).
    pub(super) fn unglued(&self) -> Self {
        let count = self.segments.len();
        let segments = self.segments.iter().cloned().enumerate().flat_map(|(at, part)| unglue(part, at + 1 == count));
        Self { segments: segments.collect(), ..self.clone() }
    }
}

fn unglue(part: Part, last: bool) -> Vec<Part> {
    // A parameter that is no part of any form a segment is split by.
    const HOLE: &str = "\u{3}";
    let (text, names) = match &part {
        Part::Literal(text) => (text.clone(), Vec::new()),
        Part::Mixed(parts) => {
            let text = parts.iter().map(|p| p.as_ref().map_or_else(String::as_str, |_| HOLE)).collect();
            (text, parts.iter().flatten().cloned().collect())
        }
        Part::Parameter(_) | Part::CatchAll(_) => return vec![part],
    };
    let mut names = names.into_iter();
    let mut out = Vec::new();
    let Some(pieces) = glue::split(&text, last) else { return if last { unglue_ending(part) } else { vec![part] } };
    pieces.each(|piece, literal| {
        if literal {
            out.push(Part::Literal(piece.to_owned()));
        } else if piece == HOLE {
            out.extend(names.next().map(Part::Parameter));
        } else {
            let mut mixed = Vec::new();
            for (i, text) in piece.split(HOLE).enumerate() {
                mixed.extend(if i > 0 { names.next().map(Ok) } else { None });
                mixed.extend((!text.is_empty()).then(|| Err(text.to_owned())));
            }
            out.push(match mixed.pop() {
                Some(Err(text)) if mixed.is_empty() => Part::Literal(text),
                Some(last) => {
                    mixed.push(last);
                    Part::Mixed(mixed)
                }
                None => Part::Literal(String::new()),
            });
        }
    });
    out
}

/// `{name}.{ext}` and `{name}:{verb}`: what is after the joint hangs on to what is before it.
fn unglue_ending(part: Part) -> Vec<Part> {
    let Part::Mixed(parts) = &part else { return vec![part] };
    let [stem @ .., Err(joint), Ok(ending)] = &parts[..] else { return vec![part] };
    let Some((before, mark)) = joint.split_at_checked(joint.len().saturating_sub(1)) else { return vec![part] };
    if !matches!(mark, "." | ":") || (stem.is_empty() && before.is_empty()) {
        return vec![part];
    }
    let mut stem = stem.to_vec();
    if !before.is_empty() {
        stem.push(Err(before.to_owned()));
    }
    let stem = match &stem[..] {
        [Ok(name)] => Part::Parameter(name.clone()),
        [Err(literal)] => Part::Literal(literal.clone()),
        _ => Part::Mixed(stem),
    };
    vec![stem, Part::Mixed(vec![Err(format!("{}{mark}", glue::BEFORE)), Ok(ending.clone())])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_of_documents_are_taken_apart_as_those_of_traffic() {
        let ok = |name: &str| Ok(name.to_owned());
        let err = |text: &str| Err(text.to_owned());
        let literal = |text: &str| Part::Literal(text.to_owned());
        let parameter = |name: &str| Part::Parameter(name.to_owned());
        let apart = |part: Part| unglue(part, true);
        assert_eq!(apart(Part::Mixed(vec![ok("id"), err(".json")])), [parameter("id"), literal("\u{1}.json")]);
        assert_eq!(apart(Part::Mixed(vec![ok("id"), err(":cancel")])), [parameter("id"), literal("\u{1}:cancel")]);
        assert_eq!(apart(literal("report.json")), [literal("report"), literal("\u{1}.json")]);
        assert_eq!(apart(literal("users")), [literal("users")]);
        assert_eq!(
            apart(Part::Mixed(vec![ok("a"), err("..."), ok("b")])),
            [parameter("a"), literal("\u{1}...\u{2}"), parameter("b")]
        );
        let ending = |mark: &str| Part::Mixed(vec![err(mark), ok("ext")]);
        assert_eq!(
            apart(Part::Mixed(vec![ok("service"), err("."), ok("ext")])),
            [parameter("service"), ending("\u{1}.")]
        );
        assert_eq!(apart(Part::Mixed(vec![err("stream."), ok("ext")])), [literal("stream"), ending("\u{1}.")]);
        assert_eq!(
            apart(Part::Mixed(vec![err("page-"), ok("n"), err(".xml")])),
            [Part::Mixed(vec![err("page-"), ok("n")]), literal("\u{1}.xml")]
        );
    }
}
