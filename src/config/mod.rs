//! Floor 9: what the configuration file means.
//!
//! Takes a TOML file, gives a [`Config`] in which every value is set and makes sense, or an error with file, line, key
//! and remedy. Also says what is likely wrong though possible (`check`) and what a reload changes (`changes`).
//! Never guesses: an unknown key is an error, not a remark. `docs/configuration.md` describes each key.

mod changes;
mod check;
mod error;
mod load;
mod suggest;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use changes::{Changed, changes};
pub use check::{check, check_specs, load_spec};
pub use error::ConfigError;

use crate::base::{InventoryLimits, Limits};
use crate::inventory::RuleKind;
use crate::observe::TrustedProxies;

/// The whole configuration. Defaults are those of the file with every key left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// User to become once interfaces and store are open; empty: stay who started the daemon.
    pub user: String,
    /// Seconds between two status lines; 0: none.
    pub status_seconds: u64,
    /// Batches of observations that may wait for the inventory. One holds up to 64 KiB or 200 ms of traffic.
    pub queue_batches: usize,
    /// Networks of the proxies whose `Forwarded` and `X-Forwarded-For` fields are believed; empty: nobody's are.
    pub trusted_proxies: Vec<String>,
    /// `[[interface]]`: live capture.
    #[serde(rename = "interface", skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<Interface>,
    /// `[folder]`: capture files that another program writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<Folder>,
    /// `[tls]`: where keys for TLS come from.
    pub tls: Tls,
    /// `[store]`
    pub store: Store,
    /// `[[spec]]`: documents that the inventory is held against.
    #[serde(rename = "spec", skip_serializing_if = "Vec::is_empty")]
    pub specs: Vec<Spec>,
    /// `[[rule]]`: what people know better than the learner of path templates.
    #[serde(rename = "rule", skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<Rule>,
    /// `[learn]`: what the learner of path templates may look into.
    pub learn: Learn,
    /// `[log]`
    pub log: Log,
    /// `[limits]`: bounds of the way from packet to exchange.
    pub limits: Limits,
    /// `[inventory]`: bounds of what is kept.
    pub inventory: InventoryLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            user: String::new(),
            status_seconds: 60,
            queue_batches: 512,
            trusted_proxies: Vec::new(),
            interfaces: Vec::new(),
            folder: None,
            tls: Tls::default(),
            store: Store::default(),
            specs: Vec::new(),
            rules: Vec::new(),
            learn: Learn::default(),
            log: Log::default(),
            limits: Limits::default(),
            inventory: InventoryLimits::default(),
        }
    }
}

/// One interface to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// Its name, as `shadowtap interfaces` lists it.
    pub name: String,
    /// BPF filter, as for tcpdump; empty: everything.
    #[serde(default)]
    pub filter: String,
    /// Bytes of a frame that are captured.
    #[serde(default = "snaplen")]
    pub snaplen: u32,
    /// Bytes of the kernel's ring buffer.
    #[serde(default = "buffer_bytes")]
    pub buffer_bytes: u32,
    /// Take frames that are not addressed to this machine; a SPAN port needs it.
    #[serde(default = "promiscuous")]
    pub promiscuous: bool,
}

/// tcpdump's own; frames of segmentation offload have up to 64 KiB and headers.
fn snaplen() -> u32 {
    262_144
}

/// At 10 Gbit/s 64 MiB are 50 ms: longer than the thread is ever away.
fn buffer_bytes() -> u32 {
    64 << 20
}

fn promiscuous() -> bool {
    true
}

impl Interface {
    /// With defaults for all but the name.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            filter: String::new(),
            snaplen: snaplen(),
            buffer_bytes: buffer_bytes(),
            promiscuous: promiscuous(),
        }
    }
}

/// A folder into which another program writes capture files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
    /// Names of the files to read, in order of their names; `*` and `?` stand for any characters.
    #[serde(default = "pattern")]
    pub pattern: String,
    /// Milliseconds between two looks.
    #[serde(default = "poll_milliseconds")]
    pub poll_milliseconds: u64,
    /// Seconds without growth after which a file counts as finished although no later one has begun.
    #[serde(default = "finished_seconds")]
    pub finished_seconds: u64,
}

fn pattern() -> String {
    "*.pcap*".to_owned()
}

fn poll_milliseconds() -> u64 {
    500
}

fn finished_seconds() -> u64 {
    60
}

impl Folder {
    /// With defaults for all but the path.
    pub fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            pattern: pattern(),
            poll_milliseconds: poll_milliseconds(),
            finished_seconds: finished_seconds(),
        }
    }
}

/// Where keys for TLS come from. Without any, TLS is counted and its handshakes are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Key logs (SSLKEYLOGFILE) that are read as they grow, also when they are rotated or not there yet.
    pub keylog: Vec<PathBuf>,
    /// A socket that takes lines of a key log from programs on this machine; empty: none.
    pub socket: PathBuf,
    /// RSA private keys (PEM) of servers, for TLS 1.2 with RSA key exchange.
    pub rsa_key: Vec<PathBuf>,
}

impl Tls {
    /// May keys come?
    pub fn has_keys(&self) -> bool {
        !self.keylog.is_empty() || !self.rsa_key.is_empty() || !self.socket.as_os_str().is_empty()
    }
}

/// Where and how often what is known goes to disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Store {
    /// The folder; made where there is none.
    pub folder: PathBuf,
    /// Seconds between two commits: what a power cut may cost.
    pub commit_seconds: u64,
    /// Seconds between two logical snapshots: what a damaged database may cost.
    pub snapshot_seconds: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self { folder: "/var/lib/shadowtap".into(), commit_seconds: 2, snapshot_seconds: 600 }
    }
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The file: OpenAPI or Swagger, YAML or JSON.
    pub file: PathBuf,
    /// Services it describes, whatever its `servers` say: `host` or `host:port`, `*` stands for any characters.
    /// Empty: as it says itself.
    #[serde(default)]
    pub services: Vec<String>,
    /// Path prefix that a gateway takes off before the observed service sees a request.
    #[serde(default)]
    pub strip_prefix: String,
    /// Path prefix put before each documented path.
    #[serde(default)]
    pub add_prefix: String,
    /// Follow `$ref`s to files outside of the document's folder.
    #[serde(default)]
    pub outside_folder: bool,
}

impl Spec {
    /// With defaults for all but the file.
    pub fn at(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            services: Vec::new(),
            strip_prefix: String::new(),
            add_prefix: String::new(),
            outside_folder: false,
        }
    }
}

/// What holds at a path, whatever the traffic looks like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Hosts for which it holds; `*` and `?` stand for any characters. Empty: all.
    #[serde(default)]
    pub host: String,
    /// The path; `*` stands for one segment. Empty where the rule is about hosts.
    #[serde(default)]
    pub path: String,
    /// What holds.
    pub is: Is,
}

/// What holds at the path of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Is {
    /// Its last segment is a literal.
    Literal,
    /// Its last segment is a parameter's value.
    Parameter,
    /// It and all below it is no API: counted as probed.
    Ignored,
    /// All below it is one endpoint.
    One,
    /// The hosts are one API.
    #[serde(rename = "one-api")]
    OneApi,
    /// Each of the hosts is an API of its own.
    Apart,
}

impl Rule {
    /// As the inventory takes it.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn to_inventory(&self) -> Result<crate::inventory::Rule, String> {
        let kind = match self.is {
            Is::Literal => RuleKind::Literal,
            Is::Parameter => RuleKind::Parameter,
            Is::Ignored => RuleKind::Ignore,
            Is::One => RuleKind::One,
            Is::OneApi => RuleKind::OneApi,
            Is::Apart => RuleKind::Apart,
        };
        let of_hosts = matches!(self.is, Is::OneApi | Is::Apart) && self.path.is_empty();
        crate::inventory::Rule::new(&self.host, if of_hosts { "/" } else { &self.path }, kind)
    }
}

/// What the learner of path templates may look into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Learn {
    /// Walk some JSON bodies, `Location` fields and bearer tokens for values that stand in paths; keyed hashes of them are kept.
    pub bodies: bool,
}

impl Default for Learn {
    fn default() -> Self {
        Self { bodies: true }
    }
}

/// What is logged and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important level that is written.
    pub level: Level,
    /// Form of the lines.
    pub format: Format,
}

/// How important a line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Something failed.
    Error,
    /// Something is not as it should be.
    Warn,
    /// The ordinary course.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JSON under systemd, for people otherwise.
    #[default]
    Auto,
    /// Lines for people.
    Human,
    /// One JSON object a line.
    Json,
}

impl Config {
    /// Reads and checks a file. Relative paths in it start at its own folder.
    ///
    /// # Errors
    /// [`ConfigError`], which names file, line, key and remedy.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        load::file(path)
    }

    /// The proxies whose word is taken.
    pub fn trusted(&self) -> TrustedProxies {
        self.trusted_proxies.iter().filter_map(|network| network.parse().ok()).collect()
    }

    /// The rules, as the inventory takes them.
    pub fn rules(&self) -> Vec<crate::inventory::Rule> {
        // Each was checked when the file was read.
        self.rules.iter().filter_map(|rule| rule.to_inventory().ok()).collect()
    }

    /// As TOML, with every value written out.
    pub fn to_toml(&self) -> String {
        // Only maps with keys that are no strings and values after tables fail, and there are none.
        toml::to_string(self).unwrap_or_default()
    }
}
