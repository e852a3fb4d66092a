//! Sketches: much seen, little kept.
//!
//! Takes numbers, hashes and days one by one, gives counts and estimates. Each has one `merge`, commutative and
//! associative, so that it does not matter in which order or on which machine things were seen. Integers only: the
//! same input gives the same bytes on any machine.

mod counters;
mod days;
mod distinct;

pub use counters::{Counters, bucket, quantiles};
pub use days::Days;
pub use distinct::Distinct;
