//! News of traffic that is not, or not wholly, read.
//!
//! Takes what floor 4 tells of TLS sessions, QUIC connections and connections that nobody could read, gives a
//! [`Glimpse`]: which server, what its handshake said, how much passed. Raw values stop here: of a client's certificate go
//! on its issuer and a keyed hash, of its address a keyed hash. Never holds a word of what was said.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::key::Key;
use super::{host, record};
use crate::base::{Address, Timestamp};
use crate::exchange::{QuicFlow, Sides, TlsSession, TlsStage, Turns, Unread, Unreadable};
use crate::proto::quic;
use crate::proto::tls::fingerprint::{Carrier, ja3s, ja4};
use crate::proto::tls::session::Facts;
use crate::proto::tls::{Certificate, ClientHello, is_grease};

/// Bytes kept of the name of a certificate's owner or issuer, and of an application protocol's.
const TEXT: usize = 256;
const PROTOCOL: usize = 64;
/// Protocols of one offer, and names of one certificate, that are kept; and bytes of these names.
const PROTOCOLS: usize = 8;
const NAMES: usize = 20;
const NAME_BYTES: usize = 1024;

/// How a server that is not wholly read is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cover {
    /// TLS over TCP.
    Tls,
    /// HTTP/3: QUIC whose client offers it.
    H3,
    /// QUIC, for another protocol, or of which no hello was seen.
    Quic,
    /// TCP that nobody could read, or that has no name.
    Blind,
}

impl Cover {
    /// The stable name, as in the serialised form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::H3 => "h3",
            Self::Quic => "quic",
            Self::Blind => "blind",
        }
    }
}

/// Why something is blind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blindness {
    /// Connections of which one direction was never captured.
    OneSided,
    /// Connections of which only holes were seen.
    Gap,
    /// Connections in no protocol that is known, or of which too little was seen.
    Unknown,
    /// HTTP responses whose requests were not captured.
    ResponsesOnly,
    /// HTTP/2 requests whose method, path or host is in header table entries that were not captured.
    HeadsHidden,
}

impl Blindness {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::OneSided, Self::Gap, Self::Unknown, Self::ResponsesOnly, Self::HeadsHidden];

    /// The stable name, as in the serialised form.
    pub fn name(self) -> &'static str {
        match self {
            Self::OneSided => "one_sided",
            Self::Gap => "gap",
            Self::Unknown => "unknown",
            Self::ResponsesOnly => "responses_only",
            Self::HeadsHidden => "heads_hidden",
        }
    }
}

/// A piece of news about one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// How it is reached.
    pub cover: Cover,
    /// Name that the client asked for, lower case, without a trailing dot; the server's address where it gave none.
    pub name: Box<str>,
    /// Who answered.
    pub server: Address,
    /// Keyed hash of the caller's address.
    pub caller: u64,
    /// The connection is told of for the first time.
    pub begins: bool,
    /// Messages that do not say what was asked.
    pub messages: u64,
    /// When it began.
    pub opened: Timestamp,
    /// When its last byte came, so far.
    pub last: Timestamp,
    /// Bytes since it was told of before, from client and server.
    pub bytes: [u64; 2],
    /// Keys open it, or a part of it.
    pub decrypted: bool,
    /// The server has said something.
    pub answered: bool,
    /// Turns since it was told of before.
    pub turns: Turns,
    /// What its handshake told: once for each connection.
    pub handshake: Option<Box<Handshake>>,
    /// Why it is [`Cover::Blind`].
    pub why: Option<Blindness>,
}

/// What a handshake told. Empty or `None`: not seen, or not readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Handshake {
    /// The version chosen (TLS), or the client's (QUIC).
    pub version: Option<Box<str>>,
    /// The suite chosen.
    pub suite: Option<Box<str>>,
    /// The application protocol chosen.
    pub alpn: Option<Box<str>>,
    /// Those offered.
    pub offered: Vec<Box<str>>,
    /// The client's fingerprint.
    pub ja4: Option<Box<str>>,
    /// The server's.
    pub ja3s: Option<Box<str>>,
    /// The server's certificate.
    pub certificate: Option<Badge>,
    /// The server asked for a certificate.
    pub certificate_requested: bool,
    /// The client's certificate: keyed hash and issuer.
    pub client_certificate: Option<(u64, Box<str>)>,
    /// An earlier session was taken up again.
    pub resumed: bool,
    /// The server asked for another hello, or (QUIC) for a token.
    pub retried: bool,
    /// 0-RTT data was taken.
    pub early_data: bool,
    /// The client offered an encrypted hello: the name may be a front's.
    pub ech: bool,
}

/// What a server's certificate says.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Badge {
    /// SHA-256 of it, the first eight bytes.
    pub fingerprint: u64,
    /// Whom it is for.
    pub subject: Box<str>,
    /// Who signed it.
    pub issuer: Box<str>,
    /// Names that it holds for, the first twenty.
    pub names: Vec<Box<str>>,
    /// Names that were left out.
    pub more_names: u32,
    /// Valid from, seconds since 1970.
    pub not_before: Option<i64>,
    /// Valid until.
    pub not_after: Option<i64>,
}

impl Glimpse {
    /// Bytes that it takes in memory, about.
    pub(super) fn weight(&self) -> usize {
        let handshake = self.handshake.as_deref().map_or(0, |h| {
            let badge = h.certificate.as_ref().map_or(0, |b| {
                b.subject.len()
                    + b.issuer.len()
                    + b.names.iter().map(|n| n.len() + size_of::<Box<str>>()).sum::<usize>()
            });
            let texts = [&h.version, &h.suite, &h.alpn, &h.ja4, &h.ja3s];
            let offered: usize = h.offered.iter().map(|o| o.len() + size_of::<Box<str>>()).sum();
            size_of::<Handshake>() + texts.into_iter().flatten().map(|t| t.len()).sum::<usize>() + offered + badge
        });
        size_of::<Self>() + self.name.len() + handshake
    }

    /// Of a TLS session.
    pub(super) fn tls(session: &TlsSession<'_>, caller: u64, key: &Key) -> Self {
        let hello = session.facts.client.as_deref();
        let cover = match session.carrier {
            Carrier::Tcp => Cover::Tls,
            Carrier::Quic => quic_cover(hello),
        };
        let bytes = [session.client_bytes, session.server_bytes];
        Self {
            cover,
            name: name(hello, session.sides.server),
            server: session.sides.server,
            caller,
            begins: session.stage == TlsStage::Begun,
            messages: 0,
            opened: session.opened,
            last: session.last,
            bytes,
            decrypted: session.decrypted,
            answered: if hello.is_some() { session.facts.server.is_some() } else { bytes[1] > 0 },
            turns: session.turns,
            handshake: session.settled.then(|| Box::new(handshake(session.facts, session.carrier, key))),
            why: None,
        }
    }

    /// Of a QUIC connection. What its hello said counts with the first word behind it: a Retry comes in between.
    pub(super) fn quic(flow: &QuicFlow, begins: bool, settled: bool, caller: u64) -> Self {
        let hello = flow.hello.as_deref();
        let handshake = || {
            let mut all =
                Handshake { retried: flow.retried, ..hello.map(|h| offers(h, Carrier::Quic)).unwrap_or_default() };
            all.version = (flow.version != 0).then(|| format!("QUIC {}", quic::name(flow.version)).into());
            Box::new(all)
        };
        Self {
            cover: quic_cover(hello),
            name: name(hello, flow.server),
            server: flow.server,
            caller,
            begins,
            messages: 0,
            opened: flow.first,
            last: flow.last,
            bytes: flow.fresh,
            decrypted: false,
            answered: flow.bytes[1] > 0,
            turns: Turns::default(),
            handshake: settled.then(handshake),
            why: None,
        }
    }

    /// Of a connection that could not be read.
    pub(super) fn unread(opened: Timestamp, unread: &Unread, caller: u64) -> Self {
        let why = match unread.why {
            Unreadable::OneSided => Blindness::OneSided,
            Unreadable::Gap => Blindness::Gap,
            Unreadable::Unknown => Blindness::Unknown,
        };
        Self { bytes: [unread.bytes, 0], ..Self::blind(unread.sides, why, (opened, unread.last), caller) }
    }

    /// Of a server of which something was seen that says nothing of what it serves.
    pub(super) fn blind(sides: Sides, why: Blindness, (opened, last): (Timestamp, Timestamp), caller: u64) -> Self {
        Self {
            cover: Cover::Blind,
            name: address(sides.server),
            server: sides.server,
            caller,
            begins: true,
            messages: 0,
            opened,
            last,
            bytes: [0; 2],
            decrypted: false,
            answered: true,
            turns: Turns::default(),
            handshake: None,
            why: Some(why),
        }
    }
}

/// The name asked for, where it can be a host's; else the address.
fn name(hello: Option<&ClientHello>, server: Address) -> Box<str> {
    let mut text = String::new();
    let sni = hello.and_then(|hello| hello.sni.as_deref()).and_then(|sni| host::append(sni.as_bytes(), &mut text));
    match sni {
        Some(span) => span.of(&text).into(),
        None => address(server),
    }
}

fn address(server: Address) -> Box<str> {
    let ip: IpAddr = server.ip();
    ip.to_string().into()
}

/// HTTP/3 by what the client offers: `h3`, and the drafts before it.
fn quic_cover(hello: Option<&ClientHello>) -> Cover {
    let h3 = |name: &String| name == "h3" || name.starts_with("h3-");
    if hello.is_some_and(|hello| hello.alpn.iter().any(h3)) { Cover::H3 } else { Cover::Quic }
}

fn cut(text: &str) -> Box<str> {
    record::cut(text, TEXT).into()
}

fn protocol(name: &str) -> Box<str> {
    record::cut(name, PROTOCOL).into()
}

fn offers(hello: &ClientHello, carrier: Carrier) -> Handshake {
    let true_offer = |name: &&String| !matches!(name.as_bytes(), [a, b] if is_grease(u16::from_be_bytes([*a, *b])));
    Handshake {
        offered: hello.alpn.iter().filter(true_offer).take(PROTOCOLS).map(|name| protocol(name)).collect(),
        ja4: (!hello.truncated).then(|| ja4(hello, carrier).into()),
        ech: hello.ech,
        ..Handshake::default()
    }
}

fn handshake(facts: &Facts, carrier: Carrier, key: &Key) -> Handshake {
    let server = facts.server.as_deref();
    Handshake {
        version: server.map(|hello| hello.version.name().as_ref().into()),
        suite: server.map(|hello| hello.suite.name().as_ref().into()),
        alpn: facts.alpn.as_deref().map(protocol),
        ja3s: server.map(|hello| ja3s(hello).into()),
        certificate: facts.certificate.as_deref().map(badge),
        certificate_requested: facts.certificate_requested,
        client_certificate: facts.client_certificate.as_deref().map(|c| (key.hash(&c.fingerprint), cut(&c.issuer))),
        resumed: facts.resumed,
        retried: facts.retried,
        early_data: facts.early_data == Some(true),
        ..facts.client.as_deref().map(|hello| offers(hello, carrier)).unwrap_or_default()
    }
}

fn badge(certificate: &Certificate) -> Badge {
    let mut bytes = 0;
    let names: Vec<Box<str>> = certificate
        .names
        .iter()
        .take(NAMES)
        .take_while(|name| {
            bytes += name.len();
            bytes <= NAME_BYTES
        })
        .map(|name| name.as_str().into())
        .collect();
    Badge {
        fingerprint: u64::from_be_bytes(certificate.fingerprint),
        subject: cut(&certificate.subject),
        issuer: cut(&certificate.issuer),
        more_names: certificate.names.len().saturating_sub(names.len()) as u32,
        names,
        not_before: certificate.not_before,
        not_after: certificate.not_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session<'a>(facts: &'a Facts, stage: TlsStage) -> TlsSession<'a> {
        TlsSession {
            number: 1,
            stage,
            sides: Sides { client: Address::v4(1, 50_000), server: Address::v4(0x0a00_0002, 8443), secure: true },
            carrier: Carrier::Tcp,
            opened: Timestamp(5),
            last: Timestamp(9),
            facts,
            decrypted: false,
            settled: stage == TlsStage::Over,
            client_bytes: 10,
            server_bytes: 20,
            turns: Turns::default(),
        }
    }

    #[test]
    fn named_as_the_client_asked_and_else_by_address() {
        let named = |sni: Option<&str>| {
            let mut hello = ClientHello::default();
            hello.sni = sni.map(str::to_owned);
            let facts = Facts { client: Some(Box::new(hello)), ..Facts::default() };
            Glimpse::tls(&session(&facts, TlsStage::Begun), 1, &Key::FIXED).name
        };
        assert_eq!(&*named(Some("API.Example.")), "api.example");
        for sni in [None, Some("a b"), Some(""), Some("\\xff")] {
            assert_eq!(&*named(sni), "10.0.0.2", "{sni:?}");
        }
    }

    #[test]
    fn a_clients_certificate_leaves_as_issuer_and_hash() {
        let certificate = Certificate {
            subject: "CN=Alice Liddell, E=alice@example.com".to_owned(),
            issuer: "CN=Staff CA".to_owned(),
            names: vec!["alice@example.com".to_owned()],
            fingerprint: [7; 8],
            ..Certificate::default()
        };
        let facts = Facts { client_certificate: Some(Box::new(certificate)), ..Facts::default() };
        let glimpse = Glimpse::tls(&session(&facts, TlsStage::Over), 1, &Key::new([3; 16]));
        let said = format!("{glimpse:?}").to_lowercase();
        assert!(!said.contains("alice") && !said.contains("liddell"), "{said}");
        let (hash, issuer) = glimpse.handshake.unwrap().client_certificate.unwrap();
        assert_eq!(&*issuer, "CN=Staff CA");
        assert_ne!(hash, u64::from_be_bytes([7; 8]));
        let other = Glimpse::tls(&session(&facts, TlsStage::Over), 1, &Key::FIXED);
        assert_ne!(hash, other.handshake.unwrap().client_certificate.unwrap().0, "another key, another hash");
    }

    #[test]
    fn a_long_certificate_is_cut() {
        let certificate = Certificate {
            subject: "x".repeat(1000),
            names: (0..100).map(|n| format!("{n}.example")).collect(),
            ..Certificate::default()
        };
        let badge = badge(&certificate);
        assert_eq!((badge.subject.len(), badge.names.len(), badge.more_names), (TEXT, NAMES, 80));
        let certificate = Certificate { names: vec!["x".repeat(500); 3], ..certificate };
        let badge = super::badge(&certificate);
        assert_eq!((badge.names.len(), badge.more_names), (2, 1));
    }

    #[test]
    fn names_are_those_of_the_json_form() {
        for why in Blindness::ALL {
            assert_eq!(serde_json::to_value(why).unwrap(), why.name());
        }
        for cover in [Cover::Tls, Cover::H3, Cover::Quic, Cover::Blind] {
            assert_eq!(serde_json::to_value(cover).unwrap(), cover.name());
        }
    }
}
