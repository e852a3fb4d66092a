//! The `shadowtap` command.

fn main() {}
