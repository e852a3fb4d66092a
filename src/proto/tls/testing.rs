//! Sessions for tests: rustls talks to itself, in memory.
//!
//! Takes what is to be said, gives the bytes of both directions in causal order and the key log. Never part of the program.

use std::io::{Read, Write};
use std::sync::{Arc, Mutex};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, Connection, DigitallySignedStruct, KeyLog, ServerConfig, ServerConnection,
    SignatureScheme, SupportedCipherSuite,
};

use super::session::Party;

/// A key log in memory.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<String>);

impl KeyLog for Log {
    fn log(&self, label: &str, random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        self.0.lock().unwrap().push_str(&format!("{label} {} {}\n", hex(random), hex(secret)));
    }
}

#[derive(Debug)]
struct TakeAny(Arc<CryptoProvider>);

impl ServerCertVerifier for TakeAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// What one party says, when.
pub(crate) type Said<'a> = (Party, &'a [u8]);

/// Two ends that may talk several times, so that sessions are resumed.
pub(crate) struct Pair {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    log: Arc<Log>,
}

/// A session's bytes in causal order.
pub(crate) type Wire = Vec<(Party, Vec<u8>)>;

impl Pair {
    pub(crate) fn new(suite: SupportedCipherSuite, alpn: &str) -> Self {
        Self::with(suite, alpn, false)
    }

    /// `retry`: the client guesses a group that the server does not take.
    pub(crate) fn with(suite: SupportedCipherSuite, alpn: &str, retry: bool) -> Self {
        let log = Arc::new(Log::default());
        let all = ring::default_provider().kx_groups;
        let groups = |reversed: bool| if reversed { vec![all[1]] } else { all.clone() };
        let provider = |groups| {
            Arc::new(CryptoProvider { cipher_suites: vec![suite], kx_groups: groups, ..ring::default_provider() })
        };
        let protocols = vec![alpn.as_bytes().to_vec()];
        let client_provider = provider(groups(false));
        let mut client = ClientConfig::builder_with_provider(client_provider.clone())
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TakeAny(client_provider)))
            .with_no_client_auth();
        client.alpn_protocols.clone_from(&protocols);
        client.key_log = log.clone();
        client.enable_early_data = true;
        let certificate = CertificateDer::from(include_bytes!("testing/certificate.der").as_slice());
        let key = PrivateKeyDer::Pkcs8(include_bytes!("testing/key.der").as_slice().into());
        let mut server = ServerConfig::builder_with_provider(provider(groups(retry)))
            .with_protocol_versions(&[suite.version()])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        server.alpn_protocols = protocols;
        server.max_early_data_size = 16_384;
        Self { client: Arc::new(client), server: Arc::new(server), log }
    }

    /// The key log so far.
    pub(crate) fn keys(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// A session in which this is said. `early` goes as 0-RTT data, if the server allows it. `update`: the client
    /// changes its keys before each thing it says.
    pub(crate) fn talk(&self, early: &[u8], said: &[Said<'_>], update: bool) -> Wire {
        let name = ServerName::try_from("tls.example").unwrap();
        let mut client = ClientConnection::new(self.client.clone(), name).unwrap();
        let mut server = ServerConnection::new(self.server.clone()).unwrap();
        let mut wire = Wire::new();
        if !early.is_empty()
            && let Some(mut writer) = client.early_data()
        {
            writer.write_all(early).unwrap();
        }
        let mut client = Connection::from(client);
        flush(&mut client, Party::Client, &mut wire, &mut |bytes| {
            server.read_tls(&mut &*bytes).unwrap();
            server.process_new_packets().unwrap();
            if let Some(mut early) = server.early_data() {
                let _ = early.read_to_end(&mut Vec::new());
            }
        });
        let mut server = Connection::from(server);
        settle(&mut client, &mut server, &mut wire);
        for (from, text) in said {
            let (speaker, _) = ends(&mut client, &mut server, *from);
            if update && *from == Party::Client {
                // Only TLS 1.3 can.
                let _ = speaker.refresh_traffic_keys();
            }
            speaker.writer().write_all(text).unwrap();
            settle(&mut client, &mut server, &mut wire);
        }
        client.send_close_notify();
        settle(&mut client, &mut server, &mut wire);
        wire
    }
}

fn ends<'a>(
    client: &'a mut Connection,
    server: &'a mut Connection,
    from: Party,
) -> (&'a mut Connection, &'a mut Connection) {
    if from == Party::Client { (client, server) } else { (server, client) }
}

fn flush(speaker: &mut Connection, from: Party, wire: &mut Wire, hear: &mut dyn FnMut(&[u8])) -> bool {
    let mut bytes = Vec::new();
    while speaker.wants_write() {
        speaker.write_tls(&mut bytes).unwrap();
    }
    if bytes.is_empty() {
        return false;
    }
    hear(&bytes);
    wire.push((from, bytes));
    true
}

fn settle(client: &mut Connection, server: &mut Connection, wire: &mut Wire) {
    loop {
        let mut moved = false;
        for from in [Party::Client, Party::Server] {
            let (speaker, hearer) = ends(client, server, from);
            moved |= flush(speaker, from, wire, &mut |bytes| {
                let mut rest = bytes;
                while !rest.is_empty() {
                    hearer.read_tls(&mut rest).unwrap();
                    hearer.process_new_packets().unwrap();
                    let mut heard = Vec::new();
                    let _ = hearer.reader().read_to_end(&mut heard);
                }
            });
        }
        if !moved {
            return;
        }
    }
}
