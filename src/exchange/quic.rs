//! QUIC connections, as far as they can be seen: who speaks to whom, how much, and the ClientHello.
//!
//! Takes UDP datagrams, gives each connection's hello and its end to an [`Observer`], and names the bucket that a datagram's bytes go into.
//! A hello may come in several Initial packets, in any order, again after a Retry, under another version. Bounded in connections; what
//! stays idle is closed by packet time. Never opens anything that is protected with keys of the peers' own.

use std::collections::VecDeque;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use super::Observer;
use crate::base::{Address, Bucket, FlowKey, Limits, Oddities, Oddity, Side, Timestamp};
use crate::proto::quic::{self, Joined, Kind};
use crate::proto::tls::ClientHello;
use crate::proto::tls::crypt_initial::Opener;
use crate::wire::Datagram;

/// Packets of one connection that are tried in vain: a server's that came first, or noise.
const TRIES: u8 = 8;

/// Nanoseconds of packet time without a datagram after which a connection is over. Idle time-outs of servers are 30 s to a few minutes.
const IDLE: u64 = 120_000_000_000;

/// Nanoseconds of packet time between two words to the observer about a connection that lasts.
const WORD: u64 = 60_000_000_000;

/// One QUIC connection.
#[derive(Clone, Debug, PartialEq)]
pub struct QuicFlow {
    /// Who opened it; the lower end where that is not known.
    pub client: Address,
    /// The other end.
    pub server: Address,
    /// The version of the client's last Initial packet.
    pub version: u32,
    /// What the client said, as far as it was seen.
    pub hello: Option<Box<ClientHello>>,
    /// First and last datagram.
    pub first: Timestamp,
    /// The last.
    pub last: Timestamp,
    /// Payload bytes of UDP from the client and from the server.
    pub bytes: [u64; 2],
    /// Those of them that came since the connection was told of before.
    pub fresh: [u64; 2],
    /// Words about it before this one, that about its hello left out.
    pub words: u64,
    /// A server asked for a token.
    pub retried: bool,
}

struct Flow {
    told: QuicFlow,
    client: Option<Side>,
    /// The connection id that the keys come from, and they.
    opener: Option<Box<(Vec<u8>, u32, Opener)>>,
    joined: Box<Joined>,
    tries: u8,
    told_at: Timestamp,
}

/// The table of connections.
pub struct Quic {
    /// What was odd.
    pub oddities: Oddities,
    flows: HashMap<FlowKey, Flow, RandomState>,
    /// All connections, from the one that was looked at longest ago on.
    queue: VecDeque<(Timestamp, FlowKey)>,
    max: usize,
    /// Bytes of hellos that are not whole yet, of all connections together.
    held: usize,
    max_bytes: usize,
    room: Vec<u8>,
}

impl Quic {
    /// An empty table, bounded by `quic_flows` and `quic_bytes`.
    pub fn new(limits: &Limits) -> Self {
        Self {
            oddities: Oddities::default(),
            flows: HashMap::default(),
            queue: VecDeque::new(),
            max: limits.quic_flows.max(1),
            held: 0,
            max_bytes: limits.quic_bytes,
            room: Vec::new(),
        }
    }

    /// Connections that are followed at the moment.
    pub fn flows(&self) -> usize {
        self.flows.len()
    }

    /// The next datagram.
    pub fn datagram<O: Observer>(&mut self, observer: &mut O, datagram: &Datagram<'_>) -> Bucket {
        let begins = quic::may_begin(datagram.payload);
        if !begins && self.flows.is_empty() {
            return Bucket::Udp;
        }
        if !self.flows.contains_key(&datagram.key) {
            if !begins {
                return Bucket::Udp;
            }
            self.open(observer, datagram);
        }
        let Some(flow) = self.flows.get_mut(&datagram.key) else { return Bucket::Udp };
        flow.told.last = datagram.ts;
        let from = usize::from(datagram.key.end(datagram.side) != flow.told.client);
        let size = datagram.payload.len() as u64 + u64::from(datagram.cut);
        flow.told.bytes[from] += size;
        flow.told.fresh[from] += size;
        if begins && from == 1 && quic::packets(datagram.payload).any(|packet| packet.kind == Kind::Retry) {
            flow.told.retried = true;
        }
        if begins && flow.told.hello.is_none() {
            let before = flow.joined.held();
            flow.look(datagram, &mut self.room, &mut self.oddities);
            self.held = (self.held + flow.joined.held()).saturating_sub(before);
            if self.held > self.max_bytes {
                self.oddities.bump(Oddity::QuicHelloLimit);
                flow.tries = TRIES;
                self.held -= flow.joined.held();
                *flow.joined = Joined::default();
            }
            if let Some(hello) = flow.joined.whole() {
                flow.told.hello = Some(Box::new(hello));
                self.held -= flow.joined.held();
                *flow.joined = Joined::default();
                flow.opener = None;
                flow.told_at = datagram.ts;
                observer.quic_hello(&flow.told);
            }
        } else if flow.told.hello.is_some() && datagram.ts.since(flow.told_at) > WORD {
            flow.told_at = datagram.ts;
            observer.quic_goes(&flow.told);
            flow.told.fresh = [0; 2];
            flow.told.words += 1;
        }
        Bucket::Quic
    }

    /// Closes what has been idle for long by now, and while the table holds `max` connections the one that was looked
    /// at longest ago.
    fn expire<O: Observer>(&mut self, observer: &mut O, now: Timestamp, max: usize) {
        while let Some(&(since, key)) = self.queue.front() {
            let over = self.flows.len() >= max;
            if !over && now.since(since) < IDLE {
                break;
            }
            self.queue.pop_front();
            let Some(flow) = self.flows.get(&key) else { continue };
            if !over && now.since(flow.told.last) < IDLE {
                self.queue.push_back((flow.told.last.max(since), key));
                continue;
            }
            if over {
                self.oddities.bump(Oddity::QuicLimit);
            }
            self.close(observer, key);
        }
    }

    /// Time has passed: what has been idle for long is closed.
    pub fn tick<O: Observer>(&mut self, observer: &mut O, now: Timestamp) {
        self.expire(observer, now, usize::MAX);
    }

    fn open<O: Observer>(&mut self, observer: &mut O, datagram: &Datagram<'_>) {
        self.expire(observer, datagram.ts, self.max);
        let flow = Flow {
            told: QuicFlow {
                client: datagram.key.end(datagram.side),
                server: datagram.key.end(datagram.side.peer()),
                version: 0,
                hello: None,
                first: datagram.ts,
                last: datagram.ts,
                bytes: [0; 2],
                fresh: [0; 2],
                words: 0,
                retried: false,
            },
            client: None,
            opener: None,
            joined: Box::default(),
            tries: 0,
            told_at: datagram.ts,
        };
        self.flows.insert(datagram.key, flow);
        self.queue.push_back((datagram.ts, datagram.key));
    }

    fn close<O: Observer>(&mut self, observer: &mut O, key: FlowKey) {
        let Some(mut flow) = self.flows.remove(&key) else { return };
        self.held -= flow.joined.held();
        if flow.told.hello.is_none()
            && let Some(part) = flow.joined.part()
        {
            flow.told.hello = Some(Box::new(part));
            observer.quic_hello(&flow.told);
        }
        observer.quic_closed(&flow.told);
    }

    /// The capture has ended.
    pub fn finish<O: Observer>(&mut self, observer: &mut O) {
        while let Some((_, key)) = self.queue.pop_front() {
            self.close(observer, key);
        }
    }
}

impl Flow {
    /// Looks for pieces of the hello.
    fn look(&mut self, datagram: &Datagram<'_>, room: &mut Vec<u8>, oddities: &mut Oddities) {
        for packet in quic::packets(datagram.payload) {
            let ours = self.client.is_none_or(|client| client == datagram.side);
            if packet.kind != Kind::Initial || !ours || self.tries >= TRIES {
                continue;
            }
            let Some(protection) = quic::protection(packet.version) else { continue };
            let mut frames = None;
            // The keys stay when the server has named an id of its own; they change with a Retry or another version.
            if let Some(opener) = &self.opener
                && opener.1 == packet.version
                && opener.2.open(packet.packet, packet.number, room).is_some()
            {
                frames = Some(());
            } else if let Some(opener) = Opener::client(protection, packet.destination)
                && opener.open(packet.packet, packet.number, room).is_some()
            {
                if self.opener.is_some() {
                    // A client that begins anew sends its hello from the start.
                    *self.joined = Joined::default();
                }
                self.opener = Some(Box::new((packet.destination.to_vec(), packet.version, opener)));
                frames = Some(());
            }
            if frames.is_none() {
                self.tries += 1;
                continue;
            }
            if self.client.is_none() {
                self.is_client(datagram);
            }
            self.told.version = packet.version;
            // The frames stand behind header and packet number, whose length the first byte has.
            let header = packet.number + usize::from(room.first().copied().unwrap_or(0) & 3) + 1;
            let end = room.len().saturating_sub(TAG);
            let joined = &mut self.joined;
            quic::crypto(room.get(header..end).unwrap_or_default(), |offset, bytes| {
                if !joined.add(offset, bytes) {
                    oddities.bump(Oddity::QuicHelloLimit);
                }
            });
        }
    }

    /// Its packet opened with a client's keys.
    fn is_client(&mut self, datagram: &Datagram<'_>) {
        self.client = Some(datagram.side);
        let client = datagram.key.end(datagram.side);
        if client != self.told.client {
            self.told.bytes.reverse();
            self.told.fresh.reverse();
        }
        self.told.client = client;
        self.told.server = datagram.key.end(datagram.side.peer());
    }
}

/// The check value behind the frames (AES-128-GCM).
const TAG: usize = 16;

#[cfg(test)]
mod tests;
