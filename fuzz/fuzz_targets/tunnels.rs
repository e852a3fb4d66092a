//! Tunnels in each other. Laws: a packet in any tunnels within the depth, in fragments or not, comes out as it went in; and however such
//! frames are damaged and cut, every captured byte is in one bucket of the ledger or in a segment's payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::{Bucket, Limits, TunnelSettings};
use shadowtap::wire::{Decoder, Frame, LinkType};
use shadowtap_fuzz::{Choices, time};

#[path = "../../tests/common/wrap.rs"]
#[allow(dead_code, reason = "the file serves tests, too")]
mod wrap;

use wrap::{Made, WRAPS};

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    let flags = choices.u8();
    let tunnels = TunnelSettings { vlan_in_key: flags & 1 != 0, vni_in_key: flags & 2 != 0, ..TunnelSettings::default() };
    let limits = Limits { nesting: 16, fragments: 4, fragment_bytes: 1 << 18, tunnels, ..Limits::default() };
    let mut decoder = Decoder::new(&limits);
    let (mut captured, mut handed, mut now) = (0, 0, 0);
    while !choices.is_empty() {
        now += u64::from(choices.u8()) << 24;
        let size = choices.below(300);
        let payload = choices.take(size).to_vec();
        let mut made = Made::Ip(wrap::tcp([([10, 0, 0, 1], 50_000), ([10, 0, 0, 2], 80)], 1, (1, 2), 16, &payload));
        for _ in 0..choices.below(5) {
            made = WRAPS[choices.below(WRAPS.len())].around(made);
        }
        let part = (usize::from(choices.u8()) + 1) * 8;
        let damages = usize::from(choices.u8() & 3);
        let cut = if choices.u8() & 3 == 0 { usize::from(choices.u8()) } else { 0 };
        let mut frames: Vec<Vec<u8>> = match made {
            Made::Ip(ip) if flags & 4 != 0 && ip[0] == 0x45 => {
                wrap::fragments(&ip, part).iter().map(|ip| wrap::ethernet(0x0800, ip)).collect()
            }
            made => vec![made.frame()],
        };
        let mut longest = None;
        for bytes in &mut frames {
            for _ in 0..damages {
                let at = choices.below(bytes.len());
                bytes[at] = choices.u8();
            }
            let wire_len = bytes.len() as u32;
            bytes.truncate(bytes.len().saturating_sub(cut));
            captured += bytes.len() as u64;
            let frame = Frame { ts: time(now), link: LinkType::ETHERNET, data: bytes, wire_len };
            if let Some(segment) = decoder.decode_with(&frame, |_| Bucket::OtherTcp) {
                handed += segment.payload.len() as u64;
                longest = Some(segment.payload.to_vec());
            }
        }
        // Fragments of a packet that came before may be taken for these: all have the same identification.
        if damages == 0 && cut == 0 && flags & 4 == 0 {
            assert_eq!(longest.as_ref(), Some(&payload), "what went in comes out");
        }
    }
    decoder.finish();
    assert_eq!(decoder.ledger.captured, captured);
    assert_eq!(decoder.ledger.accounted() + handed, captured, "a byte in no bucket or in two");
});
