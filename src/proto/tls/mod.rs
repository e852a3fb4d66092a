//! TLS, as far as it can be read from outside (RFC 8446, RFC 5246).
//!
//! Takes the bytes of both directions, gives hellos, certificates, fingerprints. On any port and behind any prelude;
//! what was cut off gives what is there. Never verifies, never sends, never trusts a length.

mod bytes;
pub mod certificate;
mod client_hello;
pub mod crypt_initial;
mod der;
pub mod fingerprint;
pub mod handshake;
mod names;
pub mod record;
mod server_hello;
mod suites;

pub use certificate::Certificate;
pub use client_hello::ClientHello;
pub use names::{Suite, Version, is_grease};
pub use server_hello::{EncryptedExtensions, ServerHello};
