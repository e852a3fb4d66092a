//! Message heads, borrowed from the stream.

/// Protocol version as the message itself states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// HTTP/0.9: a request line without a version; the response is its content and nothing else (RFC 1945, 4.1 and 5).
    Http09,
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl Version {
    /// As people write it: `0.9`, `1.0`, `1.1`, `2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http09 => "0.9",
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }
}

/// The field lines of a head, in order, as received. Names keep their case, values are trimmed of white space.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a>(pub &'a [httparse::Header<'a>]);

impl<'a> Fields<'a> {
    /// The first value of a field; the name without regard to case (RFC 9110, 5.1).
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// Each value of a field, in order.
    pub fn all<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.0.iter().filter(move |h| h.name.len() == name.len() && h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// Each field line as (name, value).
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        self.0.iter().map(|h| (h.name, h.value))
    }
}

/// A request target exactly as on the wire (RFC 9112, 3.2): origin, absolute, authority or asterisk form. Bytes, since
/// hostile targets are not always UTF-8; whoever found out that they are need not be asked again.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
}

impl<'a> Target<'a> {
    /// The target itself.
    #[inline]
    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// The same as text, where all of it is UTF-8.
    #[inline]
    pub fn text(self) -> Option<&'a str> {
        self.text
    }
}

impl<'a> From<&'a str> for Target<'a> {
    #[inline]
    fn from(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), text: Some(text) }
    }
}

impl<'a> From<&'a [u8]> for Target<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self { bytes, text: std::str::from_utf8(bytes).ok() }
    }
}

/// The head of a request.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    /// Method, case-sensitive (RFC 9110, 9.1).
    pub method: &'a str,
    /// Request target.
    pub target: Target<'a>,
    /// Host field (or authority of an absolute-form target, which wins: RFC 9112, 3.2.2), as on the wire, with its port.
    pub host: Option<&'a [u8]>,
    /// Version.
    pub version: Version,
    /// Field lines.
    pub fields: Fields<'a>,
    /// The first Content-Type field, as received (RFC 9110, 8.3).
    pub content_type: Option<&'a [u8]>,
    /// Bytes of the head on the wire.
    pub size: u32,
}

/// The head of a final response (not 1xx, except 101).
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    /// Status code, 100 to 999.
    pub status: u16,
    /// Version.
    pub version: Version,
    /// Field lines.
    pub fields: Fields<'a>,
    /// The first Content-Type field, as received (RFC 9110, 8.3).
    pub content_type: Option<&'a [u8]>,
    /// Bytes of the head on the wire.
    pub size: u32,
}
