//! Tunnels over IP: which protocols carry another packet, and which of them was seen.
//!
//! Takes an IP packet, gives the layer it carries, the transport it is itself, or why it can't be opened. Also counts, for each kind of
//! tag and tunnel, how many were opened and how many were not. Never decrypts, and never takes a port's word for what is inside.

mod gre;
mod l2tp;
mod teredo;
mod udp;
mod vxlan;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ip::Packet;
use super::layer::{ETHERTYPE_MPLS, Layer, Refused, Track, cut};
use super::plausible::{self, Proof};
use crate::base::Oddity;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A kind of tag or tunnel.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Kind { $($(#[doc = $doc])+ $variant,)+ }

        impl Kind {
            /// All of them, in the order of their numbers.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable name under which it is counted.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }
    };
}

kinds! {
    /// 802.1Q, 802.1ad.
    Vlan = "vlan",
    /// 802.1BR, VN-tag, Cisco MetaData, 802.1ah.
    Tag = "tag",
    /// SNAP behind LLC.
    Snap = "snap",
    /// A stack of MPLS labels.
    Mpls = "mpls",
    /// PPP over Ethernet.
    Pppoe = "pppoe",
    /// Multilink PPP, or PPP with compressed headers.
    Ppp = "ppp",
    /// PPP with encryption (MPPE and the like).
    EncryptedPpp = "encrypted-ppp",
    /// IEEE 802.11.
    Wifi = "wifi",
    /// IEEE 802.11, protected.
    EncryptedWifi = "encrypted-wifi",
    /// Network Service Header.
    Nsh = "nsh",
    /// 802.1AE.
    Macsec = "macsec",
    /// IP in IP, 6in4 and the like.
    IpInIp = "ip-in-ip",
    /// GRE, with IP or Ethernet inside.
    Gre = "gre",
    /// GRE version 1 (PPTP).
    Pptp = "pptp",
    /// Cisco's ERSPAN, types I to III.
    Erspan = "erspan",
    /// Ethernet in IP (RFC 3378).
    EtherIp = "etherip",
    /// L2TP, versions 2 and 3.
    L2tp = "l2tp",
    /// VXLAN, with GBP or GPE.
    Vxlan = "vxlan",
    /// Geneve.
    Geneve = "geneve",
    /// GTP-U, version 1.
    Gtp = "gtp",
    /// Teredo.
    Teredo = "teredo",
    /// AYIYA.
    Ayiya = "ayiya",
    /// LISP.
    Lisp = "lisp",
    /// TZSP.
    Tzsp = "tzsp",
    /// IPsec, ESP or IPComp.
    Ipsec = "ipsec",
    /// WireGuard.
    Wireguard = "wireguard",
}

/// How many tags and tunnels of each kind were opened, and how many could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tunnels {
    opened: [u64; Kind::ALL.len()],
    closed: [u64; Kind::ALL.len()],
}

impl Tunnels {
    pub(super) fn opened(&mut self, kind: Kind) {
        self.opened[kind as usize] += 1;
    }

    pub(super) fn closed(&mut self, kind: Kind) {
        self.closed[kind as usize] += 1;
    }

    /// Adds another's counts to these.
    pub fn merge(&mut self, other: &Self) {
        let counts = self.opened.iter_mut().chain(&mut self.closed);
        for (a, b) in counts.zip(other.opened.iter().chain(&other.closed)) {
            *a += b;
        }
    }

    /// Each kind that was met, how often it was opened, and how often it could not be.
    pub fn seen(&self) -> impl Iterator<Item = (Kind, u64, u64)> + '_ {
        let all = Kind::ALL.iter().map(|&k| (k, self.opened[k as usize], self.closed[k as usize]));
        all.filter(|&(_, opened, closed)| opened + closed > 0)
    }
}

/// By name, so that a file written by another version stays readable.
#[derive(Serialize, Deserialize)]
struct Written(BTreeMap<String, (u64, u64)>);

impl Serialize for Tunnels {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Written(self.seen().map(|(k, o, c)| (k.name().to_owned(), (o, c))).collect()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Tunnels {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let written = Written::deserialize(from)?.0;
        let mut all = Self::default();
        for kind in Kind::ALL {
            if let Some(&(opened, closed)) = written.get(kind.name()) {
                all.opened[*kind as usize] = opened;
                all.closed[*kind as usize] = closed;
            }
        }
        Ok(all)
    }
}

/// What an IP packet carries.
pub(super) enum Carried<'a> {
    /// TCP.
    Tcp,
    /// UDP, and no tunnel.
    Udp(udp::Header<'a>),
    /// Another layer.
    Layer(Layer<'a>),
}

/// Protocol numbers (IANA).
mod number {
    pub const IPV4: u8 = 4;
    pub const TCP: u8 = 6;
    pub const UDP: u8 = 17;
    pub const IPV6: u8 = 41;
    pub const GRE: u8 = 47;
    pub const ESP: u8 = 50;
    pub const ETHERIP: u8 = 97;
    pub const IPCOMP: u8 = 108;
    pub const L2TP: u8 = 115;
    pub const MPLS: u8 = 137;
}

/// Is a datagram with this protocol worth putting together from its fragments?
pub(super) fn matters(protocol: u8) -> bool {
    use number::{ETHERIP, GRE, IPV4, IPV6, L2TP, MPLS, TCP, UDP};
    matches!(protocol, TCP | UDP | IPV4 | IPV6 | GRE | ETHERIP | L2TP | MPLS) || super::ip::is_extension(protocol)
}

/// Opens an IP packet that is whole.
pub(super) fn open<'a>(packet: &Packet<'a>, track: &mut Track<'_>) -> Result<Carried<'a>, Refused> {
    let bytes = packet.payload;
    if packet.protocol == number::TCP {
        return Ok(Carried::Tcp);
    }
    track.beyond = packet.declared - bytes.len();
    match packet.protocol {
        number::UDP => udp::open(bytes, track),
        number::IPV4 | number::IPV6 => track.open(Kind::IpInIp).map(|()| Carried::Layer(Layer::Ip(bytes))),
        number::GRE => gre::open(bytes, track).map(Carried::Layer),
        number::ESP | number::IPCOMP => Err(track.closed(Kind::Ipsec)),
        number::ETHERIP => {
            track.open(Kind::EtherIp)?;
            match cut::<2>(bytes)? {
                // Version 3, reserved bits zero (RFC 3378, 3).
                ([0x30, 0], rest) => Ok(Carried::Layer(Layer::Ethernet(rest))),
                _ => Err(track.closed(Kind::EtherIp)),
            }
        }
        number::L2TP => l2tp::over_ip(bytes, track).map(Carried::Layer),
        number::MPLS => Ok(Carried::Layer(Layer::Ether(ETHERTYPE_MPLS, bytes))),
        _ => Err(Refused::NOT_TCP),
    }
}

/// Is a tunnel's content what it should be? Then it is opened.
fn proven<'a>(inner: Layer<'a>, kind: Kind, proof: Proof, track: &mut Track<'_>) -> Option<Result<Layer<'a>, Refused>> {
    plausible::layer(inner, track.beyond, proof).then(|| track.open(kind).map(|()| inner))
}

/// A header whose fields contradict each other.
const BAD: Refused = Refused::undecodable(Oddity::HeaderBad);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_survive_serialisation_by_name() {
        let mut tunnels = Tunnels::default();
        tunnels.opened(Kind::Vxlan);
        tunnels.closed(Kind::Gre);
        let json = serde_json::to_string(&tunnels).unwrap();
        assert_eq!(json, r#"{"gre":[0,1],"vxlan":[1,0]}"#);
        assert_eq!(serde_json::from_str::<Tunnels>(&json).unwrap(), tunnels);
        let mut sum = tunnels.clone();
        sum.merge(&tunnels);
        assert_eq!(sum.seen().collect::<Vec<_>>(), [(Kind::Gre, 0, 2), (Kind::Vxlan, 2, 0)]);
        assert!(Kind::ALL.iter().enumerate().all(|(i, k)| *k as usize == i));
    }
}
