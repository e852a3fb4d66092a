//! Names of path parameters.
//!
//! Takes a template's pieces and the kinds of values at its parameters, gives a name for each, unique within the template:
//! a document's, or one made of the word before (`/users/{userId}`). Never says more than the path does.

use std::collections::{BTreeMap, BTreeSet};

use super::Piece;
use crate::observe::Kind;
use crate::observe::glue::{AFTER, BEFORE};

/// A parameter's name, and the place in the path at which it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::inventory) struct PathName {
    pub(in crate::inventory) name: String,
    pub(in crate::inventory) place: usize,
}

/// The template as text, and its parameters left to right. `kinds` gives the kinds of values at a place.
pub(in crate::inventory) fn name(
    pieces: &[Piece],
    kinds: impl Fn(usize) -> BTreeMap<Kind, u64>,
) -> (String, Vec<PathName>) {
    let mut text = String::new();
    let mut names = Vec::new();
    let mut taken = BTreeSet::new();
    for piece in pieces {
        match piece {
            Piece::Named(name) | Piece::CatchAll(Some(name)) => drop(taken.insert(name.clone())),
            Piece::Mixed(parts) => taken.extend(parts.iter().flatten().cloned()),
            _ => {}
        }
    }
    let mut open = false;
    for (place, piece) in pieces.iter().enumerate() {
        if !open && !hangs_on(piece) {
            text.push('/');
        }
        open = matches!(piece, Piece::Literal(word) if word.ends_with(AFTER));
        match piece {
            Piece::Literal(word) => push_literal(&mut text, word.trim_matches([BEFORE, AFTER])),
            Piece::Mixed(parts) => {
                for part in parts {
                    match part {
                        Ok(name) => {
                            text.extend(["{", name, "}"]);
                            names.push(PathName { name: name.clone(), place });
                        }
                        Err(literal) => push_literal(&mut text, literal.trim_matches([BEFORE, AFTER])),
                    }
                }
            }
            Piece::Named(name) | Piece::CatchAll(Some(name)) => {
                text.extend(["{", name, closing(piece)]);
                names.push(PathName { name: name.clone(), place });
            }
            Piece::Ending => {
                let name = free("ext", &mut taken);
                text.extend([".{", &name, "}"]);
                names.push(PathName { name, place });
            }
            Piece::Pair => {
                for (mark, wish) in [("", "lat"), (",", "lon")] {
                    let name = free(wish, &mut taken);
                    text.extend([mark, "{", &name, "}"]);
                    names.push(PathName { name, place });
                }
            }
            Piece::Parameter | Piece::CatchAll(None) => {
                let wish = match piece {
                    Piece::CatchAll(_) => "path".to_owned(),
                    _ => guess(before(pieces, place), &kinds(place)),
                };
                let name = free(&wish, &mut taken);
                text.extend(["{", &name, closing(piece)]);
                names.push(PathName { name, place });
            }
        }
    }
    if text.is_empty() {
        text.push('/');
    }
    (text, names)
}

/// What stands for all the rest of a path is written `{path*}`.
fn closing(piece: &Piece) -> &'static str {
    if matches!(piece, Piece::CatchAll(_)) { "*}" } else { "}" }
}

/// Is a piece part of the same segment as the piece before it?
fn hangs_on(piece: &Piece) -> bool {
    match piece {
        Piece::Literal(word) => word.starts_with(BEFORE),
        Piece::Mixed(parts) => matches!(parts.first(), Some(Err(literal)) if literal.starts_with(BEFORE)),
        Piece::Ending => true,
        _ => false,
    }
}

/// A literal as it stands in a template: what would be read as a delimiter or a parameter is escaped.
fn push_literal(text: &mut String, literal: &str) {
    for byte in literal.bytes() {
        match byte {
            b'{'
            | b'}'
            | b'%'
            | b'?'
            | b'#'
            | b'/'
            | b'\\'
            | b'"'
            | b'<'
            | b'>'
            | b'^'
            | b'`'
            | b'|'
            | ..=b' '
            | 0x7f.. => {
                text.push('%');
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(digit.into(), 16).unwrap_or('0').to_ascii_uppercase());
                }
            }
            _ => text.push(byte as char),
        }
    }
}

/// What stands before a place in a template.
fn before(pieces: &[Piece], place: usize) -> Option<&Piece> {
    pieces.get(place.checked_sub(1)?)
}

fn guess(before: Option<&Piece>, kinds: &BTreeMap<Kind, u64>) -> String {
    if !kinds.is_empty() && kinds.keys().all(|k| *k == Kind::Date) {
        return "date".to_owned();
    }
    let Some(Piece::Literal(word)) = before else { return "id".to_owned() };
    // Of `Customers('` only the name says something, of `...` nothing does.
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let stem = singular(word);
    let mut name = String::new();
    let mut capital = false;
    for c in stem.chars() {
        if !c.is_ascii_alphanumeric() {
            capital = !name.is_empty();
        } else if std::mem::take(&mut capital) {
            name.push(c.to_ascii_uppercase());
        } else if name.is_empty() {
            name.push(c.to_ascii_lowercase());
        } else {
            name.push(c);
        }
    }
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || super::features::is_version(word) {
        return "id".to_owned();
    }
    name + "Id"
}

/// The singular of an English plural, as far as its end tells.
pub(super) fn singular(word: &str) -> String {
    let lower = word.to_ascii_lowercase();
    let cut = |n: usize| word.get(..word.len() - n).unwrap_or(word);
    if lower.len() > 4 && lower.ends_with("ies") {
        return format!("{}y", cut(3));
    }
    if ["sses", "shes", "ches", "xes", "zzes", "uses"].iter().any(|e| lower.ends_with(e)) && lower.len() > 5 {
        return cut(2).to_owned();
    }
    if lower.len() > 3 && lower.ends_with('s') && !["ss", "us", "is"].iter().any(|e| lower.ends_with(e)) {
        return cut(1).to_owned();
    }
    word.to_owned()
}

fn free(wish: &str, taken: &mut BTreeSet<String>) -> String {
    let mut name = wish.to_owned();
    let mut n = 2;
    while !taken.insert(name.clone()) {
        name = format!("{wish}{n}");
        n += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pieces: &[Piece]) -> String {
        name(pieces, |_| BTreeMap::new()).0
    }

    fn literal(word: &str) -> Piece {
        Piece::Literal(word.to_owned())
    }

    #[test]
    fn parameters_are_named_after_the_word_before() {
        let p = Piece::Parameter;
        assert_eq!(
            text(&[literal("users"), p.clone(), literal("orders"), p.clone()]),
            "/users/{userId}/orders/{orderId}"
        );
        assert_eq!(text(&[literal("repos"), p.clone(), p.clone()]), "/repos/{repoId}/{id}");
        assert_eq!(text(&[p.clone(), p.clone()]), "/{id}/{id2}");
        assert_eq!(text(&[literal("user-categories"), p.clone()]), "/user-categories/{userCategoryId}");
        assert_eq!(text(&[literal("Addresses"), p.clone()]), "/Addresses/{addressId}");
        assert_eq!(text(&[literal("status"), p.clone()]), "/status/{statusId}");
        assert_eq!(text(&[literal("v1"), p]), "/v1/{id}");
        assert_eq!(text(&[literal("files"), Piece::CatchAll(None)]), "/files/{path*}");
        assert_eq!(text(&[]), "/");
        assert_eq!(text(&[literal("a{b}")]), "/a%7Bb%7D");
        let dates = name(&[literal("days"), Piece::Parameter], |_| [(Kind::Date, 3)].into()).0;
        assert_eq!(dates, "/days/{date}");
    }

    #[test]
    fn names_of_documents_win_and_stay_unique() {
        let pieces =
            [literal("users"), Piece::Named("userId".into()), Piece::Parameter, literal("users"), Piece::Parameter];
        let (text, names) = name(&pieces, |_| BTreeMap::new());
        assert_eq!(text, "/users/{userId}/{id}/users/{userId2}");
        assert_eq!(names.iter().map(|n| n.place).collect::<Vec<_>>(), [1, 2, 4]);
    }
}
