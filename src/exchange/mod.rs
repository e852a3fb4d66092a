//! Floor 4: from messages to exchanges.
//!
//! Takes the messages of a connection, gives each request with its response to an [`Observer`]: whole, or partial
//! with the reason. A lost response never shifts the pairing of the ones after it; requests whose response is
//! missing and responses whose request is missing are kept as such. Never keeps a value longer than its exchange.

mod observer;
mod pairing;
mod reader;
mod rules;
mod table;
mod talk;

#[cfg(test)]
mod properties;

#[cfg(test)]
mod tests;

pub use observer::{BodyWish, Observer, Outcome, Partial, Sides};
pub use pairing::Pairing;
pub use talk::Talk;
