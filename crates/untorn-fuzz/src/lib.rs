//! Hostile bytes for everything here that reads what a disk holds.
//!
//! ```text
//! input -> script of edits -> block | journal record | volume -> sealed again -> all read it
//! ```
//! A target is a function of bytes, so that any engine can drive it: `cargo test` with random bytes
//! and the corpus, `cargo bolero` with one that follows coverage. Edits leave checksums right:
//! what is behind them is what is under test.
//!
//! A target fails when code panics, when a volume of a few thousand blocks costs more requests than
//! a walk of all of it could ([`Budget`]), or when the process outgrows the limit that the test
//! gives it.

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
