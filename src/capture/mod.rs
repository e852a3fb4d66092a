//! Floor 8: where frames come from.
//!
//! Takes names of files, folders and interfaces, gives frames. Opens files and sockets, decompresses, merges in time order.
//! Never decodes a frame.

mod error;
mod filter;
mod source;

pub mod files;
pub mod interfaces;
pub mod live;

pub use error::CaptureError;
pub use filter::Filter;
