//! From a frame to a TCP segment or a UDP datagram.
//!
//! Takes captured frames of any link type, gives the TCP segment or UDP datagram in each, out of whatever tunnels it came in, and counts
//! every byte: those it does not hand out are in its ledger. Never follows a connection and never reorders.

use super::fragment::Fragments;
use super::layer::{Layer, Refused, Track};
use super::mirrored::{Copies, Mirrored};
use super::tcp::{self, NO_TAG, TcpError};
use super::tunnel::{self, Carried, Tunnels};
use super::{Datagram, Frame, Segment, ether, fast, ip, link};
use crate::base::{Address, Bucket, FlowKey, Ledger, Limits, Missing, Oddities, Oddity, Timestamp, TunnelSettings};

/// Datagrams in one frame that had to be put together from fragments: a tunnel's and that of the packet inside.
const REASSEMBLED: usize = 3;

/// Decodes frames.
///
/// **Accounting**: after [`Decoder::finish`], the buckets of [`Decoder::ledger`] and the payload of all segments handed out add up to
/// the bytes captured. The payload of a segment is the stream floor's to account for; that of a datagram goes into the bucket that its
/// taker names. Bytes that the snapshot length cut off are counted as [`Missing::Truncated`] here, whether they were payload or not.
pub struct Decoder {
    /// Where the bytes went that are not in a segment.
    pub ledger: Ledger,
    /// What was odd.
    pub oddities: Oddities,
    /// The tags and tunnels that were met.
    pub tunnels: Tunnels,
    mirrored: Mirrored,
    fragments: Fragments,
    whole: [Vec<u8>; REASSEMBLED],
    settings: TunnelSettings,
    /// Are tags part of the flow key? The fast way does not look at them.
    keyed: bool,
    nesting: u32,
    last: Timestamp,
}

impl Decoder {
    /// A decoder that obeys `nesting`, the limits on fragments and what is said of tunnels.
    pub fn new(limits: &Limits) -> Self {
        Self {
            ledger: Ledger::default(),
            oddities: Oddities::default(),
            tunnels: Tunnels::default(),
            mirrored: Mirrored::new(),
            fragments: Fragments::new(limits),
            whole: Default::default(),
            settings: limits.tunnels.clone(),
            keyed: limits.tunnels.vlan_in_key || limits.tunnels.vni_in_key,
            nesting: limits.nesting,
            last: Timestamp::default(),
        }
    }

    /// The TCP segment that `frame` holds, or completes where it came in IP fragments. `None` for everything else.
    #[inline]
    pub fn decode<'a>(&'a mut self, frame: &Frame<'a>) -> Option<Segment<'a>> {
        self.decode_with(frame, |_| Bucket::Udp)
    }

    /// The same, and where the frame holds a UDP datagram, `udp` gets it and names the bucket that its payload goes into.
    #[inline]
    pub fn decode_with<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        udp: impl FnOnce(&Datagram<'_>) -> Bucket,
    ) -> Option<Segment<'a>> {
        self.arrive(frame);
        if !self.keyed
            && let Some(segment) = fast::decode(frame)
        {
            self.ledger.add(Bucket::Framing, (frame.data.len() - segment.payload.len()) as u64);
            self.mirrored.segment(frame, &segment);
            return Some(segment);
        }
        self.decode_carefully(frame, udp)
    }

    /// What is known of packets that are mirrored twice.
    pub fn copies(&self) -> Copies {
        self.mirrored.copies
    }

    /// What was odd, so far.
    pub fn strange(&self) -> Oddities {
        let mut sum = self.oddities.clone();
        sum.add(Oddity::MirroredTwice, self.mirrored.copies.copies);
        sum
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
    fn decode_carefully<'a>(
        &'a mut self,
        frame: &Frame<'a>,
        udp: impl FnOnce(&Datagram<'_>) -> Bucket,
    ) -> Option<Segment<'a>> {
        let track = Track {
            settings: &self.settings,
            seen: &mut self.tunnels,
            tag: NO_TAG,
            left: self.nesting,
            beyond: (frame.wire_len as usize).saturating_sub(frame.data.len()),
        };
        let mut walk = Walk {
            ts: frame.ts,
            track,
            fragments: &mut self.fragments,
            ledger: &mut self.ledger,
            oddities: &mut self.oddities,
            held: frame.data.len() as u64,
        };
        match link::first(frame.link, frame.data).and_then(|layer| walk.follow(layer, &mut self.whole)) {
            Ok(Found::Segment(segment)) => {
                walk.ledger.add(Bucket::Framing, walk.held - segment.payload.len() as u64);
                self.mirrored.segment(frame, &segment);
                Some(segment)
            }
            Ok(Found::Datagram(datagram)) => {
                let bucket = udp(&datagram);
                let payload = datagram.payload.len() as u64;
                walk.ledger.add(bucket, payload);
                walk.ledger.add(Bucket::Framing, walk.held - payload);
                None
            }
            Ok(Found::Part) => None,
            Err(refused) => {
                walk.ledger.add(refused.bucket, walk.held);
                if let Some(oddity) = refused.oddity {
                    walk.oddities.bump(oddity);
                }
                None
            }
        }
    }
}

/// What a frame holds.
enum Found<'a> {
    Segment(Segment<'a>),
    Datagram(Datagram<'a>),
    /// A fragment of a datagram that is not whole yet, and is accounted for.
    Part,
}

/// The way through one frame, and through the datagrams that it completes.
struct Walk<'s> {
    ts: Timestamp,
    track: Track<'s>,
    fragments: &'s mut Fragments,
    ledger: &'s mut Ledger,
    oddities: &'s mut Oddities,
    /// Bytes of frames that are in no bucket yet.
    held: u64,
}

impl Walk<'_> {
    /// From a layer to what lies innermost. `buffers` take datagrams that become whole.
    fn follow<'a>(&mut self, layer: Layer<'a>, buffers: &'a mut [Vec<u8>]) -> Result<Found<'a>, Refused> {
        let mut layer = layer;
        loop {
            // Each step takes at least a byte, and all that can follow each other without end are counted against the limit.
            let Layer::Ip(bytes) = layer else {
                layer = ether::inside(layer, &mut self.track)?;
                continue;
            };
            let packet = ip::read(bytes, self.track.beyond, self.oddities)?;
            if let Some(part) = packet.part {
                return self.part(packet, part, buffers);
            }
            match self.open(packet)? {
                Opened::Layer(next) => layer = next,
                Opened::Found(found) => return Ok(found),
            }
        }
    }

    /// A fragment; if it was the last one missing, what its datagram holds.
    fn part<'a>(
        &mut self,
        packet: ip::Packet<'_>,
        part: ip::Part,
        buffers: &'a mut [Vec<u8>],
    ) -> Result<Found<'a>, Refused> {
        if !tunnel::matters(packet.protocol) {
            return Err(Refused::NOT_TCP);
        }
        let Some((buffer, others)) = buffers.split_first_mut() else { return Err(Refused::TOO_DEEP) };
        let whole = self.fragments.add(&packet, part, self.held, self.ts, buffer, self.ledger, self.oddities);
        let Some(whole) = whole else { return Ok(Found::Part) };
        self.held = whole.held;
        let joined = ip::Packet {
            source: packet.source,
            destination: packet.destination,
            protocol: whole.protocol,
            payload: buffer.get(..whole.usable).unwrap_or_default(),
            declared: whole.declared,
            part: None,
        };
        let joined = ip::skip_extensions(joined)?;
        if joined.part.is_some() {
            // A fragment in a datagram that was made of fragments.
            return Err(Refused::undecodable(Oddity::HeaderBad));
        }
        match self.open(joined)? {
            Opened::Layer(layer) => self.follow(layer, others),
            Opened::Found(found) => Ok(found),
        }
    }

    /// A whole packet.
    fn open<'a>(&mut self, packet: ip::Packet<'a>) -> Result<Opened<'a>, Refused> {
        let (source, destination) = (packet.source, packet.destination);
        match tunnel::open(&packet, &mut self.track)? {
            Carried::Layer(layer) => Ok(Opened::Layer(layer)),
            Carried::Tcp => {
                match tcp::segment(self.ts, source, destination, packet.payload, packet.declared, self.track.tag) {
                    Ok(segment) => Ok(Opened::Found(Found::Segment(segment))),
                    Err(TcpError::Cut) => Err(Refused::undecodable(Oddity::HeaderCut)),
                    Err(TcpError::Offset) => Err(Refused::undecodable(Oddity::HeaderBad)),
                }
            }
            Carried::Udp(udp) => {
                let (source, destination) =
                    (Address::v6(source, udp.source), Address::v6(destination, udp.destination));
                let (key, side) = FlowKey::new(source, destination, self.track.tag);
                // A datagram's length has 16 bits, an offloaded frame's 32.
                let cut = u32::try_from(udp.cut).unwrap_or(u32::MAX);
                Ok(Opened::Found(Found::Datagram(Datagram { ts: self.ts, key, side, payload: udp.payload, cut })))
            }
        }
    }
}

/// What a whole packet led to.
enum Opened<'a> {
    Layer(Layer<'a>),
    Found(Found<'a>),
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tunnels;
