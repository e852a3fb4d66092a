//! Key logs and private keys that were named on the command line.
//!
//! Takes `--keylog` and `--rsa-key`, puts what stands in those files into the store of secrets. Never holds a file
//! whole, never shows a line of it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::args::KeyArgs;
use super::exit::Failure;
use crate::proto::tls::keylog::Lines;
use crate::proto::tls::{Keys, RsaKey};

/// Bytes read at once.
const BUFFER: usize = 64 << 10;

/// Largest file that is taken for a private key.
const KEY_FILE: u64 = 64 << 10;

/// Reads the files.
pub(crate) fn load(args: &KeyArgs, keys: &Keys) -> Result<(), Failure> {
    for path in &args.keylog {
        log(path, keys)?;
    }
    for path in &args.rsa_key {
        let mut pem = Zeroizing::new(String::new());
        let read = File::open(path).and_then(|file| file.take(KEY_FILE).read_to_string(&mut pem));
        read.map_err(|e| Failure::usage(anyhow::anyhow!("{}: {e}", path.display())))?;
        let key = RsaKey::from_pem(&pem)
            .ok_or_else(|| Failure::usage(anyhow::anyhow!("{}: no RSA private key in PEM", path.display())))?;
        if !keys.rsa(key) {
            return Err(Failure::usage(anyhow::anyhow!("too many private keys")));
        }
    }
    Ok(())
}

fn log(path: &Path, keys: &Keys) -> Result<(), Failure> {
    let failed = |e| Failure::usage(anyhow::anyhow!("{}: {e}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    let (mut lines, mut buffer) = (Lines::default(), Zeroizing::new(vec![0; BUFFER]));
    let before = keys.figures();
    loop {
        let n = file.read(&mut buffer).map_err(failed)?;
        if n == 0 {
            break;
        }
        lines.push(buffer.get(..n).unwrap_or_default(), |line| keys.line(line));
    }
    lines.finish(|line| keys.line(line));
    keys.expect();
    let figures = keys.figures();
    if figures.bad_lines > before.bad_lines && figures.secrets == before.secrets {
        return Err(Failure::usage(anyhow::anyhow!("{}: not a TLS key log", path.display())));
    }
    if figures.dropped > before.dropped {
        let dropped = figures.dropped - before.dropped;
        eprintln!("shadowtap: {}: more sessions than are kept (tls_keys); the first {dropped} went", path.display());
    }
    Ok(())
}
