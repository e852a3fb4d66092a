//! What a reader of connections sees.

use crate::base::{Address, FlowKey, Missing, Side, Timestamp};

/// A connection as its consumer sees it.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// Both ends.
    pub key: FlowKey,
    /// Unique within one run, in order of first appearance.
    pub id: u64,
    /// The end that opened the connection, where a SYN or SYN-ACK told.
    pub opener: Option<Side>,
    /// When its first segment was seen.
    pub opened: Timestamp,
}

impl Connection {
    /// The end on one side.
    pub fn end(&self, side: Side) -> Address {
        self.key.end(side)
    }
}

/// Bytes of one direction, in stream order, directly behind the chunk or gap before.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Capture time of the segment that brought the bytes. Not monotone across chunks: a reordered segment
    /// is delivered late with its own time.
    pub ts: Timestamp,
    /// Stream offset of the first byte. 0 is the first byte behind the SYN; a stream picked up without its SYN starts
    /// at an offset of no meaning, somewhat above 0, so that what the other end acknowledged before stays comparable.
    pub offset: u64,
    /// How far into the *other* direction's stream the sender had received when it sent this segment (its
    /// acknowledgement as an offset of that stream); `None` where unknown. A response is sent after its
    /// request was received, a request of a client that does not pipeline after the response before it.
    pub acked: Option<u64>,
    /// The bytes; never empty.
    pub bytes: &'a [u8],
}

/// A hole in one direction, directly behind the chunk or gap before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Stream offset of its first byte.
    pub offset: u64,
    /// Bytes. The next chunk of that side starts at `offset + len`.
    pub len: u64,
    /// Why the bytes are missing.
    pub why: Missing,
}

/// How one direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Its FIN was reached, in order.
    Fin,
    /// The connection was reset by either end.
    Reset,
}

/// Why a connection was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Close {
    /// Both directions ended with FIN.
    Fin,
    /// Reset.
    Reset,
    /// No packet for the idle limit.
    Idle,
    /// A new connection took the same addresses and ports.
    Reused,
    /// The table was full.
    Evicted,
    /// The capture ended.
    CaptureEnd,
}

/// A reader of connections. All calls for one connection come from one thread; both directions share one
/// `State`. After [`Consumer::close`] nothing more comes for that connection.
///
/// **Accounting**: the consumer owns each byte of each [`Chunk`] for the visibility ledger; the stream floor
/// accounts for what it does not deliver (duplicates, strays) and for gaps.
pub trait Consumer {
    /// What the reader keeps of one connection. Kept small: there may be hundreds of thousands.
    type State;

    /// A connection appeared.
    fn open(&mut self, connection: &Connection) -> Self::State;

    /// The next bytes of the direction sent by `side`.
    fn data(&mut self, connection: &Connection, state: &mut Self::State, side: Side, chunk: Chunk<'_>);

    /// A hole in the direction sent by `side`.
    fn gap(&mut self, connection: &Connection, state: &mut Self::State, side: Side, gap: Gap);

    /// The direction sent by `side` ended. At most once per side, and not for connections that time out.
    fn end(&mut self, connection: &Connection, state: &mut Self::State, side: Side, how: End, ts: Timestamp);

    /// The connection is gone; `last` is the time of its last segment.
    fn close(&mut self, connection: &Connection, state: Self::State, why: Close, last: Timestamp);
}
