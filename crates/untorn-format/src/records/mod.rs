//! The records of the seven btrees as values: what each says, its bytes, its keys, its order.
//!
//! Each type has `SIZE` (bytes on disk), `decode` (checks only what the record says about itself)
//! and `encode`. Whether blocks lie inside an AG, and order between records, is for the reader.

mod alloc;
mod extent;
mod inobt;
pub mod rank;
mod refcount;
mod rmap;
#[cfg(test)]
mod tests;

pub use alloc::AllocRec;
pub use extent::{Extent, ExtentState, Fork};
pub use inobt::{ChunkForm, INODES_PER_CHUNK, INODES_PER_HOLE_BIT, InobtRec};
pub use refcount::{RefcountDomain, RefcountRec};
pub use rmap::{RmapKey, RmapOwner, RmapRec, RmapRole};

use crate::fault::Fault;

fn array<const N: usize>(what: &'static str, bytes: &[u8]) -> Result<[u8; N], Fault> {
    bytes.first_chunk::<N>().copied().ok_or(Fault::Short { what, have: bytes.len(), need: N })
}

fn low32(word: u64) -> u32 {
    (word & 0xffff_ffff) as u32
}

fn high32(word: u64) -> u32 {
    (word >> 32) as u32
}
