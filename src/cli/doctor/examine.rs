//! What frames are by themselves.
//!
//! Takes frames, gives figures about each connection's two directions, VLAN tags, lengths and the clock. Reads segments through a decoder
//! of its own. Bounded in connections: those over the limit are not looked at.

use std::collections::BTreeMap;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::base::{FlowKey, Limits, Side, Timestamp};
use crate::wire::{Decoder, Frame, LinkType, Segment, TcpFlags};

/// Connections that are looked at.
const CONNECTIONS: usize = 200_000;

/// A step of the clock backwards that is none of several queues' or interfaces' reordering: 50 ms.
const STEP: u64 = 50_000_000;

/// Longer frames are no packets of any network (jumbo frames have some 9,000 bytes), but what a network card has put together.
const JUMBO: u32 = 9_300;

/// One connection.
#[derive(Default)]
struct Flow {
    /// Packets, by side.
    packets: [u64; 2],
    /// More than a SYN was seen.
    real: bool,
    /// Who sent a SYN alone.
    opener: Option<Side>,
    /// The last VLAN of each side, if it was tagged.
    tag: [Option<Option<u16>>; 2],
    /// First and last acknowledgement by each side.
    acked: [Option<(u32, u32)>; 2],
}

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// TCP connections of which more than a SYN was seen.
    pub connections: u64,
    /// Those of which one direction is missing although it exists: with the client's and with the server's alone.
    pub clients_alone: u64,
    pub servers_alone: u64,
    /// Bytes that directions which were never seen have sent, by what their peers acknowledged.
    pub unheard: u64,
    /// Connections whose directions have different VLANs, with an example of two.
    pub asymmetric: u64,
    pub example: Option<[Option<u16>; 2]>,
    /// Frames that were cut, and the length to which most of them were.
    pub cut: u64,
    pub cut_to: usize,
    /// Frames longer than any network's, and the longest.
    pub merged: u64,
    pub longest: u32,
    /// Steps of the clock backwards, and the largest in nanoseconds.
    pub steps: u64,
    pub step: u64,
}

/// Looks at frames.
pub(super) struct Examiner {
    decoder: Decoder,
    flows: HashMap<FlowKey, Flow, RandomState>,
    seen: Seen,
    lengths: BTreeMap<usize, u64>,
    last: Timestamp,
}

impl Examiner {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut limits = limits.clone();
        // Whatever the configuration says: here both directions are to meet.
        (limits.tunnels.vlan_in_key, limits.tunnels.vni_in_key) = (false, false);
        Self {
            decoder: Decoder::new(&limits),
            flows: HashMap::default(),
            seen: Seen::default(),
            lengths: BTreeMap::new(),
            last: Timestamp::default(),
        }
    }

    pub(super) fn frame(&mut self, frame: &Frame<'_>) {
        if frame.wire_len as usize > frame.data.len() {
            self.seen.cut += 1;
            // Lengths differ by as much as the snapshot length allows; beyond so many the rest does not matter.
            if self.lengths.len() < 64 || self.lengths.contains_key(&frame.data.len()) {
                *self.lengths.entry(frame.data.len()).or_default() += 1;
            }
        }
        if frame.wire_len > JUMBO {
            self.seen.merged += 1;
            self.seen.longest = self.seen.longest.max(frame.wire_len);
        }
        let back = self.last.since(frame.ts);
        if back >= STEP {
            self.seen.steps += 1;
            self.seen.step = self.seen.step.max(back);
        }
        self.last = frame.ts;
        let tag = tag(frame);
        if let Some(segment) = self.decoder.decode(frame) {
            let full = self.flows.len() >= CONNECTIONS;
            match self.flows.get_mut(&segment.key) {
                Some(flow) => flow.take(&segment, tag),
                None if full => {}
                None => self.flows.entry(segment.key).or_default().take(&segment, tag),
            }
        }
    }

    pub(super) fn finish(mut self) -> Seen {
        for (key, flow) in self.flows.iter().filter(|(_, flow)| flow.real) {
            self.seen.connections += 1;
            self.seen.count(key, flow);
        }
        self.seen.cut_to = self.lengths.into_iter().max_by_key(|&(_, n)| n).map_or(0, |(length, _)| length);
        self.seen
    }
}

impl Seen {
    fn count(&mut self, key: &FlowKey, flow: &Flow) {
        let alone = match flow.packets {
            [_, 0] => Some(Side::Lo),
            [0, _] => Some(Side::Hi),
            _ => None,
        };
        // What answers is what is acknowledged; a scan's SYN and its RST are no connection.
        if let Some(side) = alone
            && let Some((first, last)) = flow.acked[side.index()]
        {
            self.unheard += u64::from(last.wrapping_sub(first));
            let client = flow.opener.map_or(key.end(side).port > key.end(side.peer()).port, |opener| opener == side);
            if client {
                self.clients_alone += 1;
            } else {
                self.servers_alone += 1;
            }
        }
        if let [Some(lo), Some(hi)] = flow.tag
            && lo != hi
        {
            self.asymmetric += 1;
            self.example.get_or_insert([lo, hi]);
        }
    }
}

impl Flow {
    fn take(&mut self, segment: &Segment<'_>, tag: Option<Option<u16>>) {
        let side = segment.side;
        self.packets[side.index()] += 1;
        let syn = segment.flags.has(TcpFlags::SYN);
        self.real |= !syn && !segment.flags.has(TcpFlags::RST);
        if syn {
            self.opener = Some(if segment.flags.has(TcpFlags::ACK) { side.peer() } else { side });
        }
        if tag.is_some() {
            self.tag[side.index()] = tag;
        }
        if segment.flags.has(TcpFlags::ACK) && !segment.flags.has(TcpFlags::RST) {
            let first = self.acked[side.index()].map_or(segment.ack, |(first, _)| first);
            self.acked[side.index()] = Some((first, segment.ack));
        }
    }
}

/// The outer VLAN of an Ethernet frame, `None` inside where it is not tagged; `None` for other frames.
fn tag(frame: &Frame<'_>) -> Option<Option<u16>> {
    if frame.link != LinkType::ETHERNET {
        return None;
    }
    match frame.data.get(12..)? {
        [0x81, 0, high, low, ..] | [0x88, 0xa8, high, low, ..] | [0x91, 0, high, low, ..] => {
            Some(Some(u16::from_be_bytes([*high, *low]) & 0x0fff))
        }
        _ => Some(None),
    }
}
