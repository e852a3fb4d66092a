//! From a frame to a TCP segment.
//!
//! Takes captured frames of any link type, gives the TCP segment in each, and counts every byte: those it does not hand out are in its
//! ledger. Never follows a connection and never reorders.

use super::fragment::Fragments;
use super::link::{self, Layer, Refused};
use super::tcp::{self, TcpError};
use super::{Frame, Segment, fast, ip};
use crate::base::{Bucket, Ledger, Limits, Missing, Oddities, Oddity, Timestamp};

/// Decodes frames.
///
/// **Accounting**: after [`Decoder::finish`], the buckets of [`Decoder::ledger`] and the payload of all segments handed out add up to
/// the bytes captured. The payload is the stream floor's to account for. Bytes that the snapshot length cut off are
/// counted as [`Missing::Truncated`] here, whether they were payload or not.
pub struct Decoder {
    /// Where the bytes went that are not in a segment.
    pub ledger: Ledger,
    /// What was odd.
    pub oddities: Oddities,
    fragments: Fragments,
    nesting: u32,
    last: Timestamp,
}

impl Decoder {
    /// A decoder that obeys `nesting` and the limits on fragments.
    pub fn new(limits: &Limits) -> Self {
        Self {
            ledger: Ledger::default(),
            oddities: Oddities::default(),
            fragments: Fragments::new(limits),
            nesting: limits.nesting,
            last: Timestamp::default(),
        }
    }

    /// The TCP segment that `frame` holds, or completes where it came in IP fragments. `None` for everything else.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        self.arrive(frame);
        if let Some(segment) = fast::decode(frame) {
            self.ledger.add(Bucket::Framing, (frame.data.len() - segment.payload.len()) as u64);
            return Some(segment);
        }
        self.decode_carefully(frame)
    }

    /// The capture has ended: lets go the fragments that still wait.
    pub fn finish(&mut self) {
        self.fragments.flush(&mut self.ledger, &mut self.oddities);
    }

    #[inline(always)]
    fn arrive(&mut self, frame: &Frame<'_>) {
        self.ledger.packets += 1;
        self.ledger.captured += frame.data.len() as u64;
        self.ledger.miss(Missing::Truncated, u64::from(frame.wire_len).saturating_sub(frame.data.len() as u64));
        if frame.ts < self.last {
            self.oddities.bump(Oddity::ClockBack);
        }
        self.last = frame.ts;
        if self.fragments.due(frame.ts) {
            self.fragments.expire(frame.ts, &mut self.ledger, &mut self.oddities);
        }
    }

    /// What [`fast::decode`] leaves.
    #[inline(never)]
    fn decode_carefully<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        let beyond = (frame.wire_len as usize).saturating_sub(frame.data.len());
        let packet = match packet(frame, beyond, self.nesting, &mut self.oddities) {
            Ok(packet) => packet,
            Err(refused) => return refuse(refused, frame.data.len() as u64, &mut self.ledger, &mut self.oddities),
        };
        let Some(part) = packet.part else {
            return settle(frame, packet, frame.data.len() as u64, &mut self.ledger, &mut self.oddities);
        };
        if !ip::leads_to_tcp(packet.protocol) {
            self.ledger.add(Bucket::NotTcp, frame.data.len() as u64);
            return None;
        }
        let size = frame.data.len();
        let whole = self.fragments.add(&packet, part, size, frame.ts, &mut self.ledger, &mut self.oddities)?;
        match ip::skip_extensions(whole.packet) {
            Ok(packet) => settle(frame, packet, whole.held, &mut self.ledger, &mut self.oddities),
            Err(refused) => refuse(refused, whole.held, &mut self.ledger, &mut self.oddities),
        }
    }
}

/// The IP packet in a frame.
fn packet<'a>(
    frame: &Frame<'a>,
    beyond: usize,
    nesting: u32,
    oddities: &mut Oddities,
) -> Result<ip::Packet<'a>, Refused> {
    let mut layer = link::first(frame.link, frame.data)?;
    // The steps from Ethernet to what its type names and from there to IP are not nested in anything.
    for _ in 0..nesting.saturating_add(2) {
        layer = match link::inside(layer)? {
            Layer::Ip(bytes) => return ip::read(bytes, beyond, oddities),
            // Tunnels over IP will continue here with the layer they hold.
            next => next,
        };
    }
    Err(Refused { bucket: Bucket::OverLimit, oddity: Some(Oddity::NestedTooDeep) })
}

/// The segment in a whole packet. `held` bytes of frames are to be accounted for.
fn settle<'a>(
    frame: &Frame<'_>,
    packet: ip::Packet<'a>,
    held: u64,
    ledger: &mut Ledger,
    oddities: &mut Oddities,
) -> Option<Segment<'a>> {
    if packet.part.is_some() {
        // A fragment in a datagram that was made of fragments.
        return refuse(Refused::undecodable(Oddity::HeaderBad), held, ledger, oddities);
    }
    if packet.protocol != ip::TCP {
        return refuse(Refused::NOT_TCP, held, ledger, oddities);
    }
    match tcp::segment(frame, packet.source, packet.destination, packet.payload, packet.declared) {
        Ok(segment) => {
            ledger.add(Bucket::Framing, held - segment.payload.len() as u64);
            Some(segment)
        }
        Err(TcpError::Cut) => refuse(Refused::undecodable(Oddity::HeaderCut), held, ledger, oddities),
        Err(TcpError::Offset) => refuse(Refused::undecodable(Oddity::HeaderBad), held, ledger, oddities),
    }
}

fn refuse<'a>(refused: Refused, held: u64, ledger: &mut Ledger, oddities: &mut Oddities) -> Option<Segment<'a>> {
    ledger.add(refused.bucket, held);
    if let Some(oddity) = refused.oddity {
        oddities.bump(oddity);
    }
    None
}

#[cfg(test)]
mod tests;
