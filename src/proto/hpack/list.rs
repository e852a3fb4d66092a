//! The fields of one header block.
//!
//! Takes names and values as the decoder finds them, gives them as slices of one buffer that is used again for the next
//! block. Never grows beyond its bounds by more than the literal text of one block, which is no longer than 8/5 of it.

use super::Bounds;

/// A field; a part that an unknown table entry hides is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name, as sent.
    pub name: Option<&'a [u8]>,
    /// Its value, as sent.
    pub value: Option<&'a [u8]>,
}

/// Where a field's parts are in the text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    start: u32,
    name_end: u32,
    end: u32,
    name: bool,
    value: bool,
}

/// Fields in the order in which they were sent.
#[derive(Debug, Default)]
pub struct List {
    pub(super) text: Vec<u8>,
    spans: Vec<Span>,
    /// Fields left out because the list was full.
    pub omitted: u32,
    /// Fields of which a part is unknown.
    pub unknown: u32,
    /// The sender made its table larger than the receiver had allowed.
    pub oversized: bool,
}

/// A text buffer that one large block made larger than this is given back.
const TEXT_KEPT: usize = 64 << 10;

impl List {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fields in it.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Is there none?
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Bytes of memory it holds.
    pub fn held(&self) -> usize {
        self.text.capacity() + self.spans.capacity() * size_of::<Span>()
    }

    /// Each field.
    pub fn iter(&self) -> impl Iterator<Item = Field<'_>> {
        self.spans.iter().map(|span| self.field(span))
    }

    /// Nothing of the block is known.
    pub fn lose(&mut self) {
        self.clear();
        self.unknown = 1;
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text.shrink_to(TEXT_KEPT);
        self.spans.clear();
        (self.omitted, self.unknown, self.oversized) = (0, 0, false);
    }

    /// Copies a field of the table.
    #[inline]
    pub(super) fn push(&mut self, name: Option<&[u8]>, value: Option<&[u8]>, bounds: &Bounds) {
        let bytes = name.map_or(0, <[u8]>::len) + value.map_or(0, <[u8]>::len);
        if self.spans.len() >= bounds.fields || self.text.len() + bytes > bounds.bytes {
            self.omitted = self.omitted.saturating_add(1);
            return;
        }
        let mut span = self.begin();
        if let Some(name) = name {
            self.text.extend_from_slice(name);
            self.name_ends(&mut span);
        }
        if let Some(value) = value {
            self.text.extend_from_slice(value);
            self.value_ends(&mut span);
        }
        self.keep(span, bounds);
    }

    /// A field whose text is about to be appended.
    #[inline]
    pub(super) fn begin(&self) -> Span {
        let at = self.text.len() as u32;
        Span { start: at, name_end: at, end: at, name: false, value: false }
    }

    #[inline]
    pub(super) fn name_ends(&self, span: &mut Span) {
        (span.name, span.name_end, span.end) = (true, self.text.len() as u32, self.text.len() as u32);
    }

    #[inline]
    pub(super) fn value_ends(&self, span: &mut Span) {
        (span.value, span.end) = (true, self.text.len() as u32);
    }

    #[inline]
    pub(super) fn field(&self, span: &Span) -> Field<'_> {
        let part = |known: bool, from: u32, to: u32| {
            if known { self.text.get(from as usize..to as usize) } else { None }
        };
        Field { name: part(span.name, span.start, span.name_end), value: part(span.value, span.name_end, span.end) }
    }

    /// Keeps a field whose text has been appended, if there is room; else its text goes.
    #[inline]
    pub(super) fn keep(&mut self, span: Span, bounds: &Bounds) {
        if self.spans.len() >= bounds.fields || span.end as usize > bounds.bytes {
            self.omitted = self.omitted.saturating_add(1);
            self.text.truncate(span.start as usize);
            return;
        }
        self.unknown += u32::from(!span.name || !span.value);
        self.spans.push(span);
    }
}
