//! Figures as people read them.
//!
//! Takes counts, bytes, nanoseconds and packet times, gives short text with a unit. Never rounds something to
//! nothing or nearly everything to everything: a share of 0.01 % is `<0.1 %`, one of 99.99 % is `>99.9 %`.

use crate::base::Timestamp;

/// A count with thousands separators: `1,234,567`.
pub fn exact(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A count in at most five characters of digits and a unit: `1,234`, `56.8 k`, `1.2 M`.
pub fn short(n: u64) -> String {
    if n < 10_000 { exact(n) } else { scaled(n, &["", " k", " M", " G", " T", " P", " E"]) }
}

/// Bytes in decimal units: `0 B`, `812 B`, `3.4 GB`.
pub fn bytes(n: u64) -> String {
    scaled(n, &[" B", " kB", " MB", " GB", " TB", " PB", " EB"])
}

/// `n` with one decimal below 10 units and none above 100, in the unit that fits.
fn scaled(n: u64, units: &[&str]) -> String {
    let mut value = n as f64;
    let mut unit = 0;
    // 999.5 and more would print as 1000: the next unit is shorter.
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{n}{}", units[0]);
    }
    let decimals = usize::from(value < 99.95);
    format!("{value:.decimals$}{}", units[unit])
}

/// A number of things with its noun: `1 call`, `1,234 calls`.
pub fn things(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", exact(n), if n == 1 { one } else { many })
}

/// A span of nanoseconds: `870 µs`, `12 ms`, `1.3 s`, `4 min 10 s`, `3 h 5 min`, `2 d 4 h`.
pub fn span(ns: u64) -> String {
    const SECOND: u64 = 1_000_000_000;
    let seconds = ns / SECOND;
    let two = |big: u64, one: &str, small: u64, other: &str| match small {
        0 => format!("{big} {one}"),
        _ => format!("{big} {one} {small} {other}"),
    };
    match seconds {
        0 if ns < 1000 => format!("{ns} ns"),
        0 if ns < 1_000_000 => format!("{} µs", ns / 1000),
        0 => format!("{} ms", ns / 1_000_000),
        1..60 => format!("{:.1} s", ns as f64 / SECOND as f64),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}

/// A share: `0 %`, `<0.1 %`, `12.3 %`, `>99.9 %`, `100 %`. Of nothing it is `–`.
pub fn percent(part: u64, whole: u64) -> String {
    match (part, whole) {
        (_, 0) => "–".to_owned(),
        (0, _) => "0 %".to_owned(),
        (p, w) if p >= w => "100 %".to_owned(),
        (p, w) => match p as f64 * 100.0 / w as f64 {
            share if share < 0.05 => "<0.1 %".to_owned(),
            share if share >= 99.95 => ">99.9 %".to_owned(),
            share => format!("{share:.1} %"),
        },
    }
}

/// A point in time to the second, in UTC: `2026-11-24 07:30:57`. `–` for [`Timestamp`] 0, which stands for "never".
pub fn moment(t: Timestamp) -> String {
    match t.0 {
        0 => "–".to_owned(),
        _ => t.to_string()[..19].replace('T', " "),
    }
}

/// The time of day of [`moment`] when both are of one day, else the whole.
pub fn moment_after(before: Timestamp, t: Timestamp) -> String {
    let text = moment(t);
    if t.0 != 0 && before.day() == t.day() { text[11..].to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts() {
        assert_eq!(exact(0), "0");
        assert_eq!(exact(999), "999");
        assert_eq!(exact(1_234_567), "1,234,567");
        assert_eq!(short(9_999), "9,999");
        assert_eq!(short(56_789), "56.8 k");
        assert_eq!(short(999_999), "1.0 M");
        assert_eq!(short(u64::MAX), "18.4 E");
        assert_eq!(things(1, "call", "calls"), "1 call");
        assert_eq!(things(2_000, "call", "calls"), "2,000 calls");
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes(0), "0 B");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(1000), "1.0 kB");
        assert_eq!(bytes(123_456), "123 kB");
        assert_eq!(bytes(3_400_000_000), "3.4 GB");
    }

    #[test]
    fn spans() {
        let s = 1_000_000_000;
        assert_eq!(span(0), "0 ns");
        assert_eq!(span(870_000), "870 µs");
        assert_eq!(span(12_300_000), "12 ms");
        assert_eq!(span(1_300_000_000), "1.3 s");
        assert_eq!(span(250 * s), "4 min 10 s");
        assert_eq!(span(240 * s), "4 min");
        assert_eq!(span(11_100 * s), "3 h 5 min");
        assert_eq!(span(187_200 * s), "2 d 4 h");
    }

    #[test]
    fn shares_never_round_to_nothing_or_everything() {
        assert_eq!(percent(0, 0), "–");
        assert_eq!(percent(0, 5), "0 %");
        assert_eq!(percent(1, 1_000_000), "<0.1 %");
        assert_eq!(percent(123, 1000), "12.3 %");
        assert_eq!(percent(999_999, 1_000_000), ">99.9 %");
        assert_eq!(percent(5, 5), "100 %");
    }

    #[test]
    fn moments() {
        let t = Timestamp::from_parts(1_795_505_457, 5);
        assert_eq!(moment(t), "2026-11-24 07:30:57");
        assert_eq!(moment(Timestamp(0)), "–");
        assert_eq!(moment_after(t, Timestamp::from_parts(1_795_505_460, 0)), "07:31:00");
        assert_eq!(moment_after(t, Timestamp::from_parts(1_795_605_460, 0)), "2026-11-25 11:17:40");
    }
}
