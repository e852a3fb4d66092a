//! The commands, from end to end: what is typed, what comes out, and how it exits.

mod callers;
mod commands;
mod doctor;
mod grpc;
mod opaque;
mod sandbox;
mod scan;
mod templates;
mod traffic;
mod transactions;
mod websocket;
