//! Calls that share or move blocks between files.
//!
//! - [`clone_range`]: the blocks of one range become those of another as well.
//! - [`dedupe_range`]: the same, where both hold the same bytes.
//! - [`copy_range`]: the same where that can be, the bytes themselves elsewhere.
//! - [`exchange_range`]: two ranges change places, by one transaction.
//!
//! Each takes the files over whole (see `own`), checks the rules, and changes maps. What shares
//! blocks with the files keeps its bytes: a block gains its new user before it loses an old one,
//! and both are of one transaction.
//!
//! Locks: all of each file's range, files by number; then what a transaction locks.
//!
//! Never here: names, file data (but what `copy` reads and hands to the write path).

mod clone;
mod copy;
mod dedupe;
mod exchange;
mod look;
mod remap;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use clone::{Clone, clone_new, clone_range, is_too_large};
pub(crate) use copy::copy_range;
pub use dedupe::Dedupe;
pub(crate) use dedupe::dedupe_range;
pub(crate) use exchange::{Exchange, exchange_range, freshness};
pub use exchange::{ExchangeOptions, Exchanged, Freshness, Rehearsal, Span};

use super::own::{own_range, own_two};
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, RangeGuard};
use std::sync::Arc;

/// The two files of a call, taken over whole.
#[expect(dead_code, reason = "held, never looked at")]
enum Owned<'i> {
    /// They are one.
    One(RangeGuard<'i>),
    Two([RangeGuard<'i>; 2]),
}

fn own<'i>(core: &Arc<Core>, one: &'i Arc<Inode>, other: &'i Arc<Inode>) -> Result<Owned<'i>> {
    match one.ino == other.ino {
        true => Ok(Owned::One(own_range(core, one, 0..u64::MAX)?)),
        false => Ok(Owned::Two(own_two(core, one, other)?)),
    }
}
