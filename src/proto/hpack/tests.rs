//! RFC 7541's own examples, hostile blocks, unknown tables, and another implementation's word.

use proptest::prelude::*;

use super::*;

const BOUNDS: Bounds = Bounds { fields: 1000, bytes: 1 << 20 };

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|d| u8::from_str_radix(std::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
}

fn shown(list: &List) -> Vec<(String, String)> {
    let text = |part: Option<&[u8]>| part.map_or("?".to_owned(), |p| String::from_utf8_lossy(p).into_owned());
    list.iter().map(|f| (text(f.name), text(f.value))).collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
}

/// Decodes and tells the list, the table and its size.
fn check(decoder: &mut Decoder, block: &str, fields: &[(&str, &str)], table: &[(&str, &str)], size: usize) {
    let mut list = List::new();
    assert_eq!(decoder.decode(&hex(block), &BOUNDS, &mut list), Ok(()));
    assert_eq!(shown(&list), pairs(fields));
    assert_eq!(decoder.table.all(), (pairs(table), size));
}

#[test]
fn appendix_c_1_integers() {
    let read = |bytes: &[u8], bits| {
        let mut rest = bytes;
        integer(&mut rest, bits).map(|n| (n, rest.len()))
    };
    assert_eq!(read(&[0b1110_1010], 5), Ok((10, 0)));
    assert_eq!(read(&[0b0001_1111, 0b1001_1010, 0b0000_1010], 5), Ok((1337, 0)));
    assert_eq!(read(&[0b0010_1010], 8), Ok((42, 0)));
    assert_eq!(read(&[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f], 7), Ok((u32::MAX, 0)));
    assert_eq!(read(&[0x7f, 0x81, 0xff, 0xff, 0xff, 0x0f], 7), Err(Error::Integer));
    assert_eq!(read(&[0x7f, 0xff, 0xff, 0xff, 0xff, 0x1f], 7), Err(Error::Integer));
    assert_eq!(read(&[0x7f, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 7), Err(Error::Integer));
    assert_eq!(read(&[0x7f, 0x80], 7), Err(Error::Cut));
    assert_eq!(read(&[], 7), Err(Error::Cut));
}

#[test]
fn appendix_c_2_single_fields() {
    let d = || Decoder::new(1 << 16);
    let custom = [("custom-key", "custom-header")];
    check(&mut d(), "400a 6375 7374 6f6d 2d6b 6579 0d63 7573 746f 6d2d 6865 6164 6572", &custom, &custom, 55);
    check(&mut d(), "040c 2f73 616d 706c 652f 7061 7468", &[(":path", "/sample/path")], &[], 0);
    check(&mut d(), "1008 7061 7373 776f 7264 0673 6563 7265 74", &[("password", "secret")], &[], 0);
    check(&mut d(), "82", &[(":method", "GET")], &[], 0);
}

#[test]
fn appendix_c_3_and_c_4_requests() {
    let plain = [
        "8286 8441 0f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "8286 84be 5808 6e6f 2d63 6163 6865",
        "8287 85bf 400a 6375 7374 6f6d 2d6b 6579 0c63 7573 746f 6d2d 7661 6c75 65",
    ];
    let coded = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];
    let authority = (":authority", "www.example.com");
    let (cache, custom) = (("cache-control", "no-cache"), ("custom-key", "custom-value"));
    for blocks in [plain, coded] {
        let mut d = Decoder::new(1 << 16);
        let get = [(":method", "GET"), (":scheme", "http"), (":path", "/"), authority];
        check(&mut d, blocks[0], &get, &[authority], 57);
        check(&mut d, blocks[1], &[&get[..], &[cache]].concat(), &[cache, authority], 110);
        let third = [(":method", "GET"), (":scheme", "https"), (":path", "/index.html"), authority, custom];
        check(&mut d, blocks[2], &third, &[custom, cache, authority], 164);
    }
}

#[test]
fn appendix_c_5_and_c_6_responses_with_eviction() {
    let plain = [
        "4803 3330 3258 0770 7269 7661 7465 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3120 474d \
         546e 1768 7474 7073 3a2f 2f77 7777 2e65 7861 6d70 6c65 2e63 6f6d",
        "4803 3330 37c1 c0bf",
        "88c1 611d 4d6f 6e2c 2032 3120 4f63 7420 3230 3133 2032 303a 3133 3a32 3220 474d 54c0 5a04 677a 6970 7738 666f \
         6f3d 4153 444a 4b48 514b 425a 584f 5157 454f 5049 5541 5851 5745 4f49 553b 206d 6178 2d61 6765 3d33 3630 303b \
         2076 6572 7369 6f6e 3d31",
    ];
    let coded = [
        "4882 6402 5885 aec3 771a 4b61 96d0 7abe 9410 54d4 44a8 2005 9504 0b81 66e0 82a6 2d1b ff6e 919d 29ad 1718 63c7 \
         8f0b 97c8 e9ae 82ae 43d3",
        "4883 640e ffc1 c0bf",
        "88c1 6196 d07a be94 1054 d444 a820 0595 040b 8166 e084 a62d 1bff c05a 839b d9ab 77ad 94e7 821d d7f2 e6c7 b335 \
         dfdf cd5b 3960 d5af 2708 7f36 72c1 ab27 0fb5 291f 9587 3160 65c0 03ed 4ee5 b106 3d50 07",
    ];
    let cache = ("cache-control", "private");
    let (date1, date2) = (("date", "Mon, 21 Oct 2013 20:13:21 GMT"), ("date", "Mon, 21 Oct 2013 20:13:22 GMT"));
    let location = ("location", "https://www.example.com");
    let (encoding, cookie) =
        (("content-encoding", "gzip"), ("set-cookie", "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1"));
    let (s302, s307, s200) = ((":status", "302"), (":status", "307"), (":status", "200"));
    for blocks in [plain, coded] {
        let mut d = Decoder::new(1 << 16);
        // The examples set the size to 256 by other means.
        d.table.resize(256);
        check(&mut d, blocks[0], &[s302, cache, date1, location], &[location, date1, cache, s302], 222);
        check(&mut d, blocks[1], &[s307, cache, date1, location], &[s307, location, date1, cache], 222);
        let third = [s200, cache, date2, location, encoding, cookie];
        check(&mut d, blocks[2], &third, &[cookie, encoding, date2], 215);
    }
}

#[test]
fn hard_case_26_a_table_picked_up_midway_hides_and_learns() {
    let mut d = Decoder::new(1 << 16);
    d.forget();
    let mut list = List::new();
    // GET, index 62 (inserted before), a new name and value at 62; then the former 62 is 63.
    let block = [&hex("82be")[..], &hex("4001 6101 62"), &hex("bebf")].concat();
    assert_eq!(d.decode(&block, &BOUNDS, &mut list), Ok(()));
    assert_eq!(shown(&list), pairs(&[(":method", "GET"), ("?", "?"), ("a", "b"), ("a", "b"), ("?", "?")]));
    assert_eq!(list.unknown, 2);
    // A value under an unknown name is kept as such, also in the table.
    assert_eq!(d.decode(&hex("7f00 0178 be"), &BOUNDS, &mut list), Ok(()));
    assert_eq!(shown(&list), pairs(&[("?", "x"), ("?", "x")]));
    // A size update to 0 empties it: from now on all is known.
    assert_eq!(d.decode(&hex("203f e11f 4001 6301 64be"), &BOUNDS, &mut list), Ok(()));
    assert_eq!(shown(&list), pairs(&[("c", "d"), ("c", "d")]));
    assert_eq!(d.decode(&hex("bf"), &BOUNDS, &mut list), Err(Error::Index));
    // After an error nothing is known.
    assert_eq!(d.decode(&hex("be"), &BOUNDS, &mut list), Ok(()));
    assert_eq!(list.unknown, 1);
}

#[test]
fn hard_case_26_size_updates() {
    let mut d = Decoder::new(1 << 16);
    let mut list = List::new();
    assert_eq!(d.decode(&hex("3f e1 3f 82"), &BOUNDS, &mut list), Ok(()));
    assert!(list.oversized, "8192 where 4096 is allowed");
    d.allow(8192);
    assert_eq!(d.decode(&hex("3f e1 3f 82"), &BOUNDS, &mut list), Ok(()));
    assert!(!list.oversized);
    assert_eq!(d.decode(&hex("82 20"), &BOUNDS, &mut list), Err(Error::Update), "only in front");
}

#[test]
fn bad_blocks() {
    let bad = |block: &str| Decoder::new(1 << 16).decode(&hex(block), &BOUNDS, &mut List::new());
    assert_eq!(bad("80"), Err(Error::Index));
    assert_eq!(bad("be"), Err(Error::Index));
    assert_eq!(bad("7f00 0161"), Err(Error::Index));
    assert_eq!(bad("400a 6375"), Err(Error::Cut));
    assert_eq!(bad("40"), Err(Error::Cut));
    assert_eq!(bad("4001 61"), Err(Error::Cut));
    assert_eq!(bad("0081 ff00"), Err(Error::Huffman));
    assert_eq!(bad("ffff ffff ffff"), Err(Error::Integer));
}

#[test]
fn a_bomb_of_16_kb_stays_small() {
    // One entry of 4,000 bytes, then 12,000 references to it: 48 MB when written out.
    let mut block = vec![0x40, 1, b'x', 0x7f, 0xa1, 0x1e];
    block.extend_from_slice(&[b'y'; 4000]);
    block.extend_from_slice(&[0xbe; 12_000]);
    let bounds = Bounds { fields: 512, bytes: 128 << 10 };
    let (mut d, mut list) = (Decoder::new(1 << 16), List::new());
    assert_eq!(d.decode(&block, &bounds, &mut list), Ok(()));
    assert_eq!(list.len() + list.omitted as usize, 12_001);
    assert!(list.held() < 512 << 10, "{}", list.held());
    assert!(d.held() <= 32 << 10, "{}", d.held());
    // The table has stayed in step.
    assert_eq!(d.decode(&[0xbe], &BOUNDS, &mut list), Ok(()));
    assert_eq!(list.iter().next().and_then(|f| f.value).map(<[u8]>::len), Some(4000));
    // Many fields, each small: the number of fields is what bounds them.
    assert_eq!(d.decode(&[0x82; 16_000], &bounds, &mut list), Ok(()));
    assert_eq!((list.len(), list.omitted), (512, 16_000 - 512));
}

/// A field as an encoder might send it.
#[derive(Clone, Debug)]
enum Sent {
    Index(usize),
    Literal { how: u8, name: Option<usize>, text: (Vec<u8>, bool), value: (Vec<u8>, bool) },
    Resize(usize),
}

fn put_integer(out: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        return out.push(pattern | value as u8);
    }
    out.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn put_string(out: &mut Vec<u8>, (text, coded): &(Vec<u8>, bool)) {
    let bytes = if *coded { huffman::tests::encode(text) } else { text.clone() };
    put_integer(out, if *coded { 0x80 } else { 0 }, 7, bytes.len());
    out.extend_from_slice(&bytes);
}

fn encode(sent: &[Sent]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in sent {
        match field {
            Sent::Index(index) => put_integer(&mut out, 0x80, 7, *index),
            Sent::Resize(size) => put_integer(&mut out, 0x20, 5, *size),
            Sent::Literal { how, name, text, value } => {
                let (pattern, bits) = [(0x40, 6), (0, 4), (0x10, 4)][*how as usize % 3];
                put_integer(&mut out, pattern, bits, name.unwrap_or(0));
                if name.is_none() {
                    put_string(&mut out, text);
                }
                put_string(&mut out, value);
            }
        }
    }
    out
}

fn any_field() -> impl Strategy<Value = Sent> {
    let text = || (proptest::collection::vec(any::<u8>(), 0..40), any::<bool>());
    prop_oneof![
        3 => (1usize..75).prop_map(Sent::Index),
        5 => (0u8..3, proptest::option::of(1usize..75), text(), text())
            .prop_map(|(how, name, text, value)| Sent::Literal { how, name, text, value }),
    ]
}

fn any_block() -> impl Strategy<Value = Vec<Sent>> {
    let update = proptest::option::weighted(0.2, prop_oneof![Just(0usize), 0usize..500, Just(4096)]);
    // Not an update alone: the other implementation takes that for an error.
    (update, proptest::collection::vec(any_field(), 1..20))
        .prop_map(|(update, fields)| update.map(Sent::Resize).into_iter().chain(fields).collect())
}

proptest! {
    /// The same fields, or an error, as `loona-hpack` finds.
    #[test]
    fn agrees_with_another_implementation(blocks in proptest::collection::vec(any_block(), 1..8)) {
        let (mut ours, mut theirs) = (Decoder::new(1 << 16), loona_hpack::decoder::Decoder::new());
        let mut list = List::new();
        for block in blocks {
            let bytes = encode(&block);
            let mine = ours.decode(&bytes, &BOUNDS, &mut list);
            match theirs.decode(&bytes) {
                Ok(fields) => {
                    prop_assert_eq!(mine, Ok(()));
                    let seen: Vec<_> = list.iter().map(|f| (f.name.unwrap().to_vec(), f.value.unwrap().to_vec())).collect();
                    prop_assert_eq!(seen, fields);
                }
                Err(_) => {
                    prop_assert!(mine.is_err());
                    break;
                }
            }
        }
    }

    /// A decoder that missed the first blocks knows less, and nothing else.
    #[test]
    fn hard_case_26_who_came_late_knows_less_and_nothing_else(
        blocks in proptest::collection::vec(any_block(), 2..8),
        late in 1usize..4,
        bound in prop_oneof![Just(1usize << 16), 100usize..2000],
    ) {
        let (mut whole, mut late_comer) = (Decoder::new(1 << 16), Decoder::new(bound));
        late_comer.forget();
        let (mut all, mut some) = (List::new(), List::new());
        for (n, block) in blocks.iter().enumerate() {
            let bytes = encode(block);
            if whole.decode(&bytes, &BOUNDS, &mut all).is_err() {
                break;
            }
            if n < late {
                continue;
            }
            prop_assert_eq!(late_comer.decode(&bytes, &BOUNDS, &mut some), Ok(()));
            prop_assert_eq!(all.len(), some.len());
            for (known, seen) in all.iter().zip(some.iter()) {
                prop_assert!(seen.name.is_none() || seen.name == known.name);
                prop_assert!(seen.value.is_none() || seen.value == known.value);
            }
        }
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bounds = Bounds { fields: 10, bytes: 200 };
        let (mut d, mut list) = (Decoder::new(256), List::new());
        let _ = d.decode(&bytes, &bounds, &mut list);
        prop_assert!(list.len() <= 10);
    }
}
