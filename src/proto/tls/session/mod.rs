//! One TLS connection, read from outside.
//!
//! Takes the bytes of both directions in causal order, and gaps; gives what the handshake tells and, with keys, what
//! was said: TLS 1.3 with every suite, HelloRetryRequest, 0-RTT, KeyUpdate and resumption (RFC 8446), TLS 1.2 with GCM,
//! CCM, ChaCha20 and CBC, renegotiation included (RFC 5246). A record is believed only when its key opens it. Where a
//! key may still come it says so, and takes nothing until then. Never guesses what a hole hid.

mod facts;
mod half;
mod hole;
mod messages;

#[cfg(test)]
mod tests;

pub use facts::Facts;
pub use half::Hidden;

use half::{Half, InForce, Phase};
use zeroize::Zeroizing;

use super::crypt::{self, Cipher};
use super::keylog::Secret;
use super::keys::{Keys, Secrets};
use super::plain::Plain;
use super::record::{HEADER, Header, Record, Step as Next, content, ssl2_client_hello};
use super::{ClientHello, Version};

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Party {
    /// Who said ClientHello.
    Client = 0,
    /// Who answers it.
    Server = 1,
}

/// What a record was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Handshake, alert, change of keys.
    Control,
    /// Data: so many bytes at the front of the plaintext buffer.
    Data(usize),
    /// Not readable.
    Opaque,
    /// 0-RTT data of which nobody knows yet whether the server takes it: to be kept (its payload is in the plaintext
    /// buffer, as it is) until [`Session::early`] tells.
    Early,
}

/// A record that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// So many of the bytes given were used.
    pub used: usize,
    /// Captured bytes of broken records before it, given up.
    pub skipped: usize,
    /// Bytes of the record, header and all.
    pub size: usize,
    /// What it was.
    pub what: What,
    /// It is the first one behind a hole, which hid so much.
    pub hidden: Option<Hidden>,
}

/// What became of some bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All of them are held until more come; so many captured bytes were given up.
    More(usize),
    /// The next record needs a key that is not there. So many of the bytes were taken over.
    Wait(usize),
    /// A record. Its plaintext is in the buffer.
    Record(Piece),
    /// Nothing of this direction can be read any more: so many bytes that were held are given up with it, and none of
    /// those given was used.
    Blind(usize),
}

/// Why a session cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its beginning was not seen, or version or suite are not known here: no key would help.
    Opaque,
    /// Its keys are not there.
    NoKeys,
    /// It was read until a hole hid too much.
    Gap,
}

/// Why a record cannot be read.
enum Stop {
    Wait,
    Blind,
    Lost,
}

/// One connection.
pub struct Session {
    halves: [Half; 2],
    facts: Facts,
    /// Of the handshake that is under way, or the last one.
    client_random: Option<[u8; 32]>,
    server_random: Option<[u8; 32]>,
    cipher: Option<Cipher>,
    encrypt_then_mac: bool,
    extended_master: bool,
    encrypted_premaster: Vec<u8>,
    /// Handshake messages so far, where keys may come as premaster secrets.
    transcript: Option<Vec<u8>>,
    /// Up to the client's key exchange.
    session_hash_of: Option<Vec<u8>>,
    secrets: Secrets,
    /// Of the key store, when it was asked last.
    asked: u64,
    /// No key is waited for any more.
    given_up: bool,
    /// Something was decrypted.
    decrypted: bool,
    /// Something was lost.
    gapped: bool,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            halves: [Half::default(), Half::default()],
            facts: Facts::default(),
            client_random: None,
            server_random: None,
            cipher: None,
            encrypt_then_mac: false,
            extended_master: false,
            encrypted_premaster: Vec::new(),
            transcript: Some(Vec::new()),
            session_hash_of: None,
            secrets: Secrets::default(),
            asked: 0,
            given_up: false,
            decrypted: false,
            gapped: false,
        }
    }
}

impl Session {
    /// What the handshake told so far.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The same, to take over.
    pub fn into_facts(self) -> Facts {
        self.facts
    }

    /// Was something decrypted?
    pub fn decrypted(&self) -> bool {
        self.decrypted
    }

    /// Bytes of memory that are held for what is not whole.
    pub fn held(&self) -> usize {
        let transcript =
            self.transcript.as_ref().map_or(0, Vec::len) + self.session_hash_of.as_ref().map_or(0, Vec::len);
        self.halves.iter().map(Half::held).sum::<usize>() + transcript
    }

    /// Captured bytes of a direction that were taken and are in no record given out.
    pub fn unread(&self, from: Party) -> usize {
        self.half(from).unread()
    }

    /// Can nothing of this direction be read any more?
    pub fn is_blind(&self, from: Party) -> bool {
        self.half(from).phase == Phase::Blind
    }

    /// No key is waited for any more.
    pub fn give_up(&mut self) {
        self.given_up = true;
        self.facts.early_data.get_or_insert(false);
    }

    /// Has something new come since the key store was asked?
    pub fn may_go_on(&self, keys: &Keys) -> bool {
        self.given_up || self.asked != keys.generation()
    }

    /// Why nothing (more) can be read of it.
    pub fn why(&self) -> Why {
        let known = self.client_random.is_some() && self.cipher.is_some();
        let version = self.facts.version();
        if self.decrypted && self.gapped {
            Why::Gap
        } else if known && (self.is_tls13() || version == Some(Version::TLS12)) {
            Why::NoKeys
        } else {
            Why::Opaque
        }
    }

    /// The client's random, by which its keys are named.
    pub fn client_random(&self) -> Option<&[u8; 32]> {
        self.client_random.as_ref()
    }

    /// Whether 0-RTT data was taken by the server, once that is known.
    pub fn early(&self) -> Option<bool> {
        self.facts.early_data
    }

    fn half(&self, from: Party) -> &Half {
        &self.halves[from as usize]
    }

    fn half_mut(&mut self, from: Party) -> &mut Half {
        &mut self.halves[from as usize]
    }

    /// A hole of so many bytes. Gives the captured bytes of a broken record that are given up with it.
    pub fn gap(&mut self, from: Party, missing: u64) -> usize {
        self.transcript = None;
        self.gapped = true;
        match self.half(from).phase {
            Phase::Blind => 0,
            _ => self.half_mut(from).lose(missing),
        }
    }

    /// Reads the next record of what is held of a direction and of `bytes`, which must be what follows.
    pub fn step(&mut self, from: Party, bytes: &[u8], keys: &Keys, plain: &mut Plain) -> Step {
        plain.clear();
        if self.half(from).phase == Phase::Blind {
            return Step::Blind(0);
        }
        if self.half(from).lost.is_some() {
            return self.find(from, bytes, keys, plain);
        }
        let mut records = std::mem::take(&mut self.half_mut(from).records);
        let step = match records.step(bytes, plain.buffer()) {
            Next::More => Ok(Step::More(0)),
            Next::Record(record, used, true) if self.opens_in_place(from, record.header()) => {
                let (header, size) = (record.header(), HEADER + record.body.len());
                *plain.buffer() = records.hand_over();
                match self.joined_record(from, header, keys, plain) {
                    Some(what) => Ok(Step::Record(Piece { used, skipped: 0, size, what, hidden: None })),
                    None => {
                        // Spoilt, and given up; how long it was still counts.
                        records.load(plain.take());
                        Err((used, false))
                    }
                }
            }
            Next::Record(record, used, _) => {
                let size = HEADER + record.body.len();
                match self.record(from, record, keys, plain) {
                    Ok(what) => Ok(Step::Record(Piece { used, skipped: 0, size, what, hidden: None })),
                    Err(Stop::Wait) => Ok(Step::Wait(if records.put_back() { used } else { 0 })),
                    Err(Stop::Blind) => Err((if records.put_back() { used } else { 0 }, true)),
                    Err(Stop::Lost) => Err((if records.put_back() { used } else { 0 }, false)),
                }
            }
            Next::Bad => match ssl2_client_hello(bytes) {
                // It fits into the first segment, or it is not worth the trouble.
                Some(size) if records.held() == 0 && self.facts.client.is_none() && size <= bytes.len() => {
                    self.client_hello(ClientHello::read_ssl2(&bytes[..size]));
                    Ok(Step::Record(Piece { used: size, skipped: 0, size, what: What::Control, hidden: None }))
                }
                _ => Err((0, self.half(from).force.is_none())),
            },
        };
        self.half_mut(from).records = records;
        match step {
            Ok(step) => step,
            Err((0, true)) => Step::Blind(self.half_mut(from).blind()),
            Err((used, blind)) => {
                self.gapped |= !blind;
                let skipped = if blind { self.half_mut(from).blind() } else { self.half_mut(from).lose(0) };
                Step::Record(Piece { used, skipped, size: 0, what: What::Opaque, hidden: None })
            }
        }
    }

    /// One whole record.
    fn record(&mut self, from: Party, record: Record<'_>, keys: &Keys, plain: &mut Plain) -> Result<What, Stop> {
        match self.half(from).phase {
            Phase::Plain if record.kind == content::APPLICATION_DATA => self.unexpected_data(from, record, keys, plain),
            Phase::Plain => self.plain(from, record, keys),
            Phase::Early => self.early_record(record, keys, plain),
            Phase::Handshake | Phase::Data if self.is_tls13() && record.kind != content::APPLICATION_DATA => {
                // Middlebox compatibility (RFC 8446, D.4), or an alert before there were keys.
                Ok(What::Control)
            }
            Phase::Handshake => self.handshake_record(from, record, keys, plain),
            Phase::Data => self.data_record(from, record, keys, plain),
            Phase::Blind => Ok(What::Opaque),
        }
    }

    fn version(&self) -> Version {
        self.facts.version().unwrap_or_default()
    }

    fn is_tls13(&self) -> bool {
        self.facts.version().is_some_and(Version::is_tls13)
    }

    fn plain(&mut self, from: Party, record: Record<'_>, keys: &Keys) -> Result<What, Stop> {
        match record.kind {
            content::HANDSHAKE => {
                self.messages(from, record.body, keys);
                Ok(What::Control)
            }
            // Without a ServerHello it is a dummy (RFC 8446, D.4): before 0-RTT data, or before a second hello.
            content::CHANGE_CIPHER_SPEC if self.facts.server.is_some() && !self.is_tls13() => {
                self.change_keys(from, keys)
            }
            _ => Ok(What::Control),
        }
    }

    /// TLS 1.2: what follows is encrypted.
    fn change_keys(&mut self, from: Party, keys: &Keys) -> Result<What, Stop> {
        match self.tls12_openers(keys) {
            Ok((client, server)) => {
                let opener = if from == Party::Client { client } else { server };
                let half = self.half_mut(from);
                (half.phase, half.force) = (Phase::Data, Some(Box::new(InForce::new(opener, None))));
                half.joiner.clear();
                Ok(What::Control)
            }
            Err(stop) => Err(stop),
        }
    }

    fn tls12_openers(&mut self, keys: &Keys) -> Result<(crypt::Opener, crypt::Opener), Stop> {
        let (Some(client), Some(server), Some(cipher)) = (self.client_random, self.server_random, self.cipher) else {
            return Err(Stop::Blind);
        };
        if self.facts.version() != Some(Version::TLS12) {
            return Err(Stop::Blind);
        }
        self.ask(keys);
        let mut master = self.secrets.master.clone();
        if master.is_none()
            && let Some(id) = self.facts.server.as_ref().map(|hello| &hello.session_id)
        {
            master = keys.by_session_id(id);
        }
        if master.is_none() {
            let premaster =
                self.secrets.premaster.clone().or_else(|| keys.by_encrypted_premaster(&self.encrypted_premaster));
            let premaster = premaster.or_else(|| keys.by_rsa(&self.encrypted_premaster));
            master = premaster.and_then(|premaster| self.master_of(cipher, &premaster, (&client, &server)));
        }
        let Some(master) = master else { return Err(self.missing(keys)) };
        crypt::tls12_openers(cipher, &master, (&client, &server), self.encrypt_then_mac).ok_or(Stop::Blind)
    }

    fn master_of(&self, cipher: Cipher, premaster: &Secret, randoms: (&[u8; 32], &[u8; 32])) -> Option<Secret> {
        let hash = match self.extended_master {
            true => Some(crypt::transcript_hash(cipher, self.session_hash_of.as_ref()?)),
            false => None,
        };
        crypt::master_secret(cipher, premaster, randoms, hash.as_deref())
    }

    /// Asks the key store, if something new may be there.
    fn ask(&mut self, keys: &Keys) {
        let generation = keys.generation();
        if let Some(random) = self.client_random
            && self.asked != generation
        {
            self.secrets = keys.find(&random).unwrap_or_default();
        }
        self.asked = generation;
    }

    /// A key is not there.
    fn missing(&self, keys: &Keys) -> Stop {
        if self.given_up || !keys.expected() || self.client_random.is_none() { Stop::Blind } else { Stop::Wait }
    }

    /// Data where a handshake was expected: the beginning of the connection was not seen.
    fn unexpected_data(
        &mut self,
        from: Party,
        record: Record<'_>,
        keys: &Keys,
        plain: &mut Plain,
    ) -> Result<What, Stop> {
        if !self.is_tls13() {
            return Err(Stop::Blind);
        }
        self.half_mut(from).phase = Phase::Handshake;
        self.handshake_record(from, record, keys, plain)
    }

    // --- TLS 1.3

    fn early_record(&mut self, record: Record<'_>, keys: &Keys, plain: &mut Plain) -> Result<What, Stop> {
        if record.kind != content::APPLICATION_DATA {
            // A second hello, or the dummy change of keys.
            return self.plain(Party::Client, record, keys);
        }
        match self.facts.early_data {
            None => {
                plain.copy(record);
                Ok(What::Early)
            }
            Some(taken) => {
                if taken && let Some(what) = self.open_early_record(record, keys, plain) {
                    return Ok(what);
                }
                // Not under 0-RTT keys: the handshake's, or lost for good.
                self.ask(keys);
                let (Some(cipher), Some(secret)) = (self.cipher, self.secrets.client_handshake.clone()) else {
                    self.enter(Party::Client, Phase::Handshake);
                    return self.handshake_record(Party::Client, record, keys, plain);
                };
                let mut force = InForce::tls13(cipher, self.version(), &secret).ok_or(Stop::Blind)?;
                match force.open(record, plain) {
                    Some(opened) => {
                        let half = self.half_mut(Party::Client);
                        (half.phase, half.force) = (Phase::Handshake, Some(Box::new(force)));
                        self.decrypted = true;
                        Ok(self.opened(Party::Client, opened, keys, plain))
                    }
                    None => Ok(What::Opaque),
                }
            }
        }
    }

    fn open_early_record(&mut self, record: Record<'_>, keys: &Keys, plain: &mut Plain) -> Option<What> {
        self.ask(keys);
        if self.half(Party::Client).force.is_none() {
            let force = InForce::tls13(self.cipher?, self.version(), self.secrets.client_early.as_ref()?)?;
            self.half_mut(Party::Client).force = Some(Box::new(force));
        }
        let opened = self.half_mut(Party::Client).force.as_mut()?.open(record, plain)?;
        self.decrypted = true;
        Some(self.opened(Party::Client, opened, keys, plain))
    }

    /// Opens 0-RTT data that was kept: the payload of its record, in order.
    pub fn open_early(&mut self, body: &[u8], keys: &Keys, plain: &mut Plain) -> What {
        plain.clear();
        if self.half(Party::Client).phase != Phase::Early || self.facts.early_data != Some(true) {
            return What::Opaque;
        }
        let record = Record { kind: content::APPLICATION_DATA, version: 0x0303, body };
        self.open_early_record(record, keys, plain).unwrap_or(What::Opaque)
    }

    fn handshake_secret(&self, from: Party) -> Option<&Secret> {
        match from {
            Party::Client => self.secrets.client_handshake.as_ref(),
            Party::Server => self.secrets.server_handshake.as_ref(),
        }
    }

    fn traffic_secret(&self, from: Party) -> Option<&Secret> {
        match from {
            Party::Client => self.secrets.client_traffic.as_ref(),
            Party::Server => self.secrets.server_traffic.as_ref(),
        }
    }

    fn handshake_record(
        &mut self,
        from: Party,
        record: Record<'_>,
        keys: &Keys,
        plain: &mut Plain,
    ) -> Result<What, Stop> {
        let (cipher, version) = (self.cipher.ok_or(Stop::Blind)?, self.version());
        if self.half(from).force.is_none() {
            self.ask(keys);
            match (self.handshake_secret(from), self.traffic_secret(from)) {
                (None, None) => return Err(self.missing(keys)),
                (Some(secret), _) => {
                    let force = InForce::tls13(cipher, version, secret).ok_or(Stop::Blind)?;
                    self.half_mut(from).force = Some(Box::new(force));
                }
                (None, Some(_)) => {}
            }
        }
        if let Some(force) = &mut self.half_mut(from).force
            && let Some(opened) = force.open(record, plain)
        {
            self.decrypted = true;
            return Ok(self.opened(from, opened, keys, plain));
        }
        // The last message of its handshake may have been lost; or its handshake keys are not known.
        let unknown = self.half(from).force.is_none();
        if let Some(secret) = self.traffic_secret(from) {
            let mut force = InForce::tls13(cipher, version, secret).ok_or(Stop::Blind)?;
            if let Some(opened) = force.open(record, plain) {
                let half = self.half_mut(from);
                (half.phase, half.force) = (Phase::Data, Some(Box::new(force)));
                half.joiner.clear();
                self.decrypted = true;
                return Ok(self.opened(from, opened, keys, plain));
            }
        }
        if unknown { Ok(What::Opaque) } else { Err(Stop::Lost) }
    }

    fn data_record(&mut self, from: Party, record: Record<'_>, keys: &Keys, plain: &mut Plain) -> Result<What, Stop> {
        if self.half(from).force.is_none() {
            self.traffic_in_force(from, keys)?;
        }
        let Some(force) = &mut self.half_mut(from).force else { return Err(Stop::Blind) };
        match force.open(record, plain) {
            Some(opened) => {
                self.decrypted = true;
                Ok(self.opened(from, opened, keys, plain))
            }
            // TLS 1.2 without the right key: what follows opens no better.
            None => Err(Stop::Lost),
        }
    }

    /// Is a record of this direction opened with one key, the one in force, or not at all? Then its payload may be spoilt.
    fn opens_in_place(&self, from: Party, header: Header) -> bool {
        let half = self.half(from);
        half.phase == Phase::Data
            && half.force.is_some()
            && (header.kind == content::APPLICATION_DATA || !self.is_tls13())
    }

    /// Such a record, which lies joined where its plaintext shall be.
    fn joined_record(&mut self, from: Party, header: Header, keys: &Keys, plain: &mut Plain) -> Option<What> {
        let opened = self.half_mut(from).force.as_mut()?.open_joined(header, plain)?;
        self.decrypted = true;
        Some(self.opened(from, opened, keys, plain))
    }

    /// TLS 1.3: the key for data comes into force.
    fn traffic_in_force(&mut self, from: Party, keys: &Keys) -> Result<(), Stop> {
        self.ask(keys);
        let (cipher, version) = (self.cipher.ok_or(Stop::Blind)?, self.version());
        let Some(secret) = self.traffic_secret(from) else { return Err(self.missing(keys)) };
        let force = InForce::tls13(cipher, version, secret).ok_or(Stop::Blind)?;
        self.half_mut(from).force = Some(Box::new(force));
        Ok(())
    }

    /// What an opened record carries.
    fn opened(&mut self, from: Party, opened: crypt::Opened, keys: &Keys, plain: &Plain) -> What {
        match opened.kind {
            content::APPLICATION_DATA => What::Data(opened.length),
            content::HANDSHAKE => {
                let body = Zeroizing::new(plain.text(opened.length).to_vec());
                self.messages(from, &body, keys);
                What::Control
            }
            // TLS 1.2, renegotiated. The next record will tell if the key is missing.
            content::CHANGE_CIPHER_SPEC if !self.is_tls13() => {
                if self.change_keys(from, keys).is_err() {
                    self.half_mut(from).force = None;
                }
                What::Control
            }
            _ => What::Control,
        }
    }
}
