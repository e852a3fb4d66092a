//! Floor 0: the words that all other floors speak.
//!
//! Takes nothing from anywhere, gives plain values: points in time, flow keys, sides, named limits,
//! named oddities and the visibility ledger. Never touches a clock, a file, a thread or a log.

mod flow;
mod ledger;
mod limits;
mod oddity;
mod time;

pub use flow::{Address, FlowKey, Side};
pub use ledger::{Bucket, Ledger, Missing};
pub use limits::{InventoryLimits, Limits, SpecLimits, TunnelSettings};
pub use oddity::{Oddities, Oddity};
pub use time::{NotATime, Timestamp};
