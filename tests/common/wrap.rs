//! Packets in tunnels, made from their specifications.
//!
//! Takes a packet, gives it wrapped: one [`Wrap`] for each tag or tunnel that the wire floor opens, in any order and to any depth. Written
//! from the RFCs without a line of the decoder, so that the two can be held against each other. Needs nothing but the standard
//! library: unit tests, integration tests and fuzz targets include this file as it is.

/// Bytes, and what they begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// An IP header.
    Ip(Vec<u8>),
    /// An Ethernet header.
    Ethernet(Vec<u8>),
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w.get(1).copied().unwrap_or(0)]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// An IPv4 packet.
pub fn ipv4(protocol: u8, source: [u8; 4], destination: [u8; 4], id: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 60, protocol, 0, 0];
    out[2..4].copy_from_slice(&(20 + payload.len() as u16).to_be_bytes());
    out[4..6].copy_from_slice(&id.to_be_bytes());
    out.extend(source);
    out.extend(destination);
    let sum = checksum(&out);
    out[10..12].copy_from_slice(&sum.to_be_bytes());
    out.extend(payload);
    out
}

/// An IPv6 packet between `2001:db8::1` and `2001:db8::2`.
pub fn ipv6(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x60, 0, 0, 0, 0, 0, protocol, 60];
    out[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    for end in [1, 2] {
        out.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, end]);
    }
    out.extend(payload);
    out
}

/// A TCP segment (no options, no checksum) in IPv4.
pub fn tcp(ends: [([u8; 4], u16); 2], id: u16, numbers: (u32, u32), flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut segment = Vec::with_capacity(20 + payload.len());
    segment.extend(ends[0].1.to_be_bytes());
    segment.extend(ends[1].1.to_be_bytes());
    segment.extend(numbers.0.to_be_bytes());
    segment.extend(numbers.1.to_be_bytes());
    segment.extend([0x50, flags, 0x20, 0, 0, 0, 0, 0]);
    segment.extend(payload);
    ipv4(6, ends[0].0, ends[1].0, id, &segment)
}

/// A UDP datagram without checksum.
pub fn udp(source: u16, destination: u16, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + payload.len());
    out.extend(source.to_be_bytes());
    out.extend(destination.to_be_bytes());
    out.extend((8 + payload.len() as u16).to_be_bytes());
    out.extend([0, 0]);
    out.extend(payload);
    out
}

/// An Ethernet frame.
pub fn ethernet(kind: u16, rest: &[u8]) -> Vec<u8> {
    [&[2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 8], &kind.to_be_bytes()[..], rest].concat()
}

/// The EtherType of an IP packet.
fn kind_of(ip: &[u8]) -> u16 {
    if ip.first().is_some_and(|b| b >> 4 == 6) { 0x86dd } else { 0x0800 }
}

impl Made {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Ip(bytes) | Self::Ethernet(bytes) => bytes,
        }
    }

    /// As an Ethernet frame: with a header where it has none.
    pub fn frame(self) -> Vec<u8> {
        match self {
            Self::Ip(bytes) => ethernet(kind_of(&bytes), &bytes),
            Self::Ethernet(bytes) => bytes,
        }
    }

    /// As an IP packet: a frame goes into Ethernet-in-IP (RFC 3378).
    pub fn packet(self) -> Vec<u8> {
        match self {
            Self::Ip(bytes) => bytes,
            Self::Ethernet(_) => Wrap::EtherIp.around(self).packet(),
        }
    }
}

/// A tag or tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrap {
    Vlan,
    ServiceVlan,
    MplsIp,
    MplsEthernet,
    MplsControlWord,
    MplsInIp,
    MplsInUdp,
    Pppoe,
    Snap,
    Nsh,
    IpInIp,
    IpInIpv6,
    Gre,
    GreFull,
    GreBridged,
    GreInUdp,
    Nvgre,
    Pptp,
    Erspan1,
    Erspan2,
    Erspan3,
    EtherIp,
    L2tp,
    L2tp3,
    Vxlan,
    VxlanPolicy,
    VxlanOdd,
    VxlanGpe,
    Geneve,
    GeneveIp,
    Gtp,
    GtpOdd,
    Teredo,
    Ayiya,
    Lisp,
    Tzsp,
}

/// All of them.
pub const WRAPS: [Wrap; 36] = [
    Wrap::Vlan,
    Wrap::ServiceVlan,
    Wrap::MplsIp,
    Wrap::MplsEthernet,
    Wrap::MplsControlWord,
    Wrap::MplsInIp,
    Wrap::MplsInUdp,
    Wrap::Pppoe,
    Wrap::Snap,
    Wrap::Nsh,
    Wrap::IpInIp,
    Wrap::IpInIpv6,
    Wrap::Gre,
    Wrap::GreFull,
    Wrap::GreBridged,
    Wrap::GreInUdp,
    Wrap::Nvgre,
    Wrap::Pptp,
    Wrap::Erspan1,
    Wrap::Erspan2,
    Wrap::Erspan3,
    Wrap::EtherIp,
    Wrap::L2tp,
    Wrap::L2tp3,
    Wrap::Vxlan,
    Wrap::VxlanPolicy,
    Wrap::VxlanOdd,
    Wrap::VxlanGpe,
    Wrap::Geneve,
    Wrap::GeneveIp,
    Wrap::Gtp,
    Wrap::GtpOdd,
    Wrap::Teredo,
    Wrap::Ayiya,
    Wrap::Lisp,
    Wrap::Tzsp,
];

const OUTER: ([u8; 4], [u8; 4]) = ([172, 16, 0, 1], [172, 16, 0, 2]);

/// An outer IPv4 packet.
fn outer(protocol: u8, parts: &[&[u8]]) -> Made {
    Made::Ip(ipv4(protocol, OUTER.0, OUTER.1, 7, &parts.concat()))
}

/// An outer UDP datagram, from a port that is the inner flow's hash.
fn outer_udp(port: u16, parts: &[&[u8]]) -> Made {
    outer(17, &[&udp(50_123, port, &parts.concat())])
}

/// A tag put between the addresses of a frame and its type.
fn tagged(frame: &[u8], tag: &[u8]) -> Made {
    Made::Ethernet([&frame[..12], tag, &frame[12..]].concat())
}

impl Wrap {
    /// The packet, wrapped.
    pub fn around(self, inner: Made) -> Made {
        /// A label that is the last of its stack.
        const LABEL: [u8; 4] = [0, 1, 0xd1, 64];
        let kind = |ip: &[u8]| kind_of(ip).to_be_bytes();
        match self {
            Self::Vlan => tagged(&inner.frame(), &[0x81, 0, 0, 5]),
            Self::ServiceVlan => tagged(&inner.frame(), &[0x88, 0xa8, 0, 6]),
            Self::MplsIp => Made::Ethernet(ethernet(0x8847, &[&[0, 2, 0, 64], &LABEL[..], &inner.packet()].concat())),
            Self::MplsEthernet => Made::Ethernet(ethernet(0x8847, &[&LABEL[..], &inner.frame()].concat())),
            Self::MplsControlWord => {
                Made::Ethernet(ethernet(0x8848, &[&LABEL[..], &[0, 0, 0, 7], &inner.frame()].concat()))
            }
            Self::MplsInIp => outer(137, &[&LABEL, &inner.packet()]),
            Self::MplsInUdp => outer_udp(6635, &[&LABEL, &inner.packet()]),
            Self::Pppoe => {
                let ip = inner.packet();
                let protocol: [u8; 2] = if kind_of(&ip) == 0x86dd { [0, 0x57] } else { [0, 0x21] };
                let length = (ip.len() as u16 + 2).to_be_bytes();
                Made::Ethernet(ethernet(0x8864, &[&[0x11, 0, 0, 9][..], &length, &protocol, &ip].concat()))
            }
            Self::Snap => {
                let ip = inner.packet();
                let rest = [&[0xaa, 0xaa, 3, 0, 0, 0][..], &kind(&ip), &ip].concat();
                // A length of 802.3 has at most 1,500; what is longer has no SNAP on Ethernet.
                if rest.len() > 1500 { Made::Ip(ip) } else { Made::Ethernet(ethernet(rest.len() as u16, &rest)) }
            }
            Self::Nsh => {
                let rest = [&[0, 6, 1, 3, 0, 0, 42, 255][..], &[0; 16], &inner.frame()].concat();
                Made::Ethernet(ethernet(0x894f, &rest))
            }
            Self::IpInIp => {
                let ip = inner.packet();
                outer(if kind_of(&ip) == 0x86dd { 41 } else { 4 }, &[&ip])
            }
            Self::IpInIpv6 => {
                let ip = inner.packet();
                Made::Ip(ipv6(if kind_of(&ip) == 0x86dd { 41 } else { 4 }, &ip))
            }
            Self::Gre => {
                let ip = inner.packet();
                outer(47, &[&[0, 0], &kind(&ip), &ip])
            }
            // Checksum, key, sequence.
            Self::GreFull => {
                let ip = inner.packet();
                outer(47, &[&[0xb0, 0], &kind(&ip), &[0xab, 0xcd, 0, 0], &[0, 0, 0, 9], &[0, 0, 0, 1], &ip])
            }
            Self::GreBridged => outer(47, &[&[0, 0, 0x65, 0x58], &inner.frame()]),
            Self::GreInUdp => {
                let ip = inner.packet();
                outer_udp(4754, &[&[0, 0], &kind(&ip), &ip])
            }
            Self::Nvgre => outer(47, &[&[0x20, 0, 0x65, 0x58], &[0, 0, 77, 1], &inner.frame()]),
            Self::Pptp => {
                let ip = inner.packet();
                let protocol = if kind_of(&ip) == 0x86dd { 0x57 } else { 0x21 };
                let ppp = [&[0xff, 3, 0, protocol][..], &ip].concat();
                let key = [&(ppp.len() as u16).to_be_bytes()[..], &[0, 3]].concat();
                outer(47, &[&[0x30, 0x81, 0x88, 0x0b], &key, &[0, 0, 0, 1], &[0, 0, 0, 1], &ppp])
            }
            Self::Erspan1 => outer(47, &[&[0, 0, 0x88, 0xbe], &inner.frame()]),
            Self::Erspan2 => {
                let header = [0x10, 5, 0, 100, 0, 0, 0, 3];
                outer(47, &[&[0x10, 0, 0x88, 0xbe], &[0, 0, 0, 1], &header, &inner.frame()])
            }
            // With the platform's subheader.
            Self::Erspan3 => {
                let header = [0x20, 5, 0, 100, 1, 2, 3, 4, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1];
                outer(47, &[&[0x10, 0, 0x22, 0xeb], &[0, 0, 0, 1], &header, &inner.frame()])
            }
            Self::EtherIp => outer(97, &[&[0x30, 0], &inner.frame()]),
            // Length, sequence numbers and an offset.
            Self::L2tp => {
                let ip = inner.packet();
                let protocol = if kind_of(&ip) == 0x86dd { 0x57 } else { 0x21 };
                let length = (18 + ip.len() as u16).to_be_bytes();
                let header = [&[0x4a, 2][..], &length, &[0, 1, 0, 2], &[0, 1, 0, 0], &[0, 2, 0, 0]].concat();
                outer_udp(1701, &[&header, &[0, protocol], &ip])
            }
            Self::L2tp3 => outer(115, &[&[0, 0, 0, 5], &[9; 8], &inner.frame()]),
            Self::Vxlan => outer_udp(4789, &[&[8, 0, 0, 0, 0, 0, 77, 0], &inner.frame()]),
            Self::VxlanPolicy => outer_udp(8472, &[&[0x88, 0x40, 1, 2, 0, 0, 77, 0], &inner.frame()]),
            // On a port that says nothing.
            Self::VxlanOdd => outer_udp(33_333, &[&[8, 0, 0, 0, 0, 0, 77, 0], &inner.frame()]),
            Self::VxlanGpe => {
                let ip = inner.packet();
                let next = if kind_of(&ip) == 0x86dd { 2 } else { 1 };
                outer_udp(4790, &[&[0x0c, 0, 0, next, 0, 0, 77, 0], &ip])
            }
            // Two options, as AWS' mirroring and gateway load balancer have them.
            Self::Geneve => {
                let options = [1, 8, 1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 1, 8, 3, 1, 9, 9, 9, 9];
                outer_udp(6081, &[&[5, 0, 0x65, 0x58, 0, 0, 77, 0], &options, &inner.frame()])
            }
            Self::GeneveIp => {
                let ip = inner.packet();
                outer_udp(6081, &[&[2, 0], &kind(&ip), &[0, 0, 0, 0], &[1, 8, 1, 1, 1, 2, 3, 4], &ip])
            }
            // A sequence number and two extension headers, one of them 5G's.
            Self::Gtp => {
                let ip = inner.packet();
                let optional = [0, 1, 0, 0x85, 1, 0, 9, 0xc0, 2, 0, 0, 0, 0, 0, 0, 0];
                let length = (optional.len() as u16 + ip.len() as u16).to_be_bytes();
                outer_udp(2152, &[&[0x36, 255], &length, &[0, 0, 0, 5], &optional, &ip])
            }
            Self::GtpOdd => {
                let ip = inner.packet();
                let length = (ip.len() as u16).to_be_bytes();
                outer_udp(33_334, &[&[0x30, 255], &length, &[0, 0, 0, 5], &ip])
            }
            Self::Teredo => {
                let ip = Wrap::IpInIpv6.around(inner).packet();
                let authentication = [0, 1, 2, 3, 1, 1, 7, 7, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0];
                let origin = [0, 0, 0xff, 0, 1, 2, 3, 4];
                outer_udp(3544, &[&authentication, &origin, &ip])
            }
            Self::Ayiya => {
                let ip = inner.packet();
                let next = if kind_of(&ip) == 0x86dd { 41 } else { 4 };
                outer_udp(5072, &[&[0x44, 0x52, 0x11, next, 0, 0, 0, 1], &[3; 16], &[4; 20], &ip])
            }
            Self::Lisp => outer_udp(4341, &[&[0x80, 1, 2, 3, 0, 0, 0, 1], &inner.packet()]),
            Self::Tzsp => outer_udp(37_008, &[&[1, 0, 0, 1], &[10, 1, 200, 0, 1], &inner.frame()]),
        }
    }
}

/// The fragments of an IPv4 packet, each with `size` bytes (a multiple of 8).
pub fn fragments(ip: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (header, body) = ip.split_at(20);
    let count = body.chunks(size).count();
    let part = |(i, part): (usize, &[u8])| {
        let mut header = header.to_vec();
        header[2..4].copy_from_slice(&(20 + part.len() as u16).to_be_bytes());
        let more = u16::from(i + 1 < count) << 13;
        header[6..8].copy_from_slice(&((i * size / 8) as u16 | more).to_be_bytes());
        header[10..12].fill(0);
        let sum = checksum(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        [&header, part].concat()
    };
    body.chunks(size).enumerate().map(part).collect()
}
