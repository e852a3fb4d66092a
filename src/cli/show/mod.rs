//! The inventory on the terminal.
//!
//! Takes view, diff and a screen, gives text that fits it. Long lists are cut where a person looks on, and say how to see
//! the rest. Never prints a character from the wire that would steer the terminal.

mod endpoint;
mod findings;
mod opaque;
mod schema;
mod services;
mod sight;

pub(crate) use endpoint::endpoint;
pub(crate) use findings::findings;
pub(crate) use opaque::{opaque, server};
pub(crate) use schema::schema;
pub(crate) use services::services;
pub(crate) use sight::sight;

use std::collections::BTreeMap;

use crate::console::{Screen, Tone, Tones};
use crate::inventory::EndpointView;
use crate::report::{figures, visible};

/// How much of long lists is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Endpoints of one service, and findings of one kind.
    pub(crate) lines: usize,
    /// Services.
    pub(crate) services: usize,
}

impl Cut {
    /// Nothing is cut.
    pub(crate) const NONE: Self = Self { lines: usize::MAX, services: usize::MAX };

    /// On a terminal, what a person can take in; anywhere else nothing is cut.
    pub(crate) fn of(screen: &Screen, show_rest: bool) -> Self {
        if screen.interactive && !show_rest { Self { lines: 30, services: 20 } } else { Self::NONE }
    }
}

/// A heading.
fn heading(out: &mut String, tones: Tones, text: &str) {
    out.push('\n');
    out.push_str(&tones.paint(Tone::Strong, text));
    out.push('\n');
}

/// How an endpoint answered: gRPC calls by their own statuses, all else by HTTP's.
fn answers(tones: Tones, e: &EndpointView, most: usize) -> String {
    if e.grpc_statuses.is_empty() {
        return statuses(tones, &e.statuses, e.unanswered, most);
    }
    let mut parts: Vec<String> = e
        .grpc_statuses
        .iter()
        .map(|(status, n)| {
            let tone = match status.0 {
                0 => Tone::Good,
                // Internal, unavailable, data loss and whatever nobody knows.
                2 | 13..=15 => Tone::Bad,
                _ => Tone::Warn,
            };
            format!("{} ×{}", tones.paint(tone, &status.name()), figures::short(*n))
        })
        .collect();
    // 200 is what gRPC always says.
    let others: BTreeMap<u16, u64> = e.statuses.iter().filter(|(s, _)| **s != 200).map(|(s, n)| (*s, *n)).collect();
    if !others.is_empty() || e.unanswered > 0 {
        parts.push(statuses(tones, &others, e.unanswered, most));
    }
    cut(tones, parts, most)
}

/// `200 ×1,000 404 ×20`, each in the tone of its class, at most `most` of them.
fn statuses(tones: Tones, statuses: &BTreeMap<u16, u64>, unanswered: u64, most: usize) -> String {
    let mut parts: Vec<String> = statuses
        .iter()
        .map(|(code, n)| {
            let tone = match code {
                200..400 => Tone::Good,
                500.. => Tone::Bad,
                400..500 => Tone::Warn,
                _ => Tone::Plain,
            };
            format!("{} ×{}", tones.paint(tone, &code.to_string()), figures::short(*n))
        })
        .collect();
    if unanswered > 0 {
        parts.push(format!("{} ×{}", tones.paint(Tone::Quiet, "none"), figures::short(unanswered)));
    }
    cut(tones, parts, most)
}

fn cut(tones: Tones, mut parts: Vec<String>, most: usize) -> String {
    if parts.len() > most {
        let rest = parts.len() - (most - 1);
        parts.truncate(most - 1);
        parts.push(tones.paint(Tone::Quiet, &format!("+{rest}")));
    }
    parts.join(" ")
}

/// A path template with its parameters set off.
fn path(tones: Tones, template: &str) -> String {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some((open, close)) = rest.find('{').and_then(|o| Some((o, o + rest[o..].find('}')? + 1))) {
        out.push_str(&rest[..open]);
        out.push_str(&tones.paint(Tone::Variable, &rest[open..close]));
        rest = &rest[close..];
    }
    out + rest
}

/// Text from the wire, safe to print.
fn safe(text: &str) -> String {
    visible(text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_set_off() {
        assert_eq!(path(Tones::new(true), "/a/{b}/c"), "/a/\x1b[35m{b}\x1b[0m/c");
        assert_eq!(path(Tones::new(true), "/a/{b"), "/a/{b");
    }

    #[test]
    fn many_statuses_are_cut() {
        let map = BTreeMap::from([(200, 1), (201, 1), (400, 1), (404, 1), (500, 1)]);
        assert_eq!(statuses(Tones::new(false), &map, 0, 4), "200 ×1 201 ×1 400 ×1 +2");
    }
}
