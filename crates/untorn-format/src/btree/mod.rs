//! Blocks of the seven btrees: where header, records, keys and pointers lie, and how a block is
//! initialised and verified. The tree itself (search, insert, split) lives in the engine.
//!
//! ```text
//! leaf   | header | rec 0 | rec 1 | ...                                   |
//! node   | header | key 0 | key 1 | ... (max_records) | ptr 0 | ptr 1 | .. |
//! ```
//! A key of the rmapbt is a pair (lowest, highest). The root of a bmbt lies in the inode fork with
//! a header of four bytes; see [`root`].

mod header;
mod layout;
pub mod root;
#[cfg(test)]
mod tests;

pub(crate) use header::seal_at;
pub use header::{Header, Links, LongHeader, ShortHeader, init, verify};
pub use layout::{BtreeKind, MAX_LEVELS};
