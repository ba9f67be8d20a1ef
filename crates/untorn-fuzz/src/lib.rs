//! Hostile bytes for everything here that reads what a disk holds.
//!
//! ```text
//! input -> script of edits -> block | journal record | volume -> sealed again -> all read it
//! ```
//! A target is a function of bytes, so that any engine can drive it. Edits leave checksums right:
//! what is behind them is what is under test. A target fails when code panics, when a volume of a
//! few thousand blocks costs more requests than a walk of all of it could ([`Budget`]), when an
//! input takes seconds or does not end, or when the process outgrows the limit that the test gives
//! it.
//!
//! `corpus/<target>` has inputs that reach what others do not, and those that once found a fault.
//! What they damage depends on the bases: whoever changes those collects anew. `cargo test` replays
//! them and goes on with a few hundred inputs out of a seed. More of them:
//!
//! ```text
//! UNTORN_FUZZ=1000000 UNTORN_SEED=2 cargo test --release -p untorn-fuzz -- --nocapture image
//! ```
//! An engine that follows coverage (libFuzzer, on a stable compiler) begins with the corpus and
//! adds to it. With `-E=-set_cover_merge=1 -E=<folder>` behind the target's name it takes from a
//! folder only what reaches something new:
//!
//! ```text
//! cargo install cargo-bolero
//! cargo bolero test -p untorn-fuzz --rustc-bootstrap --sanitizer NONE -l 120 \
//!     --corpus-dir crates/untorn-fuzz/corpus/image --crashes-dir target/crashes image
//! ```

// What is compiled for an engine must find one, and cargo links even a test binary without tests.
#[cfg(test)]
use bolero as _;

mod base;
mod blocks;
mod budget;
mod database;
mod directories;
mod exercise;
mod image;
mod journal;
mod script;

pub use blocks::blocks;
pub use budget::Budget;
pub use database::database;
pub use directories::directories;
pub use image::image;
pub use journal::journal;
