//! Intents that are lists of extents: EFI, RUI, CUI, BUI.

use super::super::bytes::{Reader, Writer};
use super::{field, fork_flag, fork_of};
use crate::fault::Fault;
use crate::records::Fork;
use crate::units::{FileBlock, FsBlock, Ino};

const TYPE: u32 = 0xff;
const PACKED_EXTENT: usize = 12;
const EXTENT: usize = 16;

/// Reads `count` entries, which must fill the region.
pub(super) fn list<T>(
    count: u32,
    reader: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(read(reader)?);
    }
    match reader.remaining() {
        0 => Ok(entries),
        left => Err(field("nextents", left as u64)),
    }
}

/// Reads the extents of an EFI: 16 bytes each, or 12 where a 32-bit kernel wrote them.
pub(super) fn free(count: u32, reader: &mut Reader<'_>) -> Result<Vec<FreeExtent>, Fault> {
    let bytes = reader.remaining();
    let count_bytes = |each: usize| (count as usize).checked_mul(each);
    if count_bytes(PACKED_EXTENT) == Some(bytes) {
        return list(count, reader, FreeExtent::read);
    }
    if count_bytes(EXTENT) != Some(bytes) {
        return Err(field("efi_nextents", count));
    }
    list(count, reader, |reader| {
        let extent = FreeExtent::read(reader)?;
        reader.skip(EXTENT - PACKED_EXTENT)?;
        Ok(extent)
    })
}

/// Blocks to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FreeExtent {
    /// First block.
    pub start: FsBlock,
    /// Blocks.
    pub length: u32,
}

impl FreeExtent {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { start: FsBlock(reader.u64()?), length: reader.u32()? })
    }
    pub(super) fn write(&self, writer: Writer) -> Writer {
        writer.u64(self.start.0).u32(self.length).zeroes(EXTENT - PACKED_EXTENT)
    }
}

/// How a reverse mapping changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RmapOp {
    /// Blocks are mapped by a file.
    Map,
    /// Blocks are mapped by a file, and others may map them too.
    MapShared,
    /// A file no longer maps blocks.
    Unmap,
    /// A file no longer maps blocks that others may map too.
    UnmapShared,
    /// Blocks change between unwritten and written; the update says to which.
    Convert,
    /// The same, for blocks that others may map too.
    ConvertShared,
    /// Blocks are taken by an owner that is not a file.
    Alloc,
    /// Blocks are given back by an owner that is not a file.
    Free,
}

const RMAP_OPS: [RmapOp; 8] = [
    RmapOp::Map,
    RmapOp::MapShared,
    RmapOp::Unmap,
    RmapOp::UnmapShared,
    RmapOp::Convert,
    RmapOp::ConvertShared,
    RmapOp::Alloc,
    RmapOp::Free,
];
const RMAP_ATTR: u32 = 1 << 31;
const RMAP_BMBT: u32 = 1 << 30;
const RMAP_UNWRITTEN: u32 = 1 << 29;

/// The operation that code `flags & 0xff` means; codes count from 1.
fn op<T: Copy>(ops: &[T], flags: u32, name: &'static str) -> Result<T, Fault> {
    let code = (flags & TYPE) as usize;
    code.checked_sub(1).and_then(|index| ops.get(index)).copied().ok_or(field(name, flags))
}

fn code<T: PartialEq>(ops: &[T], op: &T) -> u32 {
    ops.iter().position(|known| known == op).map_or(0, |index| index as u32 + 1)
}

/// A change of the reverse mappings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RmapUpdate {
    /// How they change.
    pub op: RmapOp,
    /// Inode number, or one of the owners that are not files.
    pub owner: u64,
    /// First block.
    pub start: FsBlock,
    /// Where the owner has it; of no meaning for blocks of a B+tree.
    pub offset: FileBlock,
    /// Blocks.
    pub length: u32,
    /// Fork that maps them.
    pub fork: Fork,
    /// They are blocks of the fork's B+tree.
    pub bmbt: bool,
    /// They are, or become, unwritten.
    pub unwritten: bool,
}

impl RmapUpdate {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let owner = reader.u64()?;
        let start = FsBlock(reader.u64()?);
        let offset = FileBlock(reader.u64()?);
        let length = reader.u32()?;
        let flags = reader.u32()?;
        if flags & !(TYPE | RMAP_ATTR | RMAP_BMBT | RMAP_UNWRITTEN) != 0 {
            return Err(field("me_flags", flags));
        }
        Ok(Self {
            op: op(&RMAP_OPS, flags, "me_flags")?,
            owner,
            start,
            offset,
            length,
            fork: fork_of(flags, RMAP_ATTR),
            bmbt: flags & RMAP_BMBT != 0,
            unwritten: flags & RMAP_UNWRITTEN != 0,
        })
    }
    pub(super) fn write(&self, writer: Writer) -> Writer {
        let flags = code(&RMAP_OPS, &self.op)
            | fork_flag(self.fork, RMAP_ATTR)
            | if self.bmbt { RMAP_BMBT } else { 0 }
            | if self.unwritten { RMAP_UNWRITTEN } else { 0 };
        writer.u64(self.owner).u64(self.start.0).u64(self.offset.0).u32(self.length).u32(flags)
    }
}

/// How a reference count changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefcountOp {
    /// One more file maps the blocks.
    Increase,
    /// One file less maps the blocks; those that none maps any more are to be given back.
    Decrease,
    /// Blocks are set aside for copy-on-write.
    AllocCow,
    /// Blocks are no longer set aside for copy-on-write.
    FreeCow,
}

const REFCOUNT_OPS: [RefcountOp; 4] =
    [RefcountOp::Increase, RefcountOp::Decrease, RefcountOp::AllocCow, RefcountOp::FreeCow];

/// A change of reference counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefcountUpdate {
    /// How they change.
    pub op: RefcountOp,
    /// First block.
    pub start: FsBlock,
    /// Blocks.
    pub length: u32,
}

impl RefcountUpdate {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let start = FsBlock(reader.u64()?);
        let length = reader.u32()?;
        let flags = reader.u32()?;
        if flags & !TYPE != 0 {
            return Err(field("pe_flags", flags));
        }
        Ok(Self { op: op(&REFCOUNT_OPS, flags, "pe_flags")?, start, length })
    }
    pub(super) fn write(&self, writer: Writer) -> Writer {
        writer.u64(self.start.0).u32(self.length).u32(code(&REFCOUNT_OPS, &self.op))
    }
}

/// How a file's mapping changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapOp {
    /// Map the blocks.
    Map,
    /// Unmap the blocks.
    Unmap,
}

const MAP_OPS: [MapOp; 2] = [MapOp::Map, MapOp::Unmap];
const MAP_ATTR: u32 = 1 << 31;
const MAP_UNWRITTEN: u32 = 1 << 30;
const MAP_REALTIME: u32 = 1 << 29;

/// A change of a file's mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapUpdate {
    /// How it changes.
    pub op: MapOp,
    /// The file.
    pub ino: Ino,
    /// First block on the volume.
    pub start: FsBlock,
    /// First block of the file.
    pub offset: FileBlock,
    /// Blocks.
    pub length: u32,
    /// Fork that changes.
    pub fork: Fork,
    /// The blocks are unwritten.
    pub unwritten: bool,
    /// The blocks are of the realtime section.
    pub realtime: bool,
}

impl MapUpdate {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let ino = Ino(reader.u64()?);
        let start = FsBlock(reader.u64()?);
        let offset = FileBlock(reader.u64()?);
        let length = reader.u32()?;
        let flags = reader.u32()?;
        if flags & !(TYPE | MAP_ATTR | MAP_UNWRITTEN | MAP_REALTIME) != 0 {
            return Err(field("me_flags", flags));
        }
        Ok(Self {
            op: op(&MAP_OPS, flags, "me_flags")?,
            ino,
            start,
            offset,
            length,
            fork: fork_of(flags, MAP_ATTR),
            unwritten: flags & MAP_UNWRITTEN != 0,
            realtime: flags & MAP_REALTIME != 0,
        })
    }
    pub(super) fn write(&self, writer: Writer) -> Writer {
        let flags = code(&MAP_OPS, &self.op)
            | fork_flag(self.fork, MAP_ATTR)
            | if self.unwritten { MAP_UNWRITTEN } else { 0 }
            | if self.realtime { MAP_REALTIME } else { 0 };
        writer.u64(self.ino.0).u64(self.start.0).u64(self.offset.0).u32(self.length).u32(flags)
    }
}
