//! What a handshake tells.
//!
//! Takes handshake messages, keeps what an inventory or a person may want to know. Never keeps a message.

use crate::proto::tls::{Certificate, ClientHello, EncryptedExtensions, ServerHello, Version, certificate};

/// What is known of a session. `None` where it was not seen or is not readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// What the client offered: its first hello.
    pub client: Option<Box<ClientHello>>,
    /// What the server chose.
    pub server: Option<Box<ServerHello>>,
    /// The application protocol chosen.
    pub alpn: Option<String>,
    /// The server's certificate: the first of its chain.
    pub certificate: Option<Box<Certificate>>,
    /// The server asked the client for a certificate.
    pub certificate_requested: bool,
    /// The client's certificate.
    pub client_certificate: Option<Box<Certificate>>,
    /// The server asked for another hello (HelloRetryRequest).
    pub retried: bool,
    /// An earlier session was taken up again.
    pub resumed: bool,
    /// Whether the client's 0-RTT data was taken, if it sent some.
    pub early_data: Option<bool>,
}

impl Facts {
    /// Bytes of memory that lists and names take, beside what each session takes.
    pub fn weight(&self) -> usize {
        let certificate = |certificate: &Option<Box<Certificate>>| certificate.as_ref().map_or(0, |c| c.weight());
        self.client.as_ref().map_or(0, |hello| hello.weight())
            + certificate(&self.certificate)
            + certificate(&self.client_certificate)
    }

    /// The version chosen.
    pub fn version(&self) -> Option<Version> {
        self.server.as_ref().map(|hello| hello.version)
    }

    pub(super) fn client_hello(&mut self, hello: ClientHello) {
        if self.client.is_none() {
            self.client = Some(Box::new(hello));
        }
    }

    pub(super) fn server_hello(&mut self, hello: ServerHello) {
        self.resumed = hello.psk;
        if let Some(client) = &self.client {
            let same = !hello.session_id.is_empty() && client.session_id == hello.session_id;
            self.resumed |= same && !hello.version.is_tls13();
            if client.early_data && !hello.psk {
                self.early_data = Some(false);
            }
        }
        if hello.alpn.is_some() {
            self.alpn.clone_from(&hello.alpn);
        }
        self.server = Some(Box::new(hello));
    }

    pub(super) fn encrypted_extensions(&mut self, extensions: EncryptedExtensions) {
        if extensions.alpn.is_some() {
            self.alpn = extensions.alpn;
        }
        if self.client.as_ref().is_some_and(|client| client.early_data) {
            self.early_data = Some(extensions.early_data);
        }
    }

    pub(super) fn certificate(&mut self, body: &[u8], from_client: bool) {
        let tls13 = self.version().is_some_and(Version::is_tls13);
        let (first, _) = certificate::chain(body, tls13);
        let place = if from_client { &mut self.client_certificate } else { &mut self.certificate };
        if first.is_some() {
            *place = first.map(Box::new);
        }
    }
}
