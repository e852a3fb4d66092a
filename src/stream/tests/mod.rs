//! Tests of the floor: a consumer that checks the contract with each call, and an end that sends segments.
//!
//! Takes nothing from files, gives verdicts. Never compiled into the program.

mod bounds;
mod cases;
mod properties;

use std::collections::BTreeMap;

use super::*;
use crate::base::{Address, Bucket, FlowKey, Ledger, Limits, Missing, Oddity, Side, Timestamp};
use crate::wire::{Segment, TcpFlags};

pub const MS: u64 = 1_000_000;
pub const SECOND: u64 = 1_000 * MS;
pub const SYN: u8 = TcpFlags::SYN;
pub const ACK: u8 = TcpFlags::ACK;
pub const FIN: u8 = TcpFlags::FIN;
pub const RST: u8 = TcpFlags::RST;

/// One direction as it was told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Offset of the first thing told.
    pub start: Option<u64>,
    /// Bytes, gaps as `None`.
    pub bytes: Vec<Option<u8>>,
    /// (offset, length)
    pub gaps: Vec<(u64, u64)>,
    /// (offset, acked) of each chunk.
    pub acked: Vec<(u64, Option<u64>)>,
    pub end: Option<End>,
}

impl Told {
    pub fn text(&self) -> String {
        let bytes: Vec<u8> = self.bytes.iter().map(|b| b.unwrap_or(b'?')).collect();
        String::from_utf8(bytes).unwrap()
    }
}

/// One connection as it was told.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub key: FlowKey,
    pub opener: Option<Side>,
    pub told: [Told; 2],
    pub close: Option<Close>,
    /// Sides in the order in which they were told anything.
    pub order: Vec<Side>,
}

/// Listens, and checks the contract of [`Consumer`].
#[derive(Default)]
pub struct Listener {
    pub heard: BTreeMap<u64, Heard>,
    pub delivered: u64,
    /// Keep no bytes, only count.
    pub deaf: bool,
    pub gap_bytes: u64,
    /// Of those, bytes that the snapshot length cut off.
    pub cut_bytes: u64,
}

impl Listener {
    fn at(&mut self, connection: &Connection, side: Side, offset: u64, len: u64) -> &mut Told {
        let heard = self.heard.get_mut(&connection.id).expect("opened before");
        assert_eq!(heard.key, connection.key);
        assert_eq!(heard.close, None, "nothing comes after the close");
        heard.opener = connection.opener;
        heard.order.push(side);
        let told = &mut heard.told[side.index()];
        assert_eq!(told.end, None, "nothing comes after the end");
        assert!(len > 0);
        let start = *told.start.get_or_insert(offset);
        if !self.deaf {
            assert_eq!(offset, start + told.bytes.len() as u64, "directly behind what came before");
        }
        told
    }
}

impl Consumer for Listener {
    type State = u64;

    fn open(&mut self, connection: &Connection) -> u64 {
        let heard = Heard {
            key: connection.key,
            opener: connection.opener,
            told: Default::default(),
            close: None,
            order: Vec::new(),
        };
        assert!(self.heard.insert(connection.id, heard).is_none(), "ids are unique");
        connection.id
    }

    fn data(&mut self, connection: &Connection, state: &mut u64, side: Side, chunk: Chunk<'_>) {
        assert_eq!(*state, connection.id);
        self.delivered += chunk.bytes.len() as u64;
        let deaf = self.deaf;
        let told = self.at(connection, side, chunk.offset, chunk.bytes.len() as u64);
        if !deaf {
            told.bytes.extend(chunk.bytes.iter().copied().map(Some));
        }
        told.acked.push((chunk.offset, chunk.acked));
    }

    fn gap(&mut self, connection: &Connection, state: &mut u64, side: Side, gap: Gap) {
        let Gap { offset, len, why } = gap;
        assert_eq!(*state, connection.id);
        self.gap_bytes += len;
        if why == Missing::Truncated {
            self.cut_bytes += len;
        }
        let deaf = self.deaf;
        let told = self.at(connection, side, offset, len);
        if !deaf {
            assert!(len < 1 << 28, "tests with huge gaps do not listen");
            told.bytes.extend(std::iter::repeat_n(None, len as usize));
        }
        told.gaps.push((offset, len));
    }

    fn end(&mut self, connection: &Connection, state: &mut u64, side: Side, how: End, _: Timestamp) {
        assert_eq!(*state, connection.id);
        let heard = self.heard.get_mut(&connection.id).expect("opened before");
        assert_eq!(heard.close, None);
        assert_eq!(heard.told[side.index()].end.replace(how), None, "at most one end");
    }

    fn close(&mut self, connection: &Connection, state: u64, why: Close, last: Timestamp) {
        assert_eq!(state, connection.id);
        let _ = last;
        let heard = self.heard.get_mut(&connection.id).expect("opened before");
        heard.opener = connection.opener;
        assert_eq!(heard.close.replace(why), None, "closed once");
    }
}

/// A client and a server, a tap between them, a table and a listener. Sequence numbers are given relative to the
/// first byte of each stream.
pub struct Bench {
    pub table: Table<Listener>,
    pub listener: Listener,
    pub now: Timestamp,
    pub captured: u64,
    pub client: Address,
    pub server: Address,
    /// Sequence numbers of the first byte, client's and server's.
    pub first: [u32; 2],
}

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}
pub use Sender::{Client, Server};

impl Bench {
    pub fn new() -> Self {
        Self::with(&Limits::default())
    }

    pub fn with(limits: &Limits) -> Self {
        Self {
            table: Table::new(limits),
            listener: Listener::default(),
            now: Timestamp(1_700_000_000 * SECOND),
            captured: 0,
            client: Address::v4(0x0a00_0001, 50_000),
            server: Address::v4(0x0a00_0002, 80),
            first: [1_001, 5_001],
        }
    }

    /// Time goes on.
    pub fn wait(&mut self, nanos: u64) -> &mut Self {
        self.now.0 += nanos;
        self
    }

    /// A segment; `seq` and `ack` relative to the first bytes.
    pub fn send(&mut self, from: Sender, flags: u8, seq: i64, ack: i64, payload: &str) -> &mut Self {
        self.send_cut(from, flags, seq, ack, payload.as_bytes(), 0)
    }

    pub fn send_cut(&mut self, from: Sender, flags: u8, seq: i64, ack: i64, payload: &[u8], cut: u32) -> &mut Self {
        let (source, destination, mine, other) = match from {
            Client => (self.client, self.server, 0, 1),
            Server => (self.server, self.client, 1, 0),
        };
        let (key, side) = FlowKey::new(source, destination, 0);
        let segment = Segment {
            ts: self.now,
            key,
            side,
            seq: self.first[mine].wrapping_add(seq as u32),
            ack: if flags & ACK == 0 { 0 } else { self.first[other].wrapping_add(ack as u32) },
            flags: TcpFlags(flags),
            payload,
            cut,
        };
        self.captured += payload.len() as u64;
        self.table.segment(&mut self.listener, &segment);
        self.now.0 += 1_000;
        self
    }

    pub fn handshake(&mut self) -> &mut Self {
        self.send(Client, SYN, -1, 0, "").send(Server, SYN | ACK, -1, 0, "").send(Client, ACK, 0, 0, "")
    }

    pub fn side(&self, from: Sender) -> Side {
        let (_, side) = match from {
            Client => FlowKey::new(self.client, self.server, 0),
            Server => FlowKey::new(self.server, self.client, 0),
        };
        side
    }

    /// The latest connection.
    pub fn heard(&self) -> &Heard {
        self.listener.heard.values().next_back().expect("one connection at least")
    }

    pub fn told(&self, from: Sender) -> &Told {
        &self.heard().told[self.side(from).index()]
    }

    pub fn text(&self, from: Sender) -> String {
        self.told(from).text()
    }

    pub fn oddity(&self, oddity: Oddity) -> u64 {
        self.table.oddities.get(oddity)
    }

    /// Ends the capture and checks that the books balance and nothing is left over.
    pub fn finish(&mut self) -> &Ledger {
        self.table.finish(&mut self.listener);
        assert_eq!(self.table.flows(), 0);
        assert_eq!(self.table.buffered(), 0);
        let ledger = &self.table.ledger;
        let rest = ledger.accounted();
        assert_eq!(rest, ledger.get(Bucket::Duplicate) + ledger.get(Bucket::OtherTcp) + ledger.get(Bucket::OverLimit));
        assert_eq!(self.captured, self.listener.delivered + rest, "each byte in one place");
        assert!(ledger.missing(Missing::Gap) <= self.listener.gap_bytes);
        assert!(self.listener.heard.values().all(|h| h.close.is_some()));
        ledger
    }
}
