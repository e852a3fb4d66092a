//! The visibility ledger: where every captured byte went.
//!
//! Takes counts from the floors above, gives totals that add up. A byte that was captured ends in exactly
//! one [`Bucket`]; what is known to have existed but was not captured is counted apart, as [`Missing`].
//! Never holds the bytes themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What became of a captured byte. Each byte of a frame, headers included, is in exactly one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Bucket {
    /// Link, network and transport headers (and padding) of frames whose payload is in another bucket.
    Framing,
    /// Payload of TCP that was read as HTTP.
    Http,
    /// Payload of TCP that is TLS and was not decrypted.
    Tls,
    /// Read as HTTP after TLS was taken off.
    Decrypted,
    /// Taken out of TLS, but not HTTP.
    DecryptedOther,
    /// Handshakes, record headers and tags of TLS that was decrypted.
    TlsControl,
    /// TLS whose keys did not come, or came too late.
    TlsNoKeys,
    /// TLS that was decrypted until a gap hid too much.
    TlsAfterGap,
    /// Payload of TCP that is neither HTTP nor TLS, or of which too little was seen to tell.
    OtherTcp,
    /// Payload of an HTTP connection that could not be read because a gap before it hid where a message begins.
    AfterGap,
    /// Payload that had been seen before: retransmissions, keep-alive probes, packets mirrored twice.
    Duplicate,
    /// Whole frames that are neither TCP nor UDP: ICMP, ARP and the like.
    NotTcp,
    /// Let go because a named limit was reached.
    OverLimit,
    /// Frames that could not be read: unknown link types, broken headers, fragments that never became whole.
    Undecodable,
    /// Frames with a tunnel that can't be opened: encrypted, or of a kind this program does not know.
    Tunnel,
    /// Payload of UDP that is QUIC.
    Quic,
    /// Payload of UDP that is neither QUIC nor recognised.
    Udp,
    /// Payload of TCP that could not be read because its connection's other direction was never captured.
    OneSided,
    /// SSH.
    Ssh,
    /// SMTP, IMAP, POP3.
    Mail,
    /// FTP's control connection.
    Ftp,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
    /// Redis.
    Redis,
    /// MongoDB.
    Mongo,
    /// AMQP.
    Amqp,
    /// MQTT.
    Mqtt,
    /// NATS.
    Nats,
    /// Kafka.
    Kafka,
    /// Cassandra's native protocol.
    Cassandra,
    /// SMB.
    Smb,
    /// RDP.
    Rdp,
    /// VNC.
    Vnc,
    /// LDAP.
    Ldap,
    /// FastCGI: HTTP requests behind a web server.
    FastCgi,
    /// AJP: HTTP requests behind a web server.
    Ajp,
    /// uwsgi: HTTP requests behind a web server.
    Uwsgi,
    /// DNS, over UDP or TCP.
    Dns,
    /// DHCP, NTP, SNMP.
    NetworkUpkeep,
    /// Syslog over UDP.
    Syslog,
    /// STUN, RTP.
    Realtime,
    /// PROXY protocol headers in front of what a connection carries.
    ProxyHeader,
}

/// Bytes that existed but were never captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Missing {
    /// Holes in a TCP stream: sequence numbers say the bytes were sent, no packet brought them.
    Gap,
    /// Cut off by the snapshot length.
    Truncated,
    /// Those of the holes' bytes that their receiver acknowledged: lost on the way to the sensor, not on the way to the receiver. Counted
    /// in [`Missing::Gap`], too.
    Unseen,
}

const BUCKETS: [(Bucket, &str, &str); 42] = [
    (Bucket::Framing, "framing", "packet headers and padding"),
    (Bucket::Http, "http", "read as HTTP"),
    (Bucket::Tls, "tls", "TLS, not readable"),
    (Bucket::Decrypted, "decrypted_http", "decrypted and read as HTTP"),
    (Bucket::DecryptedOther, "decrypted_other", "decrypted, but not HTTP"),
    (Bucket::TlsControl, "tls_control", "handshakes and record headers of decrypted TLS"),
    (Bucket::TlsNoKeys, "tls_no_keys", "TLS whose keys are missing or came too late"),
    (Bucket::TlsAfterGap, "tls_after_gap", "TLS, unreadable after a gap"),
    (Bucket::OtherTcp, "other_tcp", "other TCP"),
    (Bucket::AfterGap, "after_gap", "HTTP, unreadable after a gap"),
    (Bucket::Duplicate, "duplicate", "seen before (retransmitted or mirrored twice)"),
    (Bucket::NotTcp, "not_tcp", "neither TCP nor UDP"),
    (Bucket::OverLimit, "over_limit", "let go over a limit"),
    (Bucket::Undecodable, "undecodable", "undecodable"),
    (Bucket::Tunnel, "tunnel", "in tunnels that can't be opened"),
    (Bucket::Quic, "quic", "QUIC, not readable"),
    (Bucket::Udp, "udp", "other UDP"),
    (Bucket::OneSided, "one_sided", "connections with one direction missing"),
    (Bucket::Ssh, "ssh", "SSH"),
    (Bucket::Mail, "mail", "mail (SMTP, IMAP, POP3)"),
    (Bucket::Ftp, "ftp", "FTP"),
    (Bucket::Postgres, "postgres", "PostgreSQL"),
    (Bucket::Mysql, "mysql", "MySQL"),
    (Bucket::Redis, "redis", "Redis"),
    (Bucket::Mongo, "mongodb", "MongoDB"),
    (Bucket::Amqp, "amqp", "AMQP"),
    (Bucket::Mqtt, "mqtt", "MQTT"),
    (Bucket::Nats, "nats", "NATS"),
    (Bucket::Kafka, "kafka", "Kafka"),
    (Bucket::Cassandra, "cassandra", "Cassandra"),
    (Bucket::Smb, "smb", "SMB"),
    (Bucket::Rdp, "rdp", "RDP"),
    (Bucket::Vnc, "vnc", "VNC"),
    (Bucket::Ldap, "ldap", "LDAP"),
    (Bucket::FastCgi, "fastcgi", "FastCGI"),
    (Bucket::Ajp, "ajp", "AJP"),
    (Bucket::Uwsgi, "uwsgi", "uwsgi"),
    (Bucket::Dns, "dns", "DNS"),
    (Bucket::NetworkUpkeep, "network_upkeep", "DHCP, NTP, SNMP"),
    (Bucket::Syslog, "syslog", "syslog"),
    (Bucket::Realtime, "realtime", "STUN, RTP"),
    (Bucket::ProxyHeader, "proxy_header", "PROXY protocol headers"),
];

const MISSING: [(Missing, &str, &str); 3] = [
    (Missing::Gap, "gap", "sent but never captured (gaps)"),
    (Missing::Truncated, "truncated", "cut off by the snapshot length"),
    (Missing::Unseen, "unseen", "acknowledged by their receiver, but never captured (part of the gaps)"),
];

/// Byte totals. Floors keep one each; [`Ledger::merge`] adds them up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", from = "Written")]
pub struct Ledger {
    /// Frames captured.
    pub packets: u64,
    /// Bytes captured, whole frames.
    pub captured: u64,
    buckets: [u64; BUCKETS.len()],
    missing: [u64; MISSING.len()],
    /// Packets that the kernel or the interface dropped before the sensor could read them (live capture only).
    pub dropped_packets: u64,
    /// Nanoseconds for which an interface could not be listened to although it should have been: gone, down, without a
    /// carrier. Of several interfaces the sum.
    pub blind_nanos: u64,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            packets: 0,
            captured: 0,
            buckets: [0; BUCKETS.len()],
            missing: [0; MISSING.len()],
            dropped_packets: 0,
            blind_nanos: 0,
        }
    }
}

impl Ledger {
    /// Counts `bytes` into a bucket.
    #[inline(always)]
    pub fn add(&mut self, bucket: Bucket, bytes: u64) {
        self.buckets[bucket as usize] += bytes;
    }

    /// Moves bytes from one bucket to another: more has become known of them.
    pub fn shift(&mut self, from: Bucket, to: Bucket, bytes: u64) {
        let bytes = bytes.min(self.buckets[from as usize]);
        self.buckets[from as usize] -= bytes;
        self.buckets[to as usize] += bytes;
    }

    /// Counts bytes that were never captured.
    #[inline(always)]
    pub fn miss(&mut self, what: Missing, bytes: u64) {
        self.missing[what as usize] += bytes;
    }

    /// Bytes in a bucket.
    pub fn get(&self, bucket: Bucket) -> u64 {
        self.buckets[bucket as usize]
    }

    /// Bytes known to be missing.
    pub fn missing(&self, what: Missing) -> u64 {
        self.missing[what as usize]
    }

    /// Takes over what was counted of bytes that came out of TLS: HTTP is then decrypted HTTP.
    pub fn add_decrypted(&mut self, inner: &Self) {
        for &(bucket, ..) in &BUCKETS {
            let place = match bucket {
                Bucket::Http | Bucket::Decrypted => Bucket::Decrypted,
                Bucket::AfterGap => Bucket::AfterGap,
                _ => Bucket::DecryptedOther,
            };
            self.add(place, inner.get(bucket));
        }
    }

    /// The sum of all buckets. Equals [`Ledger::captured`] once all flows are closed.
    pub fn accounted(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Adds another ledger's counts to these.
    pub fn merge(&mut self, other: &Self) {
        self.packets += other.packets;
        self.captured += other.captured;
        self.dropped_packets += other.dropped_packets;
        self.blind_nanos += other.blind_nanos;
        for (a, b) in self.buckets.iter_mut().zip(&other.buckets) {
            *a += b;
        }
        for (a, b) in self.missing.iter_mut().zip(&other.missing) {
            *a += b;
        }
    }

    /// What has come since `before`, an earlier state of the same ledger.
    pub fn since(&self, before: &Self) -> Self {
        let mut out = self.clone();
        out.packets -= before.packets.min(self.packets);
        out.captured -= before.captured.min(self.captured);
        out.dropped_packets -= before.dropped_packets.min(self.dropped_packets);
        out.blind_nanos -= before.blind_nanos.min(self.blind_nanos);
        for (a, b) in out.buckets.iter_mut().zip(&before.buckets).chain(out.missing.iter_mut().zip(&before.missing)) {
            *a = a.saturating_sub(*b);
        }
        out
    }

    /// All buckets, in the order of their numbers.
    pub fn buckets() -> impl Iterator<Item = Bucket> {
        BUCKETS.iter().map(|&(bucket, ..)| bucket)
    }

    /// Each bucket with its machine name, its words for people and its bytes.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        BUCKETS.iter().map(|&(bucket, name, words)| (name, words, self.get(bucket)))
    }

    /// Each kind of missing bytes with its machine name, its words for people and its bytes.
    pub fn missing_rows(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
        MISSING.iter().map(|&(what, name, words)| (name, words, self.missing(what)))
    }
}

/// A ledger as it is written: buckets by name, so that machines need no table and another version's file stays readable.
#[derive(Serialize, Deserialize)]
struct Written {
    packets: u64,
    captured: u64,
    dropped_packets: u64,
    buckets: BTreeMap<String, u64>,
    missing: BTreeMap<String, u64>,
    #[serde(default)]
    blind_nanos: u64,
}

impl From<Ledger> for Written {
    fn from(ledger: Ledger) -> Self {
        Self {
            packets: ledger.packets,
            captured: ledger.captured,
            dropped_packets: ledger.dropped_packets,
            buckets: ledger.rows().map(|(name, _, n)| (name.to_owned(), n)).collect(),
            missing: ledger.missing_rows().map(|(name, _, n)| (name.to_owned(), n)).collect(),
            blind_nanos: ledger.blind_nanos,
        }
    }
}

impl From<Written> for Ledger {
    fn from(written: Written) -> Self {
        let of = |map: &BTreeMap<String, u64>, name: &str| map.get(name).copied().unwrap_or(0);
        Self {
            packets: written.packets,
            captured: written.captured,
            dropped_packets: written.dropped_packets,
            blind_nanos: written.blind_nanos,
            buckets: BUCKETS.map(|(_, name, _)| of(&written.buckets, name)),
            missing: MISSING.map(|(_, name, _)| of(&written.missing, name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_in_the_order_of_the_enums() {
        assert!(BUCKETS.iter().enumerate().all(|(i, (b, ..))| *b as usize == i));
        assert!(MISSING.iter().enumerate().all(|(i, (m, ..))| *m as usize == i));
    }

    #[test]
    fn survives_serialisation_by_name() {
        let mut ledger = Ledger { packets: 2, captured: 9, dropped_packets: 1, blind_nanos: 7, ..Ledger::default() };
        ledger.add(Bucket::Tls, 9);
        ledger.miss(Missing::Truncated, 4);
        let json = serde_json::to_value(&ledger).unwrap();
        assert_eq!(json["buckets"]["tls"], 9);
        assert_eq!(json["missing"]["truncated"], 4);
        assert_eq!(serde_json::from_value::<Ledger>(json).unwrap(), ledger);
        let packed = postcard::to_stdvec(&ledger).unwrap();
        assert_eq!(postcard::from_bytes::<Ledger>(&packed).unwrap(), ledger);
    }

    #[test]
    fn merge_adds_up() {
        let mut a = Ledger::default();
        a.add(Bucket::Http, 3);
        a.miss(Missing::Gap, 1);
        a.captured = 3;
        let mut b = a.clone();
        b.add(Bucket::Framing, 4);
        a.merge(&b);
        assert_eq!(a.accounted(), 10);
        assert_eq!(a.missing(Missing::Gap), 2);
        assert_eq!(a.captured, 6);
        let mut difference = Ledger { captured: 3, ..Ledger::default() };
        difference.add(Bucket::Http, 3);
        difference.miss(Missing::Gap, 1);
        assert_eq!(a.since(&b), difference);
    }
}
