//! The bytes of the blocks that begin an allocation group.

use untorn_format::ag::{Agf, AgflRing, Agi, TreeRoot, UNLINKED_BUCKETS, agfl_slots, init_agfl};
use untorn_format::btree::{self, BtreeKind, Header};
use untorn_format::kind::{self, BlockKind};
use untorn_format::records::{AllocRec, ChunkForm, InobtRec, RmapRec};
use untorn_format::{AgBlock, AgIno, AgNumber, Lsn, Superblock};
use zerocopy::IntoBytes;

use super::inodes;
use super::layout::Group;
use super::plan::Plan;

/// A run of bytes and the byte offset on the device that it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    /// Byte offset.
    pub offset: u64,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Headers and btree roots of `group`, its copy of the superblock marked as unfinished: what xfs
/// tools expect of every copy but the first.
pub(super) fn head(plan: &Plan, group: &Group) -> Image {
    let geometry = &plan.layout.geometry;
    let fixed = &plan.layout.fixed;
    let mut bytes = vec![0; fixed.end() as usize * geometry.block_size()];
    let mut sectors = bytes.chunks_exact_mut(geometry.sector_size());
    let makers = [copy, agf, agi, agfl];
    for (make, sector) in makers.into_iter().zip(&mut sectors) {
        make(plan, group, sector);
    }
    let blocks = bytes.chunks_exact_mut(geometry.block_size()).skip(fixed.headers as usize);
    for (&(kind, block), bytes) in fixed.roots.iter().zip(blocks) {
        leaf(plan, group.ag, (kind, block), &records(plan, group, kind), bytes);
    }
    let offset = geometry.byte_of(geometry.addr(group.ag, AgBlock(0)));
    Image { offset, bytes }
}

/// The sector of the first superblock, which makes the volume one.
pub(super) fn superblock(superblock: &Superblock) -> Vec<u8> {
    let mut sector = vec![0; superblock.geometry.sector_size()];
    superblock.encode(&mut sector);
    kind::seal(BlockKind::Superblock, &mut sector, Lsn::default());
    sector
}

fn copy(plan: &Plan, _: &Group, sector: &mut [u8]) {
    let copy = Superblock { in_progress: true, ..plan.superblock.clone() };
    sector.copy_from_slice(&superblock(&copy));
}

/// The tree of one leaf that `kind` is.
fn root(plan: &Plan, kind: BtreeKind) -> Option<TreeRoot> {
    plan.layout.fixed.root(kind).map(|block| TreeRoot { block, levels: 1 })
}

/// The tree of one leaf that `kind`, which every volume has, is.
fn required(plan: &Plan, kind: BtreeKind) -> TreeRoot {
    match root(plan, kind) {
        Some(root) => root,
        None => panic!("every group has a {}", kind.name()),
    }
}

fn agf(plan: &Plan, group: &Group, sector: &mut [u8]) {
    let rmapbt = root(plan, BtreeKind::Rmapbt);
    let refcountbt = root(plan, BtreeKind::Refcountbt);
    let agf = Agf {
        ag: group.ag,
        length: group.length,
        bnobt: required(plan, BtreeKind::Bnobt),
        cntbt: required(plan, BtreeKind::Cntbt),
        rmapbt,
        refcountbt,
        free_list: AgflRing::fresh(group.free_list.len() as u32, agfl_slots(sector.len())),
        free_blocks: group.free.iter().map(|extent| extent.length).sum(),
        longest: group.free.iter().map(|extent| extent.length).max().unwrap_or(0),
        btree_blocks: 0,
        rmap_blocks: u32::from(rmapbt.is_some()),
        refcount_blocks: u32::from(refcountbt.is_some()),
        lsn: Lsn::default(),
    };
    write(BlockKind::Agf, agf.to_disk(plan.superblock.meta_uuid).as_bytes(), sector);
}

fn agi(plan: &Plan, group: &Group, sector: &mut [u8]) {
    let counts = plan.superblock.features.has_inobtcount();
    let finobt = root(plan, BtreeKind::Finobt);
    let chunks = inodes::chunks(plan, group);
    let agi = Agi {
        ag: group.ag,
        length: group.length,
        count: chunks.iter().map(|chunk| u32::from(chunk.count)).sum(),
        free_count: chunks.iter().map(|chunk| u32::from(chunk.free_count)).sum(),
        inobt: required(plan, BtreeKind::Inobt),
        finobt,
        inobt_blocks: u32::from(counts),
        finobt_blocks: u32::from(counts && finobt.is_some()),
        newest_chunk: chunks.first().map(|chunk| AgIno(chunk.start.0)),
        unlinked: [None; UNLINKED_BUCKETS],
        lsn: Lsn::default(),
    };
    write(BlockKind::Agi, agi.to_disk(plan.superblock.meta_uuid).as_bytes(), sector);
}

fn agfl(plan: &Plan, group: &Group, sector: &mut [u8]) {
    init_agfl(sector, group.ag, plan.superblock.meta_uuid, &group.free_list);
    kind::seal(BlockKind::Agfl, sector, Lsn::default());
}

/// Puts a structure at the start of a zeroed sector and seals it.
fn write(kind: BlockKind, structure: &[u8], sector: &mut [u8]) {
    let (place, _) = sector.split_at_mut(structure.len());
    place.copy_from_slice(structure);
    kind::seal(kind, sector, Lsn::default());
}

/// The records of a btree of `group`, in order.
fn records(plan: &Plan, group: &Group, kind: BtreeKind) -> Vec<Vec<u8>> {
    let form = match plan.superblock.features.has_sparse_inodes() {
        true => ChunkForm::Sparse,
        false => ChunkForm::Full,
    };
    let chunk = |chunk: InobtRec| chunk.encode(form).to_vec();
    let alloc = |extent: &AllocRec| extent.encode().to_vec();
    match kind {
        BtreeKind::Bnobt => group.free.iter().map(alloc).collect(),
        BtreeKind::Cntbt => {
            let mut by_length = group.free.clone();
            by_length.sort_unstable_by_key(|extent| extent.by_length());
            by_length.iter().map(alloc).collect()
        }
        // Chunks of a new volume all have free inodes.
        BtreeKind::Inobt | BtreeKind::Finobt => {
            inodes::chunks(plan, group).into_iter().map(chunk).collect()
        }
        BtreeKind::Rmapbt => {
            group.used.iter().copied().map(RmapRec::encode).map(Vec::from).collect()
        }
        BtreeKind::Refcountbt | BtreeKind::Bmbt => Vec::new(),
    }
}

/// Makes `bytes` a sealed leaf of `records`.
fn leaf(
    plan: &Plan,
    ag: AgNumber,
    (kind, block): (BtreeKind, AgBlock),
    records: &[Vec<u8>],
    bytes: &mut [u8],
) {
    let identity = plan.superblock.identity(plan.layout.geometry.addr(ag, block), None);
    btree::init(kind, bytes, 0, &identity, ag.0.into());
    assert!(records.len() <= kind.max_records(bytes.len(), 0), "{} records", records.len());
    for (index, record) in records.iter().enumerate() {
        let at = kind.record_offset(index);
        bytes[at..at + record.len()].copy_from_slice(record);
    }
    match Header::decode(kind, bytes) {
        Ok(header) => Header { numrecs: records.len() as u16, ..header }.store(kind, bytes),
        Err(fault) => panic!("a new block: {fault}"),
    }
    kind::seal(kind.block_kind(), bytes, Lsn::default());
}
