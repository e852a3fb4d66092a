//! Certificates (RFC 5280), as far as an inventory needs them.
//!
//! Takes the body of a Certificate or CertificateRequest message, gives who the certificate is for, who signed it and
//! until when it holds. Never verifies anything: what is shown is what was sent.

use ring::digest::{SHA256, digest};

use super::bytes::Cursor;
use super::der::{Element, Elements, tag};

/// Names (SANs) kept of one certificate.
const NAMES: usize = 100;
/// Characters kept of a name.
const LENGTH: usize = 512;

/// A certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// The subject: `CN=example.com, O=Example`, most specific first (RFC 4514).
    pub subject: String,
    /// Who signed it, likewise.
    pub issuer: String,
    /// Subject alternative names: DNS names and IP addresses, in order.
    pub names: Vec<String>,
    /// Valid from, seconds since 1970.
    pub not_before: Option<i64>,
    /// Valid until, seconds since 1970.
    pub not_after: Option<i64>,
    /// SHA-256 of the certificate, its first eight bytes.
    pub fingerprint: [u8; 8],
}

impl Certificate {
    /// Reads a certificate in DER; `None` when it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Elements(der).sequence()?.sequence()?;
        certificate.expect(tag::EXPLICIT_0);
        certificate.expect(tag::INTEGER)?;
        certificate.sequence()?;
        let issuer = name(certificate.sequence()?);
        let mut validity = certificate.sequence()?;
        let (not_before, not_after) = (validity.next().and_then(time), validity.next().and_then(time));
        let subject = name(certificate.sequence()?);
        certificate.sequence()?;
        let mut out = Self { subject, issuer, not_before, not_after, ..Self::default() };
        if let Some(extensions) = certificate.find(|e| e.tag == tag::EXPLICIT_3) {
            for extension in Elements(extensions.content).sequence().into_iter().flatten() {
                out.extension(Elements(extension.content));
            }
        }
        let hash = digest(&SHA256, der);
        out.fingerprint = hash.as_ref().first_chunk().copied().unwrap_or_default();
        Some(out)
    }

    /// Bytes of memory that its names take.
    pub(super) fn weight(&self) -> usize {
        let names = self.names.iter().map(|name| size_of::<String>() + name.len()).sum::<usize>();
        self.subject.len() + self.issuer.len() + names
    }

    fn extension(&mut self, mut extension: Elements<'_>) -> Option<()> {
        /// `id-ce-subjectAltName`, 2.5.29.17
        const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
        if extension.expect(tag::OID)? != ALTERNATIVE_NAME {
            return None;
        }
        let value = extension.last()?;
        for name in Elements(value.content).sequence()? {
            if self.names.len() >= NAMES {
                break;
            }
            match name.tag {
                // [2] dNSName
                0x82 => self.names.push(visible(name.content)),
                // [7] iPAddress
                0x87 => {
                    if let Ok(bytes) = <[u8; 4]>::try_from(name.content) {
                        self.names.push(std::net::Ipv4Addr::from(bytes).to_string());
                    } else if let Ok(bytes) = <[u8; 16]>::try_from(name.content) {
                        self.names.push(std::net::Ipv6Addr::from(bytes).to_string());
                    }
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// The certificates in the body of a Certificate message: the first one read, and how many there are.
pub fn chain(body: &[u8], tls13: bool) -> (Option<Certificate>, usize) {
    let mut cursor = Cursor::new(body);
    let (mut first, mut count) = (None, 0);
    let list = if tls13 { cursor.vec8().and_then(|_| cursor.vec24()) } else { cursor.vec24() };
    let Some(mut list) = list else { return (None, 0) };
    while !list.is_empty() {
        let Some(certificate) = list.vec24() else { break };
        if tls13 && list.vec16().is_none() {
            break;
        }
        if count == 0 {
            first = Certificate::read(certificate.rest());
        }
        count += 1;
    }
    (first, count)
}

/// A distinguished name, as RFC 4514 writes it: last part first.
fn name(parts: Elements<'_>) -> String {
    let mut out: Vec<String> = Vec::new();
    for part in parts.take(NAMES) {
        for attribute in Elements(part.content).filter(|_| part.tag == tag::SET) {
            let mut attribute = Elements(attribute.content);
            if let (Some(kind), Some(value)) = (attribute.expect(tag::OID), attribute.next()) {
                out.push(format!("{}={}", kind_name(kind), value_text(value)));
            }
        }
    }
    out.reverse();
    let mut text = out.join(", ");
    if let Some((at, _)) = text.char_indices().nth(LENGTH) {
        text.truncate(at);
    }
    text
}

fn kind_name(oid: &[u8]) -> String {
    match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 5] => "serialNumber",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 9] => "street",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25] => "DC",
        [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1] => "UID",
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1] => "emailAddress",
        _ => return oid.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
    }
    .to_owned()
}

fn value_text(value: Element<'_>) -> String {
    if value.tag == tag::BMP_STRING {
        let units = value.content.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair));
        return shown(&char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect::<String>());
    }
    shown(&String::from_utf8_lossy(value.content))
}

fn visible(bytes: &[u8]) -> String {
    shown(&String::from_utf8_lossy(bytes))
}

/// Without what would steer a terminal or break a list, and not longer than [`LENGTH`].
fn shown(text: &str) -> String {
    text.chars()
        .take(LENGTH)
        .map(|c| if c.is_control() || matches!(c, '\u{200b}'..='\u{202e}') { '\u{fffd}' } else { c })
        .collect()
}

/// UTCTime or GeneralizedTime (RFC 5280, 4.1.2.5) as seconds since 1970.
fn time(element: Element<'_>) -> Option<i64> {
    let digits = element.content.strip_suffix(b"Z")?;
    let number = |part: &[u8]| {
        part.iter().try_fold(0i64, |n, digit| digit.is_ascii_digit().then(|| n * 10 + i64::from(digit - b'0')))
    };
    let (year, rest) = match (element.tag, digits) {
        (tag::UTC_TIME, [year @ .., _, _, _, _, _, _, _, _, _, _]) if year.len() == 2 => {
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        (tag::GENERALIZED_TIME, _) if digits.len() == 14 => (number(digits.get(..4)?)?, digits.get(4..)?),
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2).and_then(number);
    let (month, day, hour, minute, second) = (part(0)?, part(2)?, part(4)?, part(6)?, part(8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Days since 1970 of the proleptic Gregorian calendar: years begin in March, so that leap days come last.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days =
        365 * y + y.div_euclid(4) - y.div_euclid(100) + y.div_euclid(400) + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        match content.len() {
            n @ 0..=127 => out.push(n as u8),
            n => out.extend([0x82, (n >> 8) as u8, n as u8]),
        }
        out.extend(content);
        out
    }

    fn named(oid: &[u8], text: &[u8]) -> Vec<u8> {
        let attribute = [element(tag::OID, oid), element(0x0c, text)].concat();
        element(tag::SET, &element(tag::SEQUENCE, &attribute))
    }

    /// A certificate as far as it is read.
    pub(in super::super) fn sample() -> Vec<u8> {
        let names = [
            element(0x82, b"example.com"),
            element(0x82, b"*.example.com"),
            element(0x87, &[192, 0, 2, 1]),
            element(0x87, &[9]),
        ];
        let value = element(0x04, &element(tag::SEQUENCE, &names.concat()));
        let extension = element(tag::SEQUENCE, &[element(tag::OID, &[0x55, 0x1d, 0x11]), value].concat());
        let body = [
            element(tag::EXPLICIT_0, &element(tag::INTEGER, &[2])),
            element(tag::INTEGER, &[1, 2, 3]),
            element(tag::SEQUENCE, &[]),
            element(tag::SEQUENCE, &[named(&[0x55, 4, 10], b"Tests"), named(&[0x55, 4, 3], b"Root\x1b[1m")].concat()),
            element(
                tag::SEQUENCE,
                &[element(tag::UTC_TIME, b"240229120000Z"), element(tag::GENERALIZED_TIME, b"20500101000000Z")]
                    .concat(),
            ),
            element(tag::SEQUENCE, &named(&[0x55, 4, 3], b"example.com")),
            element(tag::SEQUENCE, &[]),
            element(tag::EXPLICIT_3, &element(tag::SEQUENCE, &extension)),
        ];
        element(tag::SEQUENCE, &element(tag::SEQUENCE, &body.concat()))
    }

    #[test]
    fn who_until_when_and_by_whom() {
        let certificate = Certificate::read(&sample()).unwrap();
        assert_eq!(certificate.subject, "CN=example.com");
        assert_eq!(certificate.issuer, "CN=Root\u{fffd}[1m, O=Tests");
        assert_eq!(certificate.names, ["example.com", "*.example.com", "192.0.2.1"]);
        assert_eq!(certificate.not_before, Some(1_709_208_000));
        assert_eq!(certificate.not_after, Some(2_524_608_000));
    }

    #[test]
    fn chains_of_both_forms() {
        let der = sample();
        let length = [0, (der.len() >> 8) as u8, der.len() as u8];
        let one = [&length[..], &der].concat();
        let total = |n: usize| [0, (n >> 8) as u8, n as u8];
        let old = [&total(one.len() + 4)[..], &one, &[0, 0, 1, 5]].concat();
        let (first, count) = chain(&old, false);
        assert_eq!((first.unwrap().subject.as_str(), count), ("CN=example.com", 2));
        let new = [&[0][..], &total(one.len() + 2), &one, &[0, 0]].concat();
        let (first, count) = chain(&new, true);
        assert_eq!((first.unwrap().names.len(), count), (3, 1));
        assert_eq!(chain(&[0, 0, 0], false), (None, 0), "a client without one");
    }

    #[test]
    fn one_cut_off_anywhere_is_none_or_less() {
        let der = sample();
        for n in 0..der.len() {
            assert_eq!(Certificate::read(&der[..n]), None, "its lengths say that it is longer");
        }
    }
}
