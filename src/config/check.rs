//! What is likely wrong in a configuration that could be right.
//!
//! Takes a configuration, looks at the machine it is on, gives remarks for people. Never changes anything.

use std::fs;

use super::{Config, Spec};
use crate::base::SpecLimits;
use crate::capture::interfaces;
use crate::sink::SpecFiles;
use crate::spec::{self, Contract, Options, Warning};

/// Remarks, each one sentence that begins with the key. `shadowtap check-config` prints them, the daemon logs them.
pub fn check(config: &Config) -> Vec<String> {
    let mut remarks = Vec::new();
    user(config, &mut remarks);
    folders(config, &mut remarks);
    taps(config, &mut remarks);
    remarks
}

/// What is wrong with the documents that the configuration names: remarks as of [`check`]. Reads all of them.
pub fn check_specs(config: &Config) -> Vec<String> {
    let mut remarks = Vec::new();
    for (n, spec) in config.specs.iter().enumerate() {
        match load_spec(spec) {
            Ok((_, warnings)) => remarks.extend(warnings.iter().map(|w| format!("`spec[{}]`: {w}", n + 1))),
            Err(why) => remarks.push(format!("`spec[{}].file`: {why}", n + 1)),
        }
    }
    remarks
}

/// Reads a document as the configuration wants it read.
///
/// # Errors
/// Why it cannot be used, for people.
pub fn load_spec(spec: &Spec) -> Result<(Contract, Vec<Warning>), String> {
    let Some(path) = spec.file.to_str() else { return Err(format!("{}: the name is not UTF-8", spec.file.display())) };
    let prefix = |text: &String| (!text.is_empty()).then(|| text.clone());
    let options = Options {
        strip_prefix: prefix(&spec.strip_prefix),
        add_prefix: prefix(&spec.add_prefix),
        services: spec.services.iter().map(|s| s.parse()).collect::<Result<_, _>>()?,
        outside_folder: spec.outside_folder,
        limits: SpecLimits::default(),
    };
    spec::load(&SpecFiles::new(&options.limits), path, &options).map_err(|e| e.to_string())
}

fn taps(config: &Config, remarks: &mut Vec<String>) {
    if config.interfaces.is_empty() {
        return;
    }
    let there = match interfaces::list() {
        Ok(there) => there,
        Err(e) => {
            remarks.push(format!("`interface`: the interfaces of this machine cannot be listed: {e}"));
            return;
        }
    };
    for (n, interface) in config.interfaces.iter().enumerate() {
        let key = format!("`interface[{}].name`", n + 1);
        match there.iter().find(|i| i.name == interface.name) {
            None => {
                let names: Vec<_> = there.iter().filter(|i| !i.loopback).map(|i| i.name.as_str()).collect();
                remarks.push(format!("{key}: there is no {:?}; there are: {}", interface.name, names.join(", ")));
            }
            Some(i) if !i.up => remarks.push(format!("{key}: {:?} is down; `ip link set {0} up`", interface.name)),
            Some(_) => {}
        }
    }
}

fn user(config: &Config, remarks: &mut Vec<String>) {
    let root = nix::unistd::geteuid().is_root();
    if config.user.is_empty() {
        if root && !config.interfaces.is_empty() {
            remarks.push("`user`: not set, so the daemon stays root; name a user of its own to become".into());
        }
        return;
    }
    match nix::unistd::User::from_name(&config.user) {
        Ok(Some(_)) => {}
        Ok(None) => remarks.push(format!(
            "`user`: there is no user {:?} on this machine; make one with `useradd --system {}`",
            config.user, config.user
        )),
        Err(e) => remarks.push(format!("`user`: {:?} cannot be looked up: {e}", config.user)),
    }
    if !root {
        remarks.push(
            "`user`: only root can become another user; started as someone else the daemon stays who it is".into(),
        );
    }
}

fn folders(config: &Config, remarks: &mut Vec<String>) {
    let store = &config.store.folder;
    if store.exists() {
        if !store.is_dir() {
            remarks.push(format!("`store.folder`: {} is not a folder", store.display()));
        }
    } else if !store.parent().is_some_and(|above| above.as_os_str().is_empty() || above.is_dir()) {
        remarks.push(format!(
            "`store.folder`: neither {} nor the folder above it exists; it will be made",
            store.display()
        ));
    }
    if let Some(folder) = &config.folder {
        match fs::read_dir(&folder.path) {
            Ok(_) => {}
            Err(e) => remarks.push(format!("`folder.path`: {} cannot be read: {e}", folder.path.display())),
        }
        if folder.path.starts_with(store) {
            remarks.push(format!("`folder.path`: {} lies in the store's folder", folder.path.display()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Folder;
    use super::*;

    #[test]
    fn remarks_name_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = Config { folder: Some(Folder::at(&dir.path().join("no"))), ..Config::default() };
        config.store.folder = dir.path().join("a/b/c");
        config.user = "no-such-user-here".into();
        config.interfaces.push(super::super::Interface::named("no-such-tap0"));
        let remarks = check(&config);
        for key in [
            "`interface[1].name`: there is no",
            "`user`: there is no user",
            "`store.folder`: neither",
            "`folder.path`:",
        ] {
            assert!(remarks.iter().any(|r| r.starts_with(key)), "{key}: {remarks:?}");
        }
        let good = Config { folder: Some(Folder::at(dir.path())), ..Config::default() };
        assert!(!check(&good).iter().any(|r| r.starts_with("`folder")));
    }
}
