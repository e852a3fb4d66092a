//! The visibility ledger, made ready to be shown.
//!
//! Takes a [`Ledger`], gives its buckets sorted into what was read, what was seen but not readable, what carries no
//! HTTP, and what is lost; and the sentences about what this inventory cannot know. Never adds anything to the ledger's
//! figures, never leaves one out.

use super::figures;
use crate::base::{Bucket, Ledger, Missing};

/// How far a bucket's bytes were understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sight {
    /// Read.
    Read,
    /// Overhead: headers, and bytes that were read once already.
    Overhead,
    /// Other protocols.
    Other,
    /// May hold API traffic, and could not be read.
    Opaque,
    /// Let go or broken.
    Lost,
}

/// One bucket with its share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    /// Machine name.
    pub name: &'static str,
    /// Words for people.
    pub words: &'static str,
    /// Bytes.
    pub bytes: u64,
    /// How far they were understood.
    pub sight: Sight,
}

/// The ledger, made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Bytes captured.
    pub captured: u64,
    /// Frames captured.
    pub packets: u64,
    /// Buckets that hold something: what was read first, what was lost last.
    pub shares: Vec<Share>,
    /// What was on the wire and never captured, in words with figures.
    pub missing: Vec<String>,
    /// What this inventory cannot know for it, in sentences.
    pub blind: Vec<String>,
    /// Bytes captured that are in no bucket: those of connections still open. 0 at the end of a capture.
    pub open: u64,
}

impl Coverage {
    /// Makes it from a ledger.
    pub fn of(ledger: &Ledger) -> Self {
        let order = [
            (Bucket::Http, Sight::Read),
            (Bucket::Decrypted, Sight::Read),
            (Bucket::Framing, Sight::Overhead),
            (Bucket::TlsControl, Sight::Overhead),
            (Bucket::ProxyHeader, Sight::Overhead),
            (Bucket::Duplicate, Sight::Overhead),
            (Bucket::NotTcp, Sight::Other),
            (Bucket::Udp, Sight::Other),
            (Bucket::OtherTcp, Sight::Other),
            (Bucket::DecryptedOther, Sight::Other),
            (Bucket::Ssh, Sight::Other),
            (Bucket::Mail, Sight::Other),
            (Bucket::Ftp, Sight::Other),
            (Bucket::Postgres, Sight::Other),
            (Bucket::Mysql, Sight::Other),
            (Bucket::Redis, Sight::Other),
            (Bucket::Mongo, Sight::Other),
            (Bucket::Amqp, Sight::Other),
            (Bucket::Mqtt, Sight::Other),
            (Bucket::Nats, Sight::Other),
            (Bucket::Kafka, Sight::Other),
            (Bucket::Cassandra, Sight::Other),
            (Bucket::Smb, Sight::Other),
            (Bucket::Rdp, Sight::Other),
            (Bucket::Vnc, Sight::Other),
            (Bucket::Ldap, Sight::Other),
            (Bucket::FastCgi, Sight::Other),
            (Bucket::Ajp, Sight::Other),
            (Bucket::Uwsgi, Sight::Other),
            (Bucket::Dns, Sight::Other),
            (Bucket::NetworkUpkeep, Sight::Other),
            (Bucket::Syslog, Sight::Other),
            (Bucket::Realtime, Sight::Other),
            (Bucket::Tls, Sight::Opaque),
            (Bucket::TlsNoKeys, Sight::Opaque),
            (Bucket::Quic, Sight::Opaque),
            (Bucket::OneSided, Sight::Lost),
            (Bucket::AfterGap, Sight::Lost),
            (Bucket::TlsAfterGap, Sight::Lost),
            (Bucket::OverLimit, Sight::Lost),
            (Bucket::Tunnel, Sight::Lost),
            (Bucket::Undecodable, Sight::Lost),
        ];
        let rows: Vec<_> = ledger.rows().collect();
        let shares = order
            .into_iter()
            .map(|(bucket, sight)| {
                let (name, words, bytes) = rows[bucket as usize];
                Share { name, words, bytes, sight }
            })
            .filter(|share| share.bytes > 0)
            .collect();
        Self {
            captured: ledger.captured,
            packets: ledger.packets,
            shares,
            missing: missing(ledger),
            blind: blind(ledger),
            open: ledger.captured.saturating_sub(ledger.accounted()),
        }
    }
}

fn missing(ledger: &Ledger) -> Vec<String> {
    let mut out = Vec::new();
    if ledger.dropped_packets > 0 {
        out.push(format!(
            "{} dropped before they could be read ({} of those that arrived)",
            figures::things(ledger.dropped_packets, "packet", "packets"),
            figures::percent(ledger.dropped_packets, ledger.packets + ledger.dropped_packets)
        ));
    }
    for (what, words) in [
        (Missing::Gap, "sent but never captured (holes in TCP streams)"),
        (Missing::Unseen, "of them acknowledged by their receiver: lost on the way to the sensor"),
        (Missing::Truncated, "cut off by the snapshot length"),
    ] {
        if ledger.missing(what) > 0 {
            out.push(format!("{} {words}", figures::bytes(ledger.missing(what))));
        }
    }
    if ledger.blind_nanos > 0 {
        out.push(format!("{} in which an interface could not be listened to", figures::span(ledger.blind_nanos)));
    }
    out
}

fn blind(ledger: &Ledger) -> Vec<String> {
    let share = |bucket| {
        let bytes = ledger.get(bucket);
        format!("{} ({})", figures::bytes(bytes), figures::percent(bytes, ledger.captured))
    };
    let mut out = Vec::new();
    if ledger.captured == 0 {
        out.push("Nothing was captured: no packet came, or the filter let none through.".to_owned());
    } else if ledger.get(Bucket::Http) + ledger.get(Bucket::Decrypted) == 0 {
        out.push("No HTTP was found in what was captured.".to_owned());
    }
    if ledger.get(Bucket::Tls) > 0 {
        out.push(format!("{} is TLS: what is called inside of it is not in this inventory.", share(Bucket::Tls)));
    }
    if ledger.get(Bucket::TlsNoKeys) > 0 {
        out.push(format!(
            "{} is TLS for which the key log has no keys, or had them too late: what is called inside of it is not in this \
             inventory.",
            share(Bucket::TlsNoKeys)
        ));
    }
    if ledger.get(Bucket::Quic) > 0 {
        out.push(format!(
            "{} is QUIC: what is called inside of it (HTTP/3) is not in this inventory.",
            share(Bucket::Quic)
        ));
    }
    if ledger.get(Bucket::OtherTcp) > 0 {
        out.push(format!(
            "{} is TCP of other kinds, or too little of a connection was seen to tell; HTTP/2 without TLS counts here.",
            share(Bucket::OtherTcp)
        ));
    }
    if ledger.dropped_packets > 0 || ledger.missing(Missing::Gap) > 0 {
        out.push("Packets are missing: calls may be missing too, and counts are lower bounds.".to_owned());
    }
    if ledger.blind_nanos > 0 {
        out.push(
            "While an interface was down or away nothing on it was seen; the daemon's log names the times.".to_owned(),
        );
    }
    if ledger.missing(Missing::Truncated) > 0 {
        out.push("Packets were cut: raise the snapshot length to see them whole.".to_owned());
    }
    let gateways: u64 = [Bucket::FastCgi, Bucket::Ajp, Bucket::Uwsgi].iter().map(|b| ledger.get(*b)).sum();
    if gateways > 0 {
        out.push(format!(
            "{} is HTTP between a web server and an application (FastCGI, AJP, uwsgi), which this version does not read.",
            figures::bytes(gateways)
        ));
    }
    if ledger.get(Bucket::OneSided) > 0 {
        out.push(format!(
            "{} is of connections whose other direction was never captured: mirror both (`shadowtap doctor` says more).",
            share(Bucket::OneSided)
        ));
    }
    if ledger.get(Bucket::AfterGap) > 0 {
        out.push(format!("{} of HTTP could not be read because a gap hid where it begins.", share(Bucket::AfterGap)));
    }
    if ledger.get(Bucket::OverLimit) > 0 {
        out.push(format!("{} was let go because a limit was reached; the oddities name it.", share(Bucket::OverLimit)));
    }
    if ledger.get(Bucket::Tunnel) > 0 {
        out.push(format!(
            "{} is in tunnels that can't be opened (encrypted, or of an unknown kind); the oddities name them.",
            share(Bucket::Tunnel)
        ));
    }
    if ledger.get(Bucket::Undecodable) > 0 {
        out.push(format!(
            "{} is in packets that this version cannot decode (unknown link types, broken headers).",
            share(Bucket::Undecodable)
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bucket_is_shown() {
        let mut ledger = Ledger::default();
        for bucket in Ledger::buckets() {
            ledger.add(bucket, 10);
        }
        (ledger.captured, ledger.packets) = (ledger.accounted(), 3);
        let coverage = Coverage::of(&ledger);
        assert_eq!(coverage.shares.len(), ledger.rows().count());
        assert_eq!(coverage.shares.iter().map(|s| s.bytes).sum::<u64>(), ledger.captured);
        assert_eq!(coverage.shares[0].name, "http");
        assert_eq!(coverage.shares.iter().find(|s| s.sight == Sight::Opaque).unwrap().name, "tls");
        assert!(coverage.shares.windows(2).all(|s| s[0].sight <= s[1].sight));
        assert_eq!(coverage.open, 0);
    }

    #[test]
    fn loss_is_told_and_silence_means_none() {
        let mut ledger = Ledger::default();
        (ledger.captured, ledger.packets) = (10, 1);
        ledger.add(Bucket::Http, 10);
        let clean = Coverage::of(&ledger);
        assert!(clean.missing.is_empty() && clean.blind.is_empty());
        ledger.dropped_packets = 1;
        ledger.miss(Missing::Gap, 2_000);
        let lossy = Coverage::of(&ledger);
        assert_eq!(lossy.missing[0], "1 packet dropped before they could be read (50.0 % of those that arrived)");
        assert!(lossy.missing[1].starts_with("2.0 kB sent but never captured"));
        assert!(lossy.blind[0].contains("lower bounds"));
        ledger.blind_nanos = 12_000_000_000;
        let blind = Coverage::of(&ledger);
        assert_eq!(blind.missing[2], "12.0 s in which an interface could not be listened to");
        assert!(blind.blind[1].contains("down or away"));
    }
}
