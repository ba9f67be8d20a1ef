//! Metadata on a disk whose power is cut at every request: recovery must give the state after some
//! change that had begun, and not before the last that was durable.
//!
//! The volume is a row of blocks (symlink targets, for want of a simpler kind) and a log. Changes
//! touch some chunks of some blocks; blocks go home now and then, so that the tail moves and the
//! log wraps. [`journal`] writes checkpoints by hand, [`store`] lets the store decide.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod failures;
mod flushes;
mod journal;
mod latecomers;
mod store;
mod volume;
