//! The smallest log that Linux mounts and xfs_repair accepts: three times the largest transaction
//! that Linux may want room for. Facts of xfs_trans_resv.c and xfs_log_rlimit.c: the largest comes
//! from reservations as they were when reflink was young, kept so that old kernels can mount new
//! volumes; volumes with parent pointers, which no old kernel mounts, are spared the excess.

use super::Limits;
use crate::btree::BtreeKind;
use crate::records::Fork;
use crate::superblock::LogShape;

/// Bytes that the log spends on each buffer besides its contents.
const BUFFER_OVERHEAD: u64 = 128;
/// Bytes of an operation header.
const OPERATION: u64 = 12;
/// Bytes of a transaction header.
const TRANSACTION: u64 = 16;
/// Bytes of an inode log item's format.
const INODE_FORMAT: u64 = 56;
/// Bytes of a quota item and its record, six times: two for each kind of quota.
const QUOTA: u64 = (24 + 104) * 6;
/// Levels that a directory's or an attribute index may have.
const INDEX_DEPTH: u64 = 5;
/// Longest name, with its terminator.
const NAME: u64 = 256;
/// Longest target of a symlink.
const SYMLINK: u64 = 1024;
/// An attribute intent for one parent pointer, and for replacing one.
const PARENT_INTENT: u64 = 40 + 12 + 256;
const PARENT_REPLACE: u64 = PARENT_INTENT + 12 + 256;
/// Levels of an rmapbt that were assumed wherever there was reflink too.
const OLD_RMAP_LEVELS: u64 = 9;
/// Rolls that were assumed of a write or a truncation with reflink.
const OLD_ROLLS: u64 = 8;
/// How many of the largest transactions must fit.
const FACTOR: u64 = 3;
/// Bytes of a basic block.
const BASIC: u64 = 512;
/// Bytes of log that one basic block of record header describes.
const HEADER_REACH: u64 = 32 << 10;

/// The largest log record, in bytes: mkfs.xfs reckons with it.
pub const LARGEST_RECORD: u64 = 256 << 10;

/// Space that a transaction may want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reservation {
    /// Bytes each time it rolls.
    bytes: u64,
    /// How often it rolls.
    rolls: u64,
}

impl Reservation {
    fn new(bytes: u64, rolls: u64) -> Self {
        Self { bytes, rolls }
    }
    fn total(self) -> u64 {
        self.bytes * self.rolls
    }
}

/// Whose reckoning sets the smallest log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reckoning {
    /// That of the first kernels with reflink.
    Old,
    /// That of today.
    Today,
}

/// What reservations are computed from.
struct Sizes<'a> {
    limits: &'a Limits,
    block: u64,
    sector: u64,
    rmap_levels: u64,
}

impl Limits {
    /// Fewest blocks of a log of this shape, where records are `record_bytes` long: as mkfs.xfs
    /// reckons with [`LARGEST_RECORD`], as Linux mounts with the size of its log buffers.
    pub fn min_log_blocks(&self, log: LogShape, record_bytes: u64) -> u64 {
        let largest = self.largest_reservation();
        let unit = with_headers(largest.bytes, log, record_bytes);
        let sectors = (unit * largest.rolls).div_ceil(BASIC);
        let sectors = match u64::from(log.stripe_unit) {
            stripe @ 2.. => {
                let stripe = stripe.div_ceil(BASIC);
                sectors.next_multiple_of(stripe) + 2 * stripe
            }
            _ => sectors + 2 * BASIC,
        };
        (sectors * FACTOR).div_ceil(self.geometry.sectors_per_block())
    }
    fn largest_reservation(&self) -> Reservation {
        let now = Sizes::new(self, self.max_levels(BtreeKind::Rmapbt).into());
        let reckoning = match self.features.has_parent() {
            true => Reckoning::Today,
            false => Reckoning::Old,
        };
        let high = self.features.has_rmapbt() && self.features.has_reflink();
        let then = match reckoning {
            Reckoning::Old if high => Sizes::new(self, OLD_RMAP_LEVELS),
            _ => Sizes::new(self, now.rmap_levels),
        };
        let mut all = then.namespace(&now);
        all.extend(then.files());
        all.extend(match reckoning {
            Reckoning::Old => then.old_writes(),
            Reckoning::Today => then.writes(),
        });
        // Atomic writes end in what a truncation wants today.
        all.push(now.truncation());
        let largest = all.into_iter().rev().max_by_key(|one| one.total());
        let largest = largest.unwrap_or(Reservation::new(0, 1));
        let attribute = now.largest_attribute(reckoning);
        match attribute > largest.total() {
            true => Reservation::new(attribute, 3),
            false => largest,
        }
    }
}

/// Bytes of a reservation with the headers of transaction, operations and records.
fn with_headers(bytes: u64, log: LogShape, record_bytes: u64) -> u64 {
    let header = (record_bytes / HEADER_REACH).max(1) * BASIC;
    let room = record_bytes - header;
    let bytes = bytes + TRANSACTION + 2 * OPERATION;
    let mut records = bytes.div_ceil(room);
    while (bytes + OPERATION * records).div_ceil(room) > records {
        records += 1;
    }
    let padding = if log.stripe_unit > 1 { u64::from(log.stripe_unit) } else { BASIC };
    bytes + OPERATION * records + header * (records + 1) + 2 * padding
}

/// Bytes of `count` buffers of `size` bytes.
fn buffers(count: u64, size: u64) -> u64 {
    count * (size + BUFFER_OVERHEAD)
}

impl<'a> Sizes<'a> {
    fn new(limits: &'a Limits, rmap_levels: u64) -> Self {
        let block = limits.geometry.block_size() as u64;
        Self { limits, block, sector: limits.geometry.sector_size() as u64, rmap_levels }
    }
    fn levels(&self, kind: BtreeKind) -> u64 {
        self.limits.max_levels(kind).into()
    }
    fn bmbt_levels(&self, fork: Fork) -> u64 {
        self.limits.bmbt_levels(fork).into()
    }
    fn blocks(&self, count: u64) -> u64 {
        buffers(count, self.block)
    }
    fn sectors(&self, count: u64) -> u64 {
        buffers(count, self.sector)
    }
    fn inodes(&self, count: u64) -> u64 {
        let header = BtreeKind::Bmbt.header_size() as u64;
        let inode = self.limits.geometry.inode_size() as u64;
        count * (4 * OPERATION + INODE_FORMAT + inode + 2 * header)
    }
    /// Blocks of free space and reverse mapping btrees that `extents` allocations or frees change.
    fn space_blocks(&self, extents: u64) -> u64 {
        let space = 2 * (2 * self.levels(BtreeKind::Bnobt) - 1);
        let rmap = match self.limits.features.has_rmapbt() {
            true => 2 * self.rmap_levels - 1,
            false => 0,
        };
        extents * (space + rmap)
    }
    fn refcount_blocks(&self, changes: u64) -> u64 {
        match self.limits.features.has_reflink() {
            true => changes * (2 * self.levels(BtreeKind::Refcountbt) - 1),
            false => 0,
        }
    }
    /// Freeing `extents` extents.
    fn frees(&self, extents: u64) -> u64 {
        self.sectors(2 * extents + 1) + self.blocks(self.space_blocks(extents))
    }
    fn inobt(&self) -> u64 {
        self.blocks(self.levels(BtreeKind::Inobt)) + self.blocks(self.space_blocks(1))
    }
    fn finobt(&self) -> u64 {
        if self.limits.features.has_finobt() { self.inobt() } else { 0 }
    }
    /// Blocks of bmbt that mapping `blocks` more blocks may add.
    fn mapping_blocks(&self, blocks: u64, fork: Fork) -> u64 {
        let size = self.limits.geometry.block_size();
        let kind = BtreeKind::Bnobt;
        let contiguous = (kind.max_records(size, 0) - kind.min_records(size, 0)) as u64;
        blocks.div_ceil(contiguous) * (self.bmbt_levels(fork) - 1)
    }
    /// Blocks of index and bmbt that one new entry of a directory (data fork) or one new attribute
    /// may add.
    fn entry_blocks(&self, fork: Fork) -> u64 {
        let (depth, unit) = match fork {
            Fork::Data => (INDEX_DEPTH + 2, 1 << self.limits.geometry.dir_block_log),
            Fork::Attr => (INDEX_DEPTH, 1),
        };
        depth * unit + depth * self.mapping_blocks(unit, fork)
    }
    fn cluster(&self) -> u64 {
        u64::from(self.limits.inode_layout().cluster_blocks) * self.block
    }
    fn unlinked_add(&self) -> u64 {
        self.sectors(1) + self.cluster()
    }
    fn unlinked_remove(&self) -> u64 {
        self.sectors(1) + 2 * self.cluster()
    }

    /// Writing up to two extents; `refcount` bytes for changes of the refcountbt along with it.
    fn write(&self, refcount: u64) -> u64 {
        let map = self.inodes(1)
            + self.blocks(self.bmbt_levels(Fork::Data))
            + self.sectors(3)
            + self.blocks(self.space_blocks(2));
        let free = self.sectors(5) + self.blocks(self.space_blocks(2));
        QUOTA + map.max(free) + refcount
    }
    /// Freeing up to four extents of a file.
    fn truncate(&self, refcount: u64) -> u64 {
        let unmap = self.inodes(1) + self.blocks(self.bmbt_levels(Fork::Data) + 1);
        QUOTA + unmap.max(self.frees(4) + refcount)
    }
    /// Rolls beyond the first ones, for intents of mappings, counts and reverse mappings.
    fn intent_rolls(&self) -> u64 {
        let (rmap, reflink) =
            (self.limits.features.has_rmapbt(), self.limits.features.has_reflink());
        u64::from(rmap || reflink) + u64::from(rmap) + u64::from(reflink)
    }
    fn refcount_update(&self, changes: u64) -> u64 {
        match self.refcount_blocks(changes) {
            0 => 0,
            blocks => self.sectors(changes) + self.blocks(blocks),
        }
    }
    fn truncation(&self) -> Reservation {
        let bytes = self.truncate(0).max(QUOTA + self.refcount_update(2));
        Reservation::new(bytes, 2 + self.intent_rolls())
    }
    /// Writes and truncations as they are today.
    fn writes(&self) -> Vec<Reservation> {
        let rolls = 2 + self.intent_rolls();
        let write = self.write(0).max(QUOTA + self.refcount_update(1));
        let quota = write + buffers(1, self.block - 1);
        vec![self.truncation(), Reservation::new(write, rolls), Reservation::new(quota, rolls)]
    }
    /// Writes and truncations as they were.
    fn old_writes(&self) -> Vec<Reservation> {
        let rolls = if self.limits.features.has_reflink() { OLD_ROLLS } else { 2 };
        let write = self.write(self.blocks(self.refcount_blocks(2)));
        let truncate = self.truncate(self.blocks(self.refcount_blocks(4)));
        let quota = write + buffers(1, self.block - 1);
        [write, truncate, quota].map(|bytes| Reservation::new(bytes, rolls)).to_vec()
    }
    /// Everything that changes one inode, and growing.
    fn files(&self) -> Vec<Reservation> {
        let chunk_blocks = u64::from(self.limits.inode_layout().chunk_blocks);
        let free_chunk = self.blocks(self.space_blocks(1)) + buffers(chunk_blocks, 0);
        let free_inode = QUOTA
            + self.inodes(1)
            + self.sectors(3)
            + self.unlinked_remove()
            + free_chunk
            + self.inobt()
            + self.finobt();
        let dir_block = self.block << self.limits.geometry.dir_block_log;
        let unit = 1 << self.limits.geometry.dir_block_log;
        let add_fork = QUOTA
            + self.inodes(1)
            + self.sectors(2)
            + buffers(1, dir_block)
            + self.blocks(self.mapping_blocks(unit, Fork::Data) + 1)
            + self.blocks(self.space_blocks(1));
        let drop_attributes = (self.inodes(1) + self.blocks(self.bmbt_levels(Fork::Attr)))
            .max(self.sectors(9) + self.blocks(self.space_blocks(4)));
        let grow_realtime = self.sectors(2)
            + self.blocks(self.bmbt_levels(Fork::Data))
            + self.inodes(1)
            + self.blocks(self.space_blocks(1));
        let temporary = QUOTA + self.allocate_inode() + self.unlinked_add();
        vec![
            Reservation::new(temporary, 2),
            Reservation::new(free_inode, 2),
            Reservation::new(add_fork, 2),
            Reservation::new(drop_attributes, 1),
            Reservation::new(self.set_attribute(), 3),
            Reservation::new(self.remove_attribute(), 3),
            Reservation::new(grow_realtime, 2),
            Reservation::new(self.sectors(3) + self.blocks(self.space_blocks(1)), 2),
        ]
    }
    fn set_attribute(&self) -> u64 {
        QUOTA + self.inodes(1) + self.sectors(1) + self.blocks(INDEX_DEPTH)
    }
    fn remove_attribute(&self) -> u64 {
        let unmap = self.inodes(1)
            + self.blocks(INDEX_DEPTH)
            + self.block * self.bmbt_levels(Fork::Attr)
            + buffers(self.bmbt_levels(Fork::Data), 0);
        QUOTA + unmap.max(self.sectors(5) + self.blocks(self.space_blocks(2)))
    }
    fn allocate_inode(&self) -> u64 {
        self.sectors(2)
            + self.sector
            + self.blocks(self.space_blocks(1))
            + self.inobt()
            + self.finobt()
    }
    /// Everything that changes directories. What parent pointers add is reckoned by `now`.
    fn namespace(&self, now: &Sizes<'_>) -> Vec<Reservation> {
        let parent = self.limits.features.has_parent();
        let with_parent = |bytes: u64| if parent { bytes } else { 0 };
        let (set, remove) = (now.set_attribute(), now.remove_attribute());
        let entry = self.entry_blocks(Fork::Data) + 1;
        let more_rolls = with_parent(3);

        let moved = (self.inodes(5) + self.blocks(2 * entry)).max(self.frees(3));
        let replace = (PARENT_REPLACE + 2 * PARENT_INTENT).max(2 * PARENT_REPLACE);
        let rename = QUOTA + with_parent(replace) + moved.max(with_parent(set.max(remove)));

        let linked = (self.inodes(2) + self.blocks(entry)).max(self.frees(1));
        let link = QUOTA
            + self.unlinked_remove()
            + with_parent(PARENT_INTENT)
            + linked.max(with_parent(set));

        let removed = (self.inodes(2) + self.blocks(entry)).max(self.frees(2));
        let unlink = QUOTA
            + self.unlinked_add()
            + with_parent(PARENT_INTENT)
            + removed.max(with_parent(remove));

        let modify =
            self.inodes(2) + self.sectors(1) + self.block + self.blocks(entry) + self.finobt();
        let made = self.allocate_inode().max(modify).max(with_parent(set));
        let create = QUOTA + with_parent(PARENT_INTENT) + made;
        let symlink = create + buffers(1, SYMLINK);
        [(rename, 2), (link, 2), (unlink, 2), (symlink, 3), (create, 2), (create, 3)]
            .map(|(bytes, rolls)| Reservation::new(bytes, rolls + more_rolls))
            .to_vec()
    }
    /// Setting the largest attribute that is kept in a leaf. Once its size in bytes was taken for a
    /// size in blocks.
    fn largest_attribute(&self, reckoning: Reckoning) -> u64 {
        let size = self.block / 2 + self.block / 4 - (NAME - 1) - 1;
        let blocks = size.div_ceil(self.block);
        let mapped = match reckoning {
            Reckoning::Old => size,
            Reckoning::Today => blocks,
        };
        let count =
            self.entry_blocks(Fork::Attr) + blocks + self.mapping_blocks(mapped, Fork::Attr);
        let each = self.sectors(1) + self.blocks(self.bmbt_levels(Fork::Attr));
        self.set_attribute() + each * count
    }
}
