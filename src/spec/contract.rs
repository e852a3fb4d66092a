//! A document, read: its operations and what each of them names.
//!
//! Takes nothing by itself; the walker makes it. Holds path templates, servers, statuses, names of query parameters and
//! media types; never examples or descriptions, and of
//! schemas the fields of gRPC messages alone.

use std::collections::BTreeMap;
use std::fmt;

use super::server::ServerRule;
use crate::inventory::documented::{Part, Route};

/// Which specification a document follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// Swagger 2.0.
    Swagger2,
    /// OpenAPI 3.0.
    OpenApi30,
    /// OpenAPI 3.1.
    OpenApi31,
    /// OpenAPI 3.2.
    OpenApi32,
    /// A `.proto` file.
    Proto,
    /// A descriptor set, as `protoc -o` makes it.
    DescriptorSet,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Swagger2 => "Swagger 2.0",
            Self::OpenApi30 => "OpenAPI 3.0",
            Self::OpenApi31 => "OpenAPI 3.1",
            Self::OpenApi32 => "OpenAPI 3.2",
            Self::Proto => ".proto",
            Self::DescriptorSet => "descriptor set",
        })
    }
}

/// What a document promises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract {
    /// `info.title`; the file's name where it states none.
    pub title: String,
    /// `info.version`, as written; empty where it states none.
    pub version: String,
    /// The file it was read from.
    pub source: String,
    /// Which specification it follows.
    pub format: Version,
    /// Operations, in document order.
    pub operations: Vec<Operation>,
    /// Fields of gRPC messages by the message's full name, in the order of their numbers.
    pub messages: BTreeMap<String, Vec<MessageField>>,
}

/// What a gRPC method takes and gives; the messages by their full names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// The client's messages.
    pub request: String,
    /// The server's messages.
    pub response: String,
    /// The client may send many.
    pub client_streams: bool,
    /// The server may send many.
    pub server_streams: bool,
}

/// A field of a gRPC message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageField {
    /// Its number on the wire.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// A scalar type's name, a full name of a message or enum, or `map<key, value>`.
    pub kind: String,
    /// It may stand many times.
    pub repeated: bool,
}

/// One operation: a method on a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Method, upper case unless it is a custom one of `additionalOperations`.
    pub method: String,
    /// The path as documented, without base path, fragment and query.
    pub path: String,
    /// Where it is served: hosts, ports and whole paths, base path and prefix rewrite included. Never empty.
    pub servers: Vec<ServerRule>,
    /// Query parameters that the path itself fixes (`/?Action=List`), or the fragment that tells it from others
    /// (`/#List`). Operations of one path that differ in this alone cannot be told apart by path and method.
    pub variant: Option<Variant>,
    /// Marked as deprecated.
    pub deprecated: bool,
    /// Responses by status. Empty: the document says nothing about statuses.
    pub responses: Vec<Response>,
    /// Query parameters.
    pub query: Vec<QueryParameter>,
    /// Query parameters of any name are documented (a free-form object, `in: querystring`).
    pub any_query: bool,
    /// Media types of the request's body; empty: the document names none.
    pub request_types: Vec<String>,
    /// Where it stands: `petstore.yaml#/paths/~1pets/get`.
    pub pointer: String,
    /// What a gRPC method takes and gives; `None` for all other operations.
    pub rpc: Option<Rpc>,
}

/// What tells an operation from others of the same path and method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// As written: `?Action=List`, `#List`.
    pub text: String,
    /// Names of query parameters that must be there.
    pub query: Vec<String>,
}

/// Which statuses a response stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusKey {
    /// One.
    Code(u16),
    /// `2XX`: a hundred.
    Class(u8),
    /// `default`: all that are not named.
    Default,
}

/// A documented response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// For which statuses.
    pub status: StatusKey,
    /// Media types of its body; empty: the document names none.
    pub types: Vec<String>,
}

/// A documented query parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryParameter {
    /// Its name.
    pub name: String,
    /// Marked as deprecated.
    pub deprecated: bool,
}

impl Operation {
    /// The response for a status: the code itself, else its class, else `default` (OpenAPI 3.2, Responses Object).
    pub fn response(&self, status: u16) -> Option<&Response> {
        let find = |key| self.responses.iter().find(|r| r.status == key);
        find(StatusKey::Code(status))
            .or_else(|| find(StatusKey::Class((status / 100) as u8)))
            .or_else(|| find(StatusKey::Default))
    }

    /// The documented query parameter that a name in traffic belongs to. `filter[name]` and `ids[]` belong to `filter`
    /// and `ids` (style `deepObject`, and what PHP and Rails expect), unless they are documented as such.
    pub fn query_parameter(&self, name: &str) -> Option<&QueryParameter> {
        fn stem(name: &str) -> &str {
            name.split_once('[').map_or(name, |(stem, _)| stem)
        }
        self.query
            .iter()
            .find(|q| q.name == name)
            .or_else(|| self.query.iter().find(|q| !stem(name).is_empty() && stem(&q.name) == stem(name)))
    }
}

impl Contract {
    /// The routes that the learner of path templates should obey, sorted, each once. A server whose host is not
    /// fixed gives routes for any service.
    pub fn routes(&self) -> Vec<Route> {
        let mut routes: Vec<Route> = self
            .operations
            .iter()
            .flat_map(|o| &o.servers)
            .map(|s| Route { host: s.host.exact().map(str::to_owned), port: s.port, segments: s.segments.clone() })
            .collect();
        routes.sort_unstable();
        routes.dedup();
        routes
    }
}

/// The structure of a template: parameters lose their names. `/users/{}/orders/{}.{}`.
pub fn structure(segments: &[Part]) -> String {
    let mut out = String::new();
    for part in segments {
        out.push('/');
        match part {
            Part::Literal(text) => out.push_str(text),
            Part::Parameter(_) => out.push_str("{}"),
            Part::CatchAll(_) => out.push_str("{*}"),
            Part::Mixed(pieces) => {
                for piece in pieces {
                    out.push_str(piece.as_ref().map_or_else(|literal| literal.as_str(), |_| "{}"));
                }
            }
        }
    }
    if out.is_empty() {
        out.push('/');
    }
    out
}
