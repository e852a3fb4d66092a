//! From the bytes of a capture to exchanges, against the truth of generated traffic: nothing lost that was captured,
//! nothing invented, nothing paired wrongly, every byte accounted for.

#[path = "common/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;

use shadowtap::base::{Ledger, Limits, Missing};
use shadowtap::exchange::{Observer, Outcome, Pairing, Sides};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::{Connection, Table};
use shadowtap::wire::Decoder;
use shadowtap::wire::file::Reader;
use traffic::{Plan, Recording, Sent};

/// Method, host, target, status, response body bytes: no two exchanges of a connection share them all by accident.
type Row = (String, String, String, Option<u16>, u64);

#[derive(Default)]
struct Collect {
    rows: Vec<(Row, bool)>,
    orphans: u64,
}

struct Open {
    row: Row,
    orphan: bool,
}

impl Observer for Collect {
    type Request = Open;

    fn request(&mut self, _: &Connection, _: Sides, head: &RequestHead<'_>) -> Open {
        let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        let host = head.host.map(text).unwrap_or_default();
        Open { row: (head.method.to_owned(), host, text(head.target.bytes()), None, 0), orphan: false }
    }

    fn hidden(&mut self, c: &Connection, sides: Sides, head: &RequestHead<'_>) -> Open {
        self.request(c, sides, head)
    }

    fn response(&mut self, request: &mut Open, head: &ResponseHead<'_>) {
        request.row.3 = Some(head.status);
    }

    fn finish(&mut self, _: &Connection, mut request: Open, outcome: &Outcome) {
        if request.orphan {
            self.orphans += 1;
            return;
        }
        request.row.4 = outcome.response_body;
        self.rows.push((request.row, outcome.partial.is_whole()));
    }

    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) -> Open {
        Open { row: Row::default(), orphan: true }
    }
}

fn read(recording: &Recording) -> (Collect, Ledger) {
    let limits = Limits::default();
    let mut decoder = Decoder::new(&limits);
    let mut table = Table::new(&limits);
    let mut pairing = Pairing::new(Collect::default(), &limits);
    let mut reader = Reader::open("generated", &recording.pcap[..]).expect("a pcap file");
    while let Some(frame) = reader.next().expect("whole records") {
        if let Some(segment) = decoder.decode(&frame) {
            table.segment(&mut pairing, &segment);
        }
    }
    decoder.finish();
    table.finish(&mut pairing);
    let mut ledger = decoder.ledger.clone();
    ledger.merge(&table.ledger);
    ledger.merge(&pairing.ledger);
    (pairing.observer, ledger)
}

fn row(s: &Sent) -> Row {
    (s.method.to_owned(), s.host.clone(), s.target.clone(), Some(s.status), s.body)
}

fn count<T: Ord>(rows: impl Iterator<Item = T>) -> BTreeMap<T, i64> {
    let mut out = BTreeMap::new();
    for r in rows {
        *out.entry(r).or_default() += 1;
    }
    out
}

#[test]
fn a_clean_capture_gives_each_exchange_once_and_whole() {
    for vlan in [false, true] {
        let recording = traffic::make(&Plan { vlan, ..Plan::default() });
        let (got, ledger) = read(&recording);
        assert_eq!(got.orphans, 0);
        assert!(got.rows.iter().all(|(_, whole)| *whole));
        assert_eq!(count(got.rows.iter().map(|(r, _)| r.clone())), count(recording.sent.iter().map(row)));
        assert_eq!((ledger.packets, ledger.captured), (recording.frames, recording.bytes));
        assert_eq!(ledger.accounted(), ledger.captured, "{ledger:?}");
        assert_eq!(ledger.missing(Missing::Gap), 0);
    }
}

#[test]
fn a_bad_tap_loses_nothing_that_was_captured_and_invents_nothing() {
    let (mut intact, mut found) = (0_i64, 0_i64);
    for seed in 1..=6 {
        let recording = traffic::make(&Plan { seed, ..Plan::default() }.adverse());
        let (got, ledger) = read(&recording);
        let sent = count(recording.sent.iter().map(row));
        // Whole exchanges are right in every detail; partial ones of a chunked body may not know its size.
        let whole = count(got.rows.iter().filter(|(r, w)| *w && r.3.is_some()).map(|(r, _)| r.clone()));
        for (r, n) in &whole {
            assert!(sent.get(r).is_some_and(|s| s >= n), "seed {seed}: never sent, or paired wrongly: {r:?}");
        }
        let without_size = |r: &Row| (r.0.clone(), r.1.clone(), r.2.clone(), r.3);
        let mut paired = count(got.rows.iter().filter(|(r, _)| r.3.is_some()).map(|(r, _)| without_size(r)));
        let ever = count(recording.sent.iter().map(|s| without_size(&row(s))));
        for (r, n) in &paired {
            assert!(ever.get(r).is_some_and(|s| s >= n), "seed {seed}: never sent, or paired wrongly: {r:?}");
        }
        for s in recording.sent.iter().filter(|s| s.heads) {
            intact += 1;
            let left = paired.entry(without_size(&row(s))).or_default();
            found += i64::from(*left > 0);
            *left -= 1;
        }
        assert_eq!(ledger.accounted(), ledger.captured, "seed {seed}: {ledger:?}");
        assert_eq!(
            ledger.missing(Missing::Gap),
            recording.lost_bytes,
            "seed {seed}: each lost byte is known to be lost"
        );
    }
    assert!(found * 1000 >= intact * 998, "{found} of {intact} exchanges whose heads were captured");
}
