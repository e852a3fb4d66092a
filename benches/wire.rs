//! Speed of the wire floor: records of a file, frames to segments, the careful way, fragments.
//!
//! `cargo bench --bench wire`; a file of one's own: `SHADOWTAP_BENCH_PCAP=FILE cargo bench --bench wire`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use etherparse::PacketBuilder;
use shadowtap::base::{Limits, Timestamp};
use shadowtap::wire::file::Reader;
use shadowtap::wire::{Decoder, Frame, LinkType};

#[path = "../tests/common/wrap.rs"]
#[allow(dead_code, reason = "the file serves tests, too")]
mod wrap;

use wrap::{Made, Wrap};

/// Frames as an API's traffic has them: four in ten are bare acknowledgements.
const SIZES: [usize; 10] = [0, 420, 0, 1460, 700, 0, 180, 1460, 0, 300];
const FRAMES: usize = 20_000;

fn frames(build: impl Fn(usize, &[u8]) -> Vec<u8>) -> Vec<Vec<u8>> {
    let payload = [b'x'; 1460];
    (0..FRAMES).map(|i| build(i, &payload[..SIZES[i % SIZES.len()]])).collect()
}

fn plain(i: usize, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let builder = PacketBuilder::ethernet2([1; 6], [2; 6]).ipv4([10, 0, (i >> 8) as u8, i as u8], [10, 1, 0, 1], 64);
    builder.tcp(50_000, 80, i as u32, 512).ack(1).write(&mut out, payload).expect("a packet");
    out
}

fn tagged(i: usize, payload: &[u8]) -> Vec<u8> {
    let plain = plain(i, payload);
    [&plain[..12], &[0x81, 0, 0, 5], &plain[12..]].concat()
}

/// IPv6 with a destination options header: not for the fast way.
fn extended(i: usize, payload: &[u8]) -> Vec<u8> {
    let mut ip = Vec::new();
    let builder = PacketBuilder::ipv6([1; 16], [2; 16], 64).tcp(50_000, 80, i as u32, 512).ack(1);
    builder.write(&mut ip, payload).expect("a packet");
    let length = (ip.len() - 40 + 8) as u16;
    ip[4..6].copy_from_slice(&length.to_be_bytes());
    ip[6] = 60;
    [&[2; 12][..], &[0x86, 0xdd], &ip[..40], &[6, 0, 1, 4, 0, 0, 0, 0], &ip[40..]].concat()
}

fn fragmented(i: usize, _: &[u8]) -> Vec<u8> {
    let mut packet = plain(i / 2, &[b'x'; 1460]);
    let id = (i / 2) as u16;
    packet[18..20].copy_from_slice(&id.to_be_bytes());
    let (from, to, place) = if i.is_multiple_of(2) { (0, 744, 0x2000_u16) } else { (744, 1480, 93) };
    packet[16..18].copy_from_slice(&(20 + to as u16 - from as u16).to_be_bytes());
    packet[20..22].copy_from_slice(&place.to_be_bytes());
    [&packet[..34], &packet[34 + from..34 + to]].concat()
}

/// The same in a tunnel.
fn wrapped(i: usize, payload: &[u8], wraps: &[Wrap]) -> Vec<u8> {
    wraps.iter().fold(Made::Ethernet(plain(i, payload)), |made, wrap| wrap.around(made)).frame()
}

fn vxlan(i: usize, payload: &[u8]) -> Vec<u8> {
    wrapped(i, payload, &[Wrap::Vxlan])
}

fn geneve(i: usize, payload: &[u8]) -> Vec<u8> {
    wrapped(i, payload, &[Wrap::Geneve])
}

fn erspan(i: usize, payload: &[u8]) -> Vec<u8> {
    wrapped(i, payload, &[Wrap::Erspan3])
}

fn gtp(i: usize, payload: &[u8]) -> Vec<u8> {
    Wrap::Gtp.around(Made::Ip(plain(i, payload)[14..].to_vec())).frame()
}

fn nested(i: usize, payload: &[u8]) -> Vec<u8> {
    wrapped(i, payload, &[Wrap::Vlan, Wrap::Vxlan, Wrap::MplsControlWord, Wrap::Erspan2])
}

fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
    for (i, f) in frames.iter().enumerate() {
        for word in [1_700_000_000 + i as u32 / 1000, i as u32 % 1000, f.len() as u32, f.len() as u32] {
            out.extend(word.to_le_bytes());
        }
        out.extend(f);
    }
    out
}

fn pcapng(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut block = |words: &[u32], data: &[u8]| {
        let len = (words.len() * 4 + data.len().next_multiple_of(4) + 8) as u32;
        out.extend(words[0].to_le_bytes());
        out.extend(len.to_le_bytes());
        out.extend(words[1..].iter().flat_map(|w| w.to_le_bytes()));
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(len.to_le_bytes());
    };
    block(&[0x0a0d_0d0a, 0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]);
    block(&[1, 1, 0], &[]);
    for (i, f) in frames.iter().enumerate() {
        block(&[6, 0, 0x0005_0000, i as u32, f.len() as u32, f.len() as u32], f);
    }
    out
}

fn wire(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(FRAMES as u64));
    type Build = fn(usize, &[u8]) -> Vec<u8>;
    let kinds: [(&str, Build); 9] = [
        ("ipv4", plain),
        ("vlan", tagged),
        ("ipv6_extensions", extended),
        ("ipv4_fragments", fragmented),
        ("vxlan", vxlan),
        ("geneve", geneve),
        ("erspan", erspan),
        ("gtp", gtp),
        ("vlan_in_vxlan_in_mpls_in_erspan", nested),
    ];
    for (name, build) in kinds {
        let frames = frames(build);
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut decoder = Decoder::new(&Limits::default());
                let mut segments = 0;
                for data in &frames {
                    let ts = Timestamp(1_700_000_000_000_000_000);
                    let frame = Frame { ts, link: LinkType::ETHERNET, data, wire_len: data.len() as u32 };
                    segments += usize::from(black_box(decoder.decode(&frame)).is_some());
                }
                assert!(segments >= FRAMES / 2);
            });
        });
    }
    group.finish();

    let mut group = c.benchmark_group("read");
    group.throughput(Throughput::Elements(FRAMES as u64));
    let frames = frames(plain);
    for (name, bytes) in [("pcap", pcap(&frames)), ("pcapng", pcapng(&frames))] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut reader = Reader::open(name, &bytes[..]).expect("a capture");
                let mut n = 0;
                while let Some(frame) = reader.next().expect("sound") {
                    n += usize::from(!black_box(frame.data).is_empty());
                }
                assert_eq!(n, FRAMES);
            });
        });
    }
    group.finish();

    let Some(path) = std::env::var_os("SHADOWTAP_BENCH_PCAP") else { return };
    let mut group = c.benchmark_group("file");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(std::fs::metadata(&path).expect("the file").len()));
    group.bench_function("read_and_decode", |b| {
        b.iter(|| {
            let file = std::fs::File::open(&path).expect("the file");
            let mut reader = Reader::open("file", file).expect("a capture");
            let mut decoder = Decoder::new(&Limits::default());
            let mut bytes = 0;
            while let Some(frame) = reader.next().expect("sound") {
                bytes += decoder.decode(&frame).map_or(0, |s| s.payload.len());
            }
            black_box(bytes)
        });
    });
    group.finish();
}

criterion_group!(benches, wire);
criterion_main!(benches);
