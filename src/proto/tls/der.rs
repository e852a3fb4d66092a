//! As much of DER (X.690) as certificates need.
//!
//! Takes bytes, gives elements one after another: tag and content. Strict about lengths, not about anything else; an
//! element that runs over the end ends the walk. Never recurses, never copies.

/// Tags.
pub(super) mod tag {
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const OID: u8 = 0x06;
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;
    /// `[0]` and `[3]`, constructed.
    pub(in super::super) const EXPLICIT_0: u8 = 0xa0;
    pub(in super::super) const EXPLICIT_3: u8 = 0xa3;
}

/// An element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

/// Elements one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(pub(super) &'a [u8]);

impl<'a> Elements<'a> {
    /// The next element, if it has this tag: its content. Otherwise nothing is taken.
    pub(super) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let before = *self;
        match self.next() {
            Some(element) if element.tag == tag => Some(element.content),
            _ => {
                *self = before;
                None
            }
        }
    }

    /// The next element, if it is a sequence: its elements.
    pub(super) fn sequence(&mut self) -> Option<Self> {
        self.expect(tag::SEQUENCE).map(Self)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        // Tags of several bytes and indefinite lengths do not occur in DER certificates.
        if tag & 0x1f == 0x1f || *first == 0x80 {
            return None;
        }
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            _ => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                if digits.len() > 4 {
                    return None;
                }
                (digits.iter().fold(0, |n, digit| n << 8 | usize::from(*digit)), rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag: *tag, content })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_one_after_another() {
        let mut elements = Elements(&[0x30, 3, 2, 1, 5, 0x0c, 0x81, 1, b'x', 4, 9, 1]);
        assert_eq!(elements.sequence().and_then(|mut s| s.expect(tag::INTEGER)), Some(&[5][..]));
        assert!(elements.expect(tag::OID).is_none(), "another one is not taken");
        let text = elements.next().unwrap();
        assert_eq!((text.tag, text.content), (0x0c, &b"x"[..]));
        assert!(elements.next().is_none(), "runs over the end");
    }

    #[test]
    fn lengths_that_make_no_sense_end_the_walk() {
        for bytes in
            [&[4, 0x80, 0][..], &[4, 0x85, 0, 0, 0, 0, 1, 1], &[4, 0x84, 0xff, 0xff, 0xff, 0xff], &[0x1f, 1, 1]]
        {
            assert!(Elements(bytes).next().is_none(), "{bytes:?}");
        }
    }
}
