//! shadowtap: a passive daemon that finds the APIs nobody documented.
//!
//! Data moves one way, and each floor knows only the floors below it
//! (`docs/architecture.md`; `tests/architecture.rs` keeps it so):
//!
//! ```text
//! frame ─▶ segment ─▶ stream chunk ─▶ HTTP message ─▶ exchange ─▶ observation ─▶ endpoint ─▶ finding ─▶ report
//! capture   wire       stream          proto           exchange    observe        inventory    diff       report
//! ```

pub mod base;

pub mod wire;

pub mod stream;

pub mod proto;

pub mod exchange;

pub mod observe;

pub mod inventory;

pub mod spec;

pub mod diff;

pub mod sink;

pub mod config;

pub mod daemon;

pub mod report;

pub mod capture;

pub mod console;

pub mod pipeline;

pub mod cli;
