//! The observer that writes lines.
//!
//! Takes exchanges, gives a line for each. Keeps of an exchange only what its line will show, and only until it ends.

use std::io::{self, Write};

use super::record::Record;
use super::window::{Bounds, Leaves, Window};
use crate::base::Timestamp;
use crate::cli::lines::{Lines, Waiting};
use crate::exchange::{BodyWish, Grpc, Messages, Observer, Outcome, Sides};
use crate::proto::websocket::Tally;
use crate::proto::{RequestHead, ResponseHead};
use crate::stream::Connection;

/// Writes exchanges as lines.
pub(super) struct Transcript<W> {
    window: Window<Record>,
    out: Out<W>,
    raw: bool,
}

/// The lines, and what is to be told about them.
struct Out<W> {
    lines: Lines<W>,
    /// Decoded bytes of one body that are looked at.
    most: u64,
    counts: Counts,
    /// Of the line before: an exchange that has not ended knows no time of its own.
    last: Timestamp,
}

/// Lines that are not as they should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Those that stand behind later ones.
    pub(super) late: u64,
    /// Those that were written before their exchange ended.
    pub(super) unfinished: u64,
}

impl<W: Write> Transcript<W> {
    /// Writes to `to`; `most` is the limit of decoded body bytes.
    pub(super) fn new(to: W, waiting: Waiting, raw: bool, most: u64) -> Self {
        let out = Out { lines: Lines::new(to, waiting), most, counts: Counts::default(), last: Timestamp(0) };
        Self { window: Window::new(Bounds::default()), out, raw }
    }

    /// Has writing failed? Then reading on is useless.
    pub(super) fn failed(&self) -> bool {
        self.out.lines.failed()
    }

    /// Writes out what waits; the first error there was.
    pub(super) fn end(self) -> io::Result<Counts> {
        let Out { lines, counts, .. } = self.out;
        Ok(Counts { late: lines.end()?, ..counts })
    }

    fn begin(&mut self, record: Record) -> u64 {
        let weight = record.weight();
        let out = &mut self.out;
        self.window.begin(record, weight, &mut |record, how| out.write(&record, how))
    }
}

impl<W: Write> Out<W> {
    fn write(&mut self, record: &Record, how: Leaves) {
        self.counts.unfinished += u64::from(how == Leaves::Unfinished);
        self.last = record.outcome.map_or(self.last, |o| o.started);
        if !self.lines.failed() {
            self.lines.take(self.last, record.line(self.most));
        }
    }
}

impl<W: Write> Observer for Transcript<W> {
    type Request = u64;

    fn request(&mut self, _: &Connection, sides: Sides, head: &RequestHead<'_>) -> u64 {
        let record = Record::request(sides, head, self.raw);
        self.begin(record)
    }

    fn grpc(&mut self, request: &mut u64, call: &Grpc) {
        if let Some(record) = self.window.get_mut(*request) {
            record.grpc = Some(*call);
        }
    }

    /// A line is written once: with the messages.
    fn messages(&mut self, _: &mut u64) -> Messages<u64> {
        Messages::Together
    }

    fn websocket(&mut self, request: &mut u64, tally: &[Tally; 2], _: Timestamp) {
        if let Some(record) = self.window.get_mut(*request) {
            record.websocket = Some(Box::new(*tally));
        }
    }

    fn hidden(&mut self, connection: &Connection, sides: Sides, head: &RequestHead<'_>) -> u64 {
        self.request(connection, sides, head)
    }

    fn response(&mut self, request: &mut u64, head: &ResponseHead<'_>) {
        if let Some(record) = self.window.get_mut(*request) {
            record.response(head);
        }
    }

    fn wants(&self, request: &u64, response: bool) -> BodyWish {
        match self.window.get(*request) {
            Some(record) if record.coded[usize::from(response)] => BodyWish::Decoded,
            _ => BodyWish::None,
        }
    }

    fn body(&mut self, request: &mut u64, response: bool, bytes: &[u8]) {
        if let Some(record) = self.window.get_mut(*request) {
            record.decoded[usize::from(response)] += bytes.len() as u64;
        }
    }

    fn finish(&mut self, _: &Connection, request: u64, outcome: &Outcome) {
        if let Some(record) = self.window.get_mut(request) {
            record.outcome = Some(*outcome);
        }
        let out = &mut self.out;
        self.window.end(request, &mut |record, how| out.write(&record, how));
    }

    fn orphan(&mut self, _: &Connection, sides: Sides, head: &ResponseHead<'_>) -> u64 {
        self.begin(Record::orphan(sides, head))
    }
}
