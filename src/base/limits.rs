//! Every table's bound, by name.
//!
//! Takes the `[limits]` table of the configuration, gives the numbers that the floors obey. What is let go
//! for a limit is counted under an [`Oddity`](super::Oddity) of its own. Never unbounded: there is no
//! "unlimited" value.

use serde::{Deserialize, Serialize};

/// Bounds of the way from packet to exchange.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Tags and tunnels nested in one frame.
    pub nesting: u32,
    /// IP datagrams waiting for fragments.
    pub fragments: usize,
    /// Bytes held by fragments in all. 4,096 datagrams of an Ethernet frame or two each, with headroom.
    pub fragment_bytes: usize,
    /// Seconds of packet time a datagram waits for its fragments (RFC 791 suggests 15 to 60).
    pub fragment_seconds: u64,
    /// TCP flows followed at a time. One idle flow takes about 300 bytes.
    pub flows: usize,
    /// Out-of-order bytes one flow may hold, each direction.
    pub flow_buffer_bytes: usize,
    /// Out-of-order segments one flow may hold, each direction.
    pub flow_buffer_segments: usize,
    /// Out-of-order bytes that all flows together may hold.
    pub total_buffer_bytes: usize,
    /// Seconds of packet time without a packet after which a flow is closed.
    pub flow_idle_seconds: u64,
    /// Seconds of packet time a closed flow is remembered, for stray packets.
    pub flow_linger_seconds: u64,
    /// Seconds of packet time a hole is waited for when the peer has not acknowledged past it.
    pub gap_seconds: u64,
    /// Bytes of a message head: of an HTTP/1 one, of an HTTP/2 header block, and of the fields that it holds.
    pub head_bytes: usize,
    /// Header lines of a message.
    pub header_lines: usize,
    /// Requests of one connection waiting for their responses.
    pub pipelined: usize,
    /// Streams of one HTTP/2 connection that are not over yet. Servers allow 100 to 250 at a time.
    pub http2_streams: usize,
    /// Bytes of one direction's header table (HPACK) that are held. Browsers and servers use 4 to 64 KB.
    pub hpack_table_bytes: usize,
    /// Bytes of header tables, and of header blocks that are not whole, of all HTTP/2 connections together.
    pub http2_bytes: usize,
    /// Bytes of an HTTP/2 direction that are looked at behind a hole for the place where frames go on.
    pub http2_search_bytes: u64,
    /// Exchanges that are not over yet, of all connections together. Two for each flow the table may hold.
    pub exchanges: usize,
    /// TLS sessions whose handshake is kept in mind, of all connections together. One takes 1 to 2 KB.
    pub tls_sessions: usize,
    /// Bytes of what their handshakes told, and of records and handshakes that are not whole, of all TLS connections together.
    pub tls_bytes: usize,
    /// Sessions whose keys are kept, the newest ones. One takes some 600 bytes.
    pub tls_keys: usize,
    /// What the bytes of one TLS connection may take that wait for their keys, also when it is over meanwhile. A key that
    /// comes later is too late.
    pub tls_hold_bytes: usize,
    /// What the bytes may take that wait for their keys in all connections together.
    pub tls_total_hold_bytes: usize,
    /// Seconds of packet time that bytes wait for their keys.
    pub tls_hold_seconds: u64,
    /// Bodies whose content coding is being undone at a time. A decoder holds a window of up to 16 MiB.
    pub body_decoders: usize,
    /// Decoded bytes of one body that are looked at.
    pub body_bytes: usize,
    /// How many times larger than its coded form a decoded body may become before it counts as a bomb.
    pub body_ratio: u32,
    /// Decoded bytes of the compressed messages of one side of a gRPC call that are looked at. Each message is bounded
    /// as a body is; of messages under way, `body_decoders` are decoded at a time.
    pub grpc_bytes: usize,
    /// QUIC connections followed at a time.
    pub quic_flows: usize,
    /// Bytes of QUIC ClientHellos that are not whole yet, of all connections together.
    pub quic_bytes: usize,
    /// What is known of the network's tunnels.
    pub tunnels: TunnelSettings,
}

/// What the wire floor is told about tags and tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TunnelSettings {
    /// UDP ports of VXLAN besides 4789, 4790 and 8472.
    pub vxlan_ports: Vec<u16>,
    /// UDP ports of Geneve besides 6081.
    pub geneve_ports: Vec<u16>,
    /// Are the same addresses in two VLANs two flows? A mirror that tags one direction only then shows halves.
    pub vlan_in_key: bool,
    /// Are the same addresses in two virtual networks (VXLAN, Geneve, NVGRE, ERSPAN sessions) two flows?
    pub vni_in_key: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            nesting: 8,
            fragments: 4096,
            fragment_bytes: 16 << 20,
            fragment_seconds: 30,
            flows: 500_000,
            flow_buffer_bytes: 1 << 20,
            flow_buffer_segments: 1024,
            total_buffer_bytes: 64 << 20,
            flow_idle_seconds: 3600,
            flow_linger_seconds: 15,
            gap_seconds: 5,
            head_bytes: 128 << 10,
            header_lines: 512,
            pipelined: 128,
            http2_streams: 1024,
            hpack_table_bytes: 64 << 10,
            http2_bytes: 256 << 20,
            http2_search_bytes: 1 << 20,
            exchanges: 1_000_000,
            tls_sessions: 100_000,
            tls_bytes: 256 << 20,
            tls_keys: 100_000,
            tls_hold_bytes: 4 << 20,
            tls_total_hold_bytes: 64 << 20,
            tls_hold_seconds: 10,
            body_decoders: 64,
            body_bytes: 1 << 20,
            body_ratio: 1000,
            grpc_bytes: 16 << 20,
            quic_flows: 65_536,
            quic_bytes: 16 << 20,
            tunnels: TunnelSettings::default(),
        }
    }
}

/// Bounds of what is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InventoryLimits {
    /// Services in all.
    pub services: usize,
    /// Endpoints (path and method) of one service, before templates fold them.
    pub endpoints_per_service: usize,
    /// Endpoints in all, before templates fold them.
    pub endpoints: usize,
    /// Different words that may stand at one place of a path before that place is folded for good.
    pub words_per_place: usize,
    /// Segments of a path; the rest of a longer one is one catch-all.
    pub path_segments: usize,
    /// Query parameter names kept for one endpoint.
    pub query_parameters: usize,
    /// Endpoints of one service that are told apart by what may name an operation (`?action=`, `X-Amz-Target`).
    pub operations: usize,
    /// Media types kept for one endpoint, each direction.
    pub media_types: usize,
    /// Fields of messages (JSON on a WebSocket, protobuf of gRPC) kept for one endpoint, each direction.
    pub message_fields: usize,
    /// Server addresses kept for one service.
    pub addresses: usize,
    /// Values that bodies named, kept for one service as keyed hashes. One takes some 40 bytes.
    pub named_values: usize,
    /// The same for all services together: where they are more, each keeps its fair share.
    pub named_values_total: usize,
    /// Servers behind TLS or QUIC, by name and port. A usual one takes 1 to 2 KB, one made to hurt up to 35 KB.
    pub opaque_services: usize,
    /// Different values of one fact (suites, protocols, fingerprints, issuers) kept for one of these servers.
    pub opaque_facets: usize,
    /// Certificates kept for one of these servers.
    pub opaque_certificates: usize,
    /// Servers of which nothing could be read or named, by address and port.
    pub blind_services: usize,
    /// Entries of the log of what became of templates; the oldest are let go.
    pub template_changes: usize,
}

impl Default for InventoryLimits {
    fn default() -> Self {
        Self {
            services: 20_000,
            endpoints_per_service: 20_000,
            endpoints: 200_000,
            words_per_place: 512,
            path_segments: 24,
            query_parameters: 64,
            operations: 2048,
            media_types: 16,
            message_fields: 64,
            addresses: 64,
            named_values: 8192,
            named_values_total: 1_000_000,
            opaque_services: 10_000,
            opaque_facets: 24,
            opaque_certificates: 4,
            blind_services: 5_000,
            template_changes: 10_000,
        }
    }
}

/// Bounds of reading API descriptions. They guard against documents made to hurt; real ones stay far below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SpecLimits {
    /// Bytes of one file. The largest public description known to us has about 35 MB.
    pub file_bytes: usize,
    /// Bytes of all files that one document refers to, itself included.
    pub total_bytes: usize,
    /// Files that one document refers to, itself included.
    pub files: usize,
    /// Values (objects, lists, scalars) of one file, YAML aliases followed.
    pub nodes: usize,
    /// Values that YAML aliases may add to one file.
    pub alias_nodes: usize,
    /// Objects and lists nested in one file.
    pub depth: usize,
    /// `$ref`s that lead from one to the next.
    pub references: usize,
    /// Operations of one document.
    pub operations: usize,
    /// Servers of one operation, variables written out.
    pub servers: usize,
    /// Warnings kept of one document.
    pub warnings: usize,
}

impl Default for SpecLimits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            total_bytes: 128 << 20,
            files: 512,
            nodes: 5_000_000,
            alias_nodes: 200_000,
            depth: 100,
            references: 32,
            operations: 50_000,
            servers: 32,
            warnings: 100,
        }
    }
}
