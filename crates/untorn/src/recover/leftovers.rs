//! What a crash leaves allocated though nothing leads to it.

use super::spared;
use crate::ag::{self, disown};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use crate::namespace::inactivate;
use crate::quota;
use crate::volume::Access;
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::ag::{Agi, UNLINKED_BUCKETS};
use untorn_format::records::{RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgIno, AgNumber, Fault, Ino, Place};

/// Journal bytes that one step is expected to take.
const EXPECTED: u64 = 16 * 1024;

/// Frees every inode on an unlinked chain: it was deleted while somebody had it open. How many.
///
/// All chains are looked at before the first inode is freed. A damaged one refuses a volume that is
/// opened for writing, whole: what it leads to may be anybody's. Who only reads does not need it:
/// the chain is left alone.
pub(super) fn free_unlinked(core: &Arc<Core>, access: Access) -> Result<u64> {
    let mut sound = Vec::new();
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        let readable = ag::unlinked::published_first(core, ag, 0).map(|_| true);
        if !spared(access, readable)? {
            continue;
        }
        for bucket in 0..UNLINKED_BUCKETS {
            let chain = Chain { ag, bucket };
            if spared(access, chain.named(chain.verify(core)))? > 0 {
                sound.push(chain);
            }
        }
    }
    if !sound.is_empty() {
        quota::uncount(core)?;
    }
    let free = |chain: Chain| spared(access, chain.named(chain.free(core)));
    sound.into_iter().map(free).sum()
}

/// A chain of inodes that have no names any more.
#[derive(Clone, Copy)]
struct Chain {
    ag: AgNumber,
    bucket: usize,
}

impl Chain {
    /// Says of damage on which chain it is.
    fn named<T>(self, outcome: Result<T>) -> Result<T> {
        let Self { ag, bucket } = self;
        outcome.map_err(|error| match error {
            Error::Corrupt(cause) => Error::UnlinkedChain { ag, bucket, cause },
            other => other,
        })
    }

    /// Follows the chain without changing anything: each inode must belong there, once. How many
    /// there are.
    fn verify(self, core: &Arc<Core>) -> Result<u64> {
        let mut seen = HashSet::new();
        let mut next = ag::unlinked::published_first(core, self.ag, self.bucket)?;
        while let Some(in_ag) = next {
            let inode = self.load(core, in_ag)?;
            if !seen.insert(in_ag) {
                return Err(fault("inode that it led to before", inode.ino));
            }
            next = inode.core()?.next_unlinked;
        }
        Ok(seen.len() as u64)
    }

    /// The inode `in_ag` of the chain's AG, if the chain may lead to it.
    fn load(self, core: &Arc<Core>, in_ag: AgIno) -> Result<Arc<Inode>> {
        let ino = core.geometry.ino(self.ag, in_ag);
        if core.geometry.split_ino(ino) != Some((self.ag, in_ag)) {
            return Err(fault("inode outside of its AG", ino));
        }
        if Agi::bucket_of(in_ag) != self.bucket {
            return Err(fault("inode of another chain", ino));
        }
        let inode = core.inodes.load(core, ino)?;
        let dinode = inode.core()?;
        match dinode.nlink == 0 && dinode.mode != 0 {
            true => Ok(inode),
            false => Err(fault("inode that is in use or free", ino)),
        }
    }

    /// Frees all inodes of the chain; how many.
    fn free(self, core: &Arc<Core>) -> Result<u64> {
        let mut freed = 0;
        while let Some(first) = ag::unlinked::published_first(core, self.ag, self.bucket)? {
            inactivate(core, &self.load(core, first)?)?;
            freed += 1;
        }
        Ok(freed)
    }
}

fn fault(field: &'static str, ino: Ino) -> Error {
    let fault = Fault::Field { what: "unlinked chain", field, value: ino.0 };
    fault.at(Place::inode(ino)).into()
}

/// Gives back the blocks that Linux staged for copy-on-writes that never completed. How many.
pub(super) fn free_staging(core: &Arc<Core>, access: Access) -> Result<u64> {
    if !core.features.has_reflink() {
        return Ok(0);
    }
    let mut freed = 0;
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        freed += spared(access, free_staging_in(core, ag))?;
    }
    Ok(freed)
}

fn free_staging_in(core: &Arc<Core>, ag: AgNumber) -> Result<u64> {
    let mut freed = 0;
    if ag::any_staged(core, ag)? {
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
