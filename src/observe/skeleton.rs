//! The fields of a JSON message.
//!
//! Takes the bytes of messages in any pieces, gives for each whole one where its values stand and of which form they are
//! (`orders[].price`, a decimal). Names that look like values are replaced by their kind, as in queries. A message that is
//! larger, deeper or richer than the bounds is known in part or not at all. Never keeps a value, nor any byte of one.

use super::{Kind, shape};

/// Bytes of a message that are looked at; a larger one is not counted.
const BYTES: usize = 64 << 10;
/// Objects and lists in each other whose fields are told; deeper ones are stepped over.
const DEPTH: usize = 12;
/// Fields of one message.
const FIELDS: usize = 64;
/// Bytes of a name.
const NAME: usize = 64;
/// Bytes of a whole path.
const PATH: usize = 256;

/// What may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The message's first byte, which must open an object or a list.
    Begin,
    /// A value; right after `[`, its end as well.
    Value {
        first: bool,
    },
    /// `,` or the end of what is open.
    After,
    /// A name; right after `{`, its end as well.
    Name {
        first: bool,
    },
    InName {
        escaped: bool,
    },
    Colon,
    InText {
        escaped: bool,
    },
    Number {
        decimal: bool,
    },
    /// Letters of `true`, `false` or `null` still to come.
    Word(&'static [u8]),
    /// All is closed.
    Done,
    /// Not JSON, or too large.
    Bad,
}

/// An object or a list that is open, and how long the path to it is.
#[derive(Clone, Copy, Debug)]
struct Level {
    list: bool,
    path: usize,
}

/// A message that is being read.
#[derive(Clone, Debug)]
pub(super) struct Skeleton {
    state: State,
    levels: Vec<Level>,
    path: String,
    name: Vec<u8>,
    /// The name holds an escape, or is too long.
    odd_name: bool,
    bytes: usize,
    found: Vec<(String, Kind)>,
}

impl Skeleton {
    pub(super) fn new() -> Self {
        Self {
            state: State::Begin,
            levels: Vec::new(),
            path: String::new(),
            name: Vec::new(),
            odd_name: false,
            bytes: 0,
            found: Vec::new(),
        }
    }

    /// Bytes of the message.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > BYTES {
            self.state = State::Bad;
        }
        if self.state == State::Bad {
            return;
        }
        for byte in bytes {
            self.step(*byte);
        }
    }

    /// The message is over: its fields, each once with each form, where it was JSON. The next one follows.
    pub(super) fn end(&mut self, mut then: impl FnMut(&str, Kind)) {
        if self.state == State::Done {
            self.found.iter().for_each(|(path, kind)| then(path, *kind));
        }
        self.state = State::Begin;
        (self.bytes, self.odd_name) = (0, false);
        self.levels.clear();
        self.path.clear();
        self.name.clear();
        self.found.clear();
    }

    fn step(&mut self, byte: u8) {
        let space = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.state = match (self.state, byte) {
            (State::InName { escaped: true }, _) => State::InName { escaped: false },
            (State::InName { .. }, b'\\') => {
                self.odd_name = true;
                State::InName { escaped: true }
            }
            (State::InName { .. }, b'"') => State::Colon,
            (State::InName { .. }, _) => {
                if self.name.len() < NAME {
                    self.name.push(byte);
                } else {
                    self.odd_name = true;
                }
                self.state
            }
            (State::InText { escaped: true }, _) => State::InText { escaped: false },
            (State::InText { .. }, b'\\') => State::InText { escaped: true },
            (State::InText { .. }, b'"') => self.leaf(Kind::Text),
            (State::InText { .. }, _) => self.state,
            (State::Number { .. }, b'.' | b'e' | b'E') => State::Number { decimal: true },
            (State::Number { .. }, b'0'..=b'9' | b'+' | b'-') => self.state,
            (State::Number { decimal }, _) => {
                self.state = self.leaf(if decimal { Kind::Decimal } else { Kind::Integer });
                return self.step(byte);
            }
            (State::Word(rest), _) => match rest.split_first() {
                Some((due, [])) if *due == byte => self.leaf(if byte == b'l' { Kind::Empty } else { Kind::Boolean }),
                Some((due, rest)) if *due == byte => State::Word(rest),
                _ => State::Bad,
            },
            (state, _) if space => state,
            (State::Begin, b'{' | b'[') | (State::Value { .. }, b'{' | b'[') => self.open(byte == b'['),
            (State::Value { first: true }, b']') | (State::After, b']') => self.close(true),
            (State::Name { first: true }, b'}') | (State::After, b'}') => self.close(false),
            (State::Value { .. }, b'"') => State::InText { escaped: false },
            (State::Value { .. }, b'-' | b'0'..=b'9') => State::Number { decimal: false },
            (State::Value { .. }, b't') => State::Word(b"rue"),
            (State::Value { .. }, b'f') => State::Word(b"alse"),
            (State::Value { .. }, b'n') => State::Word(b"ull"),
            (State::Name { .. }, b'"') => {
                self.name.clear();
                self.odd_name = false;
                State::InName { escaped: false }
            }
            (State::Colon, b':') => {
                self.named();
                State::Value { first: false }
            }
            (State::After, b',') => match self.levels.last() {
                Some(Level { list: true, .. }) => State::Value { first: false },
                Some(_) => State::Name { first: false },
                None => State::Bad,
            },
            _ => State::Bad,
        };
    }

    fn told(&self) -> bool {
        self.levels.len() <= DEPTH
    }

    fn open(&mut self, list: bool) -> State {
        if self.levels.len() >= 4 * DEPTH {
            return State::Bad;
        }
        if list && self.told() && self.path.len() < PATH {
            self.path.push_str("[]");
        }
        self.levels.push(Level { list, path: self.path.len() });
        if list { State::Value { first: true } } else { State::Name { first: true } }
    }

    fn close(&mut self, list: bool) -> State {
        match self.levels.pop() {
            Some(level) if level.list == list => self.after(),
            _ => State::Bad,
        }
    }

    /// Behind a value: the path is again that of what is open.
    fn after(&mut self) -> State {
        match self.levels.last() {
            Some(level) => {
                self.path.truncate(level.path);
                State::After
            }
            None => State::Done,
        }
    }

    fn named(&mut self) {
        if !self.told() || self.path.len() >= PATH {
            return;
        }
        if !self.path.is_empty() {
            self.path.push('.');
        }
        let kind = if self.odd_name { Kind::Text } else { shape::segment(&self.name) };
        match std::str::from_utf8(&self.name) {
            Ok(name) if kind.keeps_text() => self.path.push_str(name),
            _ => {
                self.path.push('{');
                self.path.push_str(kind.name());
                self.path.push('}');
            }
        }
    }

    fn leaf(&mut self, kind: Kind) -> State {
        let known = || self.found.iter().any(|(path, other)| *path == self.path && *other == kind);
        if self.told() && self.found.len() < FIELDS && !known() {
            self.found.push((self.path.clone(), kind));
        }
        self.after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fields(text: &str, step: usize) -> Vec<String> {
        let mut skeleton = Skeleton::new();
        text.as_bytes().chunks(step).for_each(|piece| skeleton.push(piece));
        let mut out = Vec::new();
        skeleton.end(|path, kind| out.push(format!("{path} {}", kind.name())));
        out.sort();
        out
    }

    #[test]
    fn places_and_forms_without_values() {
        let text = r#" {"id": 17, "name": "jane \"doe\" {", "on": true, "none": null, "rate": -1.5e3,
            "orders": [ {"price": 2.5}, {"price": 3, "tags": ["a", "b"]} ], "by": {"4711": {"x": false}},
            "507f1f77bcf86cd799439011": 1, "empty": {}, "list": [[1], []]} "#;
        for step in [1, 2, 7, 1000] {
            assert_eq!(
                fields(text, step),
                [
                    "by.{integer}.x boolean",
                    "id integer",
                    "list[][] integer",
                    "name text",
                    "none empty",
                    "on boolean",
                    "orders[].price decimal",
                    "orders[].price integer",
                    "orders[].tags[] text",
                    "rate decimal",
                    "{object-id} integer",
                ]
            );
        }
        assert_eq!(fields("[1, 2]", 1), ["[] integer"]);
    }

    #[test]
    fn what_is_no_json_tells_nothing() {
        for text in [
            "",
            "hello",
            "17",
            "{",
            "{\"a\":1",
            "{\"a\" 1}",
            "{\"a\":1]",
            "[1}",
            "{\"a\":1} x",
            "{a:1}",
            "[,1]",
            "[tru]",
        ] {
            assert_eq!(fields(text, 3), [""; 0], "{text}");
        }
        let large = format!("[\"{}\"]", "x".repeat(BYTES));
        assert_eq!(fields(&large, 1000), [""; 0]);
    }

    #[test]
    fn deep_and_wide_messages_are_bounded() {
        let deep = format!("{}1{}", "{\"a\":".repeat(40), "}".repeat(40));
        assert_eq!(fields(&deep, 100), [""; 0]);
        let deeper = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
        assert_eq!(fields(&deeper, 100), [""; 0]);
        let names: Vec<_> = (0..26 * 26)
            .map(|n| {
                format!(
                    "\"f{}{}\": 1",
                    b"abcdefghijklmnopqrstuvwxyz"[n / 26] as char,
                    b"abcdefghijklmnopqrstuvwxyz"[n % 26] as char
                )
            })
            .collect();
        assert_eq!(fields(&format!("{{{}}}", names.join(",")), 100).len(), FIELDS);
        // A message after a bad one is read afresh.
        let mut skeleton = Skeleton::new();
        skeleton.push(b"{{{");
        skeleton.end(|_, _| panic!("nothing"));
        skeleton.push(b"{\"a\":1}");
        let mut seen = 0;
        skeleton.end(|path, _| seen += usize::from(path == "a"));
        assert_eq!(seen, 1);
    }

    proptest! {
        #[test]
        fn any_bytes(bytes in proptest::collection::vec(prop::sample::select(&b"{}[]\":,\\ 1.etrufalsn\xff"[..]), 0..200)) {
            let mut skeleton = Skeleton::new();
            skeleton.push(&bytes);
            skeleton.end(|path, _| assert!(path.len() <= PATH + NAME + 16));
        }
    }
}
