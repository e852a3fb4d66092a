//! TLS, as far as it can be read from outside (RFC 8446, RFC 5246).
//!
//! Takes the bytes of both directions, gives hellos, certificates, fingerprints and, where keys are given, what was said.
//! On any port and behind any prelude; what was cut off gives what is there. Never verifies, never sends, never trusts a
//! length. All cryptography is in `crypt`.

mod bytes;
pub mod certificate;
mod client_hello;
mod compressed;
mod crypt;
pub mod crypt_initial;
mod der;
pub mod fingerprint;
pub mod handshake;
pub mod keylog;
mod keys;
mod names;
mod plain;
pub mod record;
mod server_hello;
pub mod session;
mod suites;
#[cfg(test)]
pub(crate) mod testing;

pub use certificate::Certificate;
pub use client_hello::ClientHello;
pub use crypt::RsaKey;
pub use keys::{KeyFigures, Keys, Secrets};
pub use names::{Suite, Version, is_grease};
pub use plain::Plain;
pub use server_hello::{EncryptedExtensions, ServerHello};
