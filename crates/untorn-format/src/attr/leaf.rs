//! Attribute leaves: reading and checking (`xfs_attr3_leaf_*`).
//!
//! ```text
//! | header 80: info, count, usedbytes, firstused, holes, freemap[3], pad |
//! | entries in order of hash: hash u32, nameidx u16, flags u8, pad ...   |
//! |                                   ... names and values, 4-byte units |
//!   local:  valuelen u16, namelen u8, name, value
//!   remote: valueblk u32, valuelen u32, namelen u8, name
//! ```
//!
//! `firstused` is where names begin; zero says "at the end" in blocks of 64 KiB.

use super::{Attr, INCOMPLETE, LOCAL, MAX_VALUE, Namespace, State, Value};
use crate::Fault;
use crate::bytes::{array, run, view};
use crate::da::stamp;
use crate::da::{BlockInfo, DaBlock};
use crate::kind::Identity;
use crate::wire::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_ATTR3_LEAF_MAGIC`.
pub(crate) const MAGIC: u16 = 0x3bee;
pub(crate) const WHAT: &str = "attribute leaf";

/// A run of free bytes.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FreeRun {
    pub(crate) base: U16,
    pub(crate) size: U16,
}

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) info: BlockInfo,
    pub(crate) count: U16,
    pub(crate) used_bytes: U16,
    pub(crate) first_used: U16,
    pub(crate) holes: u8,
    pub(crate) pad1: u8,
    pub(crate) free_map: [FreeRun; 3],
    pub(crate) pad2: U32,
}
const _: () = assert!(size_of::<Header>() == 80);

/// One entry of the index of a leaf.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct LeafEntry {
    /// Hash of the name.
    pub hash: U32,
    /// Where its name begins, in bytes.
    pub name_index: U16,
    /// Namespace, local or remote, incomplete.
    pub(crate) flags: u8,
    /// Zero.
    pub(crate) pad: u8,
}
const _: () = assert!(size_of::<LeafEntry>() == 8);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct LocalHeader {
    pub(crate) value_length: U16,
    pub(crate) name_length: u8,
}
const _: () = assert!(size_of::<LocalHeader>() == 3);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RemoteName {
    pub(crate) block: U32,
    pub(crate) value_length: U32,
    pub(crate) name_length: u8,
}
const _: () = assert!(size_of::<RemoteName>() == 9);

/// A leaf.
#[derive(Clone, Copy, Debug)]
pub struct Leaf<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    entries: &'a [LeafEntry],
}

impl<'a> Leaf<'a> {
    /// Reads the header. Faults: another magic number, more entries than fit before the names.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header: &Header = view(WHAT, bytes, 0)?;
        header.info.expect(WHAT, MAGIC)?;
        let entries = array(WHAT, bytes, size_of::<Header>(), header.count.get().into())?;
        let leaf = Self { bytes, header, entries };
        let first = leaf.first_used();
        if first > bytes.len() || first < size_of::<Header>() + size_of_val(entries) {
            return Err(Fault::Field { what: WHAT, field: "firstused", value: first as u64 });
        }
        Ok(leaf)
    }
    /// Links and identity.
    pub fn info(&self) -> &'a BlockInfo {
        &self.header.info
    }
    /// The index in order of hash.
    pub fn entries(&self) -> &'a [LeafEntry] {
        self.entries
    }
    pub(super) fn first_used(&self) -> usize {
        match self.header.first_used.get() {
            0 => self.bytes.len(),
            first => first.into(),
        }
    }
    /// The attributes in order of hash; faults are of one attribute and do not end the list.
    pub fn attrs(&self) -> impl Iterator<Item = Result<Attr<'a>, Fault>> + use<'a> {
        let leaf = *self;
        self.entries.iter().map(move |entry| leaf.attr(entry))
    }
    /// The attributes whose hash is `hash`.
    pub fn matching(&self, hash: u32) -> impl Iterator<Item = Result<Attr<'a>, Fault>> + use<'a> {
        let leaf = *self;
        let first = self.entries.partition_point(|entry| entry.hash.get() < hash);
        let from_first = self.entries.iter().skip(first);
        let equal = from_first.take_while(move |entry| entry.hash.get() == hash);
        equal.map(move |entry| leaf.attr(entry))
    }
    /// The next leaf, if attributes of `hash` may continue there.
    pub fn next_for(&self, hash: u32) -> Option<DaBlock> {
        let ends_below = self.entries.last().is_none_or(|last| last.hash.get() <= hash);
        if ends_below { self.info().next() } else { None }
    }
    /// The attribute of an entry of this leaf's index.
    pub fn attr(&self, entry: &LeafEntry) -> Result<Attr<'a>, Fault> {
        let at = usize::from(entry.name_index.get());
        if at < self.first_used() {
            return Err(Fault::Field { what: WHAT, field: "nameidx", value: at as u64 });
        }
        let namespace = Namespace::of(WHAT, entry.flags)?;
        let incomplete = entry.flags & INCOMPLETE != 0;
        let state = if incomplete { State::Incomplete } else { State::Complete };
        let (name, value) = match entry.flags & LOCAL {
            0 => self.remote(at, state)?,
            _ => self.local(at)?,
        };
        if name.is_empty() {
            return Err(Fault::Field { what: WHAT, field: "namelen", value: 0 });
        }
        Ok(Attr { namespace, name, value, state })
    }
    fn local(&self, at: usize) -> Result<(&'a [u8], Value<'a>), Fault> {
        let header: &LocalHeader = view(WHAT, self.bytes, at)?;
        let name_at = at + size_of::<LocalHeader>();
        let name = run(WHAT, self.bytes, name_at, header.name_length.into())?;
        let value_at = name_at + name.len();
        let value = run(WHAT, self.bytes, value_at, header.value_length.get().into())?;
        Ok((name, Value::Local(value)))
    }
    fn remote(&self, at: usize, state: State) -> Result<(&'a [u8], Value<'a>), Fault> {
        let header: &RemoteName = view(WHAT, self.bytes, at)?;
        let name_at = at + size_of::<RemoteName>();
        let name = run(WHAT, self.bytes, name_at, header.name_length.into())?;
        let (block, length) = (header.block.get(), header.value_length.get());
        if block == 0 && state == State::Complete {
            return Err(Fault::Field { what: WHAT, field: "valueblk", value: 0 });
        }
        let length = usize::try_from(length).ok().filter(|&length| length <= MAX_VALUE);
        let wrong = header.value_length.get().into();
        let length = length.ok_or(Fault::Field { what: WHAT, field: "valuelen", value: wrong })?;
        Ok((name, Value::Remote { block: DaBlock(block), length }))
    }
}

/// Bytes of a leaf that a name takes with a value beside it.
pub(super) fn local_size(name: usize, value: usize) -> usize {
    (size_of::<LocalHeader>() + name + value).next_multiple_of(4)
}

/// Bytes of a leaf that a name takes whose value has blocks of its own: the structure, two bytes
/// that a compiler once put behind it and that are part of the format since
/// (`xfs_attr_leaf_entsize_remote`), the name.
pub(super) fn remote_size(name: usize) -> usize {
    (size_of::<RemoteName>() + 2 + name).next_multiple_of(4)
}

/// Checks what a leaf counts and where its names lie: no two over one another, all of them inside
/// the block with what the format puts behind them, `usedbytes` their sum, `firstused` the first
/// (or, where there are holes, before it). Readers do without; for the checker.
pub fn account(bytes: &[u8]) -> Result<(), Fault> {
    let leaf = Leaf::parse(bytes)?;
    let mut runs = Vec::with_capacity(leaf.entries.len());
    for entry in leaf.entries {
        let attr = leaf.attr(entry)?;
        let size = match attr.value {
            Value::Local(value) => local_size(attr.name.len(), value.len()),
            Value::Remote { .. } => remote_size(attr.name.len()),
        };
        runs.push((usize::from(entry.name_index.get()), size));
    }
    runs.sort_unstable();
    let ends = runs.iter().map(|(at, size)| at + size);
    let next = runs.iter().skip(1).map(|(at, _)| *at).chain([bytes.len()]);
    let field = |field, value: usize| Fault::Field { what: WHAT, field, value: value as u64 };
    if let Some((end, _)) = ends.zip(next).find(|(end, next)| end > next) {
        return Err(field("nameidx: names over one another, byte", end - 1));
    }
    let used: usize = runs.iter().map(|(_, size)| size).sum();
    if usize::from(leaf.header.used_bytes.get()) != used {
        return Err(field("usedbytes", leaf.header.used_bytes.get().into()));
    }
    let first = runs.first().map_or(bytes.len(), |(at, _)| *at);
    match leaf.header.holes == 0 && leaf.first_used() != first {
        true => Err(field("firstused", leaf.first_used())),
        false => Ok(()),
    }
}

/// Checks a leaf just read: identity, order, that every name lies in the block, and the free map's
/// bounds. A leaf may be empty: a kernel that stopped between two steps leaves one.
pub fn verify(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let leaf = Leaf::parse(bytes)?;
    stamp::DA.verify(WHAT, bytes, identity)?;
    crate::da::check_order(WHAT, leaf.entries.iter().map(|entry| entry.hash.get()))?;
    for attr in leaf.attrs() {
        attr?;
    }
    for free in leaf.header.free_map {
        let (base, size) = (free.base.get(), free.size.get());
        let end = usize::from(base) + usize::from(size);
        if base % 4 != 0 || size % 4 != 0 || end > bytes.len() {
            return Err(Fault::Field { what: WHAT, field: "freemap", value: base.into() });
        }
    }
    Ok(())
}
