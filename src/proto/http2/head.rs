//! From a list of fields to the parts of a message's head (RFC 9113, 8.3).
//!
//! Takes the fields of one header block, gives pseudo-header fields and fields apart, borrowed from the list. What an
//! unknown table entry hides is absent and says so ([`Parts::hidden`]). Never repairs: a field whose name is no token is
//! counted and left out.

use httparse::{EMPTY_HEADER, Header};

use crate::proto::Fields;
use crate::proto::hpack::List;
use crate::proto::probe::is_token;

/// Fields that are read on the stack, in place. Nearly every head has fewer.
const FEW: usize = 64;

/// A head, taken apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// `:method`
    pub method: Option<&'a str>,
    /// `:path`
    pub path: Option<&'a [u8]>,
    /// `:authority`
    pub authority: Option<&'a [u8]>,
    /// `:scheme`
    pub scheme: Option<&'a [u8]>,
    /// `:protocol` (RFC 8441)
    pub protocol: Option<&'a [u8]>,
    /// `:status`, if it is a number of three digits.
    pub status: Option<u16>,
    /// The first Host field.
    pub host: Option<&'a [u8]>,
    /// The first Content-Type field.
    pub content_type: Option<&'a [u8]>,
    /// A Content-Encoding field is there.
    pub coded: bool,
    /// Some field is unknown: any part that is absent may be there.
    pub hidden: bool,
    /// Fields left out: names that are none, pseudo-header fields that are unknown or come twice.
    pub odd: u32,
}

impl Parts<'_> {
    /// Does it have a pseudo-header field of a request?
    pub fn is_request(&self) -> bool {
        self.method.is_some() || self.path.is_some() || self.scheme.is_some() || self.authority.is_some()
    }
}

/// Takes a list apart.
pub fn parts<T>(list: &List, read: impl FnOnce(&Parts<'_>, Fields<'_>) -> T) -> T {
    let mut few = [EMPTY_HEADER; FEW];
    let mut many;
    let fields: &mut [Header<'_>] = if list.len() <= FEW {
        &mut few
    } else {
        many = vec![EMPTY_HEADER; list.len()];
        &mut many
    };
    let mut parts = Parts { hidden: list.unknown > 0 || list.omitted > 0, ..Parts::default() };
    let mut count = 0;
    for field in list.iter() {
        let (Some(name), Some(value)) = (field.name, field.value) else { continue };
        let value = value.trim_ascii();
        if let [b':', ..] = name {
            parts.odd += u32::from(!pseudo(&mut parts, name, value));
            continue;
        }
        let token = !name.is_empty() && name.iter().all(|b| is_token(*b));
        let (true, Ok(name)) = (token, std::str::from_utf8(name)) else {
            parts.odd += 1;
            continue;
        };
        match name {
            "host" => parts.host = parts.host.or(Some(value)),
            "content-type" => parts.content_type = parts.content_type.or(Some(value)),
            "content-encoding" => parts.coded = true,
            _ => {}
        }
        if let Some(place) = fields.get_mut(count) {
            *place = Header { name, value };
            count += 1;
        }
    }
    read(&parts, Fields(&fields[..count]))
}

/// A pseudo-header field; is it one that comes here for the first time?
fn pseudo<'a>(parts: &mut Parts<'a>, name: &[u8], value: &'a [u8]) -> bool {
    fn first<T>(place: &mut Option<T>, value: Option<T>) -> bool {
        let new = place.is_none() && value.is_some();
        if new {
            *place = value;
        }
        new
    }
    match name {
        b":path" => first(&mut parts.path, Some(value).filter(|v| !v.is_empty())),
        b":method" => {
            let token = value.iter().all(|b| is_token(*b)) && !value.is_empty();
            first(&mut parts.method, std::str::from_utf8(value).ok().filter(|_| token))
        }
        b":authority" => first(&mut parts.authority, Some(value)),
        b":scheme" => first(&mut parts.scheme, Some(value)),
        b":protocol" => first(&mut parts.protocol, Some(value)),
        b":status" => first(&mut parts.status, status(value)),
        _ => false,
    }
}

fn status(value: &[u8]) -> Option<u16> {
    match value {
        [a @ b'1'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}
