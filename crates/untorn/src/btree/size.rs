//! How large a tree can become: what reservations are made from.

use untorn_format::btree::BtreeKind;

/// Most levels of a tree of `kind` with blocks of `size` bytes that holds `records` records, every
/// node but the root half full.
pub fn levels_for(kind: BtreeKind, size: usize, records: u64) -> u32 {
    widths(kind, size, records).count() as u32
}

/// Most blocks of such a tree.
pub fn blocks_for(kind: BtreeKind, size: usize, records: u64) -> u64 {
    widths(kind, size, records).sum()
}

/// Nodes of each level, leaves first.
fn widths(kind: BtreeKind, size: usize, records: u64) -> impl Iterator<Item = u64> {
    let leaf = kind.min_records(size, 0).max(1) as u64;
    let node = kind.min_records(size, 1).max(2) as u64;
    let leaves = records.div_ceil(leaf).max(1);
    std::iter::successors(Some(leaves), move |&below| (below > 1).then(|| below.div_ceil(node)))
}
