//! Letting go of privileges.
//!
//! Takes a user's name, makes the process that user for good, without groups and capabilities beyond its own. What was
//! opened before stays open. Never comes back.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use caps::CapSet;
use nix::unistd::{Gid, Uid, User, geteuid, setgid, setgroups, setuid};
use thiserror::Error;

/// How the names in a store's folder begin.
const OURS: &[&str] = &["db", "head", "snapshot", "lock", "control.sock"];

/// Why privileges could not be let go.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("there is no user {user:?} to become; make one with `useradd --system {user}` or change `user`")]
    NoUser {
        /// The name.
        user: String,
    },
    /// The system refused.
    #[error("cannot {action}: {why}")]
    Refused {
        /// What was tried.
        action: String,
        /// The system's answer.
        why: String,
    },
}

pub(super) fn refused<E: std::fmt::Display>(action: impl Into<String>) -> impl FnOnce(E) -> PrivilegeError {
    let action = action.into();
    move |e| PrivilegeError::Refused { action, why: e.to_string() }
}

/// Becomes `user` when started as root, and drops all capabilities in any case. `store` is made and given to the user
/// before. An empty name changes no user.
///
/// To be called before threads are started: capabilities belong to threads. The one that opens interfaces again is there
/// before and keeps what it needs (`opener`).
pub(super) fn drop_to(user: &str, store: &Path) -> Result<(), PrivilegeError> {
    if geteuid().is_root() {
        if user.is_empty() {
            // Root stays root, as configured; it is told to the user by `config::check`.
            return Ok(());
        }
        let found = User::from_name(user).map_err(refused(format!("look up the user {user:?}")))?;
        let found = found.ok_or_else(|| PrivilegeError::NoUser { user: user.to_owned() })?;
        give(store, found.uid, found.gid)?;
        setgroups(&[found.gid]).map_err(refused("drop groups"))?;
        setgid(found.gid).map_err(refused("drop the group"))?;
        setuid(found.uid).map_err(refused("become another user"))?;
        if setuid(Uid::from_raw(0)).is_ok() {
            return Err(PrivilegeError::Refused { action: "drop root".into(), why: "it came back".into() });
        }
    }
    for set in [CapSet::Ambient, CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        // A kernel without ambient capabilities has none to drop.
        match caps::clear(None, set) {
            Err(e) if !matches!(set, CapSet::Ambient) => return Err(refused("drop capabilities")(e)),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the folder and everything in it the user's. Links are not followed, so that nothing outside is given away.
fn give(folder: &Path, uid: Uid, gid: Gid) -> Result<(), PrivilegeError> {
    let action = || format!("give {} to the user", folder.display());
    if !folder.exists() {
        fs::create_dir_all(folder).map_err(refused(action()))?;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).map_err(refused(action()))?;
    }
    let owner = fs::metadata(folder).map_err(refused(action()))?.uid();
    if owner != 0 && owner != uid.as_raw() {
        let why = format!("it belongs to user {owner}; name a folder of its own in `store.folder`");
        return Err(PrivilegeError::Refused { action: action(), why });
    }
    // A slip of the pen in `store.folder` must not give away a folder that is something else.
    for entry in fs::read_dir(folder).map_err(refused(action()))? {
        let name = entry.map_err(refused(action()))?.file_name();
        let name = name.to_string_lossy();
        if !OURS.iter().any(|ours| name.starts_with(ours)) {
            let why = format!("it holds {name:?}, which is not a store's; name a folder of its own in `store.folder`");
            return Err(PrivilegeError::Refused { action: action(), why });
        }
    }
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(&path).map_err(refused(action()))? {
                left.push(entry.map_err(refused(action()))?.path());
            }
        }
        if !path.is_symlink() {
            chown(&path, Some(uid.as_raw()), Some(gid.as_raw())).map_err(refused(action()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_something_else_is_not_given_away() {
        if !geteuid().is_root() {
            eprintln!("\n*** skipped: only root can give files away ***\n");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (uid, gid) = (Uid::from_raw(65_534), Gid::from_raw(65_534));
        let store = dir.path().join("store");
        give(&store, uid, gid).unwrap();
        fs::write(store.join("head"), "x").unwrap();
        fs::create_dir(store.join("db")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", store.join("db/link")).unwrap();
        give(&store, uid, gid).unwrap();
        assert_eq!(fs::metadata(store.join("head")).unwrap().uid(), 65_534);
        assert_eq!(fs::metadata("/etc/passwd").unwrap().uid(), 0, "links are not followed");
        fs::write(store.join("passwords.txt"), "x").unwrap();
        let error = give(&store, uid, gid).unwrap_err().to_string();
        assert!(error.contains("passwords.txt") && error.contains("store.folder"), "{error}");
        assert!(give(&store, Uid::from_raw(1), gid).is_err(), "nor one of another user");
    }

    #[test]
    fn a_user_that_is_not_there_is_named() {
        if !geteuid().is_root() {
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let error = drop_to("no-such-user-here", dir.path()).unwrap_err().to_string();
        assert!(error.contains("no-such-user-here") && error.contains("useradd"), "{error}");
    }
}
