//! Servers that are not, or not wholly, read, as they are shown: part of the public JSON form.
//!
//! Takes nothing by itself; `render` makes it. Never says more than was seen: what is a guess is called a hint.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::hint::Hint;
use crate::base::Timestamp;
use crate::exchange::Turns;
use crate::observe::{Blindness, Cover};

/// How much of a server is in sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Read: what is called there is among the services.
    Inventoried,
    /// Read in part: of some of its connections the keys were missing.
    Partly,
    /// Decrypted, and no HTTP service was found in it.
    NotHttp,
    /// Seen, but not readable: TLS or QUIC without keys.
    Opaque,
}

impl Sight {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Inventoried => "inventoried",
            Self::Partly => "inventoried in part",
            Self::NotHttp => "decrypted, no HTTP",
            Self::Opaque => "seen but opaque",
        }
    }
}

/// Services by how much of them is in sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SightCounts {
    /// Services that were read, in clear text or with keys.
    pub inventoried: u64,
    /// Servers behind TLS that were read in part: they are among those inventoried, too.
    pub partly: u64,
    /// Servers that were seen but are opaque.
    pub opaque: u64,
    /// Servers of which nothing can be read or named.
    pub blind: u64,
}

/// Where the name of a server comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NamedBy {
    /// What its clients asked for (SNI).
    Sni,
    /// Its certificate.
    Certificate,
    /// Nothing: it is its address.
    Address,
}

/// A server behind TLS or QUIC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpaqueView {
    /// Stable id: `opq-` and 16 hexadecimal digits.
    pub id: String,
    /// `tls`, `h3` or `quic`.
    pub kind: Cover,
    /// How much of it is in sight.
    pub sight: Sight,
    /// Its name.
    pub name: String,
    /// Where that comes from.
    pub named_by: NamedBy,
    /// Port.
    pub port: u16,
    /// Addresses that answered for it, sorted; bounded.
    pub addresses: Vec<IpAddr>,
    /// Ids of the services that were read behind it.
    pub services: Vec<String>,
    /// Connections.
    pub connections: u64,
    /// Those that keys opened.
    pub with_keys: u64,
    /// Those that none did. Of the rest it is not known yet.
    pub without_keys: u64,
    /// Bytes from clients and from the server, records and all.
    pub bytes: [u64; 2],
    /// Those that no key opened.
    pub bytes_without_keys: [u64; 2],
    /// First connection.
    pub first_seen: Timestamp,
    /// Last byte.
    pub last_seen: Timestamp,
    /// Days (UTC) on which it was seen.
    pub days_seen: u32,
    /// Distinct callers, estimated (exact up to a bound).
    pub callers: u64,
    /// Versions chosen, with handshakes. Of QUIC those of the clients.
    pub versions: BTreeMap<String, u64>,
    /// Suites chosen.
    pub suites: BTreeMap<String, u64>,
    /// Application protocols chosen. TLS 1.3 shows them only with keys.
    pub alpn: BTreeMap<String, u64>,
    /// Application protocols offered by clients.
    pub alpn_offered: BTreeMap<String, u64>,
    /// Fingerprints of clients (JA4).
    pub ja4: BTreeMap<String, u64>,
    /// Fingerprints of the server (JA3S).
    pub ja3s: BTreeMap<String, u64>,
    /// How often facts were seen that are not listed above because there were too many different ones, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, u64>,
    /// Its certificates, the most used first; bounded. TLS 1.3 shows them only with keys.
    pub certificates: Vec<CertificateView>,
    /// Handshakes in which it asked for a client's certificate.
    pub certificate_requested: u64,
    /// What is kept of those that came.
    pub client_certificates: ClientCertificates,
    /// Handshakes that took up an earlier session.
    pub resumed: u64,
    /// Those with a second hello (HelloRetryRequest), or with a Retry of QUIC.
    pub retried: u64,
    /// Those with 0-RTT data that was taken.
    pub early_data: u64,
    /// Those whose client offered ECH: the name may be a front's.
    pub ech: u64,
    /// Turns of the talk.
    pub turns: TurnsView,
    /// Does it look like an API? A guess.
    pub hint: Hint,
}

impl OpaqueView {
    /// `tls://name:port`, the port left out where it is 443.
    pub fn origin(&self) -> String {
        let name = if self.name.contains(':') { format!("[{}]", self.name) } else { self.name.clone() };
        match self.port {
            443 => format!("{}://{name}", self.kind.name()),
            port => format!("{}://{name}:{port}", self.kind.name()),
        }
    }

    /// The origin; with an address where the name is only its certificate's, which several servers may have.
    pub fn label(&self) -> String {
        match (self.named_by, self.addresses.first()) {
            (NamedBy::Certificate, Some(address)) => format!("{} at {address}", self.origin()),
            _ => self.origin(),
        }
    }

    /// Is a part of it not readable?
    pub fn is_opaque(&self) -> bool {
        matches!(self.sight, Sight::Opaque | Sight::Partly)
    }
}

/// A certificate of a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateView {
    /// First eight bytes of its SHA-256, in hexadecimal.
    pub fingerprint: String,
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Names that it holds for; bounded.
    pub names: Vec<String>,
    /// Names that are left out.
    pub more_names: u32,
    /// Valid from, seconds since 1970.
    pub not_before: Option<i64>,
    /// Valid until.
    pub not_after: Option<i64>,
    /// Handshakes that showed it.
    pub seen: u64,
}

/// Certificates of clients: whose they are is not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificates {
    /// Handshakes that showed one.
    pub seen: u64,
    /// Different ones, estimated.
    pub distinct: u64,
    /// Who signed them.
    pub issuers: BTreeMap<String, u64>,
}

/// What one side said before the other one spoke, by size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TurnsView {
    /// Turns of clients, by size: below 128 bytes, 512, 2 KiB, 8 KiB, 32 KiB, 128 KiB, 512 KiB, and more.
    pub clients: [u64; crate::exchange::TURN_CLASSES],
    /// Those of the server.
    pub server: [u64; crate::exchange::TURN_CLASSES],
}

impl From<&Turns> for TurnsView {
    fn from(turns: &Turns) -> Self {
        let [clients, server] = turns.0;
        Self { clients, server }
    }
}

/// What can be neither read nor named.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindView {
    /// Servers of which nothing else is known, by address and port.
    pub services: Vec<BlindService>,
    /// Connections of the same kind to servers that are listed elsewhere.
    pub known_connections: u64,
    /// Messages of the same kind at servers that are listed elsewhere.
    pub known_messages: u64,
    /// Bytes of these connections.
    pub known_bytes: u64,
    /// Bytes captured that could not be read and belong to no server: undecodable, in closed tunnels, over a limit, or of
    /// connections that are open or are known by other parts.
    pub unattributed_bytes: u64,
}

/// A server of which nothing can be read or named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlindService {
    /// Stable id: `bld-` and 16 hexadecimal digits.
    pub id: String,
    /// Its address. Where no handshake of TCP was seen, the end with the lower port is taken for the server.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// Connections.
    pub connections: u64,
    /// Messages that do not say what was asked.
    pub messages: u64,
    /// Bytes that could not be read.
    pub bytes: u64,
    /// Why, with connections or messages.
    pub reasons: BTreeMap<Blindness, u64>,
    /// First of it.
    pub first_seen: Timestamp,
    /// Last of it.
    pub last_seen: Timestamp,
    /// Days (UTC) on which it was seen.
    pub days_seen: u32,
    /// Distinct callers, estimated.
    pub callers: u64,
}

impl BlindService {
    /// `10.0.0.1:8080`, `[::1]:8080`.
    pub fn place(&self) -> String {
        match self.address.contains(':') {
            true => format!("[{}]:{}", self.address, self.port),
            false => format!("{}:{}", self.address, self.port),
        }
    }
}
