//! What a crash leaves allocated though nothing leads to it.

use crate::ag::{self, disown};
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use crate::namespace::inactivate;
use std::sync::Arc;
use untorn_format::ag::UNLINKED_BUCKETS;
use untorn_format::records::{RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgNumber, Fault, Place};

/// Journal bytes that one step is expected to take.
const EXPECTED: u64 = 16 * 1024;

/// Frees every inode on an unlinked chain: it was deleted while somebody had it open. How many.
pub(super) fn free_unlinked(core: &Arc<Core>) -> Result<u64> {
    let mut freed = 0;
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        for bucket in 0..UNLINKED_BUCKETS {
            while let Some(first) = ag::unlinked::published_first(core, ag, bucket)? {
                let inode = core.inodes.load(core, core.geometry.ino(ag, first))?;
                demand_unlinked(&inode)?;
                inactivate(core, &inode)?;
                freed += 1;
            }
        }
    }
    Ok(freed)
}

/// Refuses to free what a chain should not lead to.
fn demand_unlinked(inode: &Inode) -> Result<()> {
    let core = inode.core()?;
    if core.nlink == 0 && core.mode != 0 {
        return Ok(());
    }
    let (field, value) = ("inode that is in use or free", inode.ino.0);
    let fault = Fault::Field { what: "unlinked chain", field, value };
    Err(fault.at(Place::inode(inode.ino)).into())
}

/// Gives back the blocks that Linux staged for copy-on-writes that never completed. How many.
pub(super) fn free_staging(core: &Arc<Core>) -> Result<u64> {
    if !core.features.has_reflink() {
        return Ok(0);
    }
    let mut freed = 0;
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        if !ag::any_staged(core, ag)? {
            continue;
        }
        while let Some(blocks) = free_first(core, ag)? {
            freed += blocks;
        }
    }
    Ok(freed)
}

/// Gives back the first staged run of an AG; its length in blocks.
fn free_first(core: &Arc<Core>, ag: AgNumber) -> Result<Option<u64>> {
    let (freed, _) = core.transact(EXPECTED, &[], |tx| {
        let Some(run) = ag::next_staged(tx, ag, AgBlock(0))? else { return Ok(None) };
        ag::unstage(tx, run)?;
        disown(tx, ag, RmapRec::special(run.start, run.length, RmapOwner::Cow))?;
        ag::free_unowned(tx, run)?;
        Ok(Some(u64::from(run.length)))
    })?;
    Ok(freed)
}
