//! BPF filters on frames of files.
//!
//! Takes an expression in tcpdump's language, tells for each frame whether it passes. libpcap compiles it, once for each link type.

use pcap::{BpfProgram, Capture, Linktype};

use super::CaptureError;
use crate::wire::LinkType;

/// A compiled filter expression.
pub struct Filter {
    expression: String,
    programs: Vec<(LinkType, BpfProgram)>,
}

impl Filter {
    /// Compiles an expression, for Ethernet first, so that an error shows before any file is read.
    ///
    /// # Errors
    /// When libpcap does not understand it.
    pub fn new(expression: &str) -> Result<Self, CaptureError> {
        let mut filter = Self { expression: expression.to_owned(), programs: Vec::new() };
        filter.compile(LinkType::ETHERNET)?;
        Ok(filter)
    }

    /// Does a frame pass?
    ///
    /// # Errors
    /// When the expression has no meaning for this link type (`ether host` where there is no Ethernet).
    #[inline]
    pub fn passes(&mut self, link: LinkType, data: &[u8]) -> Result<bool, CaptureError> {
        let program = match self.programs.iter().position(|(l, _)| *l == link) {
            Some(known) => known,
            None => self.compile(link)?,
        };
        Ok(self.programs.get(program).is_some_and(|(_, p)| p.filter(data)))
    }

    fn compile(&mut self, link: LinkType) -> Result<usize, CaptureError> {
        let program = program(&self.expression, link).map_err(|e| explain(&self.expression, link, &e))?;
        self.programs.push((link, program));
        Ok(self.programs.len() - 1)
    }
}

/// libpcap's own number of a link type, where it is not the one that files use.
fn dlt(link: LinkType) -> Linktype {
    match link {
        LinkType::RAW | LinkType::RAW_14 => Linktype(i32::from(LinkType::RAW_12.0)),
        LinkType(other) => Linktype(i32::from(other)),
    }
}

fn program(expression: &str, link: LinkType) -> Result<BpfProgram, pcap::Error> {
    Capture::dead(dlt(link))?.compile(expression, true)
}

/// libpcap says what is wrong, not where. The longest beginning that it accepts tells.
pub(super) fn explain(expression: &str, link: LinkType, error: &pcap::Error) -> CaptureError {
    let words: Vec<_> = expression.split_ascii_whitespace().collect();
    let good = (1..words.len()).rev().find(|n| program(&words[..*n].join(" "), link).is_ok());
    let place = match good {
        Some(n) => format!(", behind `{}`", words[..n].join(" ")),
        None if words.len() > 1 => format!(", at or behind `{}`", words[0]),
        None => String::new(),
    };
    let place = if link == LinkType::ETHERNET { place } else { format!("{place} (for link type {})", link.0) };
    CaptureError::Filter { filter: expression.to_owned(), message: message(error), place }
}

/// libpcap's words without the crate's prefix.
pub(super) fn message(error: &pcap::Error) -> String {
    match error {
        pcap::Error::PcapError(message) => message.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_where_an_expression_is_wrong() {
        let error = |e: &str| Filter::new(e).map(|_| ()).unwrap_err().to_string();
        let said = error("tcp port 80 nad host 10.0.0.1");
        assert!(said.contains("behind `tcp port 80`") && said.contains("syntax error"), "{said}");
        assert!(error("prot 80").contains("at or behind `prot`"));
        assert!(error("tcp port 80 and").contains("behind `tcp port 80`"));
    }

    #[test]
    fn filters_each_link_type_by_its_own_program() {
        let mut frame = Vec::new();
        let builder = etherparse::PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 9).tcp(5000, 80, 1, 1);
        builder.write(&mut frame, b"x").unwrap();
        let ethernet = [&[0; 12][..], &[8, 0], &frame].concat();
        let mut filter = Filter::new("tcp dst port 80").unwrap();
        assert!(filter.passes(LinkType::ETHERNET, &ethernet).unwrap());
        assert!(filter.passes(LinkType::RAW, &frame).unwrap());
        assert!(!filter.passes(LinkType::RAW, &ethernet).unwrap());
        let mut filter = Filter::new("tcp src port 80").unwrap();
        assert!(!filter.passes(LinkType::ETHERNET, &ethernet).unwrap());
        let mut filter = Filter::new("ether host 00:00:00:00:00:01").unwrap();
        assert!(filter.passes(LinkType::RAW, &frame).is_err());
    }
}
