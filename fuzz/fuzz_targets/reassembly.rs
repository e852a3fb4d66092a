//! TCP reassembly. Laws: a byte is delivered at its own offset or not at all, and gaps fill what is between; bytes in are
//! bytes delivered, duplicate or over a limit; and when nothing is lost, no order of segments and no duplicate changes
//! what is delivered.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{Limits, Side};
use shadowtap::stream::Table;
use shadowtap::wire::{Segment, TcpFlags};
use shadowtap_fuzz::{Checker, Choices, content, flow, time};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    if choices.u8() & 1 == 0 { any_order(&mut choices) } else { nothing_lost(&mut choices) }
});

struct Wire {
    /// Initial sequence number of each side.
    isn: [u32; 2],
    /// Payload of both sides in all.
    payload: u64,
    table: Table<Checker>,
    checker: Checker,
    now: u64,
}

impl Wire {
    fn new(choices: &mut Choices<'_>, limits: &Limits) -> Self {
        let mut wire = Self {
            // Close to the wrap, one in four times.
            isn: [choices.u32() | 0xffff_0000 * u32::from(choices.u8() & 3 == 0), choices.u32()],
            payload: 0,
            table: Table::new(limits),
            checker: Checker { known: true, ..Checker::default() },
            now: 0,
        };
        let (_, client) = flow();
        wire.send(client, 0, 0, None, TcpFlags::SYN);
        wire.send(client.peer(), 0, 0, Some(0), TcpFlags::SYN);
        wire
    }

    /// Bytes `offset..offset + len` of a side's stream. `acked` bytes of the other side's are acknowledged.
    fn send(&mut self, side: Side, offset: u32, len: usize, acked: Option<u32>, flags: u8) {
        let bytes: Vec<u8> = (0..len as u64).map(|i| content(side, u64::from(offset) + i)).collect();
        let first = u32::from(flags & TcpFlags::SYN == 0);
        let segment = Segment {
            ts: time(self.now),
            key: flow().0,
            side,
            seq: self.isn[side as usize].wrapping_add(first).wrapping_add(offset),
            ack: acked.map_or(0, |a| self.isn[side.peer() as usize].wrapping_add(1).wrapping_add(a)),
            flags: TcpFlags(flags | if acked.is_some() { TcpFlags::ACK } else { 0 }),
            payload: &bytes,
            cut: 0,
        };
        self.payload += len as u64;
        self.table.segment(&mut self.checker, &segment);
    }

    fn finish(&mut self) {
        self.table.finish(&mut self.checker);
        assert_eq!(self.table.flows(), 0);
        assert_eq!(self.table.buffered(), 0);
        assert_eq!(self.checker.closed, self.checker.connections.len());
        let delivered: u64 = self.checker.connections.iter().flatten().map(|told| told.delivered).sum();
        assert_eq!(delivered + self.table.ledger.accounted(), self.payload, "a byte lost or invented");
    }
}

/// Segments of any offset within a window, in any order, with any acknowledgement.
fn any_order(choices: &mut Choices<'_>) {
    let limits = Limits { flow_buffer_bytes: 8192, flow_buffer_segments: 16, total_buffer_bytes: 16384, ..Limits::default() };
    let mut wire = Wire::new(choices, &limits);
    let mut frontier = [0u32; 2];
    while !choices.is_empty() {
        let what = choices.u8();
        let side = if what & 1 == 0 { Side::Lo } else { Side::Hi };
        let at = &mut frontier[side as usize];
        let offset = at.saturating_add(choices.below(512) as u32).saturating_sub(256);
        let len = choices.below(300);
        *at = (*at).max(offset + len as u32);
        let acked = (what & 2 != 0).then(|| frontier[side.peer() as usize].saturating_sub(u32::from(choices.u8())));
        if what & 4 != 0 {
            wire.now += u64::from(choices.u8()) << 27;
        }
        if what >> 3 == 31 {
            let flags = if choices.u8() & 1 == 0 { TcpFlags::FIN } else { TcpFlags::RST };
            wire.send(side, frontier[side as usize], 0, acked, flags);
            break;
        }
        wire.send(side, offset, len, acked, 0);
        if what & 0xc8 == 0xc8 {
            let now = time(wire.now);
            wire.table.tick(&mut wire.checker, now);
        }
    }
    wire.finish();
}

/// Each byte comes at least once and nothing acknowledges a hole: all is delivered, and no gap.
fn nothing_lost(choices: &mut Choices<'_>) {
    // No limit is to be reached: 4096 bytes may come as twice as many segments.
    let mut wire = Wire::new(choices, &Limits { flow_buffer_segments: 8192, ..Limits::default() });
    let total = choices.below(4096) as u32;
    let (_, client) = flow();
    let mut segments = Vec::new();
    let mut at = 0;
    while at < total {
        let len = (1 + choices.below(400) as u32).min(total - at);
        segments.push((at, len));
        if choices.u8() & 3 == 0 {
            // A part again, or a part with more behind it.
            let from = at.saturating_sub(choices.below(200) as u32);
            segments.push((from, at + len - from));
        }
        at += len;
    }
    for i in (1..segments.len()).rev() {
        segments.swap(i, choices.below(i + 1));
    }
    for (offset, len) in segments {
        wire.send(client, offset, len as usize, Some(0), 0);
    }
    wire.send(client, total, 0, Some(0), TcpFlags::FIN);
    wire.finish();
    assert_eq!(wire.checker.connections.len(), 1);
    let told = &wire.checker.connections[0][client as usize];
    assert_eq!(told.gaps, [], "a gap where nothing was lost");
    assert_eq!(told.delivered, u64::from(total));
    assert!(told.end.is_some());
}
