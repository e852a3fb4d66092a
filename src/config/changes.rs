//! What a reload changes.
//!
//! Takes the configuration in force and a new one, gives the keys that differ and whether the daemon can take them up
//! as it runs. Never decides anything else.

use std::collections::BTreeMap;

use super::Config;

/// A key that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The key, with its tables.
    pub key: String,
    /// Value in force; empty where there was none.
    pub from: String,
    /// New value; empty where there is none any more.
    pub to: String,
    /// Does it take effect without a restart?
    pub live: bool,
}

/// Prefixes of the keys that take effect at once. What threads hold since their start, and what needs privileges
/// that were dropped, does not.
const LIVE: &[&str] =
    &["status_seconds", "spec", "rule", "log.level", "store.commit_seconds", "store.snapshot_seconds"];

/// The keys in which `new` differs from `old`.
pub fn changes(old: &Config, new: &Config) -> Vec<Changed> {
    let (old, new) = (flat(old), flat(new));
    let keys: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    keys.into_iter()
        .filter(|key| old.get(*key) != new.get(*key))
        .map(|key| Changed {
            key: key.clone(),
            from: old.get(key).cloned().unwrap_or_default(),
            to: new.get(key).cloned().unwrap_or_default(),
            live: LIVE
                .iter()
                .any(|live| key.strip_prefix(live).is_some_and(|r| r.is_empty() || r.starts_with(['[', '.']))),
        })
        .collect()
}

fn flat(config: &Config) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    if let Ok(value) = toml::Value::try_from(config) {
        walk(&value, String::new(), &mut out);
    }
    out
}

fn walk(value: &toml::Value, path: String, out: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                walk(value, path, out);
            }
        }
        toml::Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                walk(item, format!("{path}[{}]", n + 1), out);
            }
        }
        leaf => {
            out.insert(path, leaf.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Interface, Level, Spec};
    use super::*;

    #[test]
    fn tells_what_can_change_at_once() {
        let old = Config { interfaces: vec![Interface::named("eth1")], ..Config::default() };
        assert_eq!(changes(&old, &old), []);
        let mut new = old.clone();
        new.log.level = Level::Debug;
        new.limits.flows = 9;
        new.specs.push(Spec::at(Path::new("a.yaml")));
        new.interfaces[0].snaplen = 9000;
        let found = changes(&old, &new);
        let live = |key: &str| found.iter().find(|c| c.key == key).map(|c| c.live);
        assert_eq!(live("log.level"), Some(true));
        assert_eq!(live("spec[1].file"), Some(true));
        assert_eq!(live("limits.flows"), Some(false));
        assert_eq!(live("interface[1].snaplen"), Some(false));
        let flows = found.iter().find(|c| c.key == "limits.flows").unwrap();
        assert_eq!((flows.from.as_str(), flows.to.as_str()), ("500000", "9"));
    }
}
