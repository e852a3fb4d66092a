//! Reads both directions of a connection, in causal order.
//!
//! Takes chunks, gaps and ends from [`Pairing`], steps each direction through its messages and hands heads, body bytes
//! and message ends to the pairing rules. A body of known length is counted down, not touched. Behind a hole that hid
//! where a message begins, a direction reads nothing until the beginning of a chunk is a whole start line **and** what
//! both sides had acknowledged proves that a message begins there. Never copies a head that lies in one chunk.

use super::observer::{Observer, Partial, Unread};
use super::pairing::Pairing;
use super::rules::{Fit, Site};
use super::table::{NOBODY, UNKNOWN};
use super::talk::{Kind, Phase, Talk};
use crate::base::{Address, Bucket, Oddity, Side, Timestamp};
use crate::proto::http1::{self, Framing, Read, find_end};
use crate::proto::http2::starts_like_frames;
use crate::proto::probe::{self, First, Start};
use crate::proto::proxy;
use crate::proto::recognise;
use crate::proto::tls::record::{client_hello_begins, content};
use crate::stream::{Chunk, Connection, End, Gap, HEADROOM};

/// Bytes of each direction in which HTTP may begin behind a SOCKS greeting: its longest request and reply are shorter.
const SOCKS_PRELUDE: u64 = 1024;

/// Bytes of a direction behind which TLS is not expected to start any more: a greeting, capabilities, STARTTLS.
const STARTTLS_PRELUDE: u64 = HEADROOM as u64 + (64 << 10);

/// Where in a direction some bytes are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub ts: Timestamp,
    pub offset: u64,
    pub acked: Option<u64>,
    /// The bytes are a chunk from its beginning.
    pub first: bool,
    /// [`Half::surely_acked`](super::talk::Half::surely_acked) before these bytes.
    pub previous: u64,
    /// `acked` of the chunk that ended the head, or [`UNKNOWN`] (also where that chunk may be another message's).
    pub latest: u64,
}

/// What a response made of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The body follows.
    Body(Framing),
    /// 101: another protocol follows, both ways.
    Switched,
    /// 101: WebSocket follows, both ways.
    WebSocket {
        /// Messages may be compressed.
        deflate: bool,
    },
    /// 101: HTTP/2 follows, both ways, and the answer to the request with it.
    Http2,
    /// CONNECT was granted: anything may follow, both ways.
    Tunnel,
    /// Nothing proves that this is a response and not a body's text: what follows is looked at anew.
    Lost,
}

/// Might a response with a status of 1xx begin in these bytes, which are not recognised?
#[cold]
fn may_be_interim(bytes: &[u8]) -> bool {
    let at = "HTTP/1.1 ".len();
    probe::response_start(bytes) != Start::No && bytes.get(at).is_none_or(|digit| *digit == b'1')
        || bytes.windows(at + 1).any(|w| w.starts_with(b"HTTP/1.") && w.ends_with(b" 1"))
}

/// Whether a chunk of which nobody knows what it is may be of an interim response: `unsure` tells whether the one
/// before may have been. The status line of a final response, be it real or a body's text, ends that.
#[cold]
fn may_go_on_as_interim(unsure: bool, chunk: &[u8]) -> bool {
    may_be_interim(chunk) || unsure && probe::response_start(chunk) != Start::Yes
}

impl<O: Observer> Pairing<O> {
    /// Reads a chunk whose turn has come.
    pub(super) fn process(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let before = self.ledger.get(Bucket::OtherTcp);
        t.heard[side.index()] = true;
        self.step(c, t, side, chunk);
        t.opaque += self.ledger.get(Bucket::OtherTcp) - before;
    }

    #[inline]
    fn step(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>) {
        let half = t.half(side);
        half.pos = chunk.offset + chunk.bytes.len() as u64;
        let previous = half.surely_acked();
        let mut done = 0;
        if half.doubt {
            self.doubt(c, t, side, chunk.offset, Some(chunk));
        }
        while done < chunk.bytes.len() {
            let rest = &chunk.bytes[done..];
            let offset = chunk.offset + done as u64;
            let latest = chunk.acked.unwrap_or(UNKNOWN);
            let at = Place { ts: chunk.ts, offset, acked: chunk.acked, first: done == 0, previous, latest };
            if !matches!(t.kind, Kind::Http | Kind::Probing) {
                return self.carries_else(c, t, side, Chunk { offset, bytes: rest, ..chunk }, at);
            }
            done += match t.half(side).phase {
                Phase::Length(left) => self.length(c, t, side, left, rest, at),
                Phase::Head { found } => self.head(c, t, side, found, rest, at),
                Phase::Chunked(_) => self.chunked(c, t, side, rest, at),
                Phase::UntilClose => self.until_close(t, side, rest, at),
                Phase::Resync { gap } => self.resync(c, t, side, gap, rest, at),
                Phase::Start | Phase::Seek(_) => self.begin(c, t, side, rest, at),
                Phase::Ended => {
                    self.ledger.add(Bucket::OtherTcp, rest.len() as u64);
                    rest.len()
                }
            };
        }
        let half = t.half(side);
        if half.passing && chunk.bytes.last() == Some(&b'\n') {
            half.pass();
        }
    }

    /// Bytes of a connection that is known to carry something else than HTTP/1.
    fn carries_else(&mut self, c: &Connection, t: &mut Talk, side: Side, chunk: Chunk<'_>, at: Place) {
        let rest = chunk.bytes;
        if t.kind == Kind::Other
            && rest.first() == Some(&content::HANDSHAKE)
            && at.first
            && self.starts_tls(side, rest, at)
        {
            self.begins_tls(t);
        }
        match t.kind {
            Kind::Http2 => self.http2(c, t, side, chunk),
            Kind::WebSocket => self.websocket(t, side, rest, chunk.ts),
            Kind::Tls => self.tls(c, t, side, chunk),
            _ => {
                if chunk.offset == 0 && t.other == Bucket::OtherTcp {
                    // The other direction did not say what it is; servers of some protocols speak first.
                    t.other = recognise::tcp(rest).unwrap_or(Bucket::OtherTcp);
                }
                self.ledger.add(t.other, rest.len() as u64);
            }
        }
    }

    // --- the beginning

    /// The kind of the connection is not known yet.
    #[cold]
    #[inline(never)]
    fn begin(&mut self, c: &Connection, t: &mut Talk, side: Side, rest: &[u8], at: Place) -> usize {
        let seeking = t.half(side).phase != Phase::Start;
        if seeking && !at.first {
            return self.seek_on(t, side, rest.len());
        }
        let true_start = !seeking
            && (t.begins_inside(side) || c.opener.is_some() && (at.offset == 0 || t.half(side).straddle.is_some()));
        let mut straddle = t.half(side).straddle.take();
        if let Some(s) = &mut straddle {
            s.bytes.extend_from_slice(rest);
            self.buffered += rest.len();
        }
        let seen = straddle.as_ref().map_or(rest, |s| &s.bytes);
        let verdict = match proxy::header(seen) {
            // The end that opened the connection sends it, before all else.
            proxy::Header::Whole { len, source } if true_start && c.opener.is_none_or(|opener| opener == side) => {
                let before = seen.len() - rest.len();
                self.proxied(t, side, len, source, at);
                straddle.into_iter().for_each(|s| self.give_back(s));
                return len - before;
            }
            proxy::Header::More if true_start => First::More,
            proxy::Header::Bad if true_start => {
                self.oddities.bump(Oddity::ProxyHeaderBad);
                Self::verdict(seen, true_start)
            }
            _ => Self::verdict(seen, true_start),
        };
        let verdict = match verdict {
            // Where the beginning was lost, a start line alone proves nothing: the client asks, and as it must.
            First::Request if seeking && c.opener.is_some_and(|opener| opener != side) => First::Other,
            First::Response if seeking && c.opener == Some(side) => First::Other,
            First::Request | First::More
                if seeking && straddle.is_none() && c.opener == Some(side) && !Self::request_may_begin(t, side, at) =>
            {
                First::Other
            }
            _ => verdict,
        };
        match verdict {
            First::Request | First::Response => {
                self.speaks_http(t, if verdict == First::Request { side } else { side.peer() });
                if seeking {
                    t.half(side).phase = Phase::Head { found: true };
                }
                // A straddled beginning holds all of this chunk already: hand back what lies before it.
                if let Some(mut s) = straddle {
                    let before = s.bytes.len() - rest.len();
                    s.bytes.truncate(before);
                    s.unproven = false;
                    self.buffered -= rest.len();
                    t.half(side).straddle = Some(s);
                }
                0
            }
            First::More => {
                t.half(side).unrecognised(at.latest);
                let s = match straddle {
                    Some(s) => s,
                    None => self.straddle(rest, at, true),
                };
                if s.bytes.len() > self.limits.head_bytes {
                    self.ledger.add(Bucket::OtherTcp, s.bytes.len() as u64);
                    self.give_back(s);
                    self.becomes(t, Kind::Other);
                } else {
                    t.half(side).straddle = Some(s);
                }
                rest.len()
            }
            First::Http2 => {
                t.half(side).straddle = straddle;
                self.begins_http2(c, t, side, Chunk { ts: at.ts, offset: at.offset, acked: at.acked, bytes: rest });
                rest.len()
            }
            First::Tls => {
                self.begins_tls(t);
                // What is straddled holds all of this chunk already.
                match straddle {
                    Some(s) => {
                        let chunk = Chunk { ts: s.ts, offset: s.offset, acked: at.acked, bytes: &s.bytes };
                        self.tls(c, t, side, chunk);
                        self.give_back(s);
                        rest.len()
                    }
                    None => 0,
                }
            }
            First::Socks | First::Other => {
                let kind = match verdict {
                    _ if verdict == First::Other && true_start => Some(Kind::Other),
                    _ => None,
                };
                let mut bucket = Self::bucket(kind.unwrap_or(Kind::Other));
                if verdict == First::Other && true_start {
                    t.other = recognise::tcp(straddle.as_ref().map_or(rest, |s| &s.bytes)).unwrap_or(bucket);
                    bucket = t.other;
                }
                if let Some(s) = straddle {
                    let before = s.bytes.len() - rest.len();
                    self.ledger.add(bucket, before as u64);
                    self.give_back(s);
                }
                self.ledger.add(bucket, rest.len() as u64);
                if let Some(kind) = kind {
                    self.becomes(t, kind);
                } else {
                    let look = if verdict == First::Socks { SOCKS_PRELUDE } else { u64::MAX };
                    if verdict == First::Socks {
                        // The server's half of the greeting is no beginning of anything either.
                        t.half(side.peer()).phase = Phase::Seek(look);
                        self.drop_straddle(t, side.peer(), Bucket::OtherTcp);
                    }
                    if look == u64::MAX {
                        t.half(side).unrecognised(at.latest);
                    } else {
                        t.half(side).recognised(at.latest);
                    }
                    if t.half(side).phase == Phase::Start {
                        t.half(side).phase = Phase::Seek(look);
                    } else {
                        self.spend(t, side, rest.len());
                    }
                }
                rest.len()
            }
        }
    }

    /// A PROXY protocol header was read: what it stands before begins behind it, and `source` asks, where it names one.
    fn proxied(&mut self, t: &mut Talk, side: Side, len: usize, source: Option<Address>, at: Place) {
        self.ledger.add(Bucket::ProxyHeader, len as u64);
        t.half(side).recognised(at.latest);
        t.proxied = Some(side);
        if let Some(source) = source {
            t.caller = Some(Box::new(source));
        }
    }

    fn verdict(bytes: &[u8], true_start: bool) -> First {
        if true_start {
            return probe::first(bytes);
        }
        match (probe::request_start(bytes), probe::response_start(bytes)) {
            (Start::Yes, _) => First::Request,
            (_, Start::Yes) => First::Response,
            _ if probe::tls_record(bytes) => First::Tls,
            (Start::No, Start::No) if bytes.first() == Some(&b'P') && probe::first(bytes) == First::Http2 => {
                First::Http2
            }
            (Start::No, Start::No) => match starts_like_frames(bytes) {
                Start::Yes => First::Http2,
                // A single frame's header is no proof, but a reason to wait for more.
                Start::More if bytes.len() >= 9 => First::More,
                _ => First::Other,
            },
            _ => First::More,
        }
    }

    fn seek_on(&mut self, t: &mut Talk, side: Side, n: usize) -> usize {
        self.ledger.add(Bucket::OtherTcp, n as u64);
        self.spend(t, side, n);
        n
    }

    /// Looks at fewer bytes from now on, and at none when they are used up.
    fn spend(&mut self, t: &mut Talk, side: Side, n: usize) {
        if let Phase::Seek(left) = t.half(side).phase
            && left != u64::MAX
        {
            match left.checked_sub(n as u64) {
                Some(left) => t.half(side).phase = Phase::Seek(left),
                None => self.becomes(t, Kind::Other),
            }
        }
    }

    /// The connection is HTTP/1, and `client` sends the requests.
    fn speaks_http(&mut self, t: &mut Talk, client: Side) {
        t.kind = Kind::Http;
        t.client = Some(client);
        for side in [Side::Lo, Side::Hi] {
            let half = t.half(side);
            match half.phase {
                // Of a connection picked up midway the first bytes need not be a message's.
                Phase::Start => half.phase = Phase::Head { found: false },
                Phase::Seek(_) => {
                    half.phase = Phase::Resync { gap: true };
                    half.unsure = true;
                    self.drop_straddle(t, side, Bucket::AfterGap);
                }
                _ => {}
            }
        }
    }

    /// The connection carries something that is not read.
    pub(super) fn becomes(&mut self, t: &mut Talk, kind: Kind) {
        t.kind = kind;
        for side in [Side::Lo, Side::Hi] {
            self.drop_straddle(t, side, Self::bucket(kind));
        }
    }

    // --- heads

    fn head(&mut self, c: &Connection, t: &mut Talk, side: Side, found: bool, rest: &[u8], at: Place) -> usize {
        if t.half(side).straddle.is_some() {
            return self.head_goes_on(c, t, side, found, rest, at);
        }
        if !found && t.half(side).shaky && self.needs_proof(t, side, at) {
            t.half(side).phase = Phase::Resync { gap: true };
            return 0;
        }
        // Empty lines between messages (RFC 9112, 2.2).
        if matches!(rest[0], b'\r' | b'\n') {
            let n = rest.len() - probe::skip_empty_lines(rest).len();
            self.ledger.add(Bucket::Http, n as u64);
            return n;
        }
        match self.read(c, t, side, found, rest, at) {
            Read::Head(n, ()) => {
                self.ledger.add(Bucket::Http, n as u64);
                n
            }
            Read::Partial if rest.len() <= self.limits.head_bytes => {
                t.half(side).straddle = Some(self.straddle(rest, at, false));
                rest.len()
            }
            Read::Partial => self.nonsense(t, side, found, Oddity::HeadLimit, rest, at),
            Read::Bad => self.nonsense(t, side, found, Oddity::HeadBad, rest, at),
        }
    }

    fn read(&mut self, c: &Connection, t: &mut Talk, side: Side, found: bool, bytes: &[u8], at: Place) -> Read<()> {
        let lines = self.limits.header_lines;
        let site = Site { connection: c, side, found, at };
        if t.client == Some(side) {
            match http1::request(bytes, lines, |head, facts| self.on_request(site, t, head, facts)) {
                Read::Head(n, framing) => {
                    self.body_follows(c, t, side, framing);
                    Read::Head(n, ())
                }
                Read::Partial => Read::Partial,
                Read::Bad => Read::Bad,
            }
        } else {
            match http1::response(bytes, lines, |head, facts| self.on_response(site, t, head, facts)) {
                Read::Head(n, after) => {
                    match after {
                        None => {}
                        Some(After::Body(framing)) => self.body_follows(c, t, side, framing),
                        Some(After::Lost) => {
                            self.mark(t, side, Partial::RESPONSE_GAP);
                            self.message_ends(c, t, side);
                            self.lose(t, side, true, at.offset);
                            t.half(side).unsure = at.latest == UNKNOWN;
                        }
                        Some(After::Switched) => self.leave_http(c, t, side, Kind::Other),
                        Some(After::WebSocket { deflate }) => self.leave_http_for_websocket(c, t, side, deflate, at.ts),
                        Some(After::Http2) => self.leave_http_for_http2(c, t, side),
                        Some(After::Tunnel) => {
                            let kind = if t.nested { Kind::Other } else { Kind::Probing };
                            self.leave_http(c, t, side, kind);
                        }
                    }
                    Read::Head(n, ())
                }
                Read::Partial => Read::Partial,
                Read::Bad => Read::Bad,
            }
        }
    }

    #[inline]
    fn body_follows(&mut self, c: &Connection, t: &mut Talk, side: Side, framing: Framing) {
        let half = t.half(side);
        match framing {
            Framing::Length(0) => self.message_ends(c, t, side),
            Framing::Length(n) => half.phase = Phase::Length(n),
            Framing::Chunked => half.phase = Phase::Chunked(Default::default()),
            Framing::UntilClose => {
                half.phase = Phase::UntilClose;
                half.doubt = true;
            }
        }
    }

    /// A 101 or a granted CONNECT: both directions leave HTTP where they are.
    fn leave_http(&mut self, c: &Connection, t: &mut Talk, server: Side, kind: Kind) {
        self.message_ends(c, t, server);
        self.give_up_all(c, t);
        if t.half(server.peer()).current != NOBODY {
            self.mark(t, server.peer(), Partial::REQUEST_ENDED_EARLY);
            self.message_ends(c, t, server.peer());
        }
        for side in [Side::Lo, Side::Hi] {
            self.drop_straddle(t, side, Bucket::OtherTcp);
            if t.half(side).phase != Phase::Ended {
                t.half(side).phase = Phase::Start;
            }
        }
        t.nested = kind == Kind::Probing;
        t.kind = kind;
    }

    /// A 101 that grants WebSocket.
    #[cold]
    fn leave_http_for_websocket(&mut self, c: &Connection, t: &mut Talk, server: Side, deflate: bool, ts: Timestamp) {
        let number = t.half(server).current;
        let exchange = (number != NOBODY && t.half(server.peer()).current != number).then_some(number);
        let websocket = self.new_websocket(c, deflate, exchange, ts);
        if websocket.keeps_exchange() {
            t.half(server).current = NOBODY;
        }
        self.leave_http(c, t, server, Kind::WebSocket);
        self.begins_websocket(t, websocket);
    }

    /// A 101 that grants HTTP/2: the exchange goes on there.
    #[cold]
    fn leave_http_for_http2(&mut self, c: &Connection, t: &mut Talk, server: Side) {
        let number = std::mem::replace(&mut t.half(server).current, NOBODY);
        if t.half(server.peer()).current == number {
            self.mark(t, server.peer(), Partial::REQUEST_ENDED_EARLY);
            t.half(server.peer()).current = NOBODY;
            self.message_ends(c, t, server.peer());
        }
        self.leave_http(c, t, server, Kind::Http2);
        self.upgrades_to_http2(t, server, number);
    }

    /// Behind something that is no HTTP: does TLS begin here? So it does behind STARTTLS (SMTP, IMAP, POP3, FTP, LDAP,
    /// XMPP, PostgreSQL and others), early in the connection, with a ClientHello at the front of a segment.
    #[cold]
    fn starts_tls(&self, _: Side, rest: &[u8], at: Place) -> bool {
        at.offset < STARTTLS_PRELUDE && client_hello_begins(rest)
    }

    /// Copies the beginning of a head that is not whole.
    #[cold]
    fn straddle(&mut self, rest: &[u8], at: Place, unproven: bool) -> Box<super::talk::Straddle> {
        let mut s = self.take_spare();
        s.bytes.extend_from_slice(rest);
        s.scanned = if unproven { 0 } else { rest.len() };
        s.unproven = unproven;
        (s.ts, s.offset, s.acked) = (at.ts, at.offset, at.acked);
        self.buffered += rest.len();
        s
    }

    /// Bytes that continue a head. It is read again only when its end is there.
    fn head_goes_on(&mut self, c: &Connection, t: &mut Talk, side: Side, found: bool, rest: &[u8], at: Place) -> usize {
        let Some(mut s) = t.half(side).straddle.take() else { return 0 };
        let before = s.bytes.len();
        if found && at.first && self.proven(t, side, rest, at) {
            // What was found before was none: its beginning was good, but this one is better.
            self.ledger.add(Bucket::AfterGap, before as u64);
            self.give_back(s);
            t.half(side).phase = Phase::Resync { gap: true };
            return 0;
        }
        let take = rest.len().min((self.limits.head_bytes + 1).saturating_sub(before));
        s.bytes.extend_from_slice(&rest[..take]);
        self.buffered += take;
        if s.unproven {
            // Only a space or a line end can decide it, beyond the first few bytes.
            let decides = s.bytes.len() <= 64 || rest[..take].iter().any(|b| *b <= b' ');
            let start = match t.client == Some(side) {
                _ if !decides => Start::More,
                true => probe::request_start(&s.bytes),
                false => probe::response_start(&s.bytes),
            };
            match start {
                Start::Yes => s.unproven = false,
                Start::More if s.bytes.len() <= self.limits.head_bytes => {
                    t.half(side).unrecognised(at.latest);
                    t.half(side).straddle = Some(s);
                    return take;
                }
                _ => {
                    // Not a head after all; this chunk may be the beginning of one.
                    self.ledger.add(Bucket::AfterGap, before as u64);
                    self.give_back(s);
                    t.half(side).phase = Phase::Resync { gap: true };
                    return 0;
                }
            }
        }
        let from = s.scanned;
        let Some(end) = find_end(&s.bytes, from) else {
            if s.bytes.len() > self.limits.head_bytes || self.buffered > self.limits.total_buffer_bytes {
                self.ledger.add(if found { Bucket::AfterGap } else { Bucket::OtherTcp }, before as u64);
                self.give_back(s);
                return self.nonsense(t, side, found, Oddity::HeadLimit, rest, at);
            }
            s.scanned = s.bytes.len();
            if found && t.client != Some(side) {
                t.half(side).unrecognised(at.latest);
            }
            t.half(side).straddle = Some(s);
            return take;
        };
        // What was found may be a body's text, and an interim response may follow it.
        let latest = if found && may_be_interim(&s.bytes[1..]) { UNKNOWN } else { at.latest };
        let first = Place { ts: s.ts, offset: s.offset, acked: s.acked, first: true, previous: UNKNOWN, latest };
        let read = self.read(c, t, side, found, &s.bytes[..end], first);
        let consumed = match read {
            Read::Head(n, ()) => {
                self.ledger.add(Bucket::Http, n.max(before) as u64);
                n.saturating_sub(before)
            }
            Read::Partial | Read::Bad => {
                self.ledger.add(if found { Bucket::AfterGap } else { Bucket::OtherTcp }, before as u64);
                self.nonsense(t, side, found, Oddity::HeadBad, rest, at)
            }
        };
        self.give_back(s);
        consumed
    }

    /// What should be a head is none: gives the rest of the chunk up.
    #[cold]
    fn nonsense(&mut self, t: &mut Talk, side: Side, found: bool, why: Oddity, rest: &[u8], at: Place) -> usize {
        if at.first && probe::tls_record(rest) && !found {
            // Upgrade to TLS (RFC 2817), or a CONNECT whose response was lost.
            self.begins_tls(t);
            return 0;
        }
        if !t.spoke {
            // Nothing on this connection has been HTTP yet.
            self.ledger.add(Bucket::OtherTcp, rest.len() as u64);
            self.becomes(t, Kind::Other);
            return rest.len();
        }
        if !found || why == Oddity::HeadLimit {
            self.oddities.bump(why);
        }
        self.ledger.add(if found { Bucket::AfterGap } else { Bucket::OtherTcp }, rest.len() as u64);
        self.lose(t, side, found, at.offset);
        rest.len()
    }

    /// What is read here as a response begins where one of unknown kind has ended by its framing; if that was to HEAD, this
    /// is text in the midst of another. As an answer to a request that is known it has to prove itself.
    #[cold]
    fn needs_proof(&self, t: &Talk, side: Side, at: Place) -> bool {
        t.client != Some(side) && at.acked.is_some() && self.in_order(t, at) == Fit::Oldest
    }

    /// Do the acknowledgements say that a message begins exactly here?
    fn proven(&self, t: &Talk, side: Side, rest: &[u8], at: Place) -> bool {
        if t.client == Some(side) {
            probe::request_start(rest) != Start::No && at.acked.is_some() && Self::request_may_begin(t, side, at)
        } else {
            probe::response_start(rest) != Start::No && self.fit(t, at) == Fit::Oldest
        }
    }

    // --- bodies

    #[inline]
    fn length(&mut self, c: &Connection, t: &mut Talk, side: Side, left: u64, rest: &[u8], at: Place) -> usize {
        let n = left.min(rest.len() as u64);
        self.ledger.add(Bucket::Http, n);
        self.body(t, side, &rest[..n as usize], at);
        if n == left {
            t.half(side).shaky |= t.half(side).doubt;
            self.message_ends(c, t, side);
        } else {
            t.half(side).phase = Phase::Length(left - n);
        }
        n as usize
    }

    fn chunked(&mut self, c: &Connection, t: &mut Talk, side: Side, rest: &[u8], at: Place) -> usize {
        let Phase::Chunked(mut chunked) = t.half(side).phase else { return 0 };
        match chunked.step(rest) {
            Ok(step) => {
                self.ledger.add(Bucket::Http, step.consumed as u64);
                self.body(t, side, step.data, at);
                t.half(side).phase = Phase::Chunked(chunked);
                if chunked.is_done() {
                    let end = t.half(side).pos - (rest.len() - step.consumed) as u64;
                    self.request_reached(t, side, end);
                    t.half(side).shaky |= t.half(side).doubt;
                    self.message_ends(c, t, side);
                }
                step.consumed
            }
            Err(_) => {
                self.oddities.bump(Oddity::ChunkBad);
                self.ledger.add(Bucket::OtherTcp, rest.len() as u64);
                let offset = t.half(side).pos - rest.len() as u64;
                self.mark(t, side, self.ended_early(t, side));
                self.message_ends(c, t, side);
                self.lose(t, side, false, offset);
                rest.len()
            }
        }
    }

    fn until_close(&mut self, t: &mut Talk, side: Side, rest: &[u8], at: Place) -> usize {
        self.ledger.add(Bucket::Http, rest.len() as u64);
        self.body(t, side, rest, at);
        rest.len()
    }

    /// A response that may be over before its framing says so is over when the client, having received exactly so far,
    /// has asked the next thing, and (unless what follows is lost) the next response begins right here.
    #[cold]
    fn doubt(&mut self, c: &Connection, t: &mut Talk, side: Side, offset: u64, next: Option<Chunk<'_>>) {
        // What is taken for a body need not be one.
        let half = t.half(side);
        half.unsure = next.is_none_or(|chunk| may_go_on_as_interim(half.unsure, chunk.bytes));
        let Some(front) = t.queue.front().map(|front| self.table.get(front)) else { return };
        let asked = !front.is_hole() && front.acked == offset;
        let begins = match next {
            Some(chunk) => {
                chunk.acked.is_some_and(|acked| acked > front.start) && probe::response_start(chunk.bytes) != Start::No
            }
            None => front.alone,
        };
        let in_body = matches!(t.half(side).phase, Phase::Length(_) | Phase::UntilClose | Phase::Chunked(_));
        if in_body && asked && begins {
            self.message_ends(c, t, side);
        }
    }

    // --- holes and ends

    /// A hole whose turn has come.
    pub(super) fn process_gap(&mut self, c: &Connection, t: &mut Talk, side: Side, gap: Gap) {
        let half = t.half(side);
        half.pos = gap.offset.saturating_add(gap.len);
        half.pass();
        match t.kind {
            Kind::Tls => self.tls_gap(c, t, side, gap),
            Kind::Other => {}
            Kind::Probing => {
                self.drop_straddle(t, side, Bucket::OtherTcp);
                let half = t.half(side);
                if half.phase == Phase::Start {
                    half.phase = Phase::Seek(u64::MAX);
                }
            }
            Kind::Http => self.gap_in_message(c, t, side, gap),
            Kind::Http2 => self.http2_gap(c, t, side, gap),
            Kind::WebSocket => self.websocket_gap(t, side),
        }
    }

    fn gap_in_message(&mut self, c: &Connection, t: &mut Talk, side: Side, gap: Gap) {
        let Gap { offset, len, why } = gap;
        if t.half(side).doubt {
            self.doubt(c, t, side, offset, None);
        }
        match t.half(side).phase {
            Phase::Length(left) => {
                self.mark_gap(t, side, len.min(left), why);
                if len < left {
                    t.half(side).phase = Phase::Length(left - len);
                    return;
                }
                self.message_ends(c, t, side);
                if len > left {
                    self.lose(t, side, true, offset + left);
                }
            }
            Phase::Chunked(mut chunked) => {
                if chunked.skip(len) {
                    self.mark_gap(t, side, len, why);
                    t.half(side).phase = Phase::Chunked(chunked);
                } else {
                    self.mark_gap(t, side, 0, why);
                    self.request_reached(t, side, offset);
                    self.message_ends(c, t, side);
                    self.lose(t, side, true, offset);
                }
            }
            Phase::UntilClose => self.mark_gap(t, side, len, why),
            Phase::Head { .. } => {
                self.drop_straddle(t, side, Bucket::AfterGap);
                self.lose(t, side, true, offset);
            }
            Phase::Start | Phase::Seek(_) => self.lose(t, side, true, offset),
            Phase::Resync { .. } => {
                t.half(side).phase = Phase::Resync { gap: true };
                t.half(side).unsure = true;
            }
            Phase::Ended => {}
        }
    }

    /// A direction lost its place at `offset`.
    fn lose(&mut self, t: &mut Talk, side: Side, gap: bool, offset: u64) {
        let half = t.half(side);
        half.phase = Phase::Resync { gap };
        half.unsure = true;
        if t.client == Some(side) {
            self.hole(t, offset);
        }
    }

    /// Looks for a provable message at the beginning of a chunk.
    #[cold]
    #[inline(never)]
    fn resync(&mut self, _: &Connection, t: &mut Talk, side: Side, gap: bool, rest: &[u8], at: Place) -> usize {
        let is_client = t.client == Some(side);
        let start = match is_client {
            _ if !at.first => Start::No,
            true => probe::request_start(rest),
            false => probe::response_start(rest),
        };
        let proven = start != Start::No
            && if is_client { Self::request_may_begin(t, side, at) } else { self.fit(t, at) != Fit::No };
        if !proven {
            let half = t.half(side);
            half.unsure = !is_client && may_go_on_as_interim(half.unsure, rest);
            if half.unsure {
                half.unrecognised(at.latest);
            } else {
                half.recognised(at.latest);
            }
            self.ledger.add(if gap { Bucket::AfterGap } else { Bucket::OtherTcp }, rest.len() as u64);
            return rest.len();
        }
        if !is_client {
            // Whether this is an interim response shows only when its head is whole.
            t.half(side).unrecognised(at.latest);
        }
        t.half(side).phase = Phase::Head { found: true };
        if start == Start::More {
            t.half(side).straddle = Some(self.straddle(rest, at, true));
            return rest.len();
        }
        0
    }

    /// The end of a direction.
    pub(super) fn process_end(&mut self, c: &Connection, t: &mut Talk, side: Side, how: End, ts: Timestamp) {
        if t.kind == Kind::Tls {
            self.tls_end(c, t, side, how, ts);
            return self.direction_ends(c, t, side, how == End::Fin);
        }
        if t.kind == Kind::Http2 {
            t.half(side).phase = Phase::Ended;
            return self.http2_end(c, t, side);
        }
        self.direction_ends(c, t, side, how == End::Fin);
        if t.client == Some(side.peer()) && t.kind == Kind::Http {
            // No response will come any more.
            self.give_up_all(c, t);
        }
    }

    fn direction_ends(&mut self, c: &Connection, t: &mut Talk, side: Side, in_order: bool) {
        let bucket = match t.half(side).straddle.as_ref().is_some_and(|s| s.unproven) {
            true if t.kind == Kind::Http => Bucket::AfterGap,
            _ => Self::bucket(t.kind),
        };
        self.drop_straddle(t, side, bucket);
        if t.half(side).current != NOBODY {
            if !(in_order && t.half(side).phase == Phase::UntilClose) {
                self.mark(t, side, self.ended_early(t, side));
            }
            self.message_ends(c, t, side);
        }
        t.half(side).phase = Phase::Ended;
    }

    /// The connection is gone.
    pub(super) fn process_close(&mut self, c: &Connection, t: &mut Talk, last: Timestamp) {
        if t.kind == Kind::Tls {
            self.tls_close(c, t, last);
        }
        if t.kind == Kind::Http2 {
            return self.http2_close(c, t);
        }
        self.websocket_close(c, t);
        for side in [Side::Lo, Side::Hi] {
            if t.half(side).phase != Phase::Ended {
                self.direction_ends(c, t, side, false);
            }
        }
        self.give_up_all(c, t);
        if t.one_sided() {
            self.ledger.shift(Bucket::OtherTcp, Bucket::OneSided, t.opaque);
        }
        if !t.spoke && t.kind != Kind::Tls {
            self.tell_unread(c, t, last);
        }
    }

    /// Says that nothing of a connection could be read, where that is so.
    #[cold]
    fn tell_unread(&mut self, c: &Connection, t: &Talk, last: Timestamp) {
        let why = match t.why_unread() {
            Some(why) if t.depth == 0 => why,
            _ => return,
        };
        let port = |side: Side| c.end(side).port;
        let guess = if port(Side::Lo) < port(Side::Hi) { Side::Hi } else { Side::Lo };
        let client = t.client.or(c.opener).unwrap_or(guess);
        let sides = t.sides(c, client);
        self.observer.unread(c, &Unread { sides, why, bytes: t.opaque, last });
    }

    /// Gives up a head that is not whole.
    fn drop_straddle(&mut self, t: &mut Talk, side: Side, bucket: Bucket) {
        if let Some(s) = t.half(side).straddle.take() {
            self.ledger.add(bucket, s.bytes.len() as u64);
            self.give_back(s);
        }
    }
}
