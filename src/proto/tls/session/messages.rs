//! Handshake messages of a session.
//!
//! Takes the messages of both directions, joined; gives what they tell to [`super::Facts`], and brings keys into force where
//! a message says so. Never opens a record.

use super::half::Phase;
use super::{Party, Session};
use crate::proto::tls::crypt::Cipher;
use crate::proto::tls::handshake::{MESSAGE, kind};
use crate::proto::tls::keys::{Keys, Secrets};
use crate::proto::tls::record::HEADER;
use crate::proto::tls::{ClientHello, EncryptedExtensions, ServerHello, compressed};

/// Longest encrypted premaster secret: an RSA key of 8,192 bits.
const PREMASTER: usize = 1024;

impl Session {
    pub(super) fn messages(&mut self, from: Party, bytes: &[u8], keys: &Keys) {
        let mut joiner = std::mem::take(&mut self.half_mut(from).joiner);
        let cleared = joiner.push(bytes, |message| self.message(from, message.kind, message.body, message.whole, keys));
        if cleared.is_ok() {
            self.half_mut(from).joiner = joiner;
        }
        // A hello that is not whole may be all that is ever seen of it.
    }

    fn message(&mut self, from: Party, kind_of: u8, body: &[u8], whole: &[u8], keys: &Keys) {
        let in_plain = self.half(from).phase == Phase::Plain;
        if let Some(transcript) = &mut self.transcript
            && in_plain
        {
            if transcript.len() + whole.len() <= MESSAGE && keys.wants_transcript() {
                transcript.extend_from_slice(whole);
            } else {
                self.transcript = None;
            }
        }
        match (kind_of, from) {
            (kind::CLIENT_HELLO, Party::Client) => self.client_hello(ClientHello::read(body, true)),
            (kind::SERVER_HELLO, Party::Server) => {
                if let Some(hello) = ServerHello::read(body) {
                    self.server_hello(hello);
                }
            }
            (kind::ENCRYPTED_EXTENSIONS, Party::Server) if self.is_tls13() => {
                self.facts.encrypted_extensions(EncryptedExtensions::read(body));
            }
            (kind::CERTIFICATE, _) => self.facts.certificate(body, from == Party::Client),
            (kind::COMPRESSED_CERTIFICATE, _) => {
                if let Some(body) = compressed::certificate(body) {
                    self.facts.certificate(&body, from == Party::Client);
                }
            }
            (kind::CERTIFICATE_REQUEST, Party::Server) => self.facts.certificate_requested = true,
            (kind::CLIENT_KEY_EXCHANGE, Party::Client) => {
                if self.cipher.is_some_and(|cipher| cipher.rsa_key_exchange) {
                    self.encrypted_premaster =
                        body.get(2..).unwrap_or_default().iter().copied().take(PREMASTER).collect();
                }
                self.session_hash_of = self.transcript.take();
            }
            (kind::END_OF_EARLY_DATA, Party::Client) if self.half(from).phase == Phase::Early => {
                self.enter(from, Phase::Handshake);
            }
            (kind::FINISHED, _) if self.half(from).phase == Phase::Handshake => self.enter(from, Phase::Data),
            (kind::KEY_UPDATE, _) if self.half(from).phase == Phase::Data && self.is_tls13() => {
                let (cipher, version) = (self.cipher, self.version());
                let half = self.half_mut(from);
                let next = half.force.as_ref().zip(cipher).and_then(|(force, cipher)| force.updated(cipher, version));
                half.force = next.map(Box::new);
                if half.force.is_none() {
                    half.phase = Phase::Blind;
                }
            }
            _ => {}
        }
    }

    pub(super) fn enter(&mut self, from: Party, phase: Phase) {
        let half = self.half_mut(from);
        (half.phase, half.force) = (phase, None);
    }

    pub(super) fn client_hello(&mut self, hello: ClientHello) {
        self.client_random = hello.random;
        self.asked = 0;
        self.secrets = Secrets::default();
        if hello.early_data && !self.facts.retried && self.half(Party::Client).phase == Phase::Plain {
            self.half_mut(Party::Client).phase = Phase::Early;
        }
        self.facts.client_hello(hello);
    }

    fn server_hello(&mut self, hello: ServerHello) {
        if hello.retry {
            self.facts.retried = true;
            if self.half(Party::Client).phase == Phase::Early {
                self.facts.early_data = Some(false);
            }
            return;
        }
        self.server_random = Some(hello.random);
        self.cipher = Cipher::of(hello.suite);
        self.encrypt_then_mac = hello.encrypt_then_mac;
        self.extended_master = hello.extended_master_secret;
        let tls13 = hello.version.is_tls13();
        self.facts.server_hello(hello);
        if !tls13 {
            if self.half(Party::Client).phase == Phase::Early {
                self.facts.early_data = Some(false);
                self.half_mut(Party::Client).phase = Phase::Plain;
            }
            return;
        }
        self.enter(Party::Server, Phase::Handshake);
        if self.half(Party::Client).phase == Phase::Plain {
            self.enter(Party::Client, Phase::Handshake);
        }
    }

    /// The hello that is not whole, when the direction ends: what there is of it.
    pub fn cut_off(&mut self) {
        if self.facts.client.is_some() {
            return;
        }
        // A message's beginning, or that of a record that never became whole.
        let half = self.half_mut(Party::Client);
        let held = half.records.take();
        let mut bytes = half.joiner.held().to_vec();
        bytes.extend_from_slice(held.get(HEADER..).unwrap_or_default());
        half.records.load(held);
        if let [kind::CLIENT_HELLO, _, _, _, body @ ..] = &bytes[..]
            && !body.is_empty()
        {
            self.facts.client_hello(ClientHello::read(body, false));
        }
    }
}
