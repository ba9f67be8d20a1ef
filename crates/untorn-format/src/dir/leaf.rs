//! Hashed index blocks of directories: the only leaf of a leaf-form directory, and the leaves
//! below the nodes of a node-form one. Reading and checking (`xfs_dir3_leaf_*`).
//!
//! ```text
//! single:     | header 64 | (hash, address) * count ... | best u16 * bestcount | bestcount u32 |
//! below node: | header 64 | (hash, address) * count ...                                        |
//! ```
//!
//! `best[n]` of a single leaf is the longest free region of data block `n` in bytes; 0xffff where
//! the directory has no such block. Entries are in order of hash; a stale one has address zero and
//! keeps its hash.

use super::space::DataPtr;
use crate::Fault;
use crate::bytes::{array, view};
use crate::da::stamp;
use crate::da::{BlockInfo, DaBlock};
use crate::kind::Identity;
use crate::wire::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_DIR3_LEAF1_MAGIC`.
pub(crate) const LEAF1_MAGIC: u16 = 0x3df1;
/// `XFS_DIR3_LEAFN_MAGIC`.
pub(crate) const LEAFN_MAGIC: u16 = 0x3dff;
/// What `best` says of a data block that the directory does not have.
pub const NO_BLOCK: u16 = 0xffff;

/// One entry of the hashed index.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct LeafEntry {
    /// Hash of the name.
    pub(crate) hash: U32,
    /// Position of the entry in the data space; zero when stale.
    pub(crate) address: U32,
}
const _: () = assert!(size_of::<LeafEntry>() == 8);

impl LeafEntry {
    /// The index entry of a name that hashes to `hash` and stands at `ptr`.
    pub fn new(hash: u32, ptr: DataPtr) -> Self {
        Self { hash: U32::new(hash), address: U32::new(ptr.0) }
    }
    /// Hash of the name.
    pub fn hash(&self) -> u32 {
        self.hash.get()
    }
    /// Position of the entry in the data space.
    pub fn ptr(&self) -> DataPtr {
        DataPtr(self.address.get())
    }
    /// Whether the entry that it named was removed.
    pub fn is_stale(&self) -> bool {
        self.ptr() == DataPtr::NULL
    }
}

/// The live entries of `hash` and their indices.
pub(crate) fn matching(
    entries: &[LeafEntry],
    hash: u32,
) -> impl Iterator<Item = (usize, &LeafEntry)> {
    let first = entries.partition_point(|entry| entry.hash() < hash);
    let from_first = entries.iter().enumerate().skip(first);
    from_first.take_while(move |(_, entry)| entry.hash() == hash).filter(|(_, e)| !e.is_stale())
}

/// Which leaf a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The only one, with the bests of all data blocks at its end.
    Single,
    /// One of many below a node, or the root of a node-form directory.
    BelowNode,
}

impl Role {
    fn magic(self) -> u16 {
        match self {
            Self::Single => LEAF1_MAGIC,
            Self::BelowNode => LEAFN_MAGIC,
        }
    }
    fn what(self) -> &'static str {
        match self {
            Self::Single => "single directory leaf",
            Self::BelowNode => "directory leaf",
        }
    }
}

/// Header of both.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) info: BlockInfo,
    pub(crate) count: U16,
    pub(crate) stale: U16,
    pub(crate) pad: U32,
}
const _: () = assert!(size_of::<Header>() == 64);

/// A hashed index block.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    role: Role,
    header: &'a Header,
    entries: &'a [LeafEntry],
    bests: &'a [U16],
}

impl<'a> Leaf<'a> {
    /// Reads header and tail. Faults: another magic number, more entries or bests than fit.
    pub fn parse(role: Role, bytes: &'a [u8]) -> Result<Self, Fault> {
        let what = role.what();
        let header: &Header = view(what, bytes, 0)?;
        header.info.expect(what, role.magic())?;
        let count = usize::from(header.count.get());
        let entries: &[LeafEntry] = array(what, bytes, size_of::<Header>(), count)?;
        let bests = match role {
            Role::Single => bests(what, bytes, size_of::<Header>() + size_of_val(entries))?,
            Role::BelowNode => &[],
        };
        Ok(Self { role, header, entries, bests })
    }
    /// Links and identity.
    pub fn info(&self) -> &'a BlockInfo {
        &self.header.info
    }
    /// The index, stale entries included.
    pub fn entries(&self) -> &'a [LeafEntry] {
        self.entries
    }
    /// Stale entries of the index.
    pub fn stale(&self) -> u16 {
        self.header.stale.get()
    }
    /// Longest free region of each data block, of a single leaf.
    pub fn bests(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.bests.iter().map(|best| best.get())
    }
    /// Positions of the entries whose name hashes to `hash`.
    pub fn positions(&self, hash: u32) -> impl Iterator<Item = DataPtr> + use<'a> {
        self.places(hash).map(|(_, ptr)| ptr)
    }
    /// The same with the indices of the entries in the leaf.
    pub fn places(&self, hash: u32) -> impl Iterator<Item = (usize, DataPtr)> + use<'a> {
        matching(self.entries, hash).map(|(index, entry)| (index, entry.ptr()))
    }
    /// The next leaf, if entries of `hash` may continue there.
    pub fn next_for(&self, hash: u32) -> Option<DaBlock> {
        let ends_below = self.entries.last().is_none_or(|last| last.hash() <= hash);
        if ends_below { self.info().next() } else { None }
    }
}

fn bests<'a>(what: &'static str, bytes: &'a [u8], entries_end: usize) -> Result<&'a [U16], Fault> {
    let tail_at = bytes.len().saturating_sub(size_of::<U32>());
    let tail: &U32 = view(what, bytes, tail_at)?;
    let wrong = Fault::Field { what, field: "bestcount", value: tail.get().into() };
    let count = usize::try_from(tail.get()).map_err(|_| wrong.clone())?;
    let start = count
        .checked_mul(size_of::<U16>())
        .and_then(|size| tail_at.checked_sub(size))
        .filter(|&start| start >= entries_end)
        .ok_or(wrong)?;
    array(what, bytes, start, count)
}

/// Checks a hashed index block just read.
pub fn verify(role: Role, bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let leaf = Leaf::parse(role, bytes)?;
    let what = role.what();
    stamp::DA.verify(what, bytes, identity)?;
    crate::da::check_order(what, leaf.entries.iter().map(LeafEntry::hash))?;
    let stale = leaf.entries.iter().filter(|entry| entry.is_stale()).count();
    if stale != usize::from(leaf.stale()) {
        return Err(Fault::Field { what, field: "stale", value: leaf.stale().into() });
    }
    let linked = leaf.info().next().or(leaf.info().previous());
    match (leaf.role, linked) {
        (Role::Single, Some(sibling)) => {
            Err(Fault::Field { what, field: "forw", value: sibling.0.into() })
        }
        _ => Ok(()),
    }
}
