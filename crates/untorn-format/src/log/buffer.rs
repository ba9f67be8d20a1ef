//! Buffer items: which 128-byte chunks of a metadata block changed, and to what.

use super::bytes::{Reader, Writer};
use super::item::ItemKind;
use crate::fault::Fault;
use crate::kind::BlockKind;
use crate::units::{BASIC_BLOCK, DiskAddr};

/// The unit in which buffer items record changes, in bytes.
pub const CHUNK: usize = 128;
/// Largest buffer: 65536 bytes, the largest block.
const LARGEST_BLOCKS: u16 = 128;
const NAME: &str = "buffer item";
const FLAG_INODES: u16 = 1 << 0;
const FLAG_CANCEL: u16 = 1 << 1;
const FLAG_USER: u16 = 1 << 2;
const FLAG_PROJECT: u16 = 1 << 3;
const FLAG_GROUP: u16 = 1 << 4;
const TYPE_SHIFT: u32 = 11;
/// The type code that says nothing: cancelled buffers have it.
const UNTYPED: u16 = 0;

/// What a buffer item asks of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferUse {
    /// Copy the chunks into the block.
    Regular,
    /// Take only the `di_next_unlinked` fields from the chunks; the rest may be stale.
    UnlinkedPointers,
    /// Copy the chunks into a block of quota records, unless that quota was switched off.
    Quota(QuotaKind),
    /// The block was freed: earlier items for it must not be replayed.
    Cancel,
}

/// Which quota a record counts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaKind {
    /// By user.
    User,
    /// By group.
    Group,
    /// By project.
    Project,
}

/// The format structure of a buffer item (`xfs_buf_log_format`): all but the chunks' contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferFormat {
    /// What recovery does with it.
    pub usage: BufferUse,
    /// Type code of what the buffer holds: see [`BlockKind::from_blft`].
    pub code: u16,
    /// Where the buffer lies.
    pub addr: DiskAddr,
    /// Its length in 512-byte units.
    pub blocks: u16,
    /// One bit for each [`CHUNK`] of the buffer, lowest first: set where the item has its contents.
    pub dirty: Vec<u32>,
}

impl BufferFormat {
    /// The format of an item for the block of `kind` and `length` bytes at `addr`, with no chunk
    /// marked yet.
    pub fn of_block(kind: BlockKind, addr: DiskAddr, length: usize) -> Self {
        Self::with(BufferUse::Regular, kind.blft(), addr, length)
    }
    /// The item that says that the block of `length` bytes at `addr` was freed.
    pub fn cancel(addr: DiskAddr, length: usize) -> Self {
        Self::with(BufferUse::Cancel, UNTYPED, addr, length)
    }
    /// The format of an item that changes only `di_next_unlinked` fields of an inode cluster.
    pub fn unlinked_pointers(addr: DiskAddr, length: usize) -> Self {
        Self::with(BufferUse::UnlinkedPointers, BlockKind::Inodes.blft(), addr, length)
    }
    fn with(usage: BufferUse, code: u16, addr: DiskAddr, length: usize) -> Self {
        let blocks = length / BASIC_BLOCK as usize;
        assert!(length.is_multiple_of(BASIC_BLOCK as usize) && blocks > 0, "{length} bytes");
        let blocks = u16::try_from(blocks).unwrap_or_else(|_| panic!("{length} bytes"));
        let words = length.div_ceil(CHUNK).div_ceil(32);
        Self { usage, code, addr, blocks, dirty: vec![0; words] }
    }
    /// Length of the buffer in bytes.
    pub fn length(&self) -> usize {
        usize::from(self.blocks) * BASIC_BLOCK as usize
    }
    /// Marks chunk `index` as one whose contents the item has.
    pub fn mark(&mut self, index: usize) {
        assert!(index < self.length().div_ceil(CHUNK), "chunk {index} is outside the buffer");
        self.dirty[index / 32] |= 1 << (index % 32);
    }
    /// The marked byte ranges, one for each run of marked chunks, in order. Each is a region of
    /// the item.
    pub fn runs(&self) -> Vec<std::ops::Range<usize>> {
        let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
        for (word, bits) in self.dirty.iter().enumerate() {
            for bit in (0..32).filter(|bit| bits >> bit & 1 == 1) {
                let start = (word * 32 + bit) * CHUNK;
                match runs.last_mut().filter(|last| last.end == start) {
                    Some(last) => last.end += CHUNK,
                    None => runs.push(start..start + CHUNK),
                }
            }
        }
        runs
    }
    /// The bytes of the format structure, for an item whose regions are this and [`Self::runs`].
    pub fn encode(&self) -> Vec<u8> {
        let regions = 1 + if self.usage == BufferUse::Cancel { 0 } else { self.count_runs() };
        let map_words = self.dirty.len() as u32;
        let writer = Writer::item(ItemKind::Buffer.code(), regions)
            .u16(self.flags())
            .u16(self.blocks)
            .u64(self.addr.0)
            .u32(map_words);
        self.dirty.iter().fold(writer, |writer, &word| writer.u32(word)).done()
    }
    /// How many [`Self::runs`] there are: marked chunks behind one that is not marked.
    fn count_runs(&self) -> usize {
        let mut before = 0;
        let begun = self.dirty.iter().map(|&bits| {
            let begins = bits & !(bits << 1 | before);
            before = bits >> 31;
            begins.count_ones() as usize
        });
        begun.sum()
    }
    fn flags(&self) -> u16 {
        let usage = match self.usage {
            BufferUse::Regular => 0,
            BufferUse::UnlinkedPointers => FLAG_INODES,
            BufferUse::Cancel => FLAG_CANCEL,
            BufferUse::Quota(QuotaKind::User) => FLAG_USER,
            BufferUse::Quota(QuotaKind::Project) => FLAG_PROJECT,
            BufferUse::Quota(QuotaKind::Group) => FLAG_GROUP,
        };
        usage | self.code << TYPE_SHIFT
    }
    /// Reads a format structure. Every marked chunk lies inside the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let field = |field, value| Fault::Field { what: NAME, field, value };
        let mut reader = Reader::new(NAME, bytes);
        reader.skip(4)?;
        let flags = reader.u16()?;
        let blocks = reader.u16()?;
        let addr = DiskAddr(reader.u64()?);
        let words = reader.u32()?;
        if blocks == 0 || blocks > LARGEST_BLOCKS {
            return Err(field("blf_len", blocks.into()));
        }
        if words as usize > reader.remaining() / 4 {
            return Err(field("blf_map_size", words.into()));
        }
        let dirty = (0..words).map(|_| reader.u32()).collect::<Result<_, _>>()?;
        let code = flags >> TYPE_SHIFT;
        let format = Self { usage: usage_of(flags), code, addr, blocks, dirty };
        match format.runs().last() {
            Some(last) if last.end > format.length() => Err(field("blf_data_map", last.end as u64)),
            _ => Ok(format),
        }
    }
}

fn usage_of(flags: u16) -> BufferUse {
    let set = |flag| flags & flag != 0;
    if set(FLAG_CANCEL) {
        BufferUse::Cancel
    } else if set(FLAG_INODES) {
        BufferUse::UnlinkedPointers
    } else if set(FLAG_USER) {
        BufferUse::Quota(QuotaKind::User)
    } else if set(FLAG_PROJECT) {
        BufferUse::Quota(QuotaKind::Project)
    } else if set(FLAG_GROUP) {
        BufferUse::Quota(QuotaKind::Group)
    } else {
        BufferUse::Regular
    }
}

/// A buffer item: the format and the contents of each marked run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferItem<'a> {
    /// Everything but the contents.
    pub format: BufferFormat,
    /// Byte offset in the buffer and contents of each region, in order.
    pub changes: Vec<(usize, &'a [u8])>,
}

impl<'a> BufferItem<'a> {
    /// Reads an item. A run of marked chunks may be spread over several regions.
    pub fn decode(regions: &[&'a [u8]]) -> Result<Self, Fault> {
        let (format, regions) = match regions.split_first() {
            Some((first, rest)) => (BufferFormat::decode(first)?, rest),
            None => return Err(Fault::Short { what: NAME, have: 0, need: 1 }),
        };
        let mut regions = regions.iter();
        let mut changes = Vec::new();
        let wanted = if format.usage == BufferUse::Cancel { Vec::new() } else { format.runs() };
        for run in wanted {
            let mut at = run.start;
            while at < run.end {
                let short = Fault::Short { what: NAME, have: at, need: run.end };
                let region: &[u8] = regions.next().ok_or(short)?;
                let usable = region.len().min(run.end - at) / CHUNK * CHUNK;
                let part =
                    region.get(..usable).filter(|part| !part.is_empty()).ok_or(Fault::Field {
                        what: NAME,
                        field: "region length",
                        value: region.len() as u64,
                    })?;
                changes.push((at, part));
                at += usable;
            }
        }
        Ok(Self { format, changes })
    }
}
