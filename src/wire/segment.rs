//! What enters and what leaves the floor.

use crate::base::{FlowKey, Side, Timestamp};

/// A link-layer type by its number in the libpcap registry (<https://www.tcpdump.org/linktypes.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: four bytes of address family in the byte order of the host that captured.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, with or without HDLC framing.
    pub const PPP: Self = Self(9);
    /// Raw IP as some systems number it (DLT_RAW on most).
    pub const RAW_12: Self = Self(12);
    /// Raw IP as OpenBSD numbers it.
    pub const RAW_14: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662).
    pub const PPP_HDLC: Self = Self(50);
    /// PPP over Ethernet, from the PPPoE header on.
    pub const PPP_ETHER: Self = Self(51);
    /// Cisco's HDLC: address, control, EtherType.
    pub const C_HDLC: Self = Self(104);
    /// Raw IP, version in the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: four bytes of address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log messages: a packet among attributes.
    pub const NFLOG: Self = Self(239);
    /// Linux "cooked" capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// LLC-encapsulated ATM (RFC 1483): an IEEE 802.2 header.
    pub const ATM_RFC1483: Self = Self(100);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD's packet filter log.
    pub const PFLOG: Self = Self(117);
    /// IEEE 802.11 behind a Prism header.
    pub const IEEE802_11_PRISM: Self = Self(119);
    /// IEEE 802.11 behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// IEEE 802.11 behind an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP behind a byte of direction, as pppd writes it.
    pub const PPP_PPPD: Self = Self(166);
    /// Per-packet information, which names the link type of what it wraps.
    pub const PPI: Self = Self(192);
    /// PPP behind a byte of direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Cisco's HDLC behind a byte of direction.
    pub const C_HDLC_WITH_DIR: Self = Self(205);
    /// macOS' packet metadata, which names the link type of what it wraps.
    pub const PKTAP: Self = Self(258);
}

/// One captured frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When it was captured.
    pub ts: Timestamp,
    /// What its first byte is.
    pub link: LinkType,
    /// The captured bytes.
    pub data: &'a [u8],
    /// Its length on the wire; more than `data.len()` when the snapshot length cut it.
    pub wire_len: u32,
}

/// TCP control bits (RFC 9293, 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// No more data from sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push function.
    pub const PSH: u8 = 0x08;
    /// Acknowledgement field is significant.
    pub const ACK: u8 = 0x10;

    /// Is any of these bits set?
    #[inline(always)]
    pub fn has(self, bits: u8) -> bool {
        self.0 & bits != 0
    }
}

/// One TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    /// When its frame was captured.
    pub ts: Timestamp,
    /// Both ends.
    pub key: FlowKey,
    /// Which end sent it.
    pub side: Side,
    /// Sequence number of the first payload byte (of the SYN where there is one).
    pub seq: u32,
    /// Acknowledgement number; meaningful with [`TcpFlags::ACK`].
    pub ack: u32,
    /// Control bits.
    pub flags: TcpFlags,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Payload bytes that were on the wire behind `payload` but were not captured (snapshot length).
    pub cut: u32,
}

/// One UDP datagram that is no tunnel.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// When its frame was captured.
    pub ts: Timestamp,
    /// Both ends.
    pub key: FlowKey,
    /// Which end sent it.
    pub side: Side,
    /// Captured payload.
    pub payload: &'a [u8],
    /// Payload bytes that were on the wire behind `payload` but were not captured (snapshot length).
    pub cut: u32,
}
