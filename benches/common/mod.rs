//! An observer that counts whole exchanges and does nothing else, for benches of what lies below it.

use std::hint::black_box;

use shadowtap::exchange::{Observer, Outcome, Sides};
use shadowtap::proto::{RequestHead, ResponseHead};
use shadowtap::stream::Connection;

/// Counts whole exchanges.
#[derive(Default)]
pub struct Count(pub u64);

impl Observer for Count {
    type Request = ();

    fn request(&mut self, _: &Connection, _: Sides, head: &RequestHead<'_>) {
        black_box(head.target);
    }

    fn hidden(&mut self, _: &Connection, _: Sides, _: &RequestHead<'_>) {}

    fn response(&mut self, (): &mut (), head: &ResponseHead<'_>) {
        black_box(head.status);
    }

    fn finish(&mut self, _: &Connection, (): (), outcome: &Outcome) {
        self.0 += u64::from(outcome.partial.is_whole());
    }

    fn orphan(&mut self, _: &Connection, _: Sides, _: &ResponseHead<'_>) {}
}
