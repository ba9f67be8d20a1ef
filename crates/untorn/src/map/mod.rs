//! Where a file's blocks lie: lookups and changes of the extent maps of both forks.
//!
//! A fork's map is a short list inside the inode or a B+tree rooted there; there is no other copy
//! in memory. Readers hold the inode's owner lock shared, transactions hold it exclusively.
//!
//! Mapped blocks change hands here together with their reverse mappings, counts and the inode's
//! block count: after each call the inode, its AGs and its map agree.
//!
//! Never here: file data, directories, when a mapping changes.

mod edit;
mod exchange;
mod fork;
mod list;
mod mapping;
mod refit;
mod replace;
#[cfg(test)]
mod tests;
mod tree;

pub(crate) use edit::{convert, map, trim, unmap};
pub(crate) use exchange::exchange;
pub(crate) use fork::{extent_before, last_extent, mapping_at, next_extent, published};
pub(crate) use mapping::{Mapping, MappingState, find};
pub(crate) use refit::set_fork_offset;
pub(crate) use replace::replace;
