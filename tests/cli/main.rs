//! The commands, from end to end: what is typed, what comes out, and how it exits.

mod callers;
mod commands;
mod doctor;
mod opaque;
mod grpc;
mod sandbox;
mod scan;
mod templates;
mod traffic;
mod transactions;
