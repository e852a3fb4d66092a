//! Who talks to whom.
//!
//! Takes addresses and ports as the packet has them, gives one key for both directions of a flow.
//! Never allocates.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One end of a flow: address and port. IPv4 addresses are kept as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    ip: u128,
    /// TCP or UDP port.
    pub port: u16,
}

/// `::ffff:0:0/96`
const MAPPED: u128 = 0xffff_0000_0000;

impl Address {
    /// An IPv4 end, from the address in host byte order.
    #[inline(always)]
    pub fn v4(ip: u32, port: u16) -> Self {
        Self { ip: MAPPED | ip as u128, port }
    }

    /// An IPv6 end, from the address in host byte order.
    #[inline(always)]
    pub fn v6(ip: u128, port: u16) -> Self {
        Self { ip, port }
    }

    /// The address in the form that standard types print.
    pub fn ip(self) -> IpAddr {
        if self.ip >> 32 == MAPPED >> 32 {
            IpAddr::V4(Ipv4Addr::from(self.ip as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.ip))
        }
    }

    /// The address as 128 bits, IPv4 mapped; for hashing.
    #[inline(always)]
    pub fn bits(self) -> u128 {
        self.ip
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip() {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which end of a [`FlowKey`] sends: the lower or the higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Side {
    /// The lower (address, port).
    Lo = 0,
    /// The higher (address, port).
    Hi = 1,
}

impl Side {
    /// The other end.
    #[inline(always)]
    pub fn peer(self) -> Self {
        match self {
            Self::Lo => Self::Hi,
            Self::Hi => Self::Lo,
        }
    }

    /// 0 or 1, for arrays of two.
    #[inline(always)]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// Both ends of a flow in canonical order, so that its two directions share one key.
#[derive(Clone, Copy, Eq)]
pub struct FlowKey {
    lo: u128,
    hi: u128,
    /// Lower end's port in the high half, higher end's in the low half.
    ports: u32,
    /// Distinguishes flows of the same addresses in separate networks (VLAN, VNI), 0 where that is not asked for.
    tag: u32,
}

impl FlowKey {
    /// The key of a packet from `source` to `destination`, and which end sent it. A flow of an end with
    /// itself counts as sent by the lower end.
    #[inline(always)]
    pub fn new(source: Address, destination: Address, tag: u32) -> (Self, Side) {
        let (lo, hi, side) = if (source.ip, source.port) <= (destination.ip, destination.port) {
            (source, destination, Side::Lo)
        } else {
            (destination, source, Side::Hi)
        };
        (Self { lo: lo.ip, hi: hi.ip, ports: (lo.port as u32) << 16 | hi.port as u32, tag }, side)
    }

    /// The end on one side.
    #[inline(always)]
    pub fn end(&self, side: Side) -> Address {
        match side {
            Side::Lo => Address { ip: self.lo, port: (self.ports >> 16) as u16 },
            Side::Hi => Address { ip: self.hi, port: self.ports as u16 },
        }
    }

    /// Ports and tag in one word.
    #[inline(always)]
    fn place(&self) -> u64 {
        u64::from(self.tag) << 32 | u64::from(self.ports)
    }

    /// The network tag the key was made with.
    pub fn tag(&self) -> u32 {
        self.tag
    }
}

/// Compared for each packet, nearly always with its equal.
impl PartialEq for FlowKey {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.lo == other.lo && self.hi == other.hi && self.place() == other.place()
    }
}

/// In three words rather than four fields: once for each packet.
impl Hash for FlowKey {
    #[inline(always)]
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u128(self.lo);
        state.write_u128(self.hi);
        state.write_u64(self.place());
    }
}

impl fmt::Debug for FlowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <> {} #{}", self.end(Side::Lo), self.end(Side::Hi), self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_share_a_key() {
        let a = Address::v4(0x0a00_0001, 50_000);
        let b = Address::v4(0x0a00_0002, 80);
        let (k1, s1) = FlowKey::new(a, b, 0);
        let (k2, s2) = FlowKey::new(b, a, 0);
        assert_eq!(k1, k2);
        assert_eq!(s1, s2.peer());
        assert_eq!(k1.end(s1), a);
        assert_eq!(k1.end(s2), b);
    }

    #[test]
    fn keys_that_differ_in_one_field_differ() {
        let of = |a, port, tag| FlowKey::new(Address::v6(a, 1), Address::v6(9, port), tag).0;
        let key = of(1, 2, 3);
        assert_eq!(key, of(1, 2, 3));
        for other in [of(1 << 100, 2, 3), of(1, 3, 3), of(1, 2, 4), of(2, 2, 3)] {
            assert_ne!(key, other);
        }
    }

    #[test]
    fn same_address_sorts_by_port() {
        let a = Address::v6(1, 50_000);
        let b = Address::v6(1, 80);
        let (key, side) = FlowKey::new(a, b, 7);
        assert_eq!(side, Side::Hi);
        assert_eq!(key.end(Side::Lo).port, 80);
        assert_eq!(key.tag(), 7);
    }

    #[test]
    fn addresses_print_as_people_write_them() {
        assert_eq!(Address::v4(0x7f00_0001, 80).to_string(), "127.0.0.1:80");
        assert_eq!(Address::v6(1, 443).to_string(), "[::1]:443");
    }
}
