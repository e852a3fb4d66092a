//! What leaves the floor.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::proto::grpc;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scheme {
    /// Cleartext HTTP.
    Http,
    /// HTTP inside TLS.
    Https,
}

impl Scheme {
    /// As in a URI.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// What makes a service: scheme, host and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceKey<'a> {
    /// Cleartext or TLS.
    pub scheme: Scheme,
    /// Host field without port, lower case, no trailing dot; the server's address where there is none or where
    /// it cannot be a host name.
    pub host: &'a str,
    /// The server's TCP port.
    pub port: u16,
}

impl ServiceKey<'_> {
    /// As in a URI: the port is left out where it is the scheme's own.
    pub fn origin(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.to_owned() };
        match (self.scheme, self.port) {
            (Scheme::Http, 80) | (Scheme::Https, 443) => format!("{}://{host}", self.scheme.as_str()),
            _ => format!("{}://{host}:{}", self.scheme.as_str(), self.port),
        }
    }
}

/// The form of a value. Decided from the text alone, without statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// Could be a literal of the API's own: a word, words joined by `-`, `_` or `.`, a version (`v2`), a word with
    /// digits (`oauth2`, `sha256sum`). The text is kept.
    Word,
    /// Words and digits joined, as titles and codes are (`rust-in-action-2nd-edition`, `TK-48213`): likely a value.
    /// The text is kept, since it might be a literal.
    Slug,
    /// Decimal digits, with or without a sign.
    Integer,
    /// Digits with a decimal point.
    Decimal,
    /// UUID of any version, with or without hyphens' braces.
    Uuid,
    /// 26 characters of Crockford base32 (ULID).
    Ulid,
    /// 24 hexadecimal digits (MongoDB ObjectId).
    ObjectId,
    /// Hexadecimal digits of another length, with at least one digit and one letter.
    Hex,
    /// Base64 or base64url of a length and mixture that no word has.
    Base64,
    /// Letters and digits in a mixture that no word has (base62, KSUID, nanoid, short ids).
    Token,
    /// A JSON Web Token.
    Jwt,
    /// A date, time or both (ISO 8601 and its usual short forms).
    Date,
    /// An e-mail address.
    Email,
    /// An IPv4 or IPv6 address.
    Ip,
    /// A phone number in E.164 form.
    Phone,
    /// `true` or `false`; only of parameters, in a path it is a word.
    Boolean,
    /// Nothing between the delimiters; only of parameters.
    Empty,
    /// Free text: white space, non-ASCII letters, percent-escapes.
    Text,
    /// Two coordinates, `52.5,13.4`.
    Coordinates,
    /// A name that the API's protocol itself gives, such as a service or method of gRPC: never a value. The text is kept.
    Name,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 20] = [
        Self::Word,
        Self::Slug,
        Self::Integer,
        Self::Decimal,
        Self::Uuid,
        Self::Ulid,
        Self::ObjectId,
        Self::Hex,
        Self::Base64,
        Self::Token,
        Self::Jwt,
        Self::Date,
        Self::Email,
        Self::Ip,
        Self::Phone,
        Self::Boolean,
        Self::Empty,
        Self::Text,
        Self::Coordinates,
        Self::Name,
    ];

    /// The stable name, as in the serialised form.
    pub fn name(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Slug => "slug",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Uuid => "uuid",
            Self::Ulid => "ulid",
            Self::ObjectId => "object-id",
            Self::Hex => "hex",
            Self::Base64 => "base64",
            Self::Token => "token",
            Self::Jwt => "jwt",
            Self::Date => "date",
            Self::Email => "email",
            Self::Ip => "ip",
            Self::Phone => "phone",
            Self::Boolean => "boolean",
            Self::Empty => "empty",
            Self::Text => "text",
            Self::Coordinates => "coordinates",
            Self::Name => "name",
        }
    }

    /// Is the text of this kind possibly a literal of the API's own, and therefore kept?
    pub fn keeps_text(self) -> bool {
        matches!(self, Self::Word | Self::Slug | Self::Name)
    }

    /// Is a text of this kind more likely a value than a literal, where both may be?
    #[inline]
    pub fn is_code(self) -> bool {
        !matches!(self, Self::Word | Self::Name)
    }
}

/// One segment of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Form of the segment.
    pub kind: Kind,
    /// Keyed hash of the percent-decoded text; tells values apart where the text is not kept, and 0 where it is.
    pub hash: u64,
    /// The percent-decoded text where [`Kind::keeps_text`], else empty. Integers of one or two digits keep theirs too:
    /// they identify nobody, and some APIs have their version there (`/1/members`); so do days (`2006-03-01`) in the first
    /// two segments, for the same reason. Pieces of one segment on the wire (`42.json`) are segments here, with marks:
    /// see [`glue`](super::glue).
    pub text: &'a str,
}

/// A parameter in the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// Its name, percent-decoded, cut at 64 bytes; a name that looks like a value is `{kind}`.
    pub name: &'a str,
    /// Form of its value.
    pub kind: Kind,
}

/// A field of JSON messages: its place and the form of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Of a message from the server.
    pub server: bool,
    /// Names from the top, joined by dots; `[]` for the elements of a list: `orders[].price`.
    pub path: &'a str,
    /// Form of the value: text, integer, decimal, boolean or (for null) empty.
    pub kind: Kind,
    /// Messages that had it.
    pub messages: u64,
}

/// What was said in an exchange that is made of messages (gRPC, WebSocket). Of each pair the first is the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// Messages.
    pub messages: [u64; 2],
    /// Bytes of them, compressed ones as they are.
    pub bytes: [u64; 2],
    /// Fields of messages that were JSON.
    pub fields: &'a [Field<'a>],
    /// The exchange was observed before; this is what was said in it since.
    pub since: bool,
}

/// One exchange, without its values.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// When the request began.
    pub ts: Timestamp,
    /// The service asked.
    pub service: ServiceKey<'a>,
    /// Address that answered.
    pub server: IpAddr,
    /// Keyed hash of the caller's address.
    pub caller: u64,
    /// Method, as sent; custom methods too.
    pub method: &'a str,
    /// Path segments; empty for `/` and for `*`. Empty segments (`//`) and matrix parameters are left out.
    pub path: &'a [Segment<'a>],
    /// What may name an operation where a path serves many: `?Action=DescribeInstances` (query), `Action=AssumeRole` (form),
    /// `X-Amz-Target: DynamoDB_20120810.GetItem` (header); empty where nothing does. Bounded, and only names that are spelt
    /// as those of operations are, never a value.
    pub operation: &'a str,
    /// Did the path end with a slash (other than the root)?
    pub trailing_slash: bool,
    /// Query parameters, each name once.
    pub query: &'a [Parameter<'a>],
    /// Status code of the response; `None` when it is not in the capture.
    pub status: Option<u16>,
    /// `grpc-status` of a gRPC call, where it was seen.
    pub grpc_status: Option<u16>,
    /// Media type of the request's body, lower case without parameters; empty when there is none.
    pub request_type: &'a str,
    /// Media type of the response's body, likewise.
    pub response_type: &'a str,
    /// Body bytes of the request.
    pub request_size: u64,
    /// Body bytes of the response.
    pub response_size: u64,
    /// Time to first byte in nanoseconds.
    pub latency: Option<u64>,
    /// Was any part of the exchange missing? Then sizes are not counted into sketches.
    pub partial: bool,
    /// What was said in it, where it is made of messages.
    pub said: Option<Said<'a>>,
}

impl Observation<'_> {
    /// Did the server do what it was asked to? 101 grants an upgrade; a method that a gRPC server does not have is answered with
    /// 200, too.
    #[inline]
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| matches!(status, 101 | 200..400))
            && self.grpc_status != Some(grpc::UNIMPLEMENTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_in_order_and_named_as_serialised() {
        for (i, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, i);
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{}\"", kind.name()));
        }
    }
}
