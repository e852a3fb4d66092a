//! HTTP/2 connections: from frames to exchanges.
//!
//! Takes the bytes and holes of both directions, in causal order, whatever carried them; gives each stream's request with
//! its response to the [`Observer`]. Streams name themselves, so that what was lost never shifts what answers what.
//! Behind a hole that hid where a frame begins a direction reads nothing until its place is proven: by a chain of frames, or
//! because its sender, who had sent all and had the answer to all, begins anew. The
//! header table is unknown from then on, and what it hides is told as hidden, never guessed. Bounded: streams of a
//! connection, bytes of header tables and blocks of all connections.
//!
//! The `HTTP2-Settings` field of an upgrade needs no reading: the only setting that a reader has to know, the size of
//! the header table, takes effect by what the header blocks themselves say (RFC 7541, 4.2).

mod carried;
mod messages;
mod streams;

#[cfg(test)]
mod properties;

#[cfg(test)]
pub(super) mod tests;

use std::collections::VecDeque;

use super::observer::{Observer, Partial};
use super::pairing::Pairing;
use super::talk::{Kind, Phase, Straddle, Talk};
use crate::base::{Bucket, Missing, Oddity, Side, Timestamp};
use crate::proto::hpack;
use crate::proto::http2::{self, Event, FRAME_SIZE, Found, Reader, Search, Setting, Skipped, settings};
use crate::proto::probe::Start;
use crate::stream::{Chunk, Connection, Gap};
use streams::{Stream, Streams};

/// SETTINGS that wait for their acknowledgement. Real ends wait for one or two.
const PENDING: usize = 8;

/// How a direction is read.
enum Mode {
    /// Frame by frame.
    Frames,
    /// Its first bytes in the capture, which may be in the middle of a frame: kept until they prove themselves.
    Prove(Vec<u8>, Timestamp),
    /// Behind a hole.
    Search(Box<Search>),
    /// Not any more; where its bytes go.
    Dead(Bucket),
}

/// One connection.
pub(super) struct Http2 {
    readers: [Reader; 2],
    modes: [Mode; 2],
    links: Links,
    pauses: [Pause; 2],
    /// The client's preface was seen.
    prefaced: bool,
    /// Bytes it took of those that all connections together may take.
    held: usize,
}

/// What both directions share.
struct Links {
    hpack: [hpack::Decoder; 2],
    streams: Streams,
    /// The longest frame that each side may send, as far as that is known.
    most: [u32; 2],
    /// The other side's settings are all known: a longer frame is none.
    strict: [bool; 2],
    /// Table sizes that each side has set and the other has not acknowledged.
    pending: [VecDeque<Option<u32>>; 2],
    /// When the last bytes came.
    now: Timestamp,
}

/// The last place where all that a side had sent had been received, and what the other side sent then. If the side goes on
/// at just this place after it received that, it had paused in between.
#[derive(Clone, Copy, Debug)]
struct Pause {
    /// In the side's direction.
    at: u64,
    /// In the other direction: the end of the first bytes sent after all before [`Pause::at`] was received.
    answered: u64,
}

/// What is known of a direction when HTTP/2 is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// All: it begins here.
    Beginning,
    /// A frame begins here.
    Frame,
    /// A chunk of it begins here.
    Chunk,
    /// Nothing.
    Nothing,
}

impl Http2 {
    /// Bytes of memory that peers can make it take.
    fn size(&self) -> usize {
        let sides = self.readers.iter().map(Reader::held).sum::<usize>()
            + self.links.hpack.iter().map(hpack::Decoder::held).sum::<usize>();
        let proving = |mode: &Mode| if let Mode::Prove(bytes, _) = mode { bytes.capacity() } else { 0 };
        sides + self.modes.iter().map(proving).sum::<usize>()
    }

    /// Before a chunk of `side` is read: had its sender paused? Then frames that are searched for begin here.
    #[inline]
    fn paused(&mut self, side: Side, chunk: &Chunk<'_>) {
        let Some(acked) = chunk.acked else { return };
        let (own, other) = (side.index(), side.peer().index());
        let pause = &mut self.pauses[other];
        if pause.at != acked {
            *pause = Pause { at: acked, answered: chunk.offset + chunk.bytes.len() as u64 };
        }
        let Pause { at, answered } = self.pauses[own];
        if matches!(self.modes[own], Mode::Search(_))
            && at == chunk.offset
            && answered <= acked
            && http2::begins_turn(chunk.bytes, self.links.most[own])
        {
            self.readers[own].resume();
            self.modes[own] = Mode::Frames;
        }
    }
}

impl<O: Observer> Pairing<O> {
    /// HTTP/2 was recognised: `client` sends the requests, where that is known.
    #[cold]
    fn new_http2(&mut self, t: &mut Talk, client: Option<Side>, from: [From; 2], preface: Option<Side>) {
        let limits = &self.limits;
        let mode = |from: From| match from {
            From::Beginning | From::Frame => Mode::Frames,
            From::Chunk => Mode::Prove(Vec::new(), Timestamp::default()),
            From::Nothing => Mode::Search(Box::new(Search::new(FRAME_SIZE, limits.http2_search_bytes))),
        };
        let mut links = Links {
            hpack: [0, 1].map(|_| hpack::Decoder::new(limits.hpack_table_bytes)),
            streams: Streams::default(),
            most: [FRAME_SIZE; 2],
            strict: [Side::Lo, Side::Hi].map(|side| from[side.peer().index()] == From::Beginning),
            pending: Default::default(),
            now: Timestamp::default(),
        };
        for side in [Side::Lo, Side::Hi] {
            if from[side.index()] != From::Beginning {
                links.hpack[side.index()].forget();
                match client {
                    Some(client) => links.streams.hole(client == side),
                    None => [true, false].into_iter().for_each(|client| links.streams.hole(client)),
                }
            }
        }
        let reader = |side: Side| Reader::new(preface == Some(side), limits.head_bytes);
        t.http2 = Some(Box::new(Http2 {
            readers: [reader(Side::Lo), reader(Side::Hi)],
            modes: from.map(mode),
            links,
            pauses: [Pause { at: u64::MAX, answered: u64::MAX }; 2],
            prefaced: preface.is_some(),
            held: 0,
        }));
        t.kind = Kind::Http2;
        t.client = client;
    }

    /// The first bytes of `side` are HTTP/2: the client's preface, the server's (`server_preface`), or frames of a
    /// connection picked up midway. What was held back of either side is read now.
    #[cold]
    pub(super) fn begins_http2(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let rest = chunk.bytes;
        let first = t.half(side).straddle.take();
        let bytes = first.as_ref().map_or(rest, |s| s.bytes.as_slice());
        let preface = bytes.first() == Some(&b'P');
        let from_start = c.opener.is_some() || t.nested;
        let server_preface = from_start && http2::is_server_preface(bytes) == Start::Yes;
        let second = t.half(side.peer()).straddle.take();
        let client = if preface { Some(side) } else { c.opener.or(server_preface.then_some(side.peer())) };
        let client = client.or_else(|| {
            let asks =
                |of: Side, bytes| http2::bears_requests(bytes).map(|requests| if requests { of } else { of.peer() });
            asks(side, bytes).or_else(|| second.as_ref().and_then(|s| asks(side.peer(), &s.bytes)))
        });
        let mut from = [From::Nothing; 2];
        let beginning = preface || server_preface && client != Some(side);
        from[side.index()] = if beginning { From::Beginning } else { From::Frame };
        from[side.peer().index()] = match t.halves[side.peer().index()].phase {
            Phase::Start if from_start => From::Beginning,
            Phase::Start => From::Chunk,
            _ => From::Nothing,
        };
        // The client's preface is expected only where its beginning is known to be.
        let expects = client.filter(|client| from[client.index()] == From::Beginning);
        self.new_http2(t, client, from, expects);
        // What was held back of both, in the order in which it came; what is at hand came last. Midway each may be of
        // several chunks, and requests come before their responses.
        let mut held = [(side, first), (side.peer(), second)];
        let midway = !from.contains(&From::Beginning);
        held.sort_by_key(|(of, straddle)| (midway && client == Some(of.peer()), straddle.as_ref().map(|s| s.ts)));
        for (of, straddle) in held {
            let Some(straddle) = straddle else { continue };
            let own = if of == side { rest.len() } else { 0 };
            let before = straddle.bytes.len().saturating_sub(own);
            let Straddle { ts, offset, acked, .. } = *straddle;
            self.http2(c, t, of, Chunk { ts, offset, acked, bytes: &straddle.bytes[..before] });
            self.give_back(straddle);
        }
        self.http2(c, t, side, Chunk { bytes: rest, ..chunk });
    }

    /// The client asked with HTTP/1, and a 101 granted HTTP/2 (RFC 7540, 3.2): the request's exchange is that of stream
    /// 1, whose response is the answer to it.
    #[cold]
    pub(super) fn upgrades_to_http2(&mut self, t: &mut Talk, server: Side, number: u32) {
        self.new_http2(t, Some(server.peer()), [From::Beginning; 2], Some(server.peer()));
        let exchange = self.table.get_mut(number);
        exchange.request_done = true;
        exchange.interim += 1;
        if let Some(http2) = &mut t.http2 {
            http2.links.streams.open(Stream { upgraded: true, ..Stream::new(1, number) });
        }
    }

    /// Bytes of one side, in order.
    pub(super) fn http2(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let Some(mut http2) = t.http2.take() else {
            self.ledger.add(Bucket::OtherTcp, chunk.bytes.len() as u64);
            return;
        };
        http2.paused(side, &chunk);
        self.frames(c, t, &mut http2, side, chunk.bytes, chunk.ts);
        let over = http2.readers[side.index()].take_over();
        self.oddities.add(Oddity::Http2BlockLimit, u64::from(over));
        self.weigh(&mut http2);
        t.http2 = Some(http2);
    }

    fn frames(&mut self, c: &Connection, t: &mut Talk, h: &mut Http2, side: Side, bytes: &[u8], ts: Timestamp) {
        let index = side.index();
        h.links.now = ts;
        let mut rest = bytes;
        while !rest.is_empty() {
            match &mut h.modes[index] {
                Mode::Frames => {
                    let most = if h.links.strict[index] { h.links.most[index] } else { u32::MAX };
                    let (n, event) = h.readers[index].step(rest, most);
                    let broken = matches!(event, Event::Broken);
                    self.ledger.add(if broken { Bucket::OtherTcp } else { Bucket::Http }, n as u64);
                    if broken {
                        self.breaks(c, t, h, side);
                    } else {
                        self.event(c, t, &mut h.links, side, event, ts);
                    }
                    rest = &rest[n..];
                }
                Mode::Dead(bucket) => {
                    self.ledger.add(*bucket, rest.len() as u64);
                    return;
                }
                Mode::Search(search) => match search.push(rest) {
                    Found::At(n, header) => {
                        self.ledger.add(Bucket::AfterGap, n as u64);
                        h.modes[index] = Mode::Frames;
                        let event = h.readers[index].begin(header, u32::MAX);
                        self.event(c, t, &mut h.links, side, event, ts);
                        rest = &rest[n..];
                    }
                    found => {
                        self.ledger.add(Bucket::AfterGap, rest.len() as u64);
                        if found == Found::GiveUp {
                            self.oddities.bump(Oddity::Http2SearchLimit);
                            h.modes[index] = Mode::Dead(Bucket::AfterGap);
                        }
                        return;
                    }
                },
                Mode::Prove(kept, since) => {
                    if kept.is_empty() {
                        *since = ts;
                    }
                    kept.extend_from_slice(rest);
                    let whole = http2::is_server_preface(kept) == Start::Yes || http2::ends_with_frame(kept);
                    let start = if whole { Start::Yes } else { http2::starts_like_frames(kept) };
                    if start == Start::More && kept.len() <= self.limits.head_bytes {
                        return;
                    }
                    let (kept, since) = (std::mem::take(kept), *since);
                    if start == Start::Yes {
                        if h.prefaced && http2::is_server_preface(&kept) == Start::Yes {
                            // The client's preface was seen, and this is the server's: all of it is here.
                            h.links.hpack[index] = hpack::Decoder::new(self.limits.hpack_table_bytes);
                        }
                        h.modes[index] = Mode::Frames;
                        self.frames(c, t, h, side, &kept, since);
                    } else {
                        let mut search = Box::new(Search::new(h.links.most[index], self.limits.http2_search_bytes));
                        search.push(&kept);
                        self.ledger.add(Bucket::AfterGap, kept.len() as u64);
                        h.modes[index] = Mode::Search(search);
                    }
                    return;
                }
            }
        }
    }

    /// What a direction carries is not HTTP/2, or not any more: its sender and its receiver part here.
    #[cold]
    fn breaks(&mut self, c: &Connection, t: &mut Talk, h: &mut Http2, side: Side) {
        self.oddities.bump(Oddity::Http2Broken);
        h.modes[side.index()] = Mode::Dead(Bucket::OtherTcp);
        self.side_ends(c, t, &mut h.links, side);
    }

    /// Keeps the sum of what all connections take below its limit.
    fn weigh(&mut self, h: &mut Http2) {
        let mut size = h.size();
        self.http2_held = self.http2_held - h.held + size;
        if self.http2_held > self.limits.http2_bytes && size > 0 {
            self.oddities.bump(Oddity::Http2BytesLimit);
            h.links.hpack.iter_mut().for_each(hpack::Decoder::forget);
            h.readers.iter_mut().for_each(Reader::shed);
            self.http2_held -= size;
            size = h.size();
            self.http2_held += size;
        }
        h.held = size;
    }

    fn event(&mut self, c: &Connection, t: &mut Talk, links: &mut Links, side: Side, event: Event<'_>, ts: Timestamp) {
        match event {
            Event::Nothing | Event::Broken => {}
            Event::Data { stream, bytes, end_stream } => {
                if let Some(at) = links.streams.find(stream) {
                    let response = t.client != Some(side);
                    self.data(c, links, at, response, bytes, ts);
                    if end_stream {
                        self.half_closes(c, links, at, response);
                    }
                }
            }
            Event::Block { stream, promised, end_stream, block } => {
                let message = messages::Message { stream, promised, end_stream, size: 0, ts };
                self.block(c, t, links, side, message, block);
            }
            Event::Reset { stream, code } => {
                if let Some(at) = links.streams.find(stream) {
                    // After a whole response NO_ERROR only says that nobody waits for the rest of the request (8.1).
                    let why = if code == 0 { Partial::default() } else { Partial::RESET };
                    self.abandon(c, links, at, why);
                }
            }
            Event::Settings(payload) => {
                let mut table = None;
                for setting in settings(payload) {
                    match setting {
                        Setting::HeaderTableSize(n) => table = Some(n),
                        Setting::MaxFrameSize(n) => {
                            let most = &mut links.most[side.peer().index()];
                            *most = n.max(*most);
                        }
                    }
                }
                let pending = &mut links.pending[side.index()];
                if pending.len() == PENDING {
                    pending.pop_front();
                }
                pending.push_back(table);
            }
            Event::SettingsAck => {
                if let Some(Some(table)) = links.pending[side.peer().index()].pop_front() {
                    links.hpack[side.index()].allow(table);
                }
            }
            Event::GoAway { last } => {
                // Streams of the other end beyond the last one were not looked at (6.8).
                let of_client = t.client != Some(side);
                let mut at = 0;
                while let Some(stream) = links.streams.get(at) {
                    let theirs = stream.id.is_multiple_of(2) != of_client;
                    if theirs && stream.id > last && !stream.headed {
                        self.abandon(c, links, at, Partial::default());
                    } else {
                        at += 1;
                    }
                }
            }
        }
    }

    /// A hole in one side's bytes.
    #[cold]
    pub(super) fn http2_gap(&mut self, c: &Connection, t: &mut Talk, side: Side, gap: Gap) {
        let Some(mut h) = t.http2.take() else { return };
        let index = side.index();
        let lost = match &mut h.modes[index] {
            Mode::Frames => match h.readers[index].gap(gap.len) {
                Skipped::Within { data, event } => {
                    let response = t.client != Some(side);
                    if let Some((stream, missing)) = data
                        && let Some(at) = h.links.streams.find(stream)
                    {
                        self.data_missing(c, &mut h.links, at, response, missing, gap.why);
                    }
                    let now = h.links.now;
                    self.event(c, t, &mut h.links, side, event, now);
                    false
                }
                Skipped::Lost => true,
            },
            Mode::Prove(kept, _) => {
                self.ledger.add(Bucket::AfterGap, kept.len() as u64);
                true
            }
            Mode::Search(_) => true,
            Mode::Dead(_) => false,
        };
        if lost {
            let search = Search::new(h.links.most[index], self.limits.http2_search_bytes);
            h.modes[index] = Mode::Search(Box::new(search));
            h.links.hpack[index].forget();
            h.links.pending[index].clear();
            h.links.strict[side.peer().index()] = false;
            self.hole_in(c, t, &mut h.links, side, gap.why);
        }
        self.weigh(&mut h);
        t.http2 = Some(h);
    }

    /// Any frame may have been in a hole of this side.
    fn hole_in(&mut self, c: &Connection, t: &Talk, links: &mut Links, side: Side, why: Missing) {
        let client = t.client == Some(side);
        links.streams.hole(client);
        for stream in links.streams.iter_mut() {
            let exchange = self.table.get_mut(stream.exchange);
            if client && !exchange.request_done {
                exchange.partial.add(messages::reasons(Partial::REQUEST_GAP, why));
            } else if !client && stream.headed && !exchange.response_done {
                exchange.partial.add(messages::reasons(Partial::RESPONSE_GAP, why));
            }
            if let Some(call) = &mut exchange.grpc {
                call.skip(!client, None);
            }
            if let Some(carried) = &mut stream.carried {
                self.carried_gap(c, carried, !client, None, why);
            }
            if stream.decoders[usize::from(!client)].take().is_some() {
                self.decoders -= 1;
            }
        }
    }

    /// One side ended.
    pub(super) fn http2_end(&mut self, c: &Connection, t: &mut Talk, side: Side) {
        let Some(mut h) = t.http2.take() else { return };
        let mode = std::mem::replace(&mut h.modes[side.index()], Mode::Dead(Bucket::OtherTcp));
        if let Mode::Prove(kept, _) = mode {
            self.ledger.add(Bucket::AfterGap, kept.len() as u64);
        }
        self.side_ends(c, t, &mut h.links, side);
        self.weigh(&mut h);
        t.http2 = Some(h);
    }

    /// The connection is gone.
    pub(super) fn http2_close(&mut self, c: &Connection, t: &mut Talk) {
        for side in [t.client.unwrap_or(Side::Lo), t.client.unwrap_or(Side::Lo).peer()] {
            self.http2_end(c, t, side);
        }
        if let Some(h) = t.http2.take() {
            self.http2_held -= h.held;
        }
    }

    /// Nothing more comes from this side.
    fn side_ends(&mut self, c: &Connection, t: &Talk, links: &mut Links, side: Side) {
        let server = t.client != Some(side);
        let mut at = 0;
        while let Some(stream) = links.streams.get(at) {
            let exchange = self.table.get_mut(stream.exchange);
            if server {
                self.abandon(c, links, at, Partial::default());
                continue;
            }
            let mut gone = false;
            if !exchange.request_done {
                exchange.partial.add(Partial::REQUEST_ENDED_EARLY);
                gone = self.half_closes(c, links, at, false);
            }
            at += usize::from(!gone);
        }
    }
}
