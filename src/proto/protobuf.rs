//! The outline of protobuf messages (Protocol Buffers, "Encoding").
//!
//! Takes the bytes of messages in any pieces, gives for each whole one which field numbers it has, and of which wire types.
//! Reads the message itself only: what is in a length-delimited field (text, bytes, another message, packed numbers) cannot be
//! told apart without its document, and is stepped over. Never keeps a value.

/// Different fields of one message that are told.
const FIELDS: usize = 64;
/// Groups in each other.
const DEPTH: usize = 16;
/// The largest field number.
const NUMBER: u64 = (1 << 29) - 1;
/// The longest field: what a message may be long at most.
const LENGTH: u64 = (1 << 31) - 1;

/// How a field is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    /// A number of variable length: whole numbers, booleans, enumerations.
    Varint,
    /// Eight or four bytes: `double`, `float` and the fixed ones.
    Fixed,
    /// Length and bytes: text, bytes, a message, packed numbers.
    Delimited,
    /// Fields between two marks.
    Group,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Key,
    Varint,
    Length,
    /// So many bytes of a field are still to come.
    Skip(u64),
    /// Not protobuf, or a part is missing.
    Bad,
}

/// A message that is being read.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    state: State,
    value: u64,
    shift: u32,
    groups: Vec<u32>,
    found: Vec<(u32, Wire)>,
}

impl Outline {
    /// The next bytes of the message.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((&byte, more)) = rest.split_first() {
            match self.state {
                State::Bad => return,
                State::Skip(left) => {
                    let n = left.min(rest.len() as u64);
                    rest = rest.get(n as usize..).unwrap_or_default();
                    self.state = if n == left { State::Key } else { State::Skip(left - n) };
                }
                State::Key | State::Varint | State::Length => {
                    rest = more;
                    self.varint(byte);
                }
            }
        }
    }

    /// A part of the message is not known.
    pub fn spoil(&mut self) {
        self.state = State::Bad;
    }

    /// The message is over: its fields, each once with each wire type, where it was protobuf. The next one follows.
    pub fn end(&mut self, mut then: impl FnMut(u32, Wire)) {
        if self.state == State::Key && self.shift == 0 && self.groups.is_empty() {
            self.found.iter().for_each(|(number, wire)| then(*number, *wire));
        }
        (self.state, self.value, self.shift) = (State::Key, 0, 0);
        self.groups.clear();
        self.found.clear();
    }

    /// A byte of a varint, 64 bits at most.
    fn varint(&mut self, byte: u8) {
        let part = u64::from(byte & 0x7f);
        if self.shift == 63 && byte > 1 {
            self.state = State::Bad;
            return;
        }
        self.value |= part << self.shift;
        if byte & 0x80 != 0 {
            self.shift += 7;
            return;
        }
        let value = std::mem::take(&mut self.value);
        self.shift = 0;
        self.state = match self.state {
            State::Key => self.key(value),
            State::Length if value > LENGTH => State::Bad,
            State::Length if value > 0 => State::Skip(value),
            _ => State::Key,
        };
    }

    fn key(&mut self, key: u64) -> State {
        let number = key >> 3;
        if !(1..=NUMBER).contains(&number) {
            return State::Bad;
        }
        let number = number as u32;
        let (wire, next) = match key & 7 {
            0 => (Wire::Varint, State::Varint),
            1 => (Wire::Fixed, State::Skip(8)),
            2 => (Wire::Delimited, State::Length),
            3 if self.groups.len() < DEPTH => (Wire::Group, State::Key),
            4 => return if self.groups.pop() == Some(number) { State::Key } else { State::Bad },
            5 => (Wire::Fixed, State::Skip(4)),
            _ => return State::Bad,
        };
        if self.groups.is_empty() && self.found.len() < FIELDS && !self.found.contains(&(number, wire)) {
            self.found.push((number, wire));
        }
        if wire == Wire::Group {
            self.groups.push(number);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(bytes: &[u8], step: usize) -> Option<Vec<(u32, Wire)>> {
        let mut outline = Outline::default();
        // A message before it leaves no trace.
        outline.push(&[0x0a, 0x7f]);
        outline.end(|_, _| panic!("cut off"));
        bytes.chunks(step).for_each(|piece| outline.push(piece));
        let whole = outline.state == State::Key && outline.shift == 0 && outline.groups.is_empty();
        let mut found = Vec::new();
        outline.end(|number, wire| found.push((number, wire)));
        whole.then_some(found)
    }

    /// Protocol Buffers, "Encoding": the examples of its text.
    #[test]
    fn the_published_examples() {
        for step in [1, 2, 3, 100] {
            assert_eq!(outline(&[0x08, 0x96, 0x01], step), Some(vec![(1, Wire::Varint)]), "test1");
            let text = [&[0x12, 0x07][..], b"testing"].concat();
            assert_eq!(outline(&text, step), Some(vec![(2, Wire::Delimited)]), "test2");
            assert_eq!(outline(&[0x1a, 0x03, 0x08, 0x96, 0x01], step), Some(vec![(3, Wire::Delimited)]), "test3");
            // 8: {1: 2, 2: {…}}, and behind it fixed ones.
            let group = [0x43, 0x08, 0x02, 0x13, 0x14, 0x44, 0x4d, 1, 2, 3, 4, 0x51, 1, 2, 3, 4, 5, 6, 7, 8];
            let expected = vec![(8, Wire::Group), (9, Wire::Fixed), (10, Wire::Fixed)];
            assert_eq!(outline(&group, step), Some(expected));
        }
        assert_eq!(outline(&[], 1), Some(vec![]), "a message may be empty");
    }

    #[test]
    fn what_is_not_protobuf_tells_nothing() {
        for bad in [
            &[0x00, 0x01][..],
            &[0x0e],
            &[0x44],
            &[0x43, 0x3c],
            &[0x43],
            &[0x08],
            &[0x0a, 0x05, 1, 2],
            &[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
            &[0xff; 11],
            &[0x43; 40],
            b"{\"a\": 1}",
        ] {
            assert_eq!(outline(bad, 1), None, "{bad:?}");
            assert_eq!(outline(bad, 100), None, "{bad:?}");
        }
    }

    #[test]
    fn a_message_of_many_fields_is_told_in_part() {
        let many: Vec<u8> = (1..=200_u32).flat_map(|n| [(n << 3) as u8 | 0x80, (n >> 4) as u8, 0]).collect();
        assert_eq!(outline(&many, 7).map(|found| found.len()), Some(FIELDS));
    }
}
