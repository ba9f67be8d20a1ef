//! One B+tree for all seven of XFS: free space by block and by length, inode chunks, chunks with
//! free inodes, reverse mappings, reference counts, file extents.
//!
//! The tree works on immutable images with private staging and re-reads what it changed. It never
//! knows what its blocks belong to: [`TreeBlocks`] reads, stages, allocates and frees them and
//! keeps the root, which stands in an AG header or inside an inode's fork.
//!
//! An operation that fails half-way leaves staged blocks that do not fit together: the transaction
//! that staged them must be dropped.

mod blocks;
mod build;
mod insert;
mod keys;
mod kinds;
mod node;
mod remove;
mod size;
#[cfg(test)]
pub(crate) mod tests;
mod tree;
mod walk;

pub use blocks::{Image, Root, TreeBlocks};
pub use build::Fill;
pub use kinds::{ByBlock, ByLength, Chunks, Extents, FreeChunks, Refcounts, Rmaps, TreeKind};
pub use size::{blocks_for, levels_for};
pub use tree::{Find, Tree};
pub use walk::Records;
