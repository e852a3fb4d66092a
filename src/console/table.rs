//! Tables without lines.
//!
//! Takes rows of cells, gives lines no wider than asked where that can be. Columns are as wide as their widest cell; one
//! column, the elastic one, gives way and wraps at the places where its text may break. Never cuts text off.

use super::tone::width;

/// Where a column's text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right: figures.
    Right,
}

/// A table. Cells may hold the escape codes of [`Tones::paint`](super::Tones::paint), except in the elastic column's
/// cells, which may wrap: their tone goes in [`Table::row`]'s `paint`.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Align>,
    elastic: usize,
    rows: Vec<Vec<String>>,
    indent: usize,
}

/// Spaces between columns.
const BETWEEN: usize = 2;
/// The elastic column keeps at least this.
const LEAST: usize = 16;

impl Table {
    /// A table of these columns, `elastic` being the one that wraps, each line indented.
    pub fn new(columns: &[Align], elastic: usize, indent: usize) -> Self {
        Self {
            columns: columns.to_vec(),
            elastic: elastic.min(columns.len().saturating_sub(1)),
            rows: Vec::new(),
            indent,
        }
    }

    /// Adds a row; cells that are missing stay empty.
    pub fn row(&mut self, mut cells: Vec<String>) {
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }

    /// Are there no rows?
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lays it out in so many columns; each line ends with a newline. `paint` colours each piece of the elastic column.
    pub fn render(&self, columns: usize, paint: impl Fn(usize, &str) -> String) -> String {
        let mut widths: Vec<usize> =
            (0..self.columns.len()).map(|c| self.rows.iter().map(|r| width(&r[c])).max().unwrap_or(0)).collect();
        let fixed: usize =
            widths.iter().enumerate().filter(|(c, _)| *c != self.elastic).map(|(_, w)| w + BETWEEN).sum();
        if let Some(w) = widths.get_mut(self.elastic) {
            *w = (*w).min(columns.saturating_sub(fixed + self.indent).max(LEAST));
        }
        let mut out = String::new();
        for (n, row) in self.rows.iter().enumerate() {
            let pieces = wrap(&row[self.elastic], widths[self.elastic]);
            for (line, piece) in pieces.iter().enumerate() {
                let mut text = " ".repeat(self.indent);
                for (c, align) in self.columns.iter().enumerate() {
                    let (cell, taken) = match (c == self.elastic, line) {
                        (true, _) => (paint(n, piece), width(piece)),
                        (false, 0) => (row[c].clone(), width(&row[c])),
                        (false, _) => (String::new(), 0),
                    };
                    let space = " ".repeat(widths[c].saturating_sub(taken));
                    let between = if c == 0 { "" } else { "  " };
                    match align {
                        Align::Left => text.extend([between, &cell, &space]),
                        Align::Right => text.extend([between, &space, &cell]),
                    }
                }
                out.push_str(text.trim_end());
                out.push('\n');
            }
        }
        out
    }
}

/// Breaks text into pieces of at most `columns`: behind a space, before a `/`, `?` or `&`, else anywhere.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while width(rest) > columns {
        let mut end = 0;
        let mut good = 0;
        let mut taken = 0;
        for (at, c) in rest.char_indices() {
            if at > 0 && (matches!(c, '/' | '?' | '&') || rest[..at].ends_with(' ')) {
                good = at;
            }
            taken += width(c.encode_utf8(&mut [0; 4]));
            if taken > columns {
                break;
            }
            end = at + c.len_utf8();
        }
        // A break that leaves less than a third of the line is worse than one inside of a word.
        let at = if good * 3 > end { good } else { end.max(rest.chars().next().map_or(0, char::len_utf8)) };
        pieces.push(rest[..at].trim_end().to_owned());
        rest = rest[at..].trim_start();
    }
    pieces.push(rest.to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut t = Table::new(&[Align::Left, Align::Left, Align::Right], 1, 2);
        t.row(vec!["METHOD".into(), "PATH".into(), "CALLS".into()]);
        t.row(vec!["GET".into(), "/v1/organisations/{organisationId}/members/{memberId}".into(), "1,234".into()]);
        t
    }

    #[test]
    fn columns_line_up() {
        assert_eq!(
            table().render(100, |_, s| s.to_owned()),
            "  METHOD  PATH                                                   CALLS\n  \
               GET     /v1/organisations/{organisationId}/members/{memberId}  1,234\n"
        );
    }

    #[test]
    fn the_elastic_column_wraps_at_slashes() {
        let text = table().render(50, |_, s| s.to_owned());
        assert!(text.lines().all(|l| width(l) <= 50), "{text}");
        assert!(text.contains("/v1/organisations") && text.contains("/{organisationId}/members"), "{text}");
    }

    #[test]
    fn nothing_is_lost_by_wrapping() {
        for columns in 1..40 {
            let text = "/a/世界/averyveryverylongsegmentwithoutabreak?x=1&y=2";
            assert_eq!(wrap(text, columns).concat(), text);
        }
    }
}
