//! The least size of a log that Linux mounts.
//!
//! Linux refuses a log in which its largest transaction would not fit three times. What it reserves
//! for a transaction is the sum of all that such a transaction could change at worst; here is that
//! sum for every transaction that can be the largest. For this one purpose Linux still counts as it
//! did when reflink was new (`EARLY_*`), so that old kernels mount what new ones make; but not
//! where files have parent pointers, which old kernels do not mount anyway.

use untorn_format::btree::BtreeKind;
use untorn_format::{Features, Geometry};

use super::heights::Heights;

/// Bytes of log that describe one logged buffer, however many.
const BUFFER: u64 = 128;
/// Bytes of an operation header.
const OPERATION: u64 = 12;
/// Bytes of a transaction header.
const TRANSACTION: u64 = 16;
/// Bytes of the log format of an inode.
const INODE_FORMAT: u64 = 56;
/// Bytes of the header of a bmbt root as the log has it.
const ROOT_HEADER: u64 = 72;
/// Bytes of three kinds of quota changed twice: item and record.
const QUOTA: u64 = 6 * (24 + 104);
/// Most levels of a directory or attribute index.
const INDEX_LEVELS: u64 = 5;
/// Bytes of the longest symlink target.
const SYMLINK: u64 = 1024;
/// Levels of the rmapbt that early reflink counted with, whatever the volume.
const EARLY_RMAP_HEIGHT: u32 = 9;
/// Times that early reflink thought a write or truncate would roll.
const EARLY_ROLLS: u64 = 8;
/// Largest name of an attribute, and the byte after it.
const NAME: u64 = 256;
/// Bytes of the smallest records that Linux can be told to write (mount option `logbsize`): the
/// smaller, the more headers a transaction needs.
const SMALLEST_RECORD: u64 = 16 << 10;
/// Bytes of record that one header block describes.
const BYTES_PER_HEADER: u64 = 32 << 10;
/// Bytes of the intents by which a rename changes parent pointers, with room to spare.
const PARENT_INTENTS: u64 = 4096;
/// Unit of the log.
const SECTOR: u64 = 512;

/// A transaction: bytes for each roll, and rolls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reservation {
    bytes: u64,
    rolls: u64,
}

impl Reservation {
    fn total(self) -> u64 {
        self.bytes * self.rolls
    }
}

/// The least size in blocks of a log whose records are padded to `stripe_unit` bytes (1 for none).
pub(super) fn least_log(geometry: &Geometry, features: Features, stripe_unit: u32) -> u64 {
    let largest = Costs::new(geometry, features).largest();
    let unit = u64::from(stripe_unit).max(SECTOR);
    let bytes = with_overhead(largest.bytes, unit) * largest.rolls;
    let sectors = bytes.div_ceil(SECTOR);
    let padded = match stripe_unit {
        0 | 1 => sectors + 2 * SECTOR,
        _ => {
            let unit = unit / SECTOR;
            sectors.next_multiple_of(unit) + 2 * unit
        }
    };
    (3 * padded).div_ceil(geometry.sectors_per_block())
}

/// Bytes of log that a reservation of `bytes` takes with the headers of the records it spans.
fn with_overhead(bytes: u64, unit: u64) -> u64 {
    let record = SMALLEST_RECORD.max(unit);
    let header = record.div_ceil(BYTES_PER_HEADER) * SECTOR;
    let room = record - header;
    let mut bytes = bytes + 2 * OPERATION + TRANSACTION;
    let mut records = bytes.div_ceil(room);
    bytes += records * OPERATION;
    while bytes.div_ceil(room) > records {
        bytes += OPERATION;
        records += 1;
    }
    bytes + (records + 1) * header + 2 * unit
}

/// What changing each thing costs on one volume.
struct Costs {
    block: u64,
    sector: u64,
    inode: u64,
    cluster: u64,
    chunk_blocks: u64,
    dir_block: u64,
    dir_blocks: u64,
    heights: Heights,
    features: Features,
    /// Extents that a leaf of the bmbt holds.
    contiguous: u64,
}

impl Costs {
    fn new(geometry: &Geometry, features: Features) -> Self {
        let mut heights = Heights::new(geometry, features);
        if features.has_rmapbt() && features.has_reflink() && !features.has_parent() {
            heights.rmap = EARLY_RMAP_HEIGHT;
        }
        let (block, inode) = (geometry.block_size() as u64, geometry.inode_size() as u64);
        Self {
            block,
            sector: geometry.sector_size() as u64,
            inode,
            cluster: (32 * inode).max(block),
            chunk_blocks: (64 * inode).div_ceil(block),
            dir_block: geometry.dir_block_size() as u64,
            dir_blocks: 1 << geometry.dir_block_log,
            heights,
            features,
            contiguous: BtreeKind::Bmbt.max_records(geometry.block_size(), 0) as u64,
        }
    }
    /// The transaction that takes most log. Those that another exceeds on every volume (create and
    /// mkdir by symlink, link by rename, write by quota, growing by truncation) are left out.
    fn largest(&self) -> Reservation {
        // The end of an atomic write counts like a truncation, and is no early transaction.
        let (reflink, rmapbt) = (self.features.has_reflink(), self.features.has_rmapbt());
        let intents = u64::from(reflink || rmapbt) + u64::from(reflink) + u64::from(rmapbt);
        // Rolls by which the parent pointers of a changed name are changed too.
        let parent = if self.features.has_parent() { 3 } else { 0 };
        let (write, truncate) = match (reflink, rmapbt) {
            _ if self.features.has_parent() => (2 + intents, 2 + intents),
            (true, _) => (EARLY_ROLLS, EARLY_ROLLS),
            (false, true) => (2, 4),
            (false, false) => (2, 2),
        };
        let all = [
            (self.truncate(), truncate),
            (self.quota_block(), write),
            (self.named(self.rename()), 2 + parent),
            (self.named(self.link()), 2 + parent),
            (self.named(self.remove()), 2 + parent),
            (self.named(self.symlink()), 3 + parent),
            (self.temporary(), 2),
            (self.free_inode(), 2),
            (self.add_attr_fork(), 2),
            (self.drop_attr_fork(), 1),
            (self.remove_attr(), 3),
        ];
        let all = all.map(|(bytes, rolls)| Reservation { bytes, rolls });
        let none = Reservation { bytes: 0, rolls: 1 };
        let most = all.into_iter().fold(none, |most, next| match next.total() > most.total() {
            true => next,
            false => most,
        });
        // Linux compares a single roll of this one with all rolls of the others.
        match self.set_attr() {
            bytes if bytes > most.total() => Reservation { bytes, rolls: 3 },
            _ => most,
        }
    }

    fn buffers(&self, count: u64, size: u64) -> u64 {
        count * (size + BUFFER)
    }
    fn blocks(&self, count: u64) -> u64 {
        self.buffers(count, self.block)
    }
    fn sectors(&self, count: u64) -> u64 {
        self.buffers(count, self.sector)
    }
    fn inodes(&self, count: u64) -> u64 {
        count * (4 * OPERATION + INODE_FORMAT + self.inode + 2 * ROOT_HEADER)
    }
    /// Blocks of btrees changed by allocating or freeing `extents` extents.
    fn extents(&self, extents: u64) -> u64 {
        let full_split = |height: u32| (2 * u64::from(height)).saturating_sub(1);
        extents * (2 * full_split(self.heights.alloc) + full_split(self.heights.rmap))
    }
    /// Blocks of the refcountbt changed by `extents` extents.
    fn refcounts(&self, extents: u64) -> u64 {
        extents * (2 * u64::from(self.heights.refcount)).saturating_sub(1)
    }
    fn data_levels(&self) -> u64 {
        self.heights.data.into()
    }
    fn attr_levels(&self) -> u64 {
        self.heights.attr.into()
    }
    /// Blocks of the bmbt that mapping `blocks` more blocks of a fork adds.
    fn map_blocks(&self, blocks: u64, levels: u64) -> u64 {
        blocks.div_ceil(self.contiguous) * (levels - 1)
    }
    /// Blocks changed by adding or removing a name of a directory.
    fn dir_change(&self) -> u64 {
        let levels = INDEX_LEVELS + 2;
        levels * (self.dir_blocks + self.map_blocks(self.dir_blocks, self.data_levels())) + 1
    }
    /// An inode leaves a chain of unlinked inodes.
    fn leave_chain(&self) -> u64 {
        self.sectors(1) + 2 * self.cluster
    }
    /// An inode joins a chain of unlinked inodes.
    fn join_chain(&self) -> u64 {
        self.sectors(1) + self.cluster
    }
    /// A record of the inobt is added or removed.
    fn inobt(&self) -> u64 {
        self.blocks(self.heights.inobt.into()) + self.blocks(self.extents(1))
    }
    fn finobt(&self) -> u64 {
        if self.features.has_finobt() { self.inobt() } else { 0 }
    }

    /// A change of names that takes `bytes`, and of the parent pointers that follow them: each of
    /// its rolls can set or remove an attribute and carries the intents of all.
    fn named(&self, bytes: u64) -> u64 {
        match self.features.has_parent() {
            true => bytes.max(self.set_attr_base().max(self.remove_attr())) + PARENT_INTENTS,
            false => bytes,
        }
    }

    fn truncate(&self) -> u64 {
        let inode = self.inodes(1) + self.blocks(self.data_levels() + 1);
        let free = self.sectors(9) + self.blocks(self.extents(4)) + self.blocks(self.refcounts(4));
        QUOTA + inode.max(free)
    }
    fn write(&self) -> u64 {
        let space = self.blocks(self.extents(2)) + self.blocks(self.refcounts(2));
        let map = self.inodes(1) + self.blocks(self.data_levels()) + self.sectors(3) + space;
        let free = self.sectors(5) + space;
        QUOTA + map.max(free)
    }
    fn quota_block(&self) -> u64 {
        self.write() + self.buffers(1, self.block - 1)
    }
    fn set_attr(&self) -> u64 {
        let size = self.block / 2 + self.block / 4 - NAME - 1;
        let levels = self.attr_levels();
        let index = INDEX_LEVELS * (1 + self.map_blocks(1, levels));
        // Linux once counted the bytes of the value as if they were blocks.
        let counted = if self.features.has_parent() { size.div_ceil(self.block) } else { size };
        let blocks = index + size.div_ceil(self.block) + self.map_blocks(counted, levels);
        let each = self.sectors(1) + self.blocks(levels);
        self.set_attr_base() + each * blocks
    }
    fn set_attr_base(&self) -> u64 {
        QUOTA + self.inodes(1) + self.sectors(1) + self.blocks(INDEX_LEVELS)
    }
    fn rename(&self) -> u64 {
        let names = self.inodes(5) + self.blocks(2 * self.dir_change());
        QUOTA + names.max(self.sectors(7) + self.blocks(self.extents(3)))
    }
    fn link(&self) -> u64 {
        let name = self.inodes(2) + self.blocks(self.dir_change());
        let free = self.sectors(3) + self.blocks(self.extents(1));
        QUOTA + self.leave_chain() + name.max(free)
    }
    fn remove(&self) -> u64 {
        let name = self.inodes(2) + self.blocks(self.dir_change());
        let free = self.sectors(4) + self.blocks(self.extents(2));
        QUOTA + self.join_chain() + name.max(free)
    }
    /// A new chunk of inodes.
    fn chunk(&self) -> u64 {
        let indexes = self.inobt() + self.finobt();
        self.sectors(2) + self.sector + self.blocks(self.extents(1)) + indexes
    }
    fn symlink(&self) -> u64 {
        let name = self.blocks(self.dir_change());
        let reuse = self.inodes(2) + self.sectors(1) + self.block + name + self.finobt();
        QUOTA + self.chunk().max(reuse) + self.buffers(1, SYMLINK)
    }
    fn temporary(&self) -> u64 {
        QUOTA + self.chunk() + self.join_chain()
    }
    fn free_inode(&self) -> u64 {
        let chunk = self.blocks(self.extents(1)) + self.buffers(self.chunk_blocks, 0);
        let indexes = self.inobt() + self.finobt();
        QUOTA + self.inodes(1) + self.sectors(3) + self.leave_chain() + chunk + indexes
    }
    fn add_attr_fork(&self) -> u64 {
        let map = self.map_blocks(self.dir_blocks, self.data_levels()) + 1;
        let dir = self.buffers(1, self.dir_block);
        let space = self.blocks(map) + self.blocks(self.extents(1));
        QUOTA + self.inodes(1) + self.sectors(2) + dir + space
    }
    fn drop_attr_fork(&self) -> u64 {
        let inode = self.inodes(1) + self.blocks(self.attr_levels());
        inode.max(self.sectors(9) + self.blocks(self.extents(4)))
    }
    fn remove_attr(&self) -> u64 {
        let maps = self.attr_levels() * self.block + self.buffers(self.data_levels(), 0);
        let index = self.inodes(1) + self.blocks(INDEX_LEVELS) + maps;
        QUOTA + index.max(self.sectors(5) + self.blocks(self.extents(2)))
    }
}
