//! Protocols that are not HTTP, by name.
//!
//! Takes the first bytes of a direction of a TCP connection, or a UDP datagram, gives the bucket of the protocol that they begin. For the
//! ledger only: "other TCP" says less than "PostgreSQL". Believes signatures, not ports; where only a port tells UDP protocols
//! apart, the message's own form must fit. Never reads further than the first bytes.

use crate::base::Bucket;

/// What a direction of a TCP connection begins with.
pub fn tcp(bytes: &[u8]) -> Option<Bucket> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    let length = |at: usize| bytes.get(at..).and_then(|b| b.first_chunk::<4>()).map(|b| u32::from_be_bytes(*b));
    let named = match bytes {
        [b'S', b'S', b'H', b'-', ..] => Bucket::Ssh,
        // A mail server's or file server's greeting, and the client's first words.
        [b'2', b'2', b'0', b' ' | b'-', rest @ ..] => {
            let line = rest.split(|b| *b == b'\n').next().unwrap_or_default();
            if line.windows(4).any(|w| w == b"SMTP") { Bucket::Mail } else { Bucket::Ftp }
        }
        _ if starts(b"EHLO ") || starts(b"HELO ") || starts(b"+OK ") || starts(b"* OK ") => Bucket::Mail,
        // SSLRequest, GSSENCRequest, CancelRequest, version 3: a length, then a code.
        [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2e..=0x30] => Bucket::Postgres,
        [0, 0, _, _, 0, 3, 0, 0, b'u', b's', b'e', b'r', 0, ..] => Bucket::Postgres,
        // Greeting: length of three bytes, sequence 0, version 10, and a version text.
        [_, _, 0, 0, 10, b'0'..=b'9', _, ..] => Bucket::Mysql,
        // RESP arrays of bulk strings, and inline PING.
        [b'*', b'1'..=b'9', b'\r', b'\n', b'$', ..] | [b'*', b'1'..=b'9', b'0'..=b'9', b'\r', b'\n', b'$', ..] => {
            Bucket::Redis
        }
        // Length, request id, response id 0, OP_MSG or OP_QUERY; little-endian.
        [_, _, _, _, _, _, _, _, 0, 0, 0, 0, 0xdd | 0xd4, 0x07, 0, 0, ..] => Bucket::Mongo,
        [b'A', b'M', b'Q', b'P', 0..=3, ..] => Bucket::Amqp,
        // CONNECT with its protocol's name.
        [0x10, _, 0, 4, b'M', b'Q', b'T', b'T', ..] | [0x10, _, 0, 6, b'M', b'Q', b'I', b's', ..] => Bucket::Mqtt,
        _ if starts(b"INFO {") || starts(b"CONNECT {") => Bucket::Nats,
        // Request: length, key and version of the API, correlation, client's name.
        [0, 0, _, _, 0, 0..=70, 0, 0..=20, _, _, _, _, 0, 0..=100, ..]
            if length(0).is_some_and(|n| n as usize + 4 >= bytes.len() && n > 10) =>
        {
            Bucket::Kafka
        }
        // Native protocol 3 to 5: OPTIONS or STARTUP on stream 0.
        [3..=5, 0, _, _, 1 | 5, 0, 0, _, _, ..] => Bucket::Cassandra,
        [0, 0, _, _, 0xff | 0xfe, b'S', b'M', b'B', ..] => Bucket::Smb,
        // TPKT with a connection request.
        [3, 0, _, _, _, 0xe0, 0, 0, ..] => Bucket::Rdp,
        _ if starts(b"RFB 00") => Bucket::Vnc,
        // A sequence with a message id and a bind.
        [0x30, _, 2, 1, _, 0x60, ..] | [0x30, 0x84, _, _, _, _, 2, 1, _, 0x60, ..] => Bucket::Ldap,
        // FastCGI: version 1, BEGIN_REQUEST, an id, a content of 8 bytes.
        [1, 1, _, _, 0, 8, _, 0, 0, 1..=3, ..] => Bucket::FastCgi,
        // AJP: from the web server, a forwarded request.
        [0x12, 0x34, _, _, 2 | 10, ..] => Bucket::Ajp,
        // uwsgi: modifier 0, size (little-endian), then a variable's name.
        [0, _, _, 0, n, 0, b'A'..=b'Z', ..] if (3..64).contains(n) => Bucket::Uwsgi,
        _ if dns_over_tcp(bytes) => Bucket::Dns,
        _ => return None,
    };
    Some(named)
}

/// A length that fits, and a query.
fn dns_over_tcp(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk::<2>() {
        Some((length, message)) => usize::from(u16::from_be_bytes(*length)) == message.len() && dns(message),
        None => false,
    }
}

/// A DNS message: few questions, no reserved bits, a first name of sound labels.
fn dns(bytes: &[u8]) -> bool {
    let Some((header, rest)) = bytes.split_first_chunk::<12>() else { return false };
    let questions = u16::from_be_bytes([header[4], header[5]]);
    let opcode = header[2] >> 3 & 15;
    let first_label = rest.first().copied().unwrap_or(0);
    opcode <= 6 && questions <= 4 && header[3] & 0x40 == 0 && first_label <= 63 && (questions > 0 || header[7] > 0)
}

/// What a UDP datagram between these ports is.
pub fn udp(ports: [u16; 2], bytes: &[u8]) -> Option<Bucket> {
    let either = |port: u16| ports.contains(&port);
    let named = match bytes {
        _ if (either(53) || either(5353) || either(5355)) && dns(bytes) => Bucket::Dns,
        [_, 1, 1 | 0, 6, ..] | [_, 2, 1 | 0, 6, ..] if either(67) || either(68) => Bucket::NetworkUpkeep,
        // Version 1 to 4, mode 1 to 5, and its length.
        [first, ..] if either(123) && bytes.len() >= 48 && matches!(first >> 3 & 7, 1..=4) => Bucket::NetworkUpkeep,
        [0x30, ..] if either(161) || either(162) => Bucket::NetworkUpkeep,
        [b'<', b'0'..=b'9', ..] if either(514) => Bucket::Syslog,
        // The magic cookie (RFC 8489, 5).
        [0 | 1, _, _, _, 0x21, 0x12, 0xa4, 0x42, ..] => Bucket::Realtime,
        // RTP and RTCP, version 2, on ports that are not anybody's.
        [0x80 | 0x90 | 0x81, _, ..] if ports[0] >= 1024 && ports[1] >= 1024 && bytes.len() >= 12 => Bucket::Realtime,
        _ => return None,
    };
    Some(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_by_their_first_bytes() {
        let cases: &[(&[u8], Option<Bucket>)] = &[
            (b"SSH-2.0-OpenSSH_9.7\r\n", Some(Bucket::Ssh)),
            (b"220 mail.example ESMTP Postfix\r\n", Some(Bucket::Mail)),
            (b"220 FTP server ready\r\n", Some(Bucket::Ftp)),
            (b"* OK IMAP4rev1 ready\r\n", Some(Bucket::Mail)),
            (&[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f], Some(Bucket::Postgres)),
            (b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0shop\0\0", Some(Bucket::Postgres)),
            (b"\x4a\0\0\0\x0a8.0.36\0", Some(Bucket::Mysql)),
            (b"*3\r\n$3\r\nSET\r\n", Some(Bucket::Redis)),
            (b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0", Some(Bucket::Mongo)),
            (b"AMQP\0\0\x09\x01", Some(Bucket::Amqp)),
            (b"\x10\x13\0\x04MQTT\x04\x02\0\x3c", Some(Bucket::Mqtt)),
            (b"INFO {\"server_id\":\"x\"}\r\n", Some(Bucket::Nats)),
            (b"\0\0\0\x14\0\x12\0\x03\0\0\0\x01\0\x04java\0\0\0\0", Some(Bucket::Kafka)),
            (b"\x04\0\0\0\x05\0\0\0\0", Some(Bucket::Cassandra)),
            (b"\0\0\0\x45\xffSMBr", Some(Bucket::Smb)),
            (b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0", Some(Bucket::Rdp)),
            (b"RFB 003.008\n", Some(Bucket::Vnc)),
            (b"\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03", Some(Bucket::Ldap)),
            (b"\x01\x01\0\x01\0\x08\0\0\0\x01\0\0\0\0\0\0", Some(Bucket::FastCgi)),
            (b"\x12\x34\0\x50\x02\x02\0\x08HTTP/1.1", Some(Bucket::Ajp)),
            (b"\0\x55\x01\0\x0c\0QUERY_STRING\0\0", Some(Bucket::Uwsgi)),
            (b"\0\x1d\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\x07example\0\0\x01\0\x01", Some(Bucket::Dns)),
            (b"hello", None),
            (b"", None),
            (&[0; 64], None),
            (&[0xff; 64], None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(tcp(bytes), *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn datagrams_are_told_by_form_and_port() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03api\x07example\0\0\x01\0\x01";
        assert_eq!(udp([4000, 53], query), Some(Bucket::Dns));
        assert_eq!(udp([4000, 4001], query), None);
        assert_eq!(udp([4000, 53], b"hello"), None);
        assert_eq!(udp([123, 123], &[0x23; 48]), Some(Bucket::NetworkUpkeep));
        assert_eq!(udp([40000, 514], b"<34>Oct 11 su: x"), Some(Bucket::Syslog));
        assert_eq!(udp([40000, 3478], &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0]), Some(Bucket::Realtime));
    }
}
