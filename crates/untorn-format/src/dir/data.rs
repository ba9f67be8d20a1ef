//! Data blocks of directories, and the data part of block-form ones: reading and checking
//! (`xfs_dir3_data_*`).
//!
//! ```text
//! header 64 bytes: magic, crc, address, lsn, uuid, owner, best[3] of (offset, length), pad
//! then, each a multiple of eight bytes and ending in its own offset (the tag):
//!   entry: inode u64, namelen u8, name, filetype u8, .., tag u16
//!   free:  0xffff u16, length u16, .., tag u16
//! ```
//!
//! Two free regions never touch. `best` names the three longest, longest first.

use super::entry::{self, Entry, entry_size};
use crate::bytes::{run, view};
use crate::da::stamp::{self, DirHeader};
use crate::kind::Identity;
use crate::wire::{U16, U32, U64};
use crate::{Fault, Geometry};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_DIR3_DATA_MAGIC`: "XDD3".
pub(crate) const MAGIC: u32 = 0x5844_4433;
/// Bytes before the first entry.
pub(crate) const HEADER_SIZE: usize = 64;
/// What stands in the place of an inode number's high bits where a region is free.
pub(crate) const FREE_TAG: u16 = 0xffff;
/// Smallest and unit of every region.
pub(crate) const UNIT: usize = 8;

pub(crate) const WHAT: &str = "directory data block";

/// One of the longest free regions.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    FromBytes,
    IntoBytes,
    Immutable,
    KnownLayout,
    Unaligned,
)]
#[repr(C)]
pub(crate) struct FreeSlot {
    pub(crate) offset: U16,
    pub(crate) length: U16,
}

/// Longest free regions, longest first.
pub(crate) type Best = [FreeSlot; 3];

/// Header of data blocks and block-form directories.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) block: DirHeader,
    pub(crate) best: Best,
    pub(crate) pad: U32,
}
const _: () = assert!(size_of::<Header>() == HEADER_SIZE);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryHeader {
    ino: U64,
    name_length: u8,
}
const _: () = assert!(size_of::<EntryHeader>() == 9);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct FreeHeader {
    pub(crate) tag: U16,
    pub(crate) length: U16,
}

/// What lies at a place of the data part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// An entry.
    Entry(Entry<'a>),
    /// Free bytes.
    Free {
        /// Byte offset in the block.
        offset: usize,
        /// Length in bytes.
        length: usize,
    },
}

/// A data block.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    area: Area<'a>,
}

impl<'a> Data<'a> {
    /// Reads the header. Faults: cut short, another magic number.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        Area::parse(WHAT, MAGIC, bytes, bytes.len()).map(|area| Self { area })
    }
    /// Entries and free regions in order; ends after the first fault.
    pub fn items(&self) -> Items<'a> {
        self.area.items()
    }
    /// Entries in order of their offsets; ends after the first fault.
    pub fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Fault>> + use<'a> {
        self.area.entries()
    }
    /// The entry at byte `offset`, as the hashed index names it.
    pub fn entry(&self, offset: usize) -> Result<Entry<'a>, Fault> {
        self.area.entry(offset)
    }
    /// Length of the longest free region in bytes.
    pub fn best(&self) -> usize {
        self.area.best()
    }
    /// Where the longest free region begins, and its length.
    pub(crate) fn best_region(&self) -> (usize, usize) {
        let [first, ..] = self.area.header.best;
        (first.offset.get().into(), first.length.get().into())
    }
}

/// Checks a data block just read.
pub fn verify(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let data = Data::parse(bytes)?;
    stamp::DIR.verify(WHAT, bytes, identity)?;
    data.area.verify(identity.geometry, |_| ())
}

/// The part of a block that holds entries and free regions: from the header to `end`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Area<'a> {
    what: &'static str,
    bytes: &'a [u8],
    header: &'a Header,
}

impl<'a> Area<'a> {
    pub(crate) fn parse(
        what: &'static str,
        magic: u32,
        bytes: &'a [u8],
        end: usize,
    ) -> Result<Self, Fault> {
        let header: &Header = view(what, bytes, 0)?;
        let found = header.block.magic.get();
        if found != magic {
            return Err(Fault::Magic { what, found: found.into() });
        }
        Ok(Self { what, bytes: run(what, bytes, 0, end)?, header })
    }
    pub(crate) fn items(&self) -> Items<'a> {
        Items { what: self.what, bytes: self.bytes, at: HEADER_SIZE }
    }
    pub(crate) fn entries(&self) -> impl Iterator<Item = Result<Entry<'a>, Fault>> + use<'a> {
        self.items().filter_map(|item| match item {
            Ok(Item::Entry(entry)) => Some(Ok(entry)),
            Ok(Item::Free { .. }) => None,
            Err(fault) => Some(Err(fault)),
        })
    }
    pub(crate) fn entry(&self, offset: usize) -> Result<Entry<'a>, Fault> {
        let wrong = Fault::Field { what: self.what, field: "address", value: offset as u64 };
        if offset < HEADER_SIZE || !offset.is_multiple_of(UNIT) {
            return Err(wrong);
        }
        match (Items { what: self.what, bytes: self.bytes, at: offset }).next() {
            Some(Ok(Item::Entry(entry))) => Ok(entry),
            Some(Err(fault)) => Err(fault),
            _ => Err(wrong),
        }
    }
    /// Where the part ends: a byte offset in the block.
    pub(crate) fn end(&self) -> usize {
        self.bytes.len()
    }
    pub(crate) fn best(&self) -> usize {
        let [first, ..] = self.header.best;
        first.length.get().into()
    }
    /// Checks regions and `best`, showing every entry to `visit`.
    pub(crate) fn verify(
        &self,
        geometry: &Geometry,
        mut visit: impl FnMut(&Entry<'a>),
    ) -> Result<(), Fault> {
        let mut seen = SeenBest::new(self.what, &self.header.best)?;
        let mut free_end = 0;
        for (index, item) in self.items().enumerate() {
            match item? {
                Item::Entry(entry) => {
                    entry::check_ino(self.what, geometry, entry.ino)?;
                    visit(&entry);
                }
                Item::Free { offset, length } => {
                    if offset == free_end {
                        let rule = "free regions touch";
                        return Err(Fault::Order { what: self.what, rule, index });
                    }
                    free_end = offset + length;
                    seen.note(offset, length)?;
                }
            }
        }
        seen.finish()
    }
}

/// Entries and free regions of a data part.
#[derive(Clone, Debug)]
pub struct Items<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Items<'a> {
    fn read(&mut self) -> Result<Item<'a>, Fault> {
        let (what, bytes, at) = (self.what, self.bytes, self.at);
        let free: &FreeHeader = view(what, bytes, at)?;
        let (item, size) = if free.tag.get() == FREE_TAG {
            let length = usize::from(free.length.get());
            if length < UNIT || !length.is_multiple_of(UNIT) {
                return Err(Fault::Field { what, field: "length", value: length as u64 });
            }
            (Item::Free { offset: at, length }, length)
        } else {
            let entry = read_entry(what, bytes, at)?;
            (Item::Entry(entry), entry_size(entry.name.len()))
        };
        let tag: &U16 = view(what, bytes, at + size - size_of::<U16>())?;
        if usize::from(tag.get()) != at {
            return Err(Fault::Field { what, field: "tag", value: tag.get().into() });
        }
        self.at += size;
        Ok(item)
    }
}

fn read_entry<'a>(what: &'static str, bytes: &'a [u8], at: usize) -> Result<Entry<'a>, Fault> {
    let header: &EntryHeader = view(what, bytes, at)?;
    let length = usize::from(header.name_length);
    let name_at = at + size_of::<EntryHeader>();
    let name = run(what, bytes, name_at, length)?;
    let code: &u8 = view(what, bytes, name_at + length)?;
    let (ino, file_type) = entry::decode(what, name, header.ino.get(), *code)?;
    Ok(Entry { name, ino, file_type, offset: at })
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Item<'a>, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let item = self.read();
        if item.is_err() {
            self.at = self.bytes.len();
        }
        Some(item)
    }
}

/// Compares the free regions met with those that `best` names.
struct SeenBest<'a> {
    what: &'static str,
    best: &'a Best,
    seen: [bool; 3],
}

impl<'a> SeenBest<'a> {
    fn new(what: &'static str, best: &'a Best) -> Result<Self, Fault> {
        let falls = best.is_sorted_by(|a, b| a.length.get() >= b.length.get());
        let empty = best.map(|slot| slot.length.get() == 0);
        let clean = best.iter().all(|slot| slot.length.get() != 0 || slot.offset.get() == 0);
        if falls && clean { Ok(Self { what, best, seen: empty }) } else { Err(wrong(what, best)) }
    }
    fn note(&mut self, offset: usize, length: usize) -> Result<(), Fault> {
        let slot = FreeSlot { offset: short(offset), length: short(length) };
        match self.best.iter().zip(&mut self.seen).find(|(best, _)| **best == slot) {
            Some((_, seen)) => *seen = true,
            None => {
                let [.., least] = self.best;
                if length > usize::from(least.length.get()) {
                    return Err(wrong(self.what, self.best));
                }
            }
        }
        Ok(())
    }
    fn finish(self) -> Result<(), Fault> {
        if self.seen == [true; 3] { Ok(()) } else { Err(wrong(self.what, self.best)) }
    }
}

fn wrong(what: &'static str, best: &Best) -> Fault {
    let [first, ..] = best;
    Fault::Field { what, field: "bestfree", value: first.length.get().into() }
}

/// A byte count below 64 KiB as the disk has it.
pub(crate) fn short(value: usize) -> U16 {
    let Ok(value) = u16::try_from(value) else { panic!("{value} lies past a directory block") };
    U16::new(value)
}
