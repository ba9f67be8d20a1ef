//! Files that share blocks and exchange them: against byte shadows, under power cuts, and beside
//! Linux.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod kernel;
mod model;
mod power;

mod world;

/// A size from the environment: a smoke by default, a soak where it says so.
fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}
