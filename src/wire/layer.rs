//! What stands at a place of a frame, and what was found on the way there.
//!
//! Takes nothing from outside, gives the words in which the readers of headers talk to each other: a [`Layer`] names what the next byte
//! is, [`Refused`] why there is nothing to read, [`Track`] keeps what a frame's outer layers said. Never reads a header itself.

use super::tunnel::{Kind, Tunnels};
use crate::base::{Bucket, Oddity, TunnelSettings};

pub(super) const ETHERTYPE_IPV4: u16 = 0x0800;
pub(super) const ETHERTYPE_IPV6: u16 = 0x86dd;
pub(super) const ETHERTYPE_PPPOE_SESSION: u16 = 0x8864;
pub(super) const ETHERTYPE_MPLS: u16 = 0x8847;
pub(super) const ETHERTYPE_MPLS_MULTICAST: u16 = 0x8848;
/// A frame with its own Ethernet header, as GRE and Geneve announce it (RFC 1701's "transparent Ethernet bridging").
pub(super) const ETHERTYPE_BRIDGED: u16 = 0x6558;
/// Network Service Header (RFC 8300).
pub(super) const ETHERTYPE_NSH: u16 = 0x894f;
/// PPP, as GRE announces it (RFC 2637, 4.1).
pub(super) const ETHERTYPE_PPP: u16 = 0x880b;
/// Smaller numbers in this place are lengths: an IEEE 802.2 header follows.
pub(super) const ETHERTYPE_MIN: u16 = 0x0600;

/// Labels in one MPLS stack that are gone through. Real stacks have two or three.
pub(super) const LABELS: usize = 16;

/// Is it the EtherType of a VLAN tag: 802.1Q, 802.1ad, or what switches used before 802.1ad?
#[inline(always)]
pub(super) fn is_vlan(ethertype: u16) -> bool {
    matches!(ethertype, 0x8100 | 0x88a8 | 0x9100)
}

/// What the next byte is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layer<'a> {
    /// An Ethernet header.
    Ethernet(&'a [u8]),
    /// What an EtherType announced.
    Ether(u16, &'a [u8]),
    /// An IEEE 802.2 header.
    Llc(&'a [u8]),
    /// An IEEE 802.11 header.
    Wifi(&'a [u8]),
    /// A PPP frame, with or without address and control bytes.
    Ppp(&'a [u8]),
    /// A PPPoE header (RFC 2516).
    Pppoe(&'a [u8]),
    /// An IP header; the version is in its first nibble.
    Ip(&'a [u8]),
}

/// Why a frame has no segment: where its bytes go, and what was odd about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub bucket: Bucket,
    pub oddity: Option<Oddity>,
}

impl Refused {
    /// Readable, and not TCP.
    pub(super) const NOT_TCP: Self = Self { bucket: Bucket::NotTcp, oddity: None };

    /// Tags or tunnels beyond the limit.
    pub(super) const TOO_DEEP: Self = Self { bucket: Bucket::OverLimit, oddity: Some(Oddity::NestedTooDeep) };

    /// Not readable, because of `oddity`.
    pub(super) const fn undecodable(oddity: Oddity) -> Self {
        Self { bucket: Bucket::Undecodable, oddity: Some(oddity) }
    }
}

/// The first `N` bytes and the rest.
pub(super) fn cut<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Refused> {
    bytes.split_first_chunk::<N>().ok_or(Refused::undecodable(Oddity::HeaderCut))
}

/// What the layers passed so far have said.
pub(super) struct Track<'s> {
    pub settings: &'s TunnelSettings,
    /// What was opened and what was not, by kind.
    pub seen: &'s mut Tunnels,
    /// The flow key's tag; 0 where tags are not part of it.
    pub tag: u32,
    /// How many more tags and tunnels may be opened.
    pub left: u32,
    /// Bytes that were on the wire behind the captured ones, as far as the layers so far tell.
    pub beyond: usize,
}

impl Track<'_> {
    /// A tag or tunnel of this kind is being opened.
    ///
    /// # Errors
    /// When one more is over the limit.
    pub(super) fn open(&mut self, kind: Kind) -> Result<(), Refused> {
        self.left = self.left.checked_sub(1).ok_or(Refused::TOO_DEEP)?;
        self.seen.opened(kind);
        Ok(())
    }

    /// A VLAN's number was read.
    pub(super) fn vlan(&mut self, id: u16) {
        if self.settings.vlan_in_key {
            self.mix(u32::from(id) | 0x1000_0000);
        }
    }

    /// A virtual network's number was read.
    pub(super) fn network(&mut self, id: u32) {
        if self.settings.vni_in_key {
            self.mix(id | 0x2000_0000);
        }
    }

    /// The order of tags counts: 5 in 6 is another network than 6 in 5.
    fn mix(&mut self, number: u32) {
        self.tag = (self.tag.rotate_left(13) ^ number).wrapping_mul(0x9e37_79b1);
    }

    /// A tunnel that is recognised and cannot be opened.
    pub(super) fn closed(&mut self, kind: Kind) -> Refused {
        self.seen.closed(kind);
        let oddity = match kind {
            Kind::Ipsec | Kind::Macsec | Kind::Wireguard | Kind::EncryptedPpp | Kind::EncryptedWifi => {
                Oddity::TunnelEncrypted
            }
            _ => Oddity::TunnelUnknown,
        };
        Refused { bucket: Bucket::Tunnel, oddity: Some(oddity) }
    }
}
