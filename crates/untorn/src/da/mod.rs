//! What directories and attributes share: the blocks of a fork and the way down a hashed index.
//!
//! ```text
//! dir, attr  -- ask -->  ForkBlocks (an inode's fork, seen by a reader or by a transaction)
//!     \                       ^
//!      +-- descend::Index ----+      root, nodes, leaf for a hash, leaf after leaf
//! ```
//!
//! Blocks come verified. What they say to each other is checked here: levels fall by one, leaves
//! are not met twice, so that no volume makes a reader loop. Never here: names, entries, values.

mod blocks;
mod descend;
pub(crate) mod index;

pub use blocks::ForkBlocks;
pub use descend::{Index, Leaves};
pub use index::IndexFork;

#[cfg(test)]
pub(crate) mod tests;
