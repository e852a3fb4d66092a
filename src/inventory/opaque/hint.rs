//! Does what passes look like an API? A hint, never a fact.
//!
//! Takes what can be seen without keys (the application protocol; how many turns there are and how large they are), gives
//! one of four labels and the reasons in words. Never looks at a name: what a server is called proves nothing.

use serde::{Deserialize, Serialize};

use super::state::State;
use crate::exchange::Turns;

/// How API-like the traffic of a server looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likeness {
    /// HTTP, in short questions and answers.
    Likely,
    /// One of the two, and nothing against it.
    Possible,
    /// Another protocol, or bulk.
    Unlikely,
    /// Nothing that would tell.
    #[default]
    Unknown,
}

impl Likeness {
    /// The stable name, as in the serialised form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Likely => "likely",
            Self::Possible => "possible",
            Self::Unlikely => "unlikely",
            Self::Unknown => "unknown",
        }
    }
}

/// A hint with its reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// How API-like it looks.
    pub likeness: Likeness,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// Turns of at most this class (8 KiB) can be a question, of the next but one (128 KiB) an answer.
const QUESTION: usize = 3;
const ANSWER: usize = 5;

/// What the protocol says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Http,
    Other,
    Nothing,
}

pub(super) fn hint(state: &State) -> Hint {
    let mut reasons = Vec::new();
    let protocol = protocol(state, &mut reasons);
    let shape = shape(state, &mut reasons);
    let likeness = match (protocol, shape) {
        (Said::Other, _) => Likeness::Unlikely,
        (Said::Http, Some(true)) => Likeness::Likely,
        (Said::Nothing, Some(true)) | (Said::Http, None) => Likeness::Possible,
        (_, Some(false)) => Likeness::Unlikely,
        (Said::Nothing, None) => Likeness::Unknown,
    };
    Hint { likeness, reasons }
}

/// Protocols that carry HTTP (IANA's registry of ALPN ids, and the drafts before them).
fn is_http(name: &str) -> bool {
    matches!(name, "h2" | "h3" | "http/1.1" | "http/1.0" | "http/0.9" | "grpc-exp" | "h2c")
        || ["h2-", "h3-", "spdy/"].iter().any(|start| name.starts_with(start))
}

fn protocol(state: &State, reasons: &mut Vec<String>) -> Said {
    let (tally, verb) = match (state.alpn.is_empty(), state.offered.is_empty()) {
        (false, _) => (&state.alpn, "chose"),
        (true, false) => (&state.offered, "offered"),
        (true, true) => {
            reasons.push("no application protocol (ALPN) was named".to_owned());
            return Said::Nothing;
        }
    };
    let (http, most) = (tally.of(is_http), tally.most());
    let others = tally.of(|name| !is_http(name)).saturating_add(tally.others());
    let name = most.map_or("", |(name, _)| name);
    let who = if verb == "chose" { "the server chose" } else { "clients offered" };
    reasons.push(format!("{who} the application protocol {name}"));
    if http >= others { Said::Http } else { Said::Other }
}

/// Do the turns look like questions and answers? `None`: too few of them to tell.
fn shape(state: &State, reasons: &mut Vec<String>) -> Option<bool> {
    let turns = &state.turns;
    let (Some(asked), Some(answered)) = (turns.median(false), turns.median(true)) else {
        reasons.push(match state.settled {
            0 => "no connection was seen for long enough".to_owned(),
            _ => "no turns of question and answer could be told apart".to_owned(),
        });
        return None;
    };
    let n = turns.count(true);
    let connections = state.settled.max(1);
    reasons.push(format!(
        "{} each way in {}; half of what clients said at a time is {}, half of the answers {}",
        plural(n, "turn"),
        plural(connections, "connection"),
        below(asked),
        below(answered)
    ));
    if asked == 0 && answered == 0 && n / connections >= 20 {
        reasons.push("many tiny turns, as in terminals, tunnels and message brokers".to_owned());
        return Some(false);
    }
    if asked > ANSWER || answered > ANSWER {
        reasons.push("most of it is bulk, as in downloads, uploads and streams".to_owned());
        return Some(false);
    }
    (asked <= QUESTION).then_some(true)
}

fn plural(n: u64, thing: &str) -> String {
    format!("{n} {thing}{}", if n == 1 { "" } else { "s" })
}

fn below(class: usize) -> String {
    match Turns::bound(class) {
        bytes if class + 1 == crate::exchange::TURN_CLASSES => format!("{} KiB or more", (bytes >> 10) / 4),
        bytes if bytes < 1024 => format!("below {bytes} bytes"),
        bytes => format!("below {} KiB", bytes >> 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(alpn: Option<&str>, turns: &[(u64, u64)]) -> State {
        let mut state = State { settled: 2, ..State::default() };
        if let Some(alpn) = alpn {
            state.alpn.add(alpn, 2, 9);
        }
        for (asked, answered) in turns {
            state.turns.add(false, *asked);
            state.turns.add(true, *answered);
        }
        state
    }

    #[test]
    fn short_questions_and_answers_over_http_look_like_an_api() {
        let hint = hint(&state(Some("h2"), &[(300, 900), (250, 4_000), (400, 700)]));
        assert_eq!(hint.likeness, Likeness::Likely);
        assert_eq!(
            hint.reasons,
            [
                "the server chose the application protocol h2",
                "3 turns each way in 2 connections; half of what clients said at a time is below 512 bytes, half of the \
                 answers below 2 KiB"
            ]
        );
    }

    #[test]
    fn each_label_has_its_case() {
        let likeness = |alpn, turns: &[(u64, u64)]| hint(&state(alpn, turns)).likeness;
        assert_eq!(likeness(Some("imap"), &[(300, 900)]), Likeness::Unlikely);
        assert_eq!(likeness(Some("h2"), &[(300, 9_000_000)]), Likeness::Unlikely, "a download");
        assert_eq!(likeness(None, &[(60, 60); 50]), Likeness::Unlikely, "a terminal");
        assert_eq!(likeness(Some("http/1.1"), &[]), Likeness::Possible);
        assert_eq!(likeness(None, &[(300, 900)]), Likeness::Possible);
        assert_eq!(likeness(None, &[]), Likeness::Unknown);
        assert_eq!(likeness(Some("h3-29"), &[]), Likeness::Possible);
    }

    #[test]
    fn a_hint_is_never_without_a_reason() {
        for state in [State::default(), state(None, &[]), state(Some("x"), &[(1 << 30, 1 << 30)])] {
            assert!(!hint(&state).reasons.is_empty());
        }
        assert_eq!(below(7), "512 KiB or more");
    }

    #[test]
    fn names_are_those_of_the_json_form() {
        for likeness in [Likeness::Likely, Likeness::Possible, Likeness::Unlikely, Likeness::Unknown] {
            assert_eq!(serde_json::to_value(likeness).unwrap(), likeness.name());
        }
    }
}
