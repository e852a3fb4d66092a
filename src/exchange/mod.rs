//! Floor 4: from messages to exchanges.
//!
//! Takes the messages of a connection, gives each request with its response to an [`Observer`]: whole, or partial
//! with the reason. A lost response never shifts the pairing of the ones after it; requests whose response is
//! missing and responses whose request is missing are kept as such. Never keeps a value longer than its exchange.
//!
//! HTTP/2 is read by `http2`, whose streams name themselves. HTTP/1 takes three steps: `pairing` brings the two directions into causal order, `reader` steps each through its messages, `rules`
//! decide which response answers which request. After a 101 the bytes are another protocol's: WebSocket is read by `websocket`; of all else
//! the exchange is over, and
//! they are accounted as other TCP. Inside a granted CONNECT it is looked anew, one level deep: HTTP there gives
//! exchanges of its own. TLS is read by `tls`: what its handshake tells goes to the observer, and where keys are there,
//! what was said in it is read as a connection of its own.

mod http2;
mod observer;
mod pairing;
mod quic;
mod reader;
mod rules;
mod table;
mod talk;
mod tls;
mod turns;
mod websocket;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;

pub use observer::{
    BodyWish, Grpc, Messages, Observer, Outcome, Partial, Sides, TlsSession, TlsStage, Unread, Unreadable,
};
pub use pairing::Pairing;
pub use quic::{Quic, QuicFlow};
pub use talk::Talk;
pub use turns::{CLASSES as TURN_CLASSES, Turns};
