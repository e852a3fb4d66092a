//! The secrets that are known.
//!
//! Takes entries of key logs from any thread, gives the secrets of a session by its client's random. Bounded: the
//! oldest session goes first. One store is shared by all readers of packets; it is asked when a session begins and
//! when something new has come, never for a packet. Secrets are wiped when they go; nothing here can be printed.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::crypt::RsaKey;
use super::keylog::{Entry, Label, Line, Lines, Secret};

/// Private keys that are held.
const RSA_KEYS: usize = 256;

/// What is known of one session.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// Master secret (TLS 1.2).
    pub master: Option<Secret>,
    /// Premaster secret (TLS 1.2).
    pub premaster: Option<Secret>,
    /// The client's 0-RTT data.
    pub client_early: Option<Secret>,
    /// The client's handshake.
    pub client_handshake: Option<Secret>,
    /// The server's handshake.
    pub server_handshake: Option<Secret>,
    /// The client's data.
    pub client_traffic: Option<Secret>,
    /// The server's data.
    pub server_traffic: Option<Secret>,
}

impl Secrets {
    fn put(&mut self, label: Label, secret: Secret) {
        let place = match label {
            Label::Master | Label::SessionMaster => &mut self.master,
            Label::Premaster | Label::RsaPremaster => &mut self.premaster,
            Label::ClientEarly => &mut self.client_early,
            Label::ClientHandshake => &mut self.client_handshake,
            Label::ServerHandshake => &mut self.server_handshake,
            Label::ClientTraffic => &mut self.client_traffic,
            Label::ServerTraffic => &mut self.server_traffic,
        };
        *place = Some(secret);
    }
}

/// How a session is named: by client random, session id or encrypted premaster secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Name(u8, [u8; 32]);

impl Name {
    fn of(label: Label, of: [u8; 32]) -> Self {
        match label {
            Label::SessionMaster => Self(1, of),
            Label::RsaPremaster => Self(2, of),
            _ => Self(0, of),
        }
    }
}

#[derive(Default)]
struct Store {
    sessions: HashMap<Name, Box<Secrets>>,
    /// In order of coming.
    order: VecDeque<Name>,
    rsa: Vec<RsaKey>,
}

struct Shared {
    store: RwLock<Store>,
    most: usize,
    /// Changes with each secret that comes.
    generation: AtomicU64,
    expected: AtomicBool,
    premasters: AtomicBool,
    once: AtomicBool,
    lines: AtomicU64,
    bad: AtomicU64,
    dropped: AtomicU64,
}

/// Figures of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyFigures {
    /// Sessions whose secrets are held.
    pub sessions: usize,
    /// Secrets that came.
    pub secrets: u64,
    /// Lines that were none of a key log.
    pub bad_lines: u64,
    /// Sessions let go because the store was full.
    pub dropped: u64,
}

/// A handle on the store.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

impl Keys {
    /// An empty store for the secrets of so many sessions.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared {
            store: RwLock::default(),
            most: most.max(1),
            generation: AtomicU64::new(0),
            expected: AtomicBool::new(false),
            premasters: AtomicBool::new(false),
            once: AtomicBool::new(false),
            lines: AtomicU64::new(0),
            bad: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
        }))
    }

    /// Keys may come: sessions wait for theirs from now on.
    pub fn expect(&self) {
        self.0.expected.store(true, Ordering::Relaxed);
    }

    /// May keys come?
    pub fn expected(&self) -> bool {
        self.0.expected.load(Ordering::Relaxed)
    }

    /// May keys come as premaster secrets? Then handshakes are kept until their key exchange (RFC 7627).
    pub(super) fn wants_transcript(&self) -> bool {
        self.0.premasters.load(Ordering::Relaxed)
    }

    /// Takes a server's private key, for the key exchange `TLS_RSA` of TLS 1.2. `false`: there are too many.
    pub fn rsa(&self, key: RsaKey) -> bool {
        let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
        if store.rsa.len() >= RSA_KEYS {
            return false;
        }
        store.rsa.push(key);
        drop(store);
        self.0.premasters.store(true, Ordering::Relaxed);
        self.expect();
        self.0.generation.fetch_add(1, Ordering::Release);
        true
    }

    /// The premaster secret that one of the private keys decrypts.
    pub(super) fn by_rsa(&self, encrypted: &[u8]) -> Option<Secret> {
        if encrypted.is_empty() {
            return None;
        }
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        store.rsa.iter().find_map(|key| key.premaster(encrypted))
    }

    /// Changes whenever a secret came.
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Takes a line.
    pub fn line(&self, line: Line) {
        match line {
            Line::Entry(entry) => self.add(entry),
            Line::Nothing => {}
            Line::Bad => {
                self.0.bad.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Takes the text of a whole key log.
    pub fn text(&self, text: &[u8]) {
        let mut lines = Lines::default();
        lines.push(text, |line| self.line(line));
        lines.finish(|line| self.line(line));
    }

    /// Takes a secret.
    pub fn add(&self, entry: Entry) {
        let Entry { label, of, secret } = entry;
        let name = Name::of(label, of);
        if matches!(label, Label::Premaster | Label::RsaPremaster) {
            self.0.premasters.store(true, Ordering::Relaxed);
        }
        {
            let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
            let Store { sessions, order, .. } = &mut *store;
            sessions
                .entry(name)
                .or_insert_with(|| {
                    order.push_back(name);
                    Box::default()
                })
                .put(label, secret);
            while sessions.len() > self.0.most {
                let Some(oldest) = order.pop_front() else { break };
                if sessions.remove(&oldest).is_some() {
                    self.0.dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            // Those forgotten leave their names behind.
            if order.len() > 2 * self.0.most {
                order.retain(|name| sessions.contains_key(name));
            }
        }
        self.0.lines.fetch_add(1, Ordering::Relaxed);
        self.expect();
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// The secrets of the session with this client random.
    pub fn find(&self, random: &[u8; 32]) -> Option<Secrets> {
        self.get(Name(0, *random))
    }

    /// May something that is here open the session with this client random? Cheaper than [`Keys::find`].
    pub fn may_open(&self, random: &[u8; 32]) -> bool {
        // Premaster secrets have other names.
        self.wants_transcript() || {
            let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
            store.sessions.contains_key(&Name(0, *random))
        }
    }

    /// The master secret of the session with this id.
    pub fn by_session_id(&self, id: &[u8]) -> Option<Secret> {
        let mut name = [0; 32];
        name.get_mut(..id.len()).filter(|_| !id.is_empty())?.copy_from_slice(id);
        self.get(Name(1, name)).and_then(|secrets| secrets.master.clone())
    }

    /// The premaster secret whose encrypted form begins like this.
    pub fn by_encrypted_premaster(&self, encrypted: &[u8]) -> Option<Secret> {
        let mut name = [0; 32];
        name.get_mut(..8)?.copy_from_slice(encrypted.get(..8)?);
        self.get(Name(2, name)).and_then(|secrets| secrets.premaster.clone())
    }

    fn get(&self, name: Name) -> Option<Secrets> {
        if self.generation() == 0 {
            return None;
        }
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        store.sessions.get(&name).map(|secrets| (**secrets).clone())
    }

    /// From now on the secrets of a session are wiped when it is over.
    pub fn use_once(&self) {
        self.0.once.store(true, Ordering::Relaxed);
    }

    /// A session that was decrypted is over.
    pub fn used(&self, random: &[u8; 32]) {
        if self.0.once.load(Ordering::Relaxed) {
            self.forget(random);
        }
    }

    /// Wipes the secrets of a session.
    pub fn forget(&self, random: &[u8; 32]) {
        let mut store = self.0.store.write().unwrap_or_else(PoisonError::into_inner);
        store.sessions.remove(&Name(0, *random));
    }

    /// How full it is.
    pub fn figures(&self) -> KeyFigures {
        let store = self.0.store.read().unwrap_or_else(PoisonError::into_inner);
        KeyFigures {
            sessions: store.sessions.len(),
            secrets: self.0.lines.load(Ordering::Relaxed),
            bad_lines: self.0.bad.load(Ordering::Relaxed),
            dropped: self.0.dropped.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.figures().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u32) -> Entry {
        let mut of = [0; 32];
        of[..4].copy_from_slice(&n.to_be_bytes());
        Entry { label: Label::Master, of, secret: Secret::new(&[n as u8; 48]).unwrap() }
    }

    #[test]
    fn a_huge_log_stays_bounded_and_the_newest_are_kept() {
        let keys = Keys::new(100);
        assert!(!keys.expected());
        for n in 0..10_000 {
            keys.add(entry(n));
        }
        let figures = keys.figures();
        assert_eq!((figures.sessions, figures.secrets, figures.dropped), (100, 10_000, 9_900));
        assert!(keys.find(&entry(9_899).of).is_none());
        assert_eq!(keys.find(&entry(9_999).of).unwrap().master.unwrap().bytes(), [9_999_u32 as u8; 48]);
        assert!(keys.0.store.read().unwrap().order.len() <= 200);
    }

    #[test]
    fn what_is_forgotten_is_gone_and_leaves_nothing() {
        let keys = Keys::new(4);
        for n in 0..1000 {
            keys.add(entry(n));
            keys.forget(&entry(n).of);
        }
        assert_eq!(keys.figures().sessions, 0);
        assert!(keys.0.store.read().unwrap().order.len() <= 9);
    }

    #[test]
    fn names_of_several_kinds() {
        let keys = Keys::new(10);
        let before = keys.generation();
        keys.text(
            format!("RSA Session-ID:0102 Master-Key:{0}\nRSA 0102030405060708 {0}\nnonsense\n", "11".repeat(48))
                .as_bytes(),
        );
        assert!(keys.generation() > before && keys.expected());
        assert!(keys.by_session_id(&[1, 2]).is_some() && keys.by_session_id(&[]).is_none());
        assert!(keys.by_encrypted_premaster(&[1, 2, 3, 4, 5, 6, 7, 8, 9]).is_some());
        assert_eq!(keys.figures().bad_lines, 1);
        assert!(!format!("{keys:?}").contains("11"), "nothing is shown");
    }
}
