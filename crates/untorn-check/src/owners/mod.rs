//! The owners of every block: claims from all structures, held against what the space btrees of
//! each AG say.
//!
//! ```text
//! claims of inodes, chunks, headers, log --+
//! bnobt, cntbt, AGFL, rmapbt, refcountbt --+--> sweep --> unowned, owned twice, shared
//!                                          +--> reverse mappings: the same, nothing else
//!                                          +--> reference counts: what was seen shared
//! ```

mod claims;
mod reverse;
mod shared;
mod space;
mod sweep;

pub(crate) use claims::{Claim, Claims, Sharing};
pub(crate) use space::check_count;

use crate::code::Code;
use crate::scan::{Scan, Step, block_place};
use claims::canonical;
use std::collections::HashSet;
use sweep::{Conflict, Swept};
use untorn_format::Place;
use untorn_format::ag::Agf;
use untorn_format::records::RmapOwner;
use untorn_format::units::*;

/// Free blocks of an AG as the superblock counts them: free, on the free list, or in btrees that
/// could give them back. `None` where the AG could not be read.
pub(crate) type FreeCount = Option<u64>;

/// Checks the space of one AG against all claims to it. `agf` is missing where it could not be
/// read.
pub(crate) fn check(
    scan: &mut Scan<'_>,
    ag: AgNumber,
    agf: Option<&Agf>,
    claims: &mut Claims,
) -> Step<FreeCount> {
    claim_fixed(scan, ag, claims);
    let Some(agf) = agf else {
        let swept = sweep::sweep(claims.take(ag), scan.geometry().blocks_of(ag));
        conflicts(scan, ag, &swept.conflicts)?;
        return Ok(None);
    };
    let space = space::read(scan, agf, claims)?;
    let owned = claims.take(ag);
    if agf.rmapbt.is_some() && space.intact {
        let (derived, said) =
            (canonical(owned.iter().copied()), canonical(space.mappings.iter().copied()));
        reverse::compare(scan, ag, (&derived, &said), scan.blind.owners)?;
    }
    let free = space.free.iter().map(|rec| Claim::free(rec.start, rec.length));
    let all = owned.into_iter().chain(free).collect();
    let swept = sweep::sweep(all, scan.geometry().blocks_of(ag));
    conflicts(scan, ag, &swept.conflicts)?;
    flags(scan, &swept)?;
    if space.intact && !scan.blind.owners {
        unowned(scan, ag, &swept)?;
        shared::compare(scan, ag, &swept.shared, &space.shared)?;
    }
    Ok(space.intact.then(|| space.free_blocks()))
}

/// Claims the headers of an AG and the log in it.
fn claim_fixed(scan: &Scan<'_>, ag: AgNumber, claims: &mut Claims) {
    let geometry = scan.geometry();
    let headers = geometry.blocks_for(4 * geometry.sector_size() as u64) as u32;
    claims.add(ag, Claim::special(AgBlock(0), headers, RmapOwner::Fs));
    let log = geometry.extent(geometry.log_start, geometry.log_blocks.into());
    if let Some(log) = log.filter(|log| log.ag == ag && geometry.log_start != FsBlock(0)) {
        claims.add(ag, Claim::special(log.start, log.length, RmapOwner::Log));
    }
}

fn conflicts(scan: &mut Scan<'_>, ag: AgNumber, conflicts: &[Conflict]) -> Step {
    for Conflict { start, a, b } in conflicts {
        let mut place = block_place(scan.geometry(), ag, AgBlock(*start));
        place.ino = a.inode().or(b.inode());
        let free = a.is_free() || b.is_free();
        let code = if free { Code::BlockFreeAndOwned } else { Code::BlockOwnedTwice };
        scan.find(code, place, format!("block {start} belongs to {a} and to {b}"))?;
    }
    Ok(())
}

/// A finding for each inode that shares blocks and does not say so.
fn flags(scan: &mut Scan<'_>, swept: &Swept) -> Step {
    let mut told = HashSet::new();
    for claim in &swept.unflagged {
        if let Some(ino) = claim.inode().filter(|ino| told.insert(*ino)) {
            let message = "shares blocks and lacks the reflink flag";
            scan.find(Code::ReflinkFlagMissing, Place::inode(ino), message)?;
        }
    }
    Ok(())
}

fn unowned(scan: &mut Scan<'_>, ag: AgNumber, swept: &Swept) -> Step {
    for run in &swept.unowned {
        let place = block_place(scan.geometry(), ag, AgBlock(run.start));
        let told = format!("{} blocks from block {} belong to nobody", run.length, run.start);
        scan.find(Code::BlockUnowned, place, told)?;
    }
    Ok(())
}

/// Compares the counts of the superblock with those of all AGs, where they are known.
pub(crate) fn check_superblock(scan: &mut Scan<'_>, counted: Totals) -> Step {
    let said = scan.sb.counters;
    let checks = [
        (Code::SuperblockFreeBlocks, "sb_fdblocks", said.free_blocks, counted.free_blocks),
        (Code::SuperblockInodes, "sb_icount", said.inodes, counted.inodes),
        (Code::SuperblockFreeInodes, "sb_ifree", said.free_inodes, counted.free_inodes),
    ];
    for (code, field, said, is) in checks {
        let Some(is) = is else { continue };
        let place = Place::at(DiskAddr(0));
        scan.demand(said == is, code, place, format_args!("{field} is {said}, counted {is}"))?;
    }
    Ok(())
}

/// Counts of all AGs together; `None` where one of them could not be read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Totals {
    pub(crate) free_blocks: Option<u64>,
    pub(crate) inodes: Option<u64>,
    pub(crate) free_inodes: Option<u64>,
}
