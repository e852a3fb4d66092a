//! What the fuzz targets share: choices taken from the fuzzer's bytes, and streams whose content is known.
//!
//! Each target holds a law of the design rather than only "does not panic"; its first paragraph says which.

pub mod observed;

use std::collections::BTreeMap;

use shadowtap::base::{Address, FlowKey, Side, Timestamp};
use shadowtap::inventory::Change;
use shadowtap::stream::{Chunk, Close, Connection, Consumer, End, Gap};

/// The fuzzer's bytes as a series of choices; zeros when they are used up.
pub struct Choices<'a>(pub &'a [u8]);

impl<'a> Choices<'a> {
    /// Is nothing left?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A byte.
    pub fn u8(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// Two bytes.
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes([self.u8(), self.u8()])
    }

    /// Four bytes.
    pub fn u32(&mut self) -> u32 {
        u32::from(self.u16()) << 16 | u32::from(self.u16())
    }

    /// A number below `n`; 0 for `n` = 0.
    pub fn below(&mut self, n: usize) -> usize {
        if n <= 256 { usize::from(self.u8()) % n.max(1) } else { self.u32() as usize % n }
    }

    /// Up to `n` bytes as they are.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// A client and a server that all targets use.
pub fn ends() -> (Address, Address) {
    (Address::v4(0xc000_020a, 40000), Address::v4(0xc000_0201, 80))
}

/// The flow between them, and the side that is the client.
pub fn flow() -> (FlowKey, Side) {
    let (client, server) = ends();
    FlowKey::new(client, server, 0)
}

/// Packet time: a second, and so many nanoseconds after it.
pub fn time(nanos: u64) -> Timestamp {
    Timestamp::from_parts(1, nanos)
}

/// The byte that belongs at an offset of a side's stream: neighbours differ, and so do the two sides.
pub fn content(side: Side, offset: u64) -> u8 {
    let x = (offset ^ (side as u64) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x >> 56) as u8
}

/// What a reader of one connection was told of one direction.
#[derive(Default, Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Offset where the next piece must begin.
    pub next: u64,
    /// Bytes delivered.
    pub delivered: u64,
    /// Holes, as (offset, length).
    pub gaps: Vec<(u64, u64)>,
    /// Did the direction end?
    pub end: Option<End>,
}

/// A reader of connections that checks what it is told against [`content`].
#[derive(Default)]
pub struct Checker {
    /// Finished and unfinished connections in order of appearance: what was told of `Lo` and of `Hi`.
    pub connections: Vec<[Told; 2]>,
    /// Connections closed.
    pub closed: usize,
    /// Check bytes against [`content`]?
    pub known: bool,
}

impl Consumer for Checker {
    type State = usize;

    fn open(&mut self, _: &Connection) -> usize {
        self.connections.push(Default::default());
        self.connections.len() - 1
    }

    fn data(&mut self, _: &Connection, state: &mut usize, side: Side, chunk: Chunk<'_>) {
        assert!(!chunk.bytes.is_empty(), "an empty chunk");
        let told = &mut self.connections[*state][side as usize];
        assert_eq!(told.next, chunk.offset, "neither a gap nor the next byte");
        if self.known {
            for (i, &byte) in chunk.bytes.iter().enumerate() {
                assert_eq!(byte, content(side, chunk.offset + i as u64), "a byte in the wrong place");
            }
        }
        told.next += chunk.bytes.len() as u64;
        told.delivered += chunk.bytes.len() as u64;
    }

    fn gap(&mut self, _: &Connection, state: &mut usize, side: Side, gap: Gap) {
        let Gap { offset, len, .. } = gap;
        let told = &mut self.connections[*state][side as usize];
        assert!(len > 0, "a gap of nothing");
        assert_eq!(told.next, offset, "a gap in the wrong place");
        told.gaps.push((offset, len));
        told.next += len;
    }

    fn end(&mut self, _: &Connection, state: &mut usize, side: Side, how: End, _: Timestamp) {
        let told = &mut self.connections[*state][side as usize];
        assert!(told.end.is_none(), "ended twice");
        told.end = Some(how);
    }

    fn close(&mut self, _: &Connection, _: usize, _: Close, _: Timestamp) {
        self.closed += 1;
    }
}

/// What a store keeps.
pub type Kept = BTreeMap<Vec<u8>, Vec<u8>>;

/// A commit.
pub fn keep(kept: &mut Kept, changes: Vec<Change>) {
    for change in changes {
        match change.value {
            Some(value) => kept.insert(change.key, value),
            None => kept.remove(&change.key),
        };
    }
}
