//! Handshake messages (RFC 8446, 4).
//!
//! Takes the payloads of handshake records of one direction, gives whole messages, also where one is spread over
//! records or several share one. Never holds more than [`MESSAGE`] bytes.

/// Largest message that is joined. Certificate chains seen in the wild stay below 32 KB; post-quantum ones come near 64.
pub const MESSAGE: usize = 128 << 10;

/// Message types.
pub mod kind {
    /// `client_hello`
    pub const CLIENT_HELLO: u8 = 1;
    /// `server_hello`
    pub const SERVER_HELLO: u8 = 2;
    /// `new_session_ticket`
    pub const NEW_SESSION_TICKET: u8 = 4;
    /// `end_of_early_data`
    pub const END_OF_EARLY_DATA: u8 = 5;
    /// `encrypted_extensions`
    pub const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// `certificate`
    pub const CERTIFICATE: u8 = 11;
    /// `certificate_request`
    pub const CERTIFICATE_REQUEST: u8 = 13;
    /// `client_key_exchange` (TLS 1.2)
    pub const CLIENT_KEY_EXCHANGE: u8 = 16;
    /// `finished`
    pub const FINISHED: u8 = 20;
    /// `key_update`
    pub const KEY_UPDATE: u8 = 24;
    /// `compressed_certificate` (RFC 8879)
    pub const COMPRESSED_CERTIFICATE: u8 = 25;
    /// `next_protocol`, a draft that Chrome once spoke
    pub const NEXT_PROTOCOL: u8 = 67;
}

/// A message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u8,
    /// Type, length and body: what transcript hashes are made of.
    pub whole: &'a [u8],
    /// Its body.
    pub body: &'a [u8],
}

/// A message over the limit: this direction's handshake cannot be followed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Joins the messages of one direction.
#[derive(Debug, Default)]
pub struct Joiner {
    held: Vec<u8>,
}

impl Joiner {
    /// Bytes of a message that is not whole yet.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Forgets what is held: something that is no handshake came between.
    pub fn clear(&mut self) {
        self.held = Vec::new();
    }

    /// The next piece; `out` is called for each message that it completes.
    ///
    /// # Errors
    ///
    /// A message that says to be longer than [`MESSAGE`]. What was held is forgotten.
    pub fn push(&mut self, bytes: &[u8], mut out: impl FnMut(Message<'_>)) -> Result<(), TooLong> {
        let mut rest = bytes;
        if !self.held.is_empty() {
            let wanted = loop {
                match length(&self.held) {
                    Some(length) if length > MESSAGE => {
                        self.clear();
                        return Err(TooLong);
                    }
                    Some(length) => break length,
                    // Its header is not whole: byte by byte, at most three times.
                    None => match rest.split_first() {
                        Some((byte, more)) => {
                            self.held.push(*byte);
                            rest = more;
                        }
                        None => return Ok(()),
                    },
                }
            };
            let (now, more) = rest.split_at(wanted.saturating_sub(self.held.len()).min(rest.len()));
            self.held.extend_from_slice(now);
            rest = more;
            if self.held.len() < wanted {
                return Ok(());
            }
            let whole = std::mem::take(&mut self.held);
            if let Some(message) = message(&whole) {
                out(message);
            }
        }
        while !rest.is_empty() {
            let Some(wanted) = length(rest) else { break };
            if wanted > MESSAGE {
                return Err(TooLong);
            }
            let Some((whole, more)) = rest.split_at_checked(wanted) else { break };
            rest = more;
            if let Some(message) = message(whole) {
                out(message);
            }
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }
}

/// Length of the message that begins here, with its header.
fn length(bytes: &[u8]) -> Option<usize> {
    match bytes {
        [_, a, b, c, ..] => Some(4 + (usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c))),
        _ => None,
    }
}

fn message(whole: &[u8]) -> Option<Message<'_>> {
    match whole {
        [kind, _, _, _, body @ ..] => Some(Message { kind: *kind, whole, body }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_joined_however_they_come() {
        let bytes = [1, 0, 0, 2, 7, 8, 2, 0, 0, 0, 11, 0, 0, 3, 1, 2, 3];
        for size in 1..=bytes.len() {
            let (mut joiner, mut out) = (Joiner::default(), Vec::new());
            for piece in bytes.chunks(size) {
                joiner.push(piece, |m| out.push((m.kind, m.whole.len(), m.body.to_vec()))).unwrap();
            }
            assert_eq!(out, [(1, 6, vec![7, 8]), (2, 4, vec![]), (11, 7, vec![1, 2, 3])], "pieces of {size}");
            assert!(joiner.held().is_empty());
        }
    }

    #[test]
    fn a_message_over_the_limit_is_not_waited_for() {
        let mut joiner = Joiner::default();
        assert_eq!(joiner.push(&[1, 0xff], |_| ()), Ok(()));
        assert_eq!(joiner.push(&[0xff, 0xff, 0], |_| ()), Err(TooLong));
        assert!(joiner.held().is_empty());
        assert_eq!(joiner.push(&[1, 0xff, 0xff, 0xff, 0], |_| ()), Err(TooLong));
    }
}
