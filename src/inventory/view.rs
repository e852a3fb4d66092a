//! The inventory as it is shown, exported, diffed and reported: plain, sorted, serialisable.
//!
//! Takes nothing by itself; [`Inventory`](super) makes it. The same inventory gives the same view, byte for byte.
//! This is the public JSON form (`shadowtap inventory export`), versioned by [`View::SCHEMA`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::opaque::{BlindView, OpaqueView, SightCounts};
use crate::base::{Ledger, Oddities, Timestamp};
use crate::observe::{Kind, Scheme, ServiceKey};
use crate::proto::grpc;

/// The whole inventory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// [`View::SCHEMA`] of the writer.
    pub schema: u32,
    /// Time of the first and the last exchange observed; both 0 when there was none.
    pub first_seen: Timestamp,
    /// See `first_seen`.
    pub last_seen: Timestamp,
    /// Services, by host, port and scheme.
    pub services: Vec<ServiceView>,
    /// APIs that several of the services serve together (tenants, regions, instances), by host template, with the counts of all of them.
    /// The services themselves stand above as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apis: Vec<ServiceView>,
    /// Servers behind TLS or QUIC, by name, port and kind, those that were decrypted included.
    #[serde(default)]
    pub opaque: Vec<OpaqueView>,
    /// What can be neither read nor named.
    #[serde(default)]
    pub blind: BlindView,
    /// Services by how far they are in sight.
    #[serde(default)]
    pub sight: SightCounts,
    /// What the sensor saw and did not see.
    pub visibility: Ledger,
    /// What was strange.
    pub oddities: Oddities,
}

impl View {
    /// Version of the form.
    pub const SCHEMA: u32 = 1;

    /// The same with each API once: services that are one stand as one, with their counts together.
    #[must_use]
    pub fn folded(&self) -> Cow<'_, Self> {
        if self.apis.is_empty() {
            return Cow::Borrowed(self);
        }
        let mut view = self.clone();
        view.services.retain(|s| s.api.is_none());
        view.services.append(&mut view.apis);
        view.services.sort_by(|a, b| (&a.host, a.port, a.scheme).cmp(&(&b.host, b.port, b.scheme)));
        Cow::Owned(view)
    }

    /// Exchanges in all, probes included.
    pub fn calls(&self) -> u64 {
        self.services.iter().map(|s| s.calls).sum()
    }

    /// Endpoints in all.
    pub fn endpoints(&self) -> usize {
        self.services.iter().map(|s| s.endpoints.len()).sum()
    }
}

/// One service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceView {
    /// Stable id: `svc-` and 16 hexadecimal digits of a hash of scheme, host and port; `api-` for several that are one API, of that
    /// which was seen first.
    pub id: String,
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Addresses that answered for it, sorted; bounded.
    pub addresses: Vec<IpAddr>,
    /// Exchanges, probes included.
    pub calls: u64,
    /// First exchange.
    pub first_seen: Timestamp,
    /// Last exchange.
    pub last_seen: Timestamp,
    /// Endpoints, by template and method.
    pub endpoints: Vec<EndpointView>,
    /// Requests answered as the host answers nonsense (scanners, dead links), by status: not endpoints.
    pub probes: BTreeMap<u16, u64>,
    /// Distinct paths among the probes, estimated.
    pub probed_paths: u64,
    /// The API that it serves together with others: an id in [`View::apis`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The services that are this API together; empty for a service by itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub members: Vec<MemberView>,
    /// Why they are taken for one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub because: String,
    /// Prefixes that are APIs of their own behind this host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prefixes: Vec<PrefixView>,
}

/// A service that serves an API together with others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberView {
    /// Its id among the services.
    pub id: String,
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Addresses that answered for it.
    pub addresses: Vec<IpAddr>,
    /// Exchanges, probes included.
    pub calls: u64,
    /// Its endpoints, in number.
    pub endpoints: u64,
    /// First exchange.
    pub first_seen: Timestamp,
    /// Last exchange.
    pub last_seen: Timestamp,
}

/// A prefix that is an API of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrefixView {
    /// `/billing`.
    pub prefix: String,
    /// Endpoints below it.
    pub endpoints: u64,
    /// Exchanges with them.
    pub calls: u64,
    /// Why it is taken for an API of its own.
    pub because: String,
}

/// An endpoint among its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionView {
    /// Its own: `v2`, `2024-01-01`.
    pub version: String,
    /// Id of the endpoint of the version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<String>,
    /// Id of the endpoint of the version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

impl ServiceView {
    /// Host and port of it, or of each of its members.
    pub fn places(&self) -> impl Iterator<Item = (&str, u16)> {
        let own = self.members.is_empty().then_some((self.host.as_str(), self.port));
        own.into_iter().chain(self.members.iter().map(|m| (m.host.as_str(), m.port)))
    }

    /// Is this its id, or that of a member?
    pub fn has_id(&self, id: &str) -> bool {
        self.id == id || self.members.iter().any(|m| m.id == id)
    }

    /// As in a URI: the port is left out where it is the scheme's own.
    pub fn origin(&self) -> String {
        origin(self.scheme, &self.host, self.port)
    }
}

impl MemberView {
    /// As in a URI.
    pub fn origin(&self) -> String {
        origin(self.scheme, &self.host, self.port)
    }
}

fn origin(scheme: Scheme, host: &str, port: u16) -> String {
    ServiceKey { scheme, host, port }.origin()
}

/// One endpoint: a method on a path template of a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointView {
    /// Stable id: `ep-` and 16 hexadecimal digits. Survives a refinement of the template.
    pub id: String,
    /// Method.
    pub method: String,
    /// Path template, `/users/{userId}/orders`.
    pub template: String,
    /// What separates it from the others on its path, where one path serves many operations: `?Action=DescribeInstances` in the
    /// query, `Action=AssumeRole` in a form, `X-Amz-Target: DynamoDB_20120810.GetItem` in the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The prefix under which there is an API of its own, with other such APIs beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Where the same endpoint is there in other versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionView>,
    /// The template's parameters, left to right.
    pub path_parameters: Vec<PathParameter>,
    /// Is the template that of a document (spec), rather than learnt?
    pub documented: bool,
    /// Exchanges.
    pub calls: u64,
    /// Those without a response in the capture.
    pub unanswered: u64,
    /// First exchange.
    pub first_seen: Timestamp,
    /// Last exchange.
    pub last_seen: Timestamp,
    /// Days (UTC) with at least one exchange.
    pub days_seen: u32,
    /// Exchanges by status code.
    pub statuses: BTreeMap<u16, u64>,
    /// gRPC calls by their status; empty where there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grpc_statuses: BTreeMap<GrpcStatus, u64>,
    /// What was said, where exchanges are made of messages (gRPC, WebSocket).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<MessagesView>,
    /// Distinct callers, estimated (exact up to a bound).
    pub callers: u64,
    /// Time to first byte, nanoseconds.
    pub latency: Quantiles,
    /// Request body, bytes, whole exchanges only.
    pub request_size: Quantiles,
    /// Response body, bytes, whole exchanges only.
    pub response_size: Quantiles,
    /// Media types of requests that had one, with exchanges.
    pub request_types: BTreeMap<String, u64>,
    /// Media types of responses that had one, with exchanges.
    pub response_types: BTreeMap<String, u64>,
    /// Query parameters by name.
    pub query: BTreeMap<String, ParameterView>,
}

impl EndpointView {
    /// Template and operation, for people: `/ ?Action=DescribeInstances`. No template has a space in it.
    pub fn place(&self) -> Cow<'_, str> {
        match &self.operation {
            Some(operation) => Cow::Owned(format!("{} {operation}", self.template)),
            None => Cow::Borrowed(&self.template),
        }
    }

    /// Exchanges that the server answered with what was asked for: 2xx, 3xx, 101.
    pub fn succeeded(&self) -> u64 {
        self.statuses.range(200..400).chain(self.statuses.range(101..102)).map(|(_, n)| n).sum()
    }
}

/// The status of a gRPC call: written by its name, an unknown one by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrpcStatus(pub u16);

impl GrpcStatus {
    /// As it is written.
    pub fn name(self) -> Cow<'static, str> {
        grpc::status_name(self.0).map_or_else(|| Cow::Owned(self.0.to_string()), Cow::Borrowed)
    }
}

impl Serialize for GrpcStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

impl<'de> Deserialize<'de> for GrpcStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'_, str>::deserialize(deserializer)?;
        let number = grpc::status_named(&text).or_else(|| text.parse().ok());
        number.map(Self).ok_or_else(|| D::Error::custom("not a gRPC status"))
    }
}

/// What both sides of an endpoint's exchanges said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessagesView {
    /// The clients.
    pub client: SaidView,
    /// The servers.
    pub server: SaidView,
}

/// What one side said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaidView {
    /// Messages.
    pub messages: u64,
    /// Bytes of them, compressed ones as they are.
    pub bytes: u64,
    /// Fields of JSON messages by their place (`orders[].price`), of protobuf ones by their number; empty where there were none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldView>,
}

/// A field of JSON messages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    /// Messages that had it, of those that were looked at.
    pub messages: u64,
    /// Types of its values, with messages.
    pub types: BTreeMap<ValueType, u64>,
}

/// The type of a JSON value that is neither object nor list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// Text.
    String,
    /// A number without fraction and exponent.
    Integer,
    /// Another number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// `null`.
    Null,
}

/// A parameter in a path template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathParameter {
    /// Its name in the template.
    pub name: String,
    /// Forms of its values, with exchanges.
    pub kinds: BTreeMap<Kind, u64>,
}

/// A query parameter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterView {
    /// Exchanges that carried it.
    pub calls: u64,
    /// Forms of its values, with exchanges.
    pub kinds: BTreeMap<Kind, u64>,
}

/// A distribution, from a mergeable sketch; each figure within about 3 % of the true one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Values counted.
    pub count: u64,
    /// Half are at most this.
    pub p50: u64,
    /// 95 % are at most this.
    pub p95: u64,
    /// 99 % are at most this.
    pub p99: u64,
    /// The largest.
    pub max: u64,
}
