//! Packet time.
//!
//! Takes what the capture says, gives nanoseconds since the Unix epoch. Never reads a clock: the same
//! capture must give the same inventory on any machine.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since 1970-01-01T00:00:00Z, as the capture stamped them. Good until the year 2554.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

impl FromStr for Timestamp {
    type Err = NotATime;

    /// Reads RFC 3339 in UTC (`Z`), with up to nine decimals.
    fn from_str(text: &str) -> Result<Self, NotATime> {
        let (date_time, fraction) = match text.strip_suffix('Z').ok_or(NotATime)?.split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (text.trim_end_matches('Z'), "0"),
        };
        let bytes = date_time.as_bytes();
        let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
        if bytes.len() != 19 || marks.iter().any(|&(at, mark)| bytes[at] != mark) {
            return Err(NotATime);
        }
        let part = |from: usize, to: usize| digits(&bytes[from..to]);
        let (year, month, date) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
        let (hour, minute, second) = (part(11, 13)?, part(14, 16)?, part(17, 19)?);
        let days = days(year, month, date).filter(|&d| civil(d) == (year, month, date)).ok_or(NotATime)?;
        if hour > 23 || minute > 59 || second > 59 || fraction.is_empty() || fraction.len() > 9 {
            return Err(NotATime);
        }
        let nanos = digits(fraction.as_bytes())? * 10_u64.pow(9 - fraction.len() as u32);
        Ok(Self::from_parts(days * 86_400 + hour * 3600 + minute * 60 + second, nanos))
    }
}

/// The text is not a point in time as RFC 3339 writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotATime;

impl fmt::Display for NotATime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time as RFC 3339 writes it, in UTC, from 1970 on")
    }
}

impl std::error::Error for NotATime {}

fn digits(text: &[u8]) -> Result<u64, NotATime> {
    text.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + u64::from(c - b'0')).ok_or(NotATime))
}

/// Text (RFC 3339) for people, a number for packed forms: nanoseconds are too large for the numbers of many JSON readers.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_u64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

/// A date to days since the epoch; the reverse of [`civil`]. `None` before 1970 and for months that do not exist.
fn days(year: u64, month: u64, date: u64) -> Option<u64> {
    if !(1..=12).contains(&month) || date == 0 {
        return None;
    }
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * from_march + 2) / 5 + date - 1;
    (era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year).checked_sub(719_468)
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
    fn reads_what_it_prints() {
        for ns in [0, 1, 951_782_400_000_000_001, 1_795_428_000_123_456_789, 4_102_444_799_999_999_999] {
            assert_eq!(Timestamp(ns).to_string().parse(), Ok(Timestamp(ns)));
        }
        assert_eq!("2024-10-04T00:00:00.5Z".parse(), Ok(Timestamp::from_parts(86_400 * 20_000, 500_000_000)));
        for bad in [
            "",
            "Z",
            "2024-10-04",
            "2024-02-30T00:00:00Z",
            "2024-10-04T00:00:60Z",
            "2024-10-04T00:00:00.Z",
            "1969-12-31T00:00:00Z",
        ] {
            assert_eq!(bad.parse::<Timestamp>(), Err(NotATime), "{bad}");
        }
    }

    #[test]
    fn text_for_people_and_a_number_when_packed() {
        let t = Timestamp(951_782_400_000_000_001);
        assert_eq!(serde_json::to_string(&t).unwrap(), "\"2000-02-29T00:00:00.000000001Z\"");
        assert_eq!(serde_json::from_str::<Timestamp>("\"2000-02-29T00:00:00.000000001Z\"").unwrap(), t);
        assert_eq!(postcard::from_bytes::<Timestamp>(&postcard::to_stdvec(&t).unwrap()).unwrap(), t);
    }

    #[test]
    fn overflow_saturates() {
        assert_eq!(Timestamp::from_parts(u64::MAX, 0).0, u64::MAX);
    }
}
