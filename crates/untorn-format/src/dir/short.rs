//! Short-form directories: entries inside the inode (`xfs_dir2_sf_*`). Reading and checking.
//!
//! ```text
//! count u8, i8count u8, parent u32|u64, then count of:
//!   namelen u8, offset u16, name, filetype u8, inode u32|u64
//! ```
//!
//! Inode numbers take eight bytes as soon as one of them, the parent's included, needs them;
//! `i8count` says how many do. `offset` is where the entry would lie in block form, so that
//! positions survive the conversion; offsets rise.

use super::block::index_size;
use super::entry::{self, Entry, entry_size};
use crate::bytes::{run, view};
use crate::wire::{U16, U32, U64};
use crate::{Fault, Geometry, Ino};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

pub(crate) const WHAT: &str = "short-form directory";

/// Where the first entry after `.` and `..` lies in block form.
pub(crate) const FIRST_OFFSET: usize = super::data::HEADER_SIZE + 16 + 16;

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Header {
    count: u8,
    wide_count: u8,
}
const _: () = assert!(size_of::<Header>() == 2);

#[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct EntryHeader {
    name_length: u8,
    offset: U16,
}
const _: () = assert!(size_of::<EntryHeader>() == 3);

/// How many bytes inode numbers take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InoWidth {
    /// Four.
    Narrow,
    /// Eight.
    Wide,
}

impl InoWidth {
    /// The width that `ino` needs.
    pub fn of(ino: Ino) -> Self {
        if u32::try_from(ino.0).is_ok() { Self::Narrow } else { Self::Wide }
    }
    /// Bytes of an inode number.
    pub fn bytes(self) -> usize {
        match self {
            Self::Narrow => 4,
            Self::Wide => 8,
        }
    }
    fn read(self, bytes: &[u8], at: usize) -> Result<u64, Fault> {
        match self {
            Self::Narrow => view::<U32>(WHAT, bytes, at).map(|ino| ino.get().into()),
            Self::Wide => view::<U64>(WHAT, bytes, at).map(|ino| ino.get()),
        }
    }
    /// Bytes of a directory's header.
    pub(crate) fn header_size(self) -> usize {
        size_of::<Header>() + self.bytes()
    }
    /// Bytes of an entry with a name of `name_length` bytes.
    pub(crate) fn entry_size(self, name_length: usize) -> usize {
        size_of::<EntryHeader>() + name_length + 1 + self.bytes()
    }
}

/// A short-form directory, its header read.
#[derive(Clone, Copy, Debug)]
pub struct Short<'a> {
    bytes: &'a [u8],
    parent: Ino,
    count: u8,
    wide_count: u8,
}

impl<'a> Short<'a> {
    /// Reads the header. Faults: cut short.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header: &Header = view(WHAT, bytes, 0)?;
        let wide_count = header.wide_count;
        let parent = Ino(width(wide_count).read(bytes, size_of::<Header>())?);
        Ok(Self { bytes, parent, count: header.count, wide_count })
    }
    /// The directory above: what `..` names.
    pub fn parent(&self) -> Ino {
        self.parent
    }
    /// Entries besides `.` and `..`.
    pub fn count(&self) -> usize {
        self.count.into()
    }
    /// How many bytes its inode numbers take.
    pub fn width(&self) -> InoWidth {
        width(self.wide_count)
    }
    /// The entries besides `.` and `..`, in order of their offsets; ends after the first fault.
    pub fn entries(&self) -> Entries<'a> {
        let width = self.width();
        Entries { bytes: self.bytes, width, at: width.header_size(), left: self.count }
    }
    /// The entry called `name`; `.` and `..` are not among them.
    pub fn find(&self, name: &[u8]) -> Result<Option<Entry<'a>>, Fault> {
        for entry in self.entries() {
            let entry = entry?;
            if entry.name == name {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

fn width(wide_count: u8) -> InoWidth {
    if wide_count == 0 { InoWidth::Narrow } else { InoWidth::Wide }
}

/// Entries of a short-form directory.
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    bytes: &'a [u8],
    width: InoWidth,
    at: usize,
    left: u8,
}

impl<'a> Entries<'a> {
    fn read(&mut self) -> Result<Entry<'a>, Fault> {
        let header: &EntryHeader = view(WHAT, self.bytes, self.at)?;
        let length = usize::from(header.name_length);
        let name_at = self.at + size_of::<EntryHeader>();
        let name = run(WHAT, self.bytes, name_at, length)?;
        let code: &u8 = view(WHAT, self.bytes, name_at + length)?;
        let ino = self.width.read(self.bytes, name_at + length + 1)?;
        let (ino, file_type) = entry::decode(WHAT, name, ino, *code)?;
        self.at += self.width.entry_size(length);
        self.left -= 1;
        Ok(Entry { name, ino, file_type, offset: header.offset.get().into() })
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Fault>;
    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let entry = self.read();
        if entry.is_err() {
            self.left = 0;
        }
        Some(entry)
    }
}

/// Checks the data fork of a short-form directory: `bytes` is all of it and nothing more. It must
/// be able to become one block.
pub fn verify(bytes: &[u8], geometry: &Geometry) -> Result<(), Fault> {
    let short = Short::parse(bytes)?;
    entry::check_ino(WHAT, geometry, short.parent)?;
    let mut wide = u8::from(InoWidth::of(short.parent) == InoWidth::Wide);
    let mut next_offset = FIRST_OFFSET;
    let mut entries = short.entries();
    for (index, entry) in entries.by_ref().enumerate() {
        let entry = entry?;
        entry::check_ino(WHAT, geometry, entry.ino)?;
        if entry.offset < next_offset || entry.offset % 8 != 0 {
            return Err(Fault::Order { what: WHAT, rule: "offsets overlap", index });
        }
        next_offset = entry.offset + entry_size(entry.name.len());
        wide = wide.saturating_add(u8::from(InoWidth::of(entry.ino) == InoWidth::Wide));
    }
    if wide != short.wide_count {
        let value = short.wide_count.into();
        return Err(Fault::Field { what: WHAT, field: "i8count", value });
    }
    if entries.at != bytes.len() {
        return Err(Fault::Field { what: WHAT, field: "size", value: bytes.len() as u64 });
    }
    if next_offset + index_size(short.count() + 2) > geometry.dir_block_size() {
        return Err(Fault::Field { what: WHAT, field: "offset", value: next_offset as u64 });
    }
    Ok(())
}

/// Encodes a short form from its parts; the caller has checked what fits.
pub(crate) fn encode<'a>(parent: Ino, entries: impl Iterator<Item = Entry<'a>> + Clone) -> Vec<u8> {
    let is_wide = |ino: Ino| usize::from(InoWidth::of(ino) == InoWidth::Wide);
    let wide = is_wide(parent) + entries.clone().map(|entry| is_wide(entry.ino)).sum::<usize>();
    let width = if wide == 0 { InoWidth::Narrow } else { InoWidth::Wide };
    let mut bytes = vec![byte(entries.clone().count()), byte(wide)];
    push_ino(&mut bytes, width, parent);
    for entry in entries {
        let offset = u16::try_from(entry.offset);
        let Ok(offset) = offset else { panic!("an offset past a directory block was encoded") };
        bytes.push(byte(entry.name.len()));
        bytes.extend(offset.to_be_bytes());
        bytes.extend(entry.name);
        bytes.push(entry.file_type.code());
        push_ino(&mut bytes, width, entry.ino);
    }
    bytes
}

fn byte(count: usize) -> u8 {
    let Ok(byte) = u8::try_from(count) else { panic!("{count} does not fit a byte count") };
    byte
}

fn push_ino(bytes: &mut Vec<u8>, width: InoWidth, ino: Ino) {
    let wide = ino.0.to_be_bytes();
    bytes.extend(wide.iter().skip(wide.len() - width.bytes()));
}
