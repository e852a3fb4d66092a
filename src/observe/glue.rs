//! Segments that are more than one thing.
//!
//! Takes a decoded path segment, gives the pieces an API's author would tell apart: `report.json`, `42:cancel`,
//! `Customers('x')`, `main...fix`, `lang=de`. A piece that hangs on to the one before begins with [`BEFORE`], one that the next
//! hangs on to ends with [`AFTER`]; neither occurs in a segment that is kept as text. Never splits what has none of these forms.

/// First character of a piece that belongs to the same segment as the piece before it.
pub const BEFORE: char = '\u{1}';
/// Last character of a piece after which the same segment goes on.
pub const AFTER: char = '\u{2}';

/// Endings that name a form of the answer, not a part of the name.
const EXTENSIONS: [&str; 66] = [
    "json", "xml", "csv", "yaml", "yml", "html", "htm", "txt", "rss", "atom", "jsonp", "pdf", "pbf", "mp3", "mp4",
    "wav", "zip", "png", "jpg", "jpeg", "svg", "gif", "webp", "diff", "patch", "tsv", "geojson", "ics", "md", "kml",
    "gpx", "m3u8", "mvt", "ttl", "aac", "flac", "mkv", "avi", "mov", "ogg", "opus", "m4a", "m4s", "m4v", "webm", "vtt",
    "srt", "ass", "docx", "xlsx", "pptx", "doc", "xls", "tar", "gz", "tgz", "bin",
    // Of scripts and settings, for which scanners ask: so that no code before them is taken for an identifier.
    "php", "asp", "aspx", "jsp", "cgi", "sql", "bak", "env", "ini",
];

/// A segment taken apart: what stands before, glue that is a literal of its own, what stands after. Empty pieces are not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pieces<'a> {
    /// A literal with [`AFTER`] to be put to its end: `Customers('`, `lang=`.
    pub opening: &'a str,
    /// The stem, of any kind.
    pub stem: &'a str,
    /// A literal with [`BEFORE`] to be put to its beginning: `.json`, `:cancel`, `')`; `...` goes on after it.
    pub ending: &'a str,
    /// What follows `...`, of any kind.
    pub second: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(opening: &'a str, stem: &'a str, ending: &'a str, second: &'a str) -> Option<Self> {
        Some(Self { opening, stem, ending, second })
    }

    /// The pieces in order, with their marks; `true` for a literal.
    pub fn each(self, mut then: impl FnMut(&str, bool)) {
        if !self.opening.is_empty() {
            then(&format!("{}{AFTER}", self.opening), true);
        }
        then(self.stem, false);
        if !self.second.is_empty() {
            then(&format!("{BEFORE}{}{AFTER}", self.ending), true);
            then(self.second, false);
        } else if !self.ending.is_empty() {
            then(&format!("{BEFORE}{}", self.ending), true);
        }
    }
}

/// Takes a segment apart; `None` where it is one piece. Endings are looked for in the last segment of a path only.
pub fn split(text: &str, last: bool) -> Option<Pieces<'_>> {
    let cut = |at: usize| text.split_at_checked(at);
    if let Some(stem) = text.strip_suffix("')")
        && let Some((name, value)) = stem.split_once("('")
        && !name.is_empty()
        && !value.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    {
        let (opening, _) = cut(name.len() + 2)?;
        return Pieces::of(opening, value, "')", "");
    }
    if let Some((base, head)) = text.split_once("...")
        && !base.is_empty()
        && !head.is_empty()
        && !head.starts_with('.')
    {
        return Pieces::of("", base, "...", head);
    }
    if let Some((name, value)) = text.split_once('=')
        && !name.is_empty()
        && !value.is_empty()
        && !value.contains('=')
        && name.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    {
        let (opening, _) = cut(name.len() + 1)?;
        return Pieces::of(opening, value, "", "");
    }
    if !last {
        return None;
    }
    if let Some((stem, verb)) = text.split_once(':')
        && !stem.is_empty()
        && verb.len() >= 3
        && verb.starts_with(|c: char| c.is_ascii_lowercase())
        && verb.bytes().all(|b| b.is_ascii_alphabetic())
    {
        return Pieces::of("", stem, cut(stem.len())?.1, "");
    }
    let (stem, extension) = text.rsplit_once('.')?;
    if stem.is_empty() || stem.ends_with('.') || !EXTENSIONS.iter().any(|e| e.eq_ignore_ascii_case(extension)) {
        return None;
    }
    Pieces::of("", stem, cut(stem.len())?.1, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, last: bool) -> String {
        let mut out = Vec::new();
        match split(text, last) {
            Some(pieces) => pieces.each(|piece, _| out.push(piece.replace(BEFORE, "<").replace(AFTER, ">"))),
            None => out.push(text.to_owned()),
        }
        out.join(" ")
    }

    #[test]
    fn hard_case_08_two_things_in_one_segment() {
        assert_eq!(told("42.json", true), "42 <.json");
        assert_eq!(told("42.json", false), "42.json");
        assert_eq!(told("a1b2:cancel", true), "a1b2 <:cancel");
        assert_eq!(told("Customers('ALFKI')", false), "Customers('> ALFKI <')");
        assert_eq!(told("main...fix", false), "main <...> fix");
        assert_eq!(told("lang=de", false), "lang=> de");
    }

    #[test]
    fn what_is_one_thing_stays_whole() {
        for one in
            ["users", "v1.2", ".json", "a..json", "urn:isbn:123", "@a:b.org", "x=", "dGVzdA==", "('a')", "10:30", ""]
        {
            assert_eq!(split(one, true), None, "{one}");
        }
    }
}
