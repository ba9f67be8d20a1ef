//! How high the btrees of a volume can grow. What Linux reserves for a transaction, what it keeps
//! in the free list and hence the least size of the log all follow from it.

use untorn_format::btree::BtreeKind;
use untorn_format::inode::{InodeFlags2, max_extents};
use untorn_format::records::{Fork, INODES_PER_CHUNK};
use untorn_format::{Features, Geometry};

/// Entries of a bmbt root that fit into the smallest data and attribute fork.
const SMALLEST_ROOT: [u64; 2] = [3, 2];

/// Most levels that each btree can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Heights {
    /// Of the bnobt and of the cntbt.
    pub alloc: u32,
    /// Of the inobt and of the finobt.
    pub inobt: u32,
    /// Of the rmapbt; 0 without one.
    pub rmap: u32,
    /// Of the refcountbt; 0 without one.
    pub refcount: u32,
    /// Of the bmbt of a data fork, root in the inode counted.
    pub data: u32,
    /// Of the bmbt of an attribute fork, root in the inode counted.
    pub attr: u32,
}

impl Heights {
    /// The heights on a volume of this shape.
    pub(super) fn new(geometry: &Geometry, features: Features) -> Self {
        let blocks = u64::from(geometry.ag_blocks);
        let chunks = 1u64 << (geometry.ag_block_log + geometry.inodes_per_block_log);
        let fanout = |kind| Fanout::new(kind, geometry.block_size());
        let rmap = match (features.has_rmapbt(), features.has_reflink()) {
            (false, _) => 0,
            // Shared blocks have many owners, so only space bounds the tree.
            (true, true) => fanout(BtreeKind::Rmapbt).filling(blocks),
            (true, false) => fanout(BtreeKind::Rmapbt).holding(blocks),
        };
        let refcount = match features.has_reflink() {
            true => fanout(BtreeKind::Refcountbt).holding(blocks),
            false => 0,
        };
        Self {
            alloc: fanout(BtreeKind::Bnobt).holding(blocks.div_ceil(2)),
            inobt: fanout(BtreeKind::Inobt).holding(chunks / u64::from(INODES_PER_CHUNK)),
            rmap,
            refcount,
            data: bmbt(geometry, features, Fork::Data),
            attr: bmbt(geometry, features, Fork::Attr),
        }
    }
    /// Blocks of a new free list: for each btree as many as it has levels once its only leaf split.
    /// (Where a tree can never split, Linux since 6.8 keeps one less and gives it back.)
    pub(super) fn free_list(&self) -> u32 {
        2 * self.alloc.min(2) + self.rmap.min(2)
    }
}

/// Fewest entries of a leaf and of a node that are not roots.
struct Fanout {
    leaf: u64,
    node: u64,
}

impl Fanout {
    fn new(kind: BtreeKind, block_size: usize) -> Self {
        let least = |level| kind.min_records(block_size, level) as u64;
        Self { leaf: least(0), node: least(1) }
    }
    /// Levels of a tree of `records` records whose blocks are as empty as they may be.
    fn holding(&self, records: u64) -> u32 {
        let mut blocks = records.div_ceil(self.leaf);
        let mut height = 1;
        while blocks > 1 {
            blocks = blocks.div_ceil(self.node);
            height += 1;
        }
        height
    }
    /// Levels of a tree that takes all of `blocks` blocks, its root with two entries.
    fn filling(&self, blocks: u64) -> u32 {
        let (mut left, mut level, mut height) = (blocks.saturating_sub(1), 2, 1);
        while level < left {
            left -= level;
            level *= self.node;
            height += 1;
        }
        height
    }
}

/// Levels of a bmbt with as many extents as an inode can count.
fn bmbt(geometry: &Geometry, features: Features, fork: Fork) -> u32 {
    let flags = match features.has_nrext64() {
        true => InodeFlags2::NREXT64,
        false => InodeFlags2::default(),
    };
    let fanout = Fanout::new(BtreeKind::Bmbt, geometry.block_size());
    let root = SMALLEST_ROOT[usize::from(fork == Fork::Attr)];
    let mut blocks = max_extents(fork, flags).div_ceil(fanout.leaf);
    let mut height = 1;
    while blocks > 1 {
        blocks = if blocks <= root { 1 } else { blocks.div_ceil(fanout.node) };
        height += 1;
    }
    height
}
