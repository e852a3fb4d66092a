//! Named oddities: what was strange but did not stop anything.
//!
//! Takes events from any floor, gives counters with stable names. An oddity is never fatal and never a
//! log line of its own: it is counted, and the counters are shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! oddities {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// Something that a sensible peer would not have sent, or that a limit cut short.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Oddity { $($(#[doc = $doc])+ $variant,)+ }

        impl Oddity {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name under which it is counted.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// One line for people.
            pub fn words(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

oddities! {
    // --- capture files
    /// A capture file ended inside a record.
    FileCutShort = "file_cut_short",
    /// A capture file's block or record could not be read; reading went on behind it.
    FileBadBlock = "file_bad_block",
    // --- link and network
    /// A link type that is not supported.
    LinkUnknown = "link_unknown",
    /// A header ran over the end of its frame.
    HeaderCut = "header_cut",
    /// A header's own fields contradict each other.
    HeaderBad = "header_bad",
    /// An IP packet with total length 0, as segmentation offload leaves it; the frame's length was taken.
    IpLengthZero = "ip_length_zero",
    /// Tunnels or tags nested deeper than the limit.
    NestedTooDeep = "nested_too_deep",
    /// A tunnel of a kind that can't be opened: an unknown protocol inside, compressed headers.
    TunnelUnknown = "tunnel_unknown",
    /// A tunnel whose content is encrypted: IPsec, MACsec, WireGuard, MPPE, protected 802.11.
    TunnelEncrypted = "tunnel_encrypted",
    /// IP fragments that overlap and disagree; the first ones were kept.
    FragmentOverlap = "fragment_overlap",
    /// Fragments of a datagram that never became whole.
    FragmentIncomplete = "fragment_incomplete",
    /// Fragments let go because the fragment table was full.
    FragmentLimit = "fragment_limit",
    /// Segments that came twice as the same packet: mirrored twice. Estimated from a sample.
    MirroredTwice = "mirrored_twice",
    // --- QUIC
    /// A QUIC connection let go because the table was full.
    QuicLimit = "quic_limit",
    /// A QUIC ClientHello that was let go because it was too long, too scattered, or too many were being put together.
    QuicHelloLimit = "quic_hello_limit",
    // --- TCP
    /// A flow let go because the flow table was full.
    FlowLimit = "flow_limit",
    /// Holes given up early because the flow held too much out of order.
    FlowBufferLimit = "flow_buffer_limit",
    /// Holes given up early because the flows together held too much out of order.
    TotalBufferLimit = "total_buffer_limit",
    /// A flow picked up without its SYN.
    MidStream = "mid_stream",
    /// Retransmitted bytes that differ from those seen first; the first ones were kept.
    OverlapDisagrees = "overlap_disagrees",
    /// A hole in a stream.
    StreamGap = "stream_gap",
    /// A segment far outside of any plausible window.
    OutOfWindow = "out_of_window",
    /// Addresses and ports used again for a new connection.
    PortReuse = "port_reuse",
    /// The capture clock stepped backwards.
    ClockBack = "clock_back",
    /// A flow without a packet for longer than the idle limit.
    FlowIdle = "flow_idle",
    // --- HTTP/1
    /// A message head that only lenient parsing reads.
    HeadLenient = "head_lenient",
    /// Header lines that lenient parsing left out.
    HeadLineDropped = "head_line_dropped",
    /// A message head that could not be read.
    HeadBad = "head_bad",
    /// A message head over the size limit.
    HeadLimit = "head_limit",
    /// More header lines than the limit.
    HeaderCountLimit = "header_count_limit",
    /// Both Content-Length and chunked Transfer-Encoding (RFC 9112, 6.3): request smuggling evidence.
    BothLengths = "both_lengths",
    /// Several Content-Length fields that disagree.
    LengthsDisagree = "lengths_disagree",
    /// A Content-Length that is not a number.
    LengthBad = "length_bad",
    /// A chunk size line that could not be read.
    ChunkBad = "chunk_bad",
    /// A folded header line (obs-fold, RFC 9112, 5.2).
    ObsFold = "obs_fold",
    /// A request without a Host field where HTTP/1.1 demands one.
    HostMissing = "host_missing",
    /// A request with several Host fields.
    HostTwice = "host_twice",
    /// More requests waiting for their responses than the limit.
    PipelineLimit = "pipeline_limit",
    /// Requests whose response is not in the capture.
    ResponseMissing = "response_missing",
    /// Responses whose request is not in the capture.
    RequestMissing = "request_missing",
    /// A body whose content coding could not be undone.
    BodyCodingBad = "body_coding_bad",
    /// A compressed body that expands beyond the limit.
    BodyBomb = "body_bomb",
    /// A body that was not looked at because too many were being decoded at the time.
    BodyLimit = "body_limit",
    /// Requests let go because too many exchanges were open in all connections together.
    ExchangeLimit = "exchange_limit",
    // --- HTTP/2
    /// An HTTP/2 direction with a frame or header block that its receiver must refuse; nothing more of it was read.
    Http2Broken = "http2_broken",
    /// An HTTP/2 header block that could not be decoded.
    HpackBad = "hpack_bad",
    /// A header table made larger than its receiver had allowed.
    HpackOversized = "hpack_oversized",
    /// An HTTP/2 head of which unknown header table entries hide the path, the method, the host or the status.
    HeadHidden = "head_hidden",
    /// An HTTP/2 header block over the size limit.
    Http2BlockLimit = "http2_block_limit",
    /// HTTP/2 requests let go because their connection had too many streams.
    Http2StreamLimit = "http2_stream_limit",
    /// Header tables let go because those of all HTTP/2 connections together were too large.
    Http2BytesLimit = "http2_bytes_limit",
    /// An HTTP/2 direction given up behind a hole because no place was found where frames go on.
    Http2SearchLimit = "http2_search_limit",
    /// HTTP/2 messages on a stream that is over, or that cannot be.
    Http2Stray = "http2_stray",
    // --- what HTTP carries, and what carries it
    /// A PROXY protocol header that its receiver must refuse.
    ProxyHeaderBad = "proxy_header_bad",
    /// A WebSocket direction with bytes that are no frames; nothing more of it was read.
    WebSocketBroken = "websocket_broken",
    /// A gRPC body that is no sequence of messages.
    GrpcBroken = "grpc_broken",
    // --- TLS
    /// TLS whose keys did not come while its bytes could be held back.
    TlsKeyMissing = "tls_key_missing",
    /// TLS sessions that were only counted because too many were open.
    TlsSessionLimit = "tls_session_limit",
    /// TLS sessions of which nothing more was kept because what all of them hold was too large.
    TlsBytesLimit = "tls_bytes_limit",
    /// A TLS direction of which nothing more could be decrypted behind a gap.
    TlsLost = "tls_lost",
    // --- inventory
    /// Observations let go because the inventory held too many services.
    ServiceLimit = "service_limit",
    /// Observations folded into a catch-all because a service held too many endpoints.
    EndpointLimit = "endpoint_limit",
    /// What may name an operation left out, because too many do.
    OperationLimit = "operation_limit",
    /// Query parameters or media types not kept because an endpoint held too many.
    FacetLimit = "facet_limit",
    /// Values that bodies named were let go because a service, or all together, named too many.
    NamedLimit = "named_limit",
    /// News of TLS and QUIC connections let go because there were too many different servers.
    OpaqueLimit = "opaque_limit",
    /// Facts about a TLS or QUIC server (fingerprints, certificates, protocols) not kept because there were too many different ones.
    OpaqueFacetLimit = "opaque_facet_limit",
    /// Connections that could not be read and were not told by server because there were too many different servers.
    BlindLimit = "blind_limit",
    /// News of connections that are not read, not taken in because their flows were shed by hash (live capture only).
    GlimpseShed = "glimpse_shed",
    /// Exchanges not observed because their flows were shed by hash: the inventory could not keep up (live capture only).
    Shed = "shed",
}

/// A counter for each oddity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "BTreeMap<String, u64>", from = "BTreeMap<String, u64>")]
pub struct Oddities([u64; Oddity::ALL.len()]);

impl Default for Oddities {
    fn default() -> Self {
        Self([0; Oddity::ALL.len()])
    }
}

impl Oddities {
    /// Counts one.
    #[inline]
    pub fn bump(&mut self, oddity: Oddity) {
        self.0[oddity as usize] += 1;
    }

    /// Counts `n`.
    #[inline]
    pub fn add(&mut self, oddity: Oddity, n: u64) {
        self.0[oddity as usize] += n;
    }

    /// How often it was seen.
    pub fn get(&self, oddity: Oddity) -> u64 {
        self.0[oddity as usize]
    }

    /// Are so many of `packets` copies that the mirror brings packets twice? A fiftieth of all, and at least eight.
    pub fn mirrored_twice(&self, packets: u64) -> bool {
        let copies = self.get(Oddity::MirroredTwice);
        copies >= 8 && copies.saturating_mul(50) >= packets
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Self) {
        for (a, b) in self.0.iter_mut().zip(&other.0) {
            *a += b;
        }
    }

    /// What has come since `before`, an earlier state of the same counters.
    pub fn since(&self, before: &Self) -> Self {
        let mut out = Self::default();
        for (oddity, n) in self.seen() {
            out.add(oddity, n.saturating_sub(before.get(oddity)));
        }
        out
    }

    /// Those that were seen at least once.
    pub fn seen(&self) -> impl Iterator<Item = (Oddity, u64)> + '_ {
        Oddity::ALL.iter().map(|&o| (o, self.get(o))).filter(|&(_, n)| n > 0)
    }
}

/// By name, so that a store written by another version stays readable.
impl From<Oddities> for BTreeMap<String, u64> {
    fn from(o: Oddities) -> Self {
        o.seen().map(|(o, n)| (o.name().to_owned(), n)).collect()
    }
}

impl From<BTreeMap<String, u64>> for Oddities {
    fn from(named: BTreeMap<String, u64>) -> Self {
        let mut all = Self::default();
        for (name, n) in named {
            if let Some(&o) = Oddity::ALL.iter().find(|o| o.name() == name) {
                all.add(o, n);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words_are_there() {
        let mut names: Vec<_> = Oddity::ALL.iter().map(|o| o.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Oddity::ALL.len());
        assert!(Oddity::ALL.iter().all(|o| o.words().ends_with('.') || o.words().len() > 10));
        assert!(Oddity::ALL.iter().enumerate().all(|(i, o)| *o as usize == i));
    }

    #[test]
    fn survives_serialisation_by_name() {
        let mut o = Oddities::default();
        o.add(Oddity::StreamGap, 3);
        let json = serde_json::to_string(&o).unwrap();
        assert_eq!(json, r#"{"stream_gap":3}"#);
        assert_eq!(serde_json::from_str::<Oddities>(&json).unwrap(), o);
        let newer: Oddities = serde_json::from_str(r#"{"of_another_version":1,"stream_gap":3}"#).unwrap();
        assert_eq!(newer, o);
    }
}
