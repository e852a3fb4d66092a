//! Packet time.
//!
//! Takes what the capture says, gives nanoseconds since the Unix epoch. Never reads a clock: the same
//! capture must give the same inventory on any machine.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Nanoseconds since 1970-01-01T00:00:00Z, as the capture stamped them. Good until the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub u64);

/// Nanoseconds in one second.
const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in one day.
const DAY: u64 = 86_400 * SECOND;

impl Timestamp {
    /// From a seconds/nanoseconds pair. Nanoseconds of a second or more carry over, and what no longer fits saturates.
    pub fn from_parts(seconds: u64, nanos: u64) -> Self {
        Self(seconds.saturating_mul(SECOND).saturating_add(nanos))
    }

    /// Nanoseconds from `earlier` to `self`; 0 when the clock stepped back in between.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Days since the epoch, in UTC.
    pub fn day(self) -> u32 {
        // 2^64 ns are 213,504 days: the quotient fits.
        (self.0 / DAY) as u32
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with nine decimals: `2026-11-24T07:30:57.000000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, in_day) = (self.0 / DAY, self.0 % DAY);
        let (seconds, nanos) = (in_day / SECOND, in_day % SECOND);
        let (year, month, date) = civil(days);
        write!(
            f,
            "{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}.{nanos:09}Z",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        )
    }
}

/// Days since the epoch to a date of the proleptic Gregorian calendar. Years are counted from March, so
/// that the leap day comes last; an era is 400 years, 146,097 days.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // from 0000-03-01 to 1970-01-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let date = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_rfc_3339() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(Timestamp::from_parts(951_782_400, 1).to_string(), "2000-02-29T00:00:00.000000001Z");
        assert_eq!(Timestamp::from_parts(1_795_428_000, 0).to_string(), "2026-11-23T10:00:00.000000000Z");
    }

    #[test]
    fn a_clock_that_steps_back_gives_no_negative_span() {
        assert_eq!(Timestamp(5).since(Timestamp(9)), 0);
        assert_eq!(Timestamp(9).since(Timestamp(5)), 4);
    }

    #[test]
    fn days_agree_with_the_calendar() {
        let t = Timestamp::from_parts(86_400 * 20_000, 0);
        assert_eq!(t.day(), 20_000);
        assert!(t.to_string().starts_with("2024-10-04T"));
    }

    #[test]
    fn overflow_saturates() {
        assert_eq!(Timestamp::from_parts(u64::MAX, 0).0, u64::MAX);
    }
}
