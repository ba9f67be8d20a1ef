//! Block-form directories: one block of entries with its hashed index at the end. Reading and
//! checking (`xfs_dir3_block_*`).
//!
//! ```text
//! | header | entries and free regions ... | index: (hash, address) * count | count | stale |
//! ```
//!
//! The index is in order of hash. A stale index entry has address zero and keeps its hash.

use super::data::{Area, HEADER_SIZE, Items};
use super::entry::Entry;
use super::leaf::{LeafEntry, matching};
use super::space::DataPtr;
use crate::bytes::{array, view};
use crate::da::hash_name;
use crate::da::stamp;
use crate::kind::Identity;
use crate::wire::U32;
use crate::{Fault, Geometry};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_DIR3_BLOCK_MAGIC`: "XDB3".
pub(crate) const MAGIC: u32 = 0x5844_4233;
pub(crate) const WHAT: &str = "block directory";

/// The end of a block-form directory.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Tail {
    pub(crate) count: U32,
    pub(crate) stale: U32,
}
const _: () = assert!(size_of::<Tail>() == 8);

/// Bytes that the index of `count` entries and the tail take at the end of a block.
pub(crate) fn index_size(count: usize) -> usize {
    count * size_of::<LeafEntry>() + size_of::<Tail>()
}

/// A block-form directory.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    area: Area<'a>,
    index: &'a [LeafEntry],
    tail: &'a Tail,
}

impl<'a> Block<'a> {
    /// Reads header and tail. Faults: cut short, another magic number, an index that does not fit.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let tail_at = bytes.len().saturating_sub(size_of::<Tail>());
        let tail: &Tail = view(WHAT, bytes, tail_at)?;
        let wrong = Fault::Field { what: WHAT, field: "count", value: tail.count.get().into() };
        let count = usize::try_from(tail.count.get()).map_err(|_| wrong.clone())?;
        let end = count
            .checked_mul(size_of::<LeafEntry>())
            .and_then(|size| tail_at.checked_sub(size))
            .filter(|&end| end >= HEADER_SIZE)
            .ok_or(wrong)?;
        let area = Area::parse(WHAT, MAGIC, bytes, end)?;
        Ok(Self { area, index: array(WHAT, bytes, end, count)?, tail })
    }
    /// Entries and free regions in order; ends after the first fault.
    pub fn items(&self) -> Items<'a> {
        self.area.items()
    }
    /// Entries in order of their offsets, `.` and `..` first; ends after the first fault.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Fault>> + use<'a> {
        self.area.entries()
    }
    /// The hashed index, stale entries included.
    pub fn index(&self) -> &'a [LeafEntry] {
        self.index
    }
    /// Stale entries of the index.
    pub fn stale(&self) -> u32 {
        self.tail.stale.get()
    }
    /// Bytes of the whole block.
    pub(crate) fn size(&self) -> usize {
        self.end() + index_size(self.index.len())
    }
    /// Where the data part ends and the index begins.
    pub(crate) fn end(&self) -> usize {
        self.area.end()
    }
    /// The entry called `name`, found through the index; `.` and `..` are entries like others.
    pub fn find(&self, name: &[u8]) -> Result<Option<Entry<'a>>, Fault> {
        for (_, found) in matching(self.index, hash_name(name)) {
            let entry = self.area.entry(offset_of(found.ptr()))?;
            if entry.name == name {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

/// The byte in a directory's only block that `ptr` names; past the block if it names another.
pub(crate) fn offset_of(ptr: DataPtr) -> usize {
    usize::try_from(ptr.byte()).unwrap_or(usize::MAX)
}

/// Checks a block-form directory just read.
pub fn verify(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let block = Block::parse(bytes)?;
    stamp::DIR.verify(WHAT, bytes, identity)?;
    block.verify(identity.geometry)
}

impl Block<'_> {
    /// Checks the data part, the index, and that they speak of the same entries.
    pub(crate) fn verify(&self, geometry: &Geometry) -> Result<(), Fault> {
        let mut entries = Vec::new();
        self.area.verify(geometry, |entry| {
            let ptr = DataPtr::in_first_block(entry.offset).unwrap_or_default();
            entries.push((hash_name(entry.name), ptr));
        })?;
        crate::da::check_order(WHAT, self.index.iter().map(LeafEntry::hash))?;
        let live = self.index.iter().filter(|entry| !entry.is_stale());
        let mut indexed: Vec<_> = live.map(|entry| (entry.hash(), entry.ptr())).collect();
        let stale = self.index.len() - indexed.len();
        if stale as u64 != u64::from(self.stale()) {
            return Err(Fault::Field { what: WHAT, field: "stale", value: self.stale().into() });
        }
        entries.sort_unstable();
        indexed.sort_unstable();
        if entries == indexed {
            return Ok(());
        }
        let index = entries.iter().zip(&indexed).take_while(|(a, b)| a == b).count();
        Err(Fault::Order { what: WHAT, rule: "index and entries disagree", index })
    }
}
