//! Ids that last.
//!
//! Takes what makes a service or an endpoint, gives 64 bits that are the same in every run and on every machine.
//! Never takes a value: values of a path are all one to an id.

use super::tree::Token;
use crate::observe::{Key, Segment, ServiceKey};

/// Marks of what a segment is; neither can be in a text that is kept.
const WORD: u8 = b'/';
const VALUE: u8 = 0;
const REST: u8 = 1;
const OPERATION: u8 = 2;

/// The number of a service.
pub(super) fn service(key: &ServiceKey<'_>) -> u64 {
    let mut text = Vec::with_capacity(key.host.len() + 16);
    text.extend_from_slice(key.scheme.as_str().as_bytes());
    text.push(WORD);
    text.extend_from_slice(key.host.as_bytes());
    text.push(WORD);
    text.extend_from_slice(&key.port.to_be_bytes());
    Key::FIXED.hash(&text)
}

/// The number of a path, method and operation as they were asked for, values left out.
pub(super) fn origin(method: &str, operation: &str, path: &[Segment<'_>]) -> u64 {
    let mut text = Vec::with_capacity(96);
    text.extend_from_slice(method.as_bytes());
    for segment in path {
        push(&mut text, segment.text);
    }
    if !operation.is_empty() {
        text.push(OPERATION);
        text.extend_from_slice(operation.as_bytes());
    }
    Key::FIXED.hash(&text)
}

/// The number of a path as the tree holds it, 128 bits: two paths never share a record in the store.
pub(super) fn record(method: &str, path: &[Token]) -> u128 {
    let mut text = Vec::with_capacity(96);
    text.extend_from_slice(method.as_bytes());
    for token in path {
        match token {
            Token::Word(word, _) => push(&mut text, word),
            Token::Value => push(&mut text, ""),
            Token::Rest => text.push(REST),
        }
    }
    let low = Key::FIXED.hash(&text);
    let high = Key::new(*b"shadowtap: upper").hash(&text);
    u128::from(high) << 64 | u128::from(low)
}

/// The number shown for an endpoint: its service and the path under which the first of its exchanges was seen.
pub(super) fn endpoint(service: u64, origin: u64) -> u64 {
    Key::FIXED.hash_bits(u128::from(service) << 64 | u128::from(origin))
}

fn push(text: &mut Vec<u8>, segment: &str) {
    if segment.is_empty() {
        text.push(VALUE);
    } else {
        text.push(WORD);
        text.extend_from_slice(segment.as_bytes());
    }
}
