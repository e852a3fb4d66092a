//! The pcapng format (draft-ietf-opsawg-pcapng).
//!
//! Takes a window on the file, gives the place of the next frame in it. Several sections, each in its own byte order, with interfaces of
//! different link types and clocks; enhanced, simple and obsolete packet blocks. All other blocks are skipped.

use std::io::{self, Read};

use pcap_parser::{OptionCode, PcapError, parse_option_be, parse_option_le};
use zeroize::Zeroizing;

use super::window::Window;
use super::{FRAME_MAX, Located, Secrets, Step};
use crate::base::Timestamp;
use crate::wire::LinkType;

const SECTION_HEADER: u32 = 0x0a0d_0d0a; // reads the same in both byte orders
const INTERFACE: u32 = 1;
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const DECRYPTION_SECRETS: u32 = 10;
/// Their secrets are a TLS key log: "TLSK".
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// Bytes of secrets that are kept until somebody asks for them.
const SECRETS_MAX: usize = 16 << 20;

const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;

/// The most bytes of a block that is read as a whole: a frame, and options as large as their 16-bit lengths let several of them become.
const BLOCK_MAX: usize = FRAME_MAX + (1 << 20);
/// The most bytes of a block that is skipped. Longer ones are taken for damage.
const SKIP_MAX: usize = 256 << 20;
/// The most interfaces of a section.
const INTERFACES_MAX: usize = 65_536;
/// Bytes around each block's body: type, length, length again.
const AROUND: usize = 12;

/// An interface's clock and link type.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    /// Units of the timestamp in a second.
    units: u128,
    /// Nanoseconds in a unit where that is a whole number, or 0.
    nanos: u64,
    /// Nanoseconds to add to each timestamp.
    offset: i64,
}

impl Interface {
    #[inline(always)]
    fn time(&self, high: u32, low: u32) -> Timestamp {
        let units = u64::from(high) << 32 | u64::from(low);
        let nanos = if self.nanos != 0 {
            units.saturating_mul(self.nanos)
        } else {
            // Units are fewer than 2^64 and 10^9 is fewer than 2^30: the product fits.
            u64::try_from(u128::from(units) * 1_000_000_000 / self.units).unwrap_or(u64::MAX)
        };
        Timestamp(nanos.saturating_add_signed(self.offset))
    }
}

/// What holds for the blocks up to the next section header.
#[derive(Default)]
pub(super) struct Section {
    big_endian: bool,
    interfaces: Vec<Interface>,
    /// Bytes of a long block that are still to be skipped.
    skipping: usize,
    secrets: Handed,
}

/// Where secrets go that stand in the file.
enum Handed {
    /// Nobody has asked yet.
    Kept(Zeroizing<Vec<u8>>),
    To(Secrets),
}

impl Default for Handed {
    fn default() -> Self {
        Self::Kept(Zeroizing::default())
    }
}

impl Section {
    /// Hands secrets to whoever wants them, from now on and those that came already.
    pub(super) fn set_secrets(&mut self, to: Secrets) {
        if let Handed::Kept(kept) = std::mem::replace(&mut self.secrets, Handed::To(to.clone()))
            && !kept.is_empty()
        {
            to(&kept);
        }
    }

    /// A Decryption Secrets Block (draft-ietf-opsawg-pcapng, 4.7).
    #[cold]
    fn secrets(&mut self, block: &[u8]) {
        let length = self.u32(block, 12) as usize;
        let Some(secrets) = block.get(16..block.len() - 4).and_then(|body| body.get(..length)) else { return };
        if self.u32(block, 8) != TLS_KEY_LOG {
            return;
        }
        match &mut self.secrets {
            Handed::To(to) => to(secrets),
            Handed::Kept(kept) if kept.len() + secrets.len() < SECRETS_MAX => {
                kept.extend_from_slice(secrets);
                kept.push(b'\n');
            }
            Handed::Kept(_) => {}
        }
    }
}

impl Section {
    fn new(big_endian: bool) -> Self {
        Self { big_endian, ..Self::default() }
    }

    #[inline(always)]
    fn u32(&self, bytes: &[u8], at: usize) -> u32 {
        match bytes.get(at..).and_then(|b| b.first_chunk::<4>()) {
            Some(word) if self.big_endian => u32::from_be_bytes(*word),
            Some(word) => u32::from_le_bytes(*word),
            None => 0,
        }
    }

    fn u16(&self, bytes: &[u8], at: usize) -> u16 {
        match bytes.get(at..).and_then(|b| b.first_chunk::<2>()) {
            Some(word) if self.big_endian => u16::from_be_bytes(*word),
            Some(word) => u16::from_le_bytes(*word),
            None => 0,
        }
    }

    fn interface(&self, block: &[u8]) -> Interface {
        let mut interface = Interface {
            link: LinkType(self.u16(block, 8)),
            snaplen: self.u32(block, 12),
            units: 1_000_000,
            nanos: 1000,
            offset: 0,
        };
        let mut rest = block.get(16..block.len() - 4).unwrap_or_default();
        loop {
            let parsed = if self.big_endian {
                parse_option_be::<PcapError<&[u8]>>(rest)
            } else {
                parse_option_le::<PcapError<&[u8]>>(rest)
            };
            let Ok((behind, option)) = parsed else { break };
            match (option.code, option.value()) {
                (OptionCode::EndOfOpt, _) => break,
                (OptionCode::IfTsresol, [resolution, ..]) => {
                    let exponent = u32::from(resolution & 0x7f);
                    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
                    // Finer than 2^64 units in a second no clock is, and the 64-bit timestamp would not reach a second.
                    interface.units = base.checked_pow(exponent).filter(|u| *u < 1 << 64).unwrap_or(1_000_000);
                    let whole = 1_000_000_000_u128.is_multiple_of(interface.units);
                    interface.nanos = if whole { (1_000_000_000 / interface.units) as u64 } else { 0 };
                }
                (OptionCode::IfTsoffset, value) => {
                    if let Some(seconds) = value.first_chunk::<8>() {
                        let seconds =
                            if self.big_endian { i64::from_be_bytes(*seconds) } else { i64::from_le_bytes(*seconds) };
                        interface.offset = seconds.saturating_mul(1_000_000_000);
                    }
                }
                _ => {}
            }
            rest = behind;
        }
        interface
    }
}

/// Does a file that starts with `bytes` look like pcapng?
pub(super) fn starts(bytes: &[u8]) -> bool {
    bytes.starts_with(&SECTION_HEADER.to_be_bytes()) && byte_order(bytes).is_some()
}

/// The byte order that a section header at the start of `bytes` is in: is it big-endian?
fn byte_order(bytes: &[u8]) -> Option<bool> {
    let magic = bytes.get(8..12)?;
    if magic == BYTE_ORDER_MAGIC.to_be_bytes() {
        Some(true)
    } else if magic == BYTE_ORDER_MAGIC.to_le_bytes() {
        Some(false)
    } else {
        None
    }
}

/// May an enhanced packet block have this length? Twenty bytes of its own stand before the frame.
#[inline(always)]
fn enhanced_length(block: usize) -> bool {
    (AROUND + 20..=BLOCK_MAX).contains(&block) && block.is_multiple_of(4)
}

/// The frame in an enhanced packet block, which is all of `bytes`; `word` knows the byte order.
#[inline(always)]
fn enhanced(section: &Section, bytes: &[u8], word: impl Fn(&[u8; 4]) -> u32) -> Result<Located, &'static str> {
    const DISAGREE: &str = "a packet block whose lengths disagree";
    let (Some(head), Some(second)) = (bytes.first_chunk::<28>(), bytes.last_chunk::<4>()) else { return Err(DISAGREE) };
    let (words, _) = head.as_chunks::<4>();
    let len = word(&words[5]);
    if word(second) as usize != bytes.len() || len as usize > bytes.len().saturating_sub(AROUND + 20) {
        return Err(DISAGREE);
    }
    let Some(interface) = section.interfaces.get(word(&words[2]) as usize) else {
        return Err("a packet of an interface that was not described");
    };
    Ok(Located {
        ts: interface.time(word(&words[3]), word(&words[4])),
        link: interface.link,
        from: 28,
        len: len as usize,
        wire_len: word(&words[6]).max(len),
        record: bytes.len(),
    })
}

/// The next frame where it is a sound little-endian enhanced packet block, whole at the start of `bytes`.
#[inline(always)]
pub(super) fn at_hand(section: &Section, bytes: &[u8]) -> Option<Located> {
    let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
    let (words, _) = bytes.first_chunk::<8>()?.as_chunks::<4>();
    let block = word(&words[1]) as usize;
    let usual = !section.big_endian && section.skipping == 0 && word(&words[0]) == ENHANCED_PACKET;
    if !usual || !enhanced_length(block) {
        return None;
    }
    enhanced(section, bytes.get(..block)?, word).ok()
}

/// The next frame, wherever it is. `last` is the time of the one before, for blocks without a time.
pub(super) fn step<R: Read>(section: &mut Section, window: &mut Window<R>, last: Timestamp) -> io::Result<Step> {
    loop {
        if section.skipping > 0 {
            section.skipping = window.skip(section.skipping)?;
            if section.skipping > 0 {
                return Ok(Step::Short);
            }
        }
        if !window.ensure(AROUND)? {
            return Ok(if window.bytes().is_empty() { Step::End } else { Step::Short });
        }
        let kind = section.u32(window.bytes(), 0);
        if kind != ENHANCED_PACKET {
            match other(section, window, kind, last)? {
                Some(step) => return Ok(step),
                None => continue,
            }
        }
        let block = section.u32(window.bytes(), 4) as usize;
        if !enhanced_length(block) {
            return Ok(Step::Bad("a block with an impossible length"));
        }
        if !window.ensure(block)? {
            return Ok(Step::Short);
        }
        let bytes = window.bytes().get(..block).unwrap_or_default();
        let located = enhanced(section, bytes, |word| section.u32(word, 0));
        return Ok(located.map_or_else(Step::Bad, Step::Frame));
    }
}

/// Blocks that are not enhanced packets. `None`: done with it, look at the next.
fn other<R: Read>(
    section: &mut Section,
    window: &mut Window<R>,
    kind: u32,
    last: Timestamp,
) -> io::Result<Option<Step>> {
    if kind == SECTION_HEADER {
        return section_header(section, window);
    }
    let block = section.u32(window.bytes(), 4) as usize;
    let least = match kind {
        INTERFACE => AROUND + 8,
        PACKET => AROUND + 20,
        SIMPLE_PACKET => AROUND + 4,
        _ => AROUND,
    };
    let read = least > AROUND;
    if block < least || block > if read { BLOCK_MAX } else { SKIP_MAX } || !block.is_multiple_of(4) {
        return Ok(Some(Step::Bad("a block with an impossible length")));
    }
    if !read {
        // Long ones are not kept, so their second length is not compared.
        if block > BLOCK_MAX {
            section.skipping = block;
            return Ok(None);
        }
    }
    if !window.ensure(block)? {
        return Ok(Some(Step::Short));
    }
    let bytes = window.bytes().get(..block).unwrap_or_default();
    if section.u32(bytes, block - 4) as usize != block {
        return Ok(Some(Step::Bad("a block whose two lengths disagree")));
    }
    let located = match kind {
        INTERFACE => {
            if section.interfaces.len() >= INTERFACES_MAX {
                return Ok(Some(Step::Bad("one interface too many")));
            }
            let interface = section.interface(bytes);
            section.interfaces.push(interface);
            window.consume(block);
            return Ok(None);
        }
        PACKET => {
            let Some(interface) = section.interfaces.get(usize::from(section.u16(bytes, 8))) else {
                return Ok(Some(Step::Bad("a packet of an interface that was not described")));
            };
            let len = section.u32(bytes, 20) as usize;
            Located {
                ts: interface.time(section.u32(bytes, 12), section.u32(bytes, 16)),
                link: interface.link,
                from: 28,
                len,
                wire_len: section.u32(bytes, 24).max(len as u32),
                record: block,
            }
        }
        SIMPLE_PACKET => {
            let Some(interface) = section.interfaces.first() else {
                return Ok(Some(Step::Bad("a packet of an interface that was not described")));
            };
            let wire_len = section.u32(bytes, 8);
            let snaplen = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            let len = (wire_len.min(snaplen) as usize).min(block - AROUND - 4);
            Located { ts: last, link: interface.link, from: 12, len, wire_len, record: block }
        }
        _ => {
            if kind == DECRYPTION_SECRETS && block >= AROUND + 8 {
                section.secrets(bytes);
            }
            window.consume(block);
            return Ok(None);
        }
    };
    if located.from + located.len > block - 4 {
        return Ok(Some(Step::Bad("a packet block whose lengths disagree")));
    }
    Ok(Some(Step::Frame(located)))
}

fn section_header<R: Read>(section: &mut Section, window: &mut Window<R>) -> io::Result<Option<Step>> {
    let Some(big_endian) = byte_order(window.bytes()) else {
        return Ok(Some(Step::Bad("a section header without its byte order")));
    };
    let next = Section::new(big_endian);
    let block = next.u32(window.bytes(), 4) as usize;
    if !(AROUND + 16..=BLOCK_MAX).contains(&block) || !block.is_multiple_of(4) {
        return Ok(Some(Step::Bad("a section header with an impossible length")));
    }
    if !window.ensure(block)? {
        return Ok(Some(Step::Short));
    }
    if next.u32(window.bytes(), block - 4) as usize != block {
        return Ok(Some(Step::Bad("a section header whose two lengths disagree")));
    }
    window.consume(block);
    let secrets = std::mem::take(&mut section.secrets);
    *section = Section { secrets, ..next };
    Ok(None)
}

/// Goes forward to the next block that has the same sound length at both ends. `false` when there is none.
pub(super) fn find<R: Read>(section: &mut Section, window: &mut Window<R>) -> io::Result<bool> {
    while window.ensure(AROUND + 1)? {
        window.consume(1);
        let bytes = window.bytes();
        let own = match byte_order(bytes) {
            Some(big_endian) if bytes.starts_with(&SECTION_HEADER.to_be_bytes()) => Some(Section::new(big_endian)),
            _ => None,
        };
        let order = own.as_ref().unwrap_or(section);
        let (kind, block) = (order.u32(bytes, 0), order.u32(bytes, 4) as usize);
        // Of the many block types those that are in nearly every file.
        let known = own.is_some() || matches!(kind, 1..=6);
        if !known || !(AROUND + 4..=BLOCK_MAX).contains(&block) || !block.is_multiple_of(4) {
            continue;
        }
        if window.ensure(block)? && order.u32(window.bytes(), block - 4) as usize == block {
            return Ok(true);
        }
    }
    Ok(false)
}
