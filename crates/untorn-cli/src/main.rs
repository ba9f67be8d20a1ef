//! The `untorn` command.

fn main() {}
