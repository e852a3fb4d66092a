//! Link layers, IP and its fragments. Law: every captured byte is in one bucket of the ledger or in a segment's payload.
#![no_main]

use libfuzzer_sys::fuzz_target;
use shadowtap::base::Limits;
use shadowtap::wire::{Decoder, Frame, LinkType};
use shadowtap_fuzz::{Choices, time};

const LINKS: [LinkType; 12] = [
    LinkType::ETHERNET,
    LinkType::NULL,
    LinkType::PPP,
    LinkType::RAW_12,
    LinkType::PPP_HDLC,
    LinkType::PPP_ETHER,
    LinkType::RAW,
    LinkType::LOOP,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::IPV6,
    LinkType(0xffff),
];

fuzz_target!(|data: &[u8]| {
    let mut choices = Choices(data);
    // Small, so that limits are reached.
    let limits = Limits { fragments: 4, fragment_bytes: 4096, ..Limits::default() };
    let mut decoder = Decoder::new(&limits);
    let (mut captured, mut handed, mut now) = (0, 0, 0);
    while !choices.is_empty() {
        let link = LINKS[choices.below(LINKS.len())];
        let size = choices.below(1600);
        let cut = u32::from(choices.u8() & 15);
        now += u64::from(choices.u8()) << 28;
        let bytes = choices.take(size);
        captured += bytes.len() as u64;
        let frame = Frame { ts: time(now), link, data: bytes, wire_len: bytes.len() as u32 + cut };
        if let Some(segment) = decoder.decode(&frame) {
            handed += segment.payload.len() as u64;
        }
    }
    decoder.finish();
    assert_eq!(decoder.ledger.captured, captured);
    assert_eq!(decoder.ledger.accounted() + handed, captured, "a byte in no bucket or in two");
});
