//! Versions and suites as people write them.
//!
//! Takes numbers from the wire, gives names; takes names from the wire, gives text that is safe to show. Never fails.

use std::borrow::Cow;
use std::fmt;

use super::suites;

/// A protocol version as its two bytes say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u16);

impl Version {
    /// TLS 1.2
    pub const TLS12: Self = Self(0x0303);
    /// TLS 1.3
    pub const TLS13: Self = Self(0x0304);

    /// TLS 1.3 or one of its drafts.
    pub fn is_tls13(self) -> bool {
        self == Self::TLS13 || self.draft().is_some()
    }

    /// The number of a draft of TLS 1.3. Facebook's own (`0xfb..`) are drafts by other names.
    pub fn draft(self) -> Option<u8> {
        let [high, low] = self.0.to_be_bytes();
        matches!(high, 0x7f | 0xfb).then_some(low)
    }

    /// For telling newer from older: drafts are older than what they became.
    pub(super) fn rank(self) -> u32 {
        match self.draft() {
            Some(draft) => u32::from(Self::TLS12.0) << 8 | u32::from(draft) | 0x80,
            None => u32::from(self.0) << 8,
        }
    }

    /// `TLS1.3`, `TLS1.3-draft23`, `SSL3.0`, `0x1234`.
    pub fn name(self) -> Cow<'static, str> {
        match (self.0, self.draft()) {
            (0x0300, _) => "SSL3.0".into(),
            (0x0301, _) => "TLS1.0".into(),
            (0x0302, _) => "TLS1.1".into(),
            (0x0303, _) => "TLS1.2".into(),
            (0x0304, _) => "TLS1.3".into(),
            (_, Some(draft)) => format!("TLS1.3-draft{draft}").into(),
            (other, None) => format!("0x{other:04x}").into(),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A cipher suite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Suite(pub u16);

impl Suite {
    /// Its name (IANA), or its number.
    pub fn name(self) -> Cow<'static, str> {
        match suites::name(self.0) {
            Some(name) => name.into(),
            None => format!("0x{:04x}", self.0).into(),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// Numbers that clients throw in so that servers get used to unknown ones (RFC 8701).
pub fn is_grease(number: u16) -> bool {
    let [high, low] = number.to_be_bytes();
    high == low && low & 0x0f == 0x0a
}

/// Bytes as text: what is not visible ASCII is escaped.
pub(super) fn text(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'!'..=b'~' => out.push(char::from(*byte)),
            _ => out.extend(std::ascii::escape_default(*byte).map(char::from)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_names_and_an_order() {
        assert_eq!(Version(0x7f17).to_string(), "TLS1.3-draft23");
        assert_eq!(Version(0x0300).to_string(), "SSL3.0");
        assert_eq!(Version(0x9999).to_string(), "0x9999");
        assert!(Version::TLS13.rank() > Version(0x7f1c).rank() && Version(0x7f1c).rank() > Version::TLS12.rank());
        assert!(Version(0xfb17).is_tls13() && !Version::TLS12.is_tls13());
    }

    #[test]
    fn grease_is_known() {
        assert!((0..16).all(|n| is_grease(n * 0x1010 + 0x0a0a)));
        assert!(!is_grease(0x1301) && !is_grease(0x0a1a));
    }
}
