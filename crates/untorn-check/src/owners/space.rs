//! What the headers and btrees of an AG say of its space: free extents in both orders, the free
//! list, reference counts, reverse mappings.

use super::claims::{Claim, Claims};
use super::sweep::Shared;
use crate::code::Code;
use crate::merge::{Side, merge};
use crate::scan::{Scan, Step, Target, ag_place, block_place};
use crate::tree::{Visitor, Walk};
use untorn_format::ag::{Agf, TreeRoot};
use untorn_format::btree::BtreeKind;
use untorn_format::records::{AllocRec, RefcountDomain, RefcountRec, RmapOwner, RmapRec};
use untorn_format::units::*;
use untorn_format::{BlockKind, Fault, Place};

/// What the trees of an AG's space hold.
#[derive(Default)]
pub(crate) struct Space {
    /// Free extents, first to last.
    pub(crate) free: Vec<AllocRec>,
    /// Blocks of the free list.
    pub(crate) listed: u32,
    /// Reference counts of shared blocks, as long as can be.
    pub(crate) shared: Vec<Shared>,
    /// Reverse mappings in the order of their btree.
    pub(crate) mappings: Vec<Claim>,
    /// Whether all of it could be read.
    pub(crate) intact: bool,
    /// Blocks of bnobt, cntbt and rmapbt, roots not counted.
    pub(crate) btree_blocks: u64,
}

impl Space {
    /// Blocks in free extents.
    fn free_extents(&self) -> u64 {
        self.free.iter().map(|rec| u64::from(rec.length)).sum()
    }

    /// Free blocks as the superblock counts them.
    pub(crate) fn free_blocks(&self) -> u64 {
        self.free_extents() + u64::from(self.listed) + self.btree_blocks
    }
}

/// Reads the trees and the free list that `agf` names, claims their blocks, and checks the AGF's
/// counts.
pub(crate) fn read(scan: &mut Scan<'_>, agf: &Agf, claims: &mut Claims) -> Step<Space> {
    let mut space = Space { intact: true, ..Space::default() };
    free_extents(scan, agf, claims, &mut space)?;
    free_list(scan, agf, claims, &mut space)?;
    mappings(scan, agf, claims, &mut space)?;
    reference_counts(scan, agf, claims, &mut space)?;
    check_counts(scan, agf, &space)?;
    Ok(space)
}

fn check_counts(scan: &mut Scan<'_>, agf: &Agf, space: &Space) -> Step {
    if !space.intact {
        return Ok(());
    }
    let free = space.free_extents();
    let longest = space.free.iter().map(|rec| rec.length).max().unwrap_or(0);
    scan.stats.free_blocks += free;
    let checks = [
        (Code::AgfFreeBlocks, "agf_freeblks", agf.free_blocks, free),
        (Code::AgfLongest, "agf_longest", agf.longest, longest.into()),
        (Code::AgfBtreeBlocks, "agf_btreeblks", agf.btree_blocks, space.btree_blocks),
    ];
    for (code, field, said, is) in checks {
        check_count(scan, agf.ag, code, (field, said.into(), is))?;
    }
    Ok(())
}

/// A finding where a header's count is not what was counted.
pub(crate) fn check_count(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    code: Code,
    (field, said, is): (&str, u64, u64),
) -> Step {
    let told = format_args!("{field} is {said}, counted {is}");
    scan.demand(said == is, code, ag_place(ag), told)
}

/// A record about a run of blocks.
trait RunRecord: Sized {
    fn read(bytes: &[u8]) -> Result<Self, Fault>;
    /// First block and length.
    fn run(&self) -> (AgBlock, u32);
}

macro_rules! run_record {
    ($($record:ty),*) => {
        $(impl RunRecord for $record {
            fn read(bytes: &[u8]) -> Result<Self, Fault> {
                Self::decode(bytes)
            }
            fn run(&self) -> (AgBlock, u32) {
                (self.start, self.length)
            }
        })*
    };
}
run_record!(AllocRec, RefcountRec, RmapRec);

/// Takes records of type `R` and claims the blocks of their tree.
struct Collect<'c, R> {
    ag: AgNumber,
    owner: RmapOwner,
    claims: &'c mut Claims,
    found: Vec<R>,
    intact: bool,
}

impl<R: RunRecord> Visitor for Collect<'_, R> {
    fn block(&mut self, scan: &mut Scan<'_>, block: FsBlock) -> Step {
        scan.stats.btree_blocks += 1;
        if let Some((ag, block)) = scan.geometry().split(block) {
            self.claims.add(ag, Claim::special(block, 1, self.owner));
        }
        Ok(())
    }

    fn record(&mut self, scan: &mut Scan<'_>, record: &[u8], place: Place) -> Step {
        let fault = match R::read(record) {
            Ok(rec) => {
                let (start, length) = rec.run();
                let blocks = scan.geometry().blocks_of(self.ag);
                let end = start.0.checked_add(length);
                if start.0 < blocks && end.is_some_and(|end| end <= blocks) {
                    self.found.push(rec);
                    return Ok(());
                }
                let told = format!("{length} blocks from block {start} do not lie in the AG");
                scan.find(Code::RecordOutside, place, told)
            }
            Err(fault) => scan.fault(&fault, place),
        };
        self.intact = false;
        fault
    }
}

/// A tree to be collected.
struct Source {
    kind: BtreeKind,
    root: TreeRoot,
    owner: RmapOwner,
}

/// Walks a tree; its records, its blocks, whether all were read.
fn collect<R: RunRecord>(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    source: Source,
    claims: &mut Claims,
) -> Step<(Vec<R>, u64, bool)> {
    let Source { kind, root, owner } = source;
    let mut taker = Collect { ag, owner, claims, found: Vec::new(), intact: true };
    let mut walk = Walk::in_ag(scan, kind, ag);
    walk.walk_from_block(scan, root.block, root.levels, &mut taker)?;
    Ok((taker.found, walk.blocks, taker.intact && walk.intact))
}

fn free_extents(scan: &mut Scan<'_>, agf: &Agf, claims: &mut Claims, space: &mut Space) -> Step {
    let owner = RmapOwner::Ag;
    let bnobt = Source { kind: BtreeKind::Bnobt, root: agf.bnobt, owner };
    let (free, blocks, read) = collect::<AllocRec>(scan, agf.ag, bnobt, claims)?;
    let cntbt = Source { kind: BtreeKind::Cntbt, root: agf.cntbt, owner };
    let (mut by_length, more, read_too) = collect::<AllocRec>(scan, agf.ag, cntbt, claims)?;
    space.intact &= read && read_too;
    space.btree_blocks += (blocks + more).saturating_sub(2);
    check_overlap(scan, agf.ag, &free)?;
    by_length.sort_unstable_by_key(|rec| (rec.start, rec.length));
    if read && read_too {
        compare_free(scan, agf.ag, &free, &by_length)?;
    }
    space.free = free;
    Ok(())
}

fn check_overlap(scan: &mut Scan<'_>, ag: AgNumber, free: &[AllocRec]) -> Step {
    let pairs = free.iter().zip(free.iter().skip(1));
    for (rec, next) in pairs.filter(|(rec, next)| rec.end() > next.start) {
        let place = block_place(scan.geometry(), ag, next.start);
        let told = format!(
            "bnobt: {} blocks from block {} reach into the free extent after them",
            rec.length, rec.start
        );
        scan.find(Code::RecordOverlap, place, told)?;
    }
    Ok(())
}

/// Compares the free extents of both trees, each in order of blocks.
fn compare_free(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    by_block: &[AllocRec],
    by_length: &[AllocRec],
) -> Step {
    let key = |rec: &AllocRec| (rec.start, rec.length);
    for side in merge(by_block.iter(), by_length.iter(), |a, b| key(a).cmp(&key(b))) {
        let (rec, missing) = match side {
            Side::Both(..) => continue,
            Side::Left(rec) => (rec, "cntbt"),
            Side::Right(rec) => (rec, "bnobt"),
        };
        let AllocRec { start, length } = *rec;
        let place = block_place(scan.geometry(), ag, start);
        let told = format!("{length} free blocks from block {start} are not in the {missing}");
        scan.find(Code::FreeTreesDisagree, place, told)?;
    }
    Ok(())
}

fn free_list(scan: &mut Scan<'_>, agf: &Agf, claims: &mut Claims, space: &mut Space) -> Step {
    let geometry = scan.geometry();
    let addr = geometry.header_addr(agf.ag, 3);
    let place = Place { addr: Some(addr), ..ag_place(agf.ag) };
    let target = Target { addr, length: geometry.sector_size(), owner: None };
    let bytes = scan.block(BlockKind::Agfl, target, place)?;
    let listed = bytes.map(|bytes| agf.free_list.blocks(&bytes, geometry.blocks_of(agf.ag)));
    match listed {
        Some(Ok(blocks)) => {
            space.listed = blocks.len() as u32;
            for block in blocks {
                claims.add(agf.ag, Claim::special(block, 1, RmapOwner::Ag));
            }
        }
        Some(Err(fault)) => {
            space.intact = false;
            scan.fault(&fault, place)?;
        }
        None => space.intact = false,
    }
    Ok(())
}

fn mappings(scan: &mut Scan<'_>, agf: &Agf, claims: &mut Claims, space: &mut Space) -> Step {
    let Some(root) = agf.rmapbt else { return Ok(()) };
    let source = Source { kind: BtreeKind::Rmapbt, root, owner: RmapOwner::Ag };
    let (found, blocks, read) = collect::<RmapRec>(scan, agf.ag, source, claims)?;
    space.intact &= read;
    space.btree_blocks += blocks.saturating_sub(1);
    space.mappings = found.iter().map(Claim::of_rmap).collect();
    if !read {
        return Ok(());
    }
    let count = ("agf_rmap_blocks", agf.rmap_blocks.into(), blocks);
    check_count(scan, agf.ag, Code::AgfRmapBlocks, count)
}

fn reference_counts(
    scan: &mut Scan<'_>,
    agf: &Agf,
    claims: &mut Claims,
    space: &mut Space,
) -> Step {
    let Some(root) = agf.refcountbt else { return Ok(()) };
    let source = Source { kind: BtreeKind::Refcountbt, root, owner: RmapOwner::Refcount };
    let (found, blocks, read) = collect::<RefcountRec>(scan, agf.ag, source, claims)?;
    space.intact &= read;
    for rec in &found {
        match rec.domain {
            RefcountDomain::Shared => share(scan, agf.ag, rec, &mut space.shared)?,
            RefcountDomain::Cow => staged(scan, agf.ag, rec, claims)?,
        }
    }
    if !read {
        return Ok(());
    }
    let count = ("agf_refcount_blocks", agf.refcount_blocks.into(), blocks);
    check_count(scan, agf.ag, Code::AgfRefcountBlocks, count)
}

/// Adds a reference count to those before it, joined where it goes on from the last.
fn share(scan: &mut Scan<'_>, ag: AgNumber, rec: &RefcountRec, shared: &mut Vec<Shared>) -> Step {
    let run = Shared { start: rec.start.0, length: rec.length, refs: rec.refs };
    match shared.last_mut() {
        Some(last) if last.start + last.length > run.start => {
            let place = block_place(scan.geometry(), ag, rec.start);
            let told = "refcountbt: a record reaches into the one after it";
            return scan.find(Code::RecordOverlap, place, told);
        }
        Some(last) if last.start + last.length == run.start && last.refs == run.refs => {
            last.length += run.length;
        }
        _ => shared.push(run),
    }
    Ok(())
}

fn staged(scan: &mut Scan<'_>, ag: AgNumber, rec: &RefcountRec, claims: &mut Claims) -> Step {
    claims.add(ag, Claim::special(rec.start, rec.length, RmapOwner::Cow));
    let place = block_place(scan.geometry(), ag, rec.start);
    let told = format!("{} blocks are still staged for copy-on-write", rec.length);
    scan.find(Code::CowLeftover, place, told)
}
