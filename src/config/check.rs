//! What is likely wrong in a configuration that could be right.
//!
//! Takes a configuration, looks at the machine it is on, gives remarks for people. Never changes anything.

use std::fs;
use std::path::Path;

use super::Config;

/// Remarks, each one sentence that begins with the key. `shadowtap check-config` prints them, the daemon logs them.
pub fn check(config: &Config) -> Vec<String> {
    let mut remarks = Vec::new();
    user(config, &mut remarks);
    folders(config, &mut remarks);
    remarks
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
    } else if !store.parent().is_some_and(Path::is_dir) {
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
        let remarks = check(&config);
        for key in ["`user`: there is no user", "`store.folder`: neither", "`folder.path`:"] {
            assert!(remarks.iter().any(|r| r.starts_with(key)), "{key}: {remarks:?}");
        }
        let good = Config { folder: Some(Folder::at(dir.path())), ..Config::default() };
        assert!(!check(&good).iter().any(|r| r.starts_with("`folder")));
    }
}
