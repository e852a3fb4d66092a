//! Floor 3: from chunks to HTTP messages.
//!
//! Takes the chunks and gaps of one connection, gives message heads (borrowed from the chunk wherever it holds
//! them whole), body bytes or only their count, and ends. Tells HTTP from TLS and everything else by content,
//! on any port. Never pairs requests with responses, never keeps a body.

pub mod body;
pub mod chunked;
pub mod grpc;
mod head;
pub mod hpack;
pub mod http1;
pub mod http2;
mod lenient;
pub mod probe;
pub mod protobuf;
pub mod proxy;
pub mod quic;
pub mod recognise;
pub mod tls;
pub mod websocket;

pub use head::{Fields, RequestHead, ResponseHead, Target, Version};
