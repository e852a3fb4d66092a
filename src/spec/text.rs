//! From bytes to a tree.
//!
//! Takes the bytes of a file, gives a JSON value and what had to be mended on the way: byte order marks, UTF-16,
//! bytes that are no UTF-8, tabs, keys given twice. Bounded in bytes, values and depth, YAML aliases included. Never
//! knows what the document means.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::error::SpecError;
use crate::base::SpecLimits;

/// A file, read.
pub struct Text {
    /// Its content.
    pub value: Value,
    /// What was mended: JSON pointer and words.
    pub mended: Vec<(String, String)>,
    /// The text, for finding lines.
    pub text: String,
}

/// Reads a file's bytes.
pub fn parse(file: &str, bytes: &[u8], limits: &SpecLimits) -> Result<Text, SpecError> {
    if bytes.len() > limits.file_bytes {
        return Err(limit(file, "file_bytes", limits.file_bytes));
    }
    let mut mended = Vec::new();
    let text = decode(bytes, &mut mended);
    let outside = text.trim_start();
    let json = outside.starts_with(['{', '[']);
    let value = if json {
        match json_value(file, &text, limits, &mut mended) {
            Err(error @ SpecError::Syntax { .. }) => {
                // JSON with comments, trailing commas or tabs is almost always YAML's flow style.
                let mut again = mended.clone();
                let value = yaml_value(file, &text, limits, &mut again).map_err(|_| error)?;
                mended = again;
                mended.push((String::new(), "not strict JSON; read as YAML".to_owned()));
                value
            }
            other => other?,
        }
    } else {
        match yaml_value(file, &text, limits, &mut mended) {
            Err(error @ SpecError::Syntax { .. }) => {
                let spaces = without_tabs(&text).ok_or_else(|| error.clone())?;
                let value = yaml_value(file, &spaces, limits, &mut mended).map_err(|_| error)?;
                mended.push((String::new(), "indented with tabs; each was read as two spaces".to_owned()));
                value
            }
            other => other?,
        }
    };
    Ok(Text { value, mended, text })
}

/// Bytes to text by the byte order mark (RFC 3629, 6; RFC 2781, 3.3), UTF-8 without one.
fn decode(bytes: &[u8], mended: &mut Vec<(String, String)>) -> String {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest, mended),
        rest => utf8(rest, mended),
    }
}

fn utf8(bytes: &[u8], mended: &mut Vec<(String, String)>) -> String {
    if let Err(error) = std::str::from_utf8(bytes) {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&b| b == b'\n').count() + 1;
        mended.push((String::new(), format!("not UTF-8 in line {line}; the bytes were replaced")));
    }
    String::from_utf8_lossy(bytes).into_owned()
}

/// The text with the tabs of each line's indentation replaced; `None` when there are none.
fn without_tabs(text: &str) -> Option<String> {
    let indentation = |line: &str| line.len() - line.trim_start_matches([' ', '\t', '-']).len();
    if !text.lines().any(|line| line[..indentation(line)].contains('\t')) {
        return None;
    }
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for line in text.split_inclusive('\n') {
        let (indent, rest) = line.split_at(indentation(line));
        out.push_str(&indent.replace('\t', "  "));
        out.push_str(rest);
    }
    Some(out)
}

fn json_value(
    file: &str,
    text: &str,
    limits: &SpecLimits,
    mended: &mut Vec<(String, String)>,
) -> Result<Value, SpecError> {
    let state = RefCell::new(State::new(limits));
    let mut reader = serde_json::Deserializer::from_str(text);
    let result = Build { state: &state, depth: 0 }.deserialize(&mut reader).and_then(|v| reader.end().map(|()| v));
    let state = state.into_inner();
    if result.is_ok() {
        state.report(mended);
    }
    result.map_err(|error| match state.breach {
        Some(breach) => breach.error(file),
        // serde_json's own bound of 128 lies above ours, unless ours was raised.
        None if error.to_string().starts_with("recursion limit") => limit(file, "depth", limits.depth),
        None => SpecError::Syntax {
            file: file.to_owned(),
            line: error.line() as u64,
            column: error.column() as u64,
            format: "JSON",
            reason: without_place(&error.to_string()),
        },
    })
}

/// `serde_json` ends its messages with the place; we have put it in front.
fn without_place(message: &str) -> String {
    message.split(" at line ").next().unwrap_or(message).to_owned()
}

fn yaml_value(
    file: &str,
    text: &str,
    limits: &SpecLimits,
    mended: &mut Vec<(String, String)>,
) -> Result<Value, SpecError> {
    use serde_saphyr::Error;
    let mut aliases = serde_saphyr::options::AliasLimits::default();
    // A value is at most two events (start and end).
    aliases.max_total_replayed_events = limits.alias_nodes.saturating_mul(2);
    aliases.max_replay_stack_depth = limits.depth;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: limits.nodes.saturating_mul(3),
            max_nodes: limits.nodes,
            max_depth: limits.depth,
            max_recorded_anchor_events: limits.alias_nodes.saturating_mul(2),
            max_total_scalar_bytes: limits.file_bytes,
            max_documents: 16,
            // Long keys: a path with its query, a Markdown table as a key of an example.
            simple_key_max_lookahead: 4096,
            // Specs share one error schema among hundreds of places.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: aliases,
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        // `version: 010` and `1_0` are text to their authors; `yes` and `no` are too (YAML 1.2).
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        non_finite_float_policy: serde_saphyr::options::NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    };
    let state = RefCell::new(State::new(limits));
    let result = serde_saphyr::with_deserializer_from_str_with_options(text, options, |reader| {
        Build { state: &state, depth: 0 }.deserialize(reader)
    });
    let state = state.into_inner();
    if result.is_ok() {
        state.report(mended);
    }
    result.map_err(|error| {
        if let Some(breach) = state.breach {
            return breach.error(file);
        }
        let mut cause = &error;
        while let Error::AliasError { error, .. } | Error::WithSnippet { error, .. } = cause {
            cause = error;
        }
        match cause {
            Error::Budget { breach, .. } => {
                use serde_saphyr::budget::BudgetBreach;
                match breach {
                    BudgetBreach::Depth { .. } => limit(file, "depth", limits.depth),
                    BudgetBreach::Events { .. } | BudgetBreach::Nodes { .. } => limit(file, "nodes", limits.nodes),
                    BudgetBreach::ScalarBytes { .. } => limit(file, "file_bytes", limits.file_bytes),
                    _ => limit(file, "alias_nodes", limits.alias_nodes),
                }
            }
            Error::AliasReplayLimitExceeded { .. } => limit(file, "alias_nodes", limits.alias_nodes),
            // The parser looks ahead of the tree, and has a bound of 255 of its own for flow style.
            other if other.to_string().contains("recursion limit") => limit(file, "depth", limits.depth),
            other => {
                let place = other.location();
                let mut reason = other.to_string();
                if let Some(cut) = reason.find(" at line ") {
                    reason.truncate(cut);
                }
                SpecError::Syntax {
                    file: file.to_owned(),
                    line: place.map_or(0, |p| p.line()),
                    column: place.map_or(0, |p| p.column()),
                    format: "YAML",
                    reason,
                }
            }
        }
    })
}

fn limit(file: &str, limit: &'static str, value: usize) -> SpecError {
    SpecError::Limit { file: file.to_owned(), limit, value }
}

/// A limit that was reached while building.
#[derive(Clone, Copy)]
struct Breach {
    limit: &'static str,
    value: usize,
}

impl Breach {
    fn error(self, file: &str) -> SpecError {
        limit(file, self.limit, self.value)
    }
}

/// What building a tree remembers besides the tree.
struct State<'l> {
    limits: &'l SpecLimits,
    nodes: usize,
    /// Keys on the way from the root to the value at hand.
    way: Vec<String>,
    /// Pointers of keys given twice.
    twice: Vec<String>,
    breach: Option<Breach>,
}

impl<'l> State<'l> {
    fn new(limits: &'l SpecLimits) -> Self {
        Self { limits, nodes: 0, way: Vec::new(), twice: Vec::new(), breach: None }
    }

    fn report(&self, mended: &mut Vec<(String, String)>) {
        let words = "key given twice; both were joined, and where they disagree the later one counts";
        mended.extend(self.twice.iter().map(|pointer| (pointer.clone(), words.to_owned())));
    }
}

/// Builds one value.
#[derive(Clone, Copy)]
struct Build<'s, 'l> {
    state: &'s RefCell<State<'l>>,
    depth: usize,
}

impl Build<'_, '_> {
    /// One value more, at this depth.
    fn count<E: serde::de::Error>(&self) -> Result<(), E> {
        let mut state = self.state.borrow_mut();
        state.nodes += 1;
        let breach = if state.nodes > state.limits.nodes {
            Breach { limit: "nodes", value: state.limits.nodes }
        } else if self.depth > state.limits.depth {
            Breach { limit: "depth", value: state.limits.depth }
        } else {
            return Ok(());
        };
        state.breach = Some(breach);
        Err(E::custom("over a limit"))
    }

    fn below(self) -> Self {
        Self { depth: self.depth + 1, ..self }
    }
}

impl<'de> DeserializeSeed<'de> for Build<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        self.count()?;
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_i128<E>(self, v: i128) -> Result<Value, E> {
        Ok(Value::String(v.to_string()))
    }

    fn visit_u128<E>(self, v: u128) -> Result<Value, E> {
        Ok(Value::String(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Value, E> {
        Ok(Number::from_f64(v).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_string<E>(self, v: String) -> Result<Value, E> {
        Ok(Value::String(v))
    }

    fn visit_bytes<E>(self, v: &[u8]) -> Result<Value, E> {
        Ok(Value::String(String::from_utf8_lossy(v).into_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        self.state.borrow_mut().way.push(String::new());
        while let Some(value) = seq.next_element_seed(self.below())? {
            out.push(value);
        }
        self.state.borrow_mut().way.pop();
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key_seed(Key)? {
            self.state.borrow_mut().way.push(key);
            let value = map.next_value_seed(self.below())?;
            let mut state = self.state.borrow_mut();
            let key = state.way.pop().ok_or_else(|| A::Error::custom("a key is missing"))?;
            match out.get_mut(&key) {
                None => {
                    out.insert(key, value);
                }
                Some(old) => {
                    if state.twice.len() < state.limits.warnings {
                        let mut pointer = String::new();
                        state.way.iter().chain([&key]).for_each(|k| push_key(&mut pointer, k));
                        state.twice.push(pointer);
                    }
                    join(old, value);
                }
            }
        }
        Ok(Value::Object(out))
    }
}

/// Appends a key to a JSON pointer (RFC 6901, 3).
pub fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Joins a value given later into one given before: objects key by key, anything else is replaced. As deep as the
/// tree, which is bounded.
fn join(old: &mut Value, new: Value) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                match old.get_mut(&key) {
                    Some(below) => join(below, value),
                    None => {
                        old.insert(key, value);
                    }
                }
            }
        }
        (old, new) => *old = new,
    }
}

/// A key; numbers, booleans and nothing become their text.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<String, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, v: &str) -> Result<String, E> {
        Ok(v.to_owned())
    }

    fn visit_string<E>(self, v: String) -> Result<String, E> {
        Ok(v)
    }

    fn visit_bool<E>(self, v: bool) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_i64<E>(self, v: i64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_u64<E>(self, v: u64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_f64<E>(self, v: f64) -> Result<String, E> {
        Ok(v.to_string())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

/// The line (from 1) on which the value at a JSON pointer begins, where each key of the way stands on a line of its own
/// and deeper than the one before, as in block YAML and indented JSON. Anything else: `None`, or the line of the
/// deepest key found so.
pub fn line_of(text: &str, pointer: &str) -> Option<u64> {
    let mut lines = text.lines().enumerate().peekable();
    let mut outer: Option<usize> = None;
    let mut found = None;
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        let mut level: Option<usize> = None;
        let mut hit = None;
        while let Some(&(n, line)) = lines.peek() {
            let bare = line.trim_start();
            let indent = line.len() - bare.len();
            let blank = bare.is_empty() || bare.starts_with('#') || bare.starts_with("---") || bare == "{";
            if !blank {
                if outer.is_some_and(|outer| indent <= outer) {
                    break;
                }
                let level = *level.get_or_insert(indent);
                if indent == level && is_key(bare, &key) {
                    hit = Some((n as u64 + 1, indent));
                }
            }
            lines.next();
            if hit.is_some() {
                break;
            }
        }
        let Some((line, indent)) = hit else { break };
        found = Some(line);
        outer = Some(indent);
    }
    found
}

/// Does a line begin with this key?
fn is_key(line: &str, key: &str) -> bool {
    let rest = match line.as_bytes().first() {
        Some(&quote @ (b'"' | b'\'')) => line[1..].strip_prefix(key).and_then(|r| r.strip_prefix(quote as char)),
        _ => line.strip_prefix(key),
    };
    rest.is_some_and(|r| r.trim_start().starts_with(':'))
}
