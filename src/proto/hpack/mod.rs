//! Header compression for HTTP/2 (RFC 7541), as a bystander reads it.
//!
//! Takes header blocks in the order in which they were sent, gives their fields as a [`List`]. Unlike a peer, a bystander
//! may have come late or may have missed blocks: then parts of the table are unknown ([`Decoder::forget`]), a field that
//! points there is unknown and says so, and what is inserted from then on is known. Bounded: the table's text, the number
//! of fields and the bytes of a list have limits; what exceeds a list's is counted and left out, and the table stays in
//! step all the same. Never guesses what an index hides.

mod huffman;
mod list;
mod table;

pub use list::{Field, List};

use table::{Lookup, Table};

/// Why a block cannot be read. The connection's own ends would have given up at this point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It ends inside a field.
    Cut,
    /// An integer that needs more than 32 bits (RFC 7541, 5.1).
    Integer,
    /// A string that is not what the Huffman code gives (5.2).
    Huffman,
    /// An index that no entry has (2.3.3), or 0 (6.1).
    Index,
    /// A table size update behind a field (4.2).
    Update,
}

/// How much of a block's fields is given.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Fields of one block.
    pub fields: usize,
    /// Bytes of names and values of one block.
    pub bytes: usize,
}

/// Decodes the header blocks of one direction.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// The largest table that the receiver has allowed, where that is known.
    allowed: Option<usize>,
}

impl Decoder {
    /// A decoder that sees a connection from its beginning. Of the dynamic table at most `table_bytes` are held.
    pub fn new(table_bytes: usize) -> Self {
        Self { table: Table::new(table_bytes), allowed: Some(table::DEFAULT_SIZE) }
    }

    /// A block was missed: nothing is known of the table but what will be inserted from now on.
    pub fn forget(&mut self) {
        self.table.forget();
        self.allowed = None;
    }

    /// The sender has acknowledged the receiver's SETTINGS_HEADER_TABLE_SIZE: from now on that is the most it may use
    /// (RFC 9113, 4.3.1). Its own size update tells what it does use.
    pub fn allow(&mut self, bytes: u32) {
        self.allowed = Some(bytes as usize);
    }

    /// Bytes of memory it takes.
    pub fn held(&self) -> usize {
        self.table.held()
    }

    /// Decodes one block into `list`, whose content goes.
    ///
    /// # Errors
    /// [`Error`], and the table is unknown from then on; what was read before is in the list.
    pub fn decode(&mut self, block: &[u8], bounds: &Bounds, list: &mut List) -> Result<(), Error> {
        list.clear();
        let outcome = self.fields(block, bounds, list);
        if outcome.is_err() {
            self.forget();
        }
        outcome
    }

    fn fields(&mut self, block: &[u8], bounds: &Bounds, list: &mut List) -> Result<(), Error> {
        let mut rest = block;
        let mut begun = false;
        while let Some(&first) = rest.first() {
            if first & 0xe0 == 0x20 {
                // Dynamic table size update (6.3).
                let size = integer(&mut rest, 5)? as usize;
                if begun {
                    return Err(Error::Update);
                }
                list.oversized |= self.allowed.is_some_and(|allowed| size > allowed);
                self.table.resize(size);
                continue;
            }
            begun = true;
            if first & 0x80 != 0 {
                // Indexed field (6.1).
                let index = integer(&mut rest, 7)? as usize;
                match self.table.get(index) {
                    Lookup::Field(name, value) => list.push(name, value, bounds),
                    Lookup::Nothing => return Err(Error::Index),
                }
                continue;
            }
            // Literal field: with incremental indexing (6.2.1), without (6.2.2), never indexed (6.2.3).
            let insert = first & 0x40 != 0;
            let index = integer(&mut rest, if insert { 6 } else { 4 })? as usize;
            let mut literal = list.begin();
            if index == 0 {
                string(&mut rest, list)?;
                list.name_ends(&mut literal);
            } else {
                match self.table.get(index) {
                    Lookup::Field(Some(name), _) => {
                        list.text.extend_from_slice(name);
                        list.name_ends(&mut literal);
                    }
                    Lookup::Field(None, _) => {}
                    Lookup::Nothing => return Err(Error::Index),
                }
            }
            string(&mut rest, list)?;
            list.value_ends(&mut literal);
            if insert {
                let field = list.field(&literal);
                self.table.insert(field.name, field.value);
            }
            list.keep(literal, bounds);
        }
        Ok(())
    }
}

/// An integer with a prefix of `bits` bits (RFC 7541, 5.1), up to 32 bits large.
#[inline]
fn integer(rest: &mut &[u8], bits: u32) -> Result<u32, Error> {
    let [first, more @ ..] = *rest else { return Err(Error::Cut) };
    *rest = more;
    let most = (1u32 << bits) - 1;
    let mut value = u32::from(*first) & most;
    if value < most {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21, 28] {
        let [byte, more @ ..] = *rest else { return Err(Error::Cut) };
        *rest = more;
        let part = u32::from(byte & 0x7f);
        if shift == 28 && part > 0xf {
            return Err(Error::Integer);
        }
        value = value.checked_add(part << shift).ok_or(Error::Integer)?;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::Integer)
}

/// A string literal (RFC 7541, 5.2), appended to the list's text.
#[inline]
fn string(rest: &mut &[u8], list: &mut List) -> Result<(), Error> {
    let coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)? as usize;
    let (text, more) = rest.split_at_checked(length).ok_or(Error::Cut)?;
    *rest = more;
    if coded {
        huffman::decode(text, &mut list.text).map_err(|_| Error::Huffman)
    } else {
        list.text.extend_from_slice(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
