//! The configuration, where a command takes it into account.
//!
//! Takes the path that was typed, or the usual one where the file is there; gives the configuration or its defaults.

use std::path::Path;

use super::exit::Failure;
use crate::config::Config;

/// Where the daemon's configuration lies, unless `--config` says otherwise.
pub(crate) const USUAL: &str = "/etc/shadowtap/shadowtap.toml";

/// The file named; without one, defaults. For commands whose result must not hang on the machine.
pub(crate) fn named(path: Option<&Path>) -> Result<Config, Failure> {
    path.map_or_else(|| Ok(Config::default()), |path| Config::load(path).map_err(Failure::usage))
}

/// The file named, or the usual one where it is there, or defaults. For commands that look into what the daemon keeps.
pub(crate) fn usual(path: Option<&Path>) -> Result<Config, Failure> {
    let usual = Path::new(USUAL);
    named(path.or_else(|| usual.exists().then_some(usual)))
}
