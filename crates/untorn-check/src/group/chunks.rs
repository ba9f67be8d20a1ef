//! Inode chunks: the inobt and finobt of an AG, and the blocks that the chunks lie in.

use crate::code::Code;
use crate::merge::{Side, merge};
use crate::owners::{Claim, Claims, check_count};
use crate::scan::{Scan, Step, ag_place};
use crate::tree::{Visitor, Walk};
use untorn_format::Place;
use untorn_format::ag::{Agi, TreeRoot};
use untorn_format::btree::BtreeKind;
use untorn_format::records::{ChunkForm, INODES_PER_CHUNK, InobtRec, RmapOwner};
use untorn_format::units::*;

/// The chunks of an AG.
pub(crate) struct Chunks {
    /// First to last.
    pub(crate) found: Vec<InobtRec>,
    /// Whether those are all.
    pub(crate) intact: bool,
}

/// Reads both inode btrees of an AG, compares them, and claims their blocks and the chunks'.
pub(crate) fn read(scan: &mut Scan<'_>, agi: &Agi, claims: &mut Claims) -> Step<Chunks> {
    let (all, blocks) = walk(scan, agi.ag, (BtreeKind::Inobt, agi.inobt), claims)?;
    let counted = scan.sb.features.has_inobtcount();
    if counted && all.intact {
        let count = ("agi_iblocks", agi.inobt_blocks.into(), blocks);
        check_count(scan, agi.ag, Code::AgiInobtBlocks, count)?;
    }
    for chunk in &all.found {
        claim(scan, agi.ag, chunk, claims);
    }
    if let Some(root) = agi.finobt {
        let (free, blocks) = walk(scan, agi.ag, (BtreeKind::Finobt, root), claims)?;
        if counted && free.intact {
            let count = ("agi_fblocks", agi.finobt_blocks.into(), blocks);
            check_count(scan, agi.ag, Code::AgiFinobtBlocks, count)?;
        }
        if all.intact && free.intact {
            compare(scan, agi.ag, &all.found, &free.found)?;
        }
    }
    Ok(all)
}

fn walk(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    (kind, root): (BtreeKind, TreeRoot),
    claims: &mut Claims,
) -> Step<(Chunks, u64)> {
    let form = match scan.sb.features.has_sparse_inodes() {
        true => ChunkForm::Sparse,
        false => ChunkForm::Full,
    };
    let mut taker = Taker { ag, form, claims, found: Vec::new(), intact: true };
    let mut walk = Walk::in_ag(scan, kind, ag);
    walk.walk_from_block(scan, root.block, root.levels, &mut taker)?;
    let intact = taker.intact && walk.intact;
    Ok((Chunks { found: taker.found, intact }, walk.blocks))
}

struct Taker<'c> {
    ag: AgNumber,
    form: ChunkForm,
    claims: &'c mut Claims,
    found: Vec<InobtRec>,
    intact: bool,
}

impl Visitor for Taker<'_> {
    fn block(&mut self, scan: &mut Scan<'_>, block: FsBlock) -> Step {
        scan.stats.btree_blocks += 1;
        if let Some((ag, block)) = scan.geometry().split(block) {
            self.claims.add(ag, Claim::special(block, 1, RmapOwner::Inobt));
        }
        Ok(())
    }

    fn record(&mut self, scan: &mut Scan<'_>, record: &[u8], place: Place) -> Step {
        let found = match InobtRec::decode(record, self.form) {
            Ok(rec) => self.check(scan, &rec, place).map(|good| good.then_some(rec)),
            Err(fault) => scan.fault(&fault, place).map(|()| None),
        };
        match found? {
            Some(rec) => self.found.push(rec),
            None => self.intact = false,
        }
        Ok(())
    }
}

impl Taker<'_> {
    /// Whether a chunk can be used: it lies in the AG, where chunks may begin, and past the one
    /// before it.
    fn check(&self, scan: &mut Scan<'_>, rec: &InobtRec, place: Place) -> Step<bool> {
        let start = rec.start;
        if !is_aligned(scan, start) {
            let told = format!("inode chunk at inode {start} of the AG is not aligned");
            scan.find(Code::ChunkMisaligned, place, told)?;
            return Ok(false);
        }
        let last = 63 - rec.allocated().leading_zeros().min(63);
        let (block, _) = scan.geometry().inode_block(AgIno(start.0.saturating_add(last)));
        if rec.count == 0 || block.0 >= scan.geometry().blocks_of(self.ag) {
            let told = format!("inode chunk at inode {start} does not lie in the AG");
            scan.find(Code::RecordOutside, place, told)?;
            return Ok(false);
        }
        if self.found.last().is_some_and(|before| before.start.0 + INODES_PER_CHUNK > start.0) {
            let told = format!("inode chunk at inode {start} begins inside the chunk before it");
            scan.find(Code::RecordOverlap, place, told)?;
            return Ok(false);
        }
        if !holes_are_blocks(scan, rec) {
            let told = format!("inode chunk at inode {start} has a hole in the middle of a block");
            scan.find(Code::ChunkHoles, place, told)?;
        }
        Ok(true)
    }
}

/// Whether a chunk may begin at `start`.
fn is_aligned(scan: &Scan<'_>, start: AgIno) -> bool {
    let geometry = scan.geometry();
    let (block, index) = geometry.inode_block(start);
    let align = scan.sb.inode_align.max(1);
    index % INODES_PER_CHUNK == 0 && block.0 % align == 0
}

/// Whether the blocks of a chunk are there as a whole or not at all.
fn holes_are_blocks(scan: &Scan<'_>, rec: &InobtRec) -> bool {
    let per_block = scan.geometry().inodes_per_block().min(INODES_PER_CHUNK);
    let mask = u64::MAX >> (64 - per_block);
    let blocks = (0..INODES_PER_CHUNK).step_by(per_block as usize);
    blocks.map(|at| rec.allocated() >> at & mask).all(|here| here == 0 || here == mask)
}

/// The runs of blocks that a chunk lies in, and the index of the first inode of each.
pub(crate) fn runs(
    inodes_per_block: u32,
    rec: &InobtRec,
) -> impl Iterator<Item = (AgBlock, u32, u32)> {
    let per_block = inodes_per_block;
    let first = rec.start.0 / per_block;
    let in_block = rec.start.0 % per_block;
    let blocks = (INODES_PER_CHUNK / per_block).max(1);
    let (allocated, mut next) = (rec.allocated(), 0);
    let here = move |block: u32| allocated >> (block * per_block).min(63) & 1 == 1;
    std::iter::from_fn(move || {
        let start = (next..blocks).find(|&block| here(block))?;
        let end = (start..blocks).find(|&block| !here(block)).unwrap_or(blocks);
        next = end;
        let index = if in_block == 0 { start * per_block } else { 0 };
        Some((AgBlock(first + start), end - start, index))
    })
}

/// Claims the blocks of a chunk. Where a block holds several chunks, the first claims it.
fn claim(scan: &Scan<'_>, ag: AgNumber, rec: &InobtRec, claims: &mut Claims) {
    let per_block = scan.geometry().inodes_per_block();
    if !rec.start.0.is_multiple_of(per_block) {
        return;
    }
    for (start, length, _) in runs(per_block, rec) {
        claims.add(ag, Claim::special(start, length, RmapOwner::Inodes));
    }
}

/// Compares the finobt with the chunks of the inobt that have free inodes.
fn compare(scan: &mut Scan<'_>, ag: AgNumber, all: &[InobtRec], free: &[InobtRec]) -> Step {
    let expected = all.iter().filter(|rec| rec.free_count > 0);
    for side in merge(expected, free.iter(), |a, b| a.start.cmp(&b.start)) {
        let (rec, told) = match side {
            Side::Both(a, b) if a == b => continue,
            Side::Both(a, _) => (a, "the finobt says otherwise than the inobt"),
            Side::Left(a) => (a, "it has free inodes and is not in the finobt"),
            Side::Right(b) => (b, "it is in the finobt and has no free inodes in the inobt"),
        };
        let start = rec.start;
        let place = Place { ino: Some(scan.geometry().ino(ag, start)), ..ag_place(ag) };
        scan.find(Code::InodeTreesDisagree, place, format_args!("inode chunk at {start}: {told}"))?;
    }
    Ok(())
}
