//! The blocks that begin every allocation group: headers, then the root of each btree.

use untorn_format::btree::BtreeKind;
use untorn_format::records::RmapOwner;
use untorn_format::{AgBlock, Features, Geometry};

/// Sectors of headers: superblock, AGF, AGI, AGFL.
const HEADERS: u64 = 4;

/// The blocks that begin every allocation group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FixedBlocks {
    /// Blocks of headers.
    pub headers: u32,
    /// Root of each btree, in the order in which they lie, one block each.
    pub roots: Vec<(BtreeKind, AgBlock)>,
}

impl FixedBlocks {
    /// The blocks on a volume of this shape.
    pub(super) fn new(geometry: &Geometry, features: Features) -> Self {
        let sector_size = geometry.sector_size() as u64;
        // At most 16 KiB of headers in blocks of at least 1 KiB: cannot be cut.
        let headers = geometry.blocks_for(HEADERS * sector_size) as u32;
        let kinds = [
            (true, BtreeKind::Bnobt),
            (true, BtreeKind::Cntbt),
            (true, BtreeKind::Inobt),
            (features.has_finobt(), BtreeKind::Finobt),
            (features.has_rmapbt(), BtreeKind::Rmapbt),
            (features.has_reflink(), BtreeKind::Refcountbt),
        ];
        let present = kinds.into_iter().filter_map(|(present, kind)| present.then_some(kind));
        let roots = present.zip((headers..).map(AgBlock)).collect();
        Self { headers, roots }
    }
    /// The block after the last.
    pub(super) fn end(&self) -> u32 {
        self.headers + self.roots.len() as u32
    }
    /// The root of a btree; `None` where the volume has none.
    pub(super) fn root(&self, kind: BtreeKind) -> Option<AgBlock> {
        self.roots.iter().find(|(found, _)| *found == kind).map(|(_, block)| *block)
    }
}

/// The owner of the blocks of an AG's btree.
pub(super) fn owner(kind: BtreeKind) -> RmapOwner {
    match kind {
        BtreeKind::Bnobt | BtreeKind::Cntbt | BtreeKind::Rmapbt => RmapOwner::Ag,
        BtreeKind::Inobt | BtreeKind::Finobt => RmapOwner::Inobt,
        BtreeKind::Refcountbt => RmapOwner::Refcount,
        BtreeKind::Bmbt => RmapOwner::Unknown,
    }
}
