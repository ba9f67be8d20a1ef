//! What files ask of an AG about their blocks: are they shared, let go of them.

use super::trees::{Trees, look_agf};
use super::{LaterChange, refcount, rmap, space};
use crate::btree::{Refcounts, Rmaps};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use smallvec::SmallVec;
use std::sync::Arc;
use untorn_format::ag::AgfDisk;
use untorn_format::{AgBlock, AgExtent, AgNumber};

/// The first run of `extent` that more than one file uses. The AG must be locked.
pub(crate) fn shared_run<T: Trees + super::space::Holds>(
    source: &mut T,
    extent: AgExtent,
) -> Result<Option<AgExtent>> {
    if !source.core().features.has_reflink() {
        return Ok(None);
    }
    let range = extent.start..extent.end();
    let found = refcount::find_shared(&mut source.tree(extent.ag, Refcounts), range)?;
    Ok(found.map(|run| AgExtent {
        ag: extent.ag,
        start: run.start,
        length: run.end.0 - run.start.0,
    }))
}

/// Runs of blocks that come and go up to which the trees of AGs hear of it later.
const MOST_PUT_OFF: usize = 64;

/// Whether blocks may have users besides the one that lets go of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Users {
    /// The inode shares no blocks.
    One,
    /// The inode may share blocks.
    Several,
}

/// One user fewer for `extent`: blocks without any other become free. Where changes wait, it has no
/// other (see [`prepare_or_put_off`]).
pub(crate) fn release(tx: &mut Tx<'_>, extent: AgExtent, users: Users) -> Result<()> {
    if tx.puts_off(extent.ag) {
        tx.counters.free_blocks += i64::from(extent.length);
        return tx.put_off(extent.ag, LaterChange::Give(extent));
    }
    super::prepare_contents(tx, extent.ag)?;
    let freed = match users {
        Users::Several => decrease(tx, extent)?,
        Users::One => vec![extent],
    };
    if freed.iter().map(|run| run.length).sum::<u32>() < extent.length {
        tx.note_unshared();
    }
    for extent in freed {
        super::prepare_contents(tx, extent.ag)?;
        space::give(tx, extent)?;
        tx.counters.free_blocks += i64::from(extent.length);
    }
    Ok(())
}

fn decrease(tx: &mut Tx<'_>, extent: AgExtent) -> Result<Vec<AgExtent>> {
    let range = extent.start..extent.end();
    let freed = refcount::decrease(&mut tx.tree(extent.ag, Refcounts), range)?;
    let whole = |run: std::ops::Range<AgBlock>| AgExtent {
        ag: extent.ag,
        start: run.start,
        length: run.end.0 - run.start.0,
    };
    Ok(freed.into_iter().map(whole).collect())
}

/// One user more for `extent`.
pub(crate) fn share(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    refcount::increase(&mut tx.tree(extent.ag, Refcounts), extent.start..extent.end())
}

/// One user more for `extent`, refused where they could not be counted: a count that has reached
/// its end never comes back, and the blocks with it. Refused too, as by Linux, where the AG's trees
/// are about to run out of blocks: users are not foreseen in what is kept back for them, and those
/// that there are must be able to part.
pub(crate) fn lend(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    let is_short = |agf: &AgfDisk| tx.core.is_short_of_tree_blocks(extent.ag, agf);
    if look_agf(tx, extent.ag, is_short)?? {
        return Err(Error::NoSpace { needed: 1, available: 0 });
    }
    let full = refcount::find_full(&mut tx.tree(extent.ag, Refcounts), extent.start..extent.end())?;
    match full {
        Some(block) => Err(Error::TooShared(tx.core.geometry.fs_block(extent.ag, block).0)),
        None => share(tx, extent),
    }
}

/// Records that Linux staged `extent` for copy-on-write.
pub(crate) fn stage(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    refcount::stage(&mut tx.tree(extent.ag, Refcounts), extent.start..extent.end())
}

/// Takes back what [`stage`] recorded; the blocks are nobody's then.
pub(crate) fn unstage(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    refcount::unstage(&mut tx.tree(extent.ag, Refcounts), extent.start..extent.end())
}

/// The first run staged for copy-on-write in an AG, from block `from` on.
pub(crate) fn next_staged(
    tx: &mut Tx<'_>,
    ag: AgNumber,
    from: AgBlock,
) -> Result<Option<AgExtent>> {
    super::prepare_contents(tx, ag)?;
    let found = refcount::next_staged(&mut tx.tree(ag, Refcounts), from)?;
    let run = |run: std::ops::Range<AgBlock>| AgExtent {
        ag,
        start: run.start,
        length: run.end.0 - run.start.0,
    };
    Ok(found.map(run))
}

/// Gives back blocks of which nobody knows whose they were: their reverse mapping, if there is one,
/// goes with them.
pub(crate) fn free_unknown(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    if tx.core.features.has_rmapbt() {
        rmap::unmap_any(&mut tx.tree(extent.ag, Rmaps), extent.start..extent.end())?;
    }
    free_unowned(tx, extent)
}

/// Gives back blocks that no reverse mapping names.
pub(crate) fn free_unowned(tx: &mut Tx<'_>, extent: AgExtent) -> Result<()> {
    super::prepare_contents(tx, extent.ag)?;
    space::give(tx, extent)?;
    tx.counters.free_blocks += i64::from(extent.length);
    Ok(())
}

/// Whether an AG has blocks staged for copy-on-write.
pub(crate) fn any_staged(core: &Core, ag: AgNumber) -> Result<bool> {
    let _owner = core.ag(ag).owner.lock();
    let mut source = super::Published(core);
    Ok(refcount::next_staged(&mut source.tree(ag, Refcounts), AgBlock(0))?.is_some())
}

/// Locks the AGs of `extents` in order, ready for changes.
pub(crate) fn prepare_all(tx: &mut Tx<'_>, extents: impl Iterator<Item = AgExtent>) -> Result<()> {
    ags_of(extents).into_iter().try_for_each(|ag| super::prepare_contents(tx, ag))
}

/// The AGs of `extents`, in order.
fn ags_of(extents: impl Iterator<Item = AgExtent>) -> SmallVec<[AgNumber; 4]> {
    let mut ags: SmallVec<[_; 4]> = extents.map(|extent| extent.ag).collect();
    ags.sort_unstable();
    ags.dedup();
    ags
}

/// A few runs of blocks.
pub(crate) type FewRuns = SmallVec<[AgExtent; 2]>;

/// What a transaction is about to do to the contents of files.
pub(crate) struct Contents {
    /// Runs that come.
    pub come: FewRuns,
    /// Runs that go, of files that share none.
    pub go: FewRuns,
    /// Runs that go of files that may share them.
    pub part: FewRuns,
}

/// Locks the AGs of `contents`, ready for changes. Where nothing that goes has other users, and
/// there is not much of it, the trees hear of it later; who changes the state of blocks where they
/// lie may not ask for this.
pub(crate) fn prepare_or_put_off(tx: &mut Tx<'_>, contents: Contents) -> Result<()> {
    let Contents { come, go, part } = contents;
    let all: SmallVec<[_; 4]> = come.into_iter().chain(go).chain(part.iter().copied()).collect();
    let ags = ags_of(all.iter().copied());
    ags.iter().try_for_each(|ag| tx.lock_ag(*ag))?;
    // Free space and reverse mappings change for each.
    let changes = |ag: &AgNumber| (*ag, 2 * all.iter().filter(|run| run.ag == *ag).count());
    let counts: SmallVec<[_; 4]> = ags.iter().map(changes).collect();
    if all.len() > MOST_PUT_OFF || !super::may_wait(tx, &counts)? || any_shared(tx, &part)? {
        return prepare_all(tx, all.into_iter());
    }
    ags.into_iter().for_each(|ag| tx.let_wait(ag));
    Ok(())
}

fn any_shared(tx: &mut Tx<'_>, runs: &[AgExtent]) -> Result<bool> {
    for run in runs {
        if shared_run(tx, *run)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

impl Core {
    /// The blocks of a file as a run of one AG; an extent outside the volume is corruption.
    pub fn ag_extent(&self, start: untorn_format::FsBlock, length: u32) -> Result<AgExtent> {
        let outside = || {
            let what = "extent";
            let fault =
                untorn_format::Fault::Field { what, field: "br_startblock", value: start.0 };
            crate::error::Error::from(fault.at(untorn_format::Place::default()))
        };
        self.geometry.extent(start, u64::from(length)).ok_or_else(outside)
    }

    /// The parts of `extent` that other files use too.
    pub fn shared_parts(self: &Arc<Self>, extent: AgExtent) -> Result<Vec<AgExtent>> {
        let owner = self.ag(extent.ag).owner.lock();
        let mut parts = Vec::new();
        let mut rest = Some(extent);
        while let Some(extent) = rest {
            let Some(run) = shared_run(&mut super::Published(self), extent)? else { break };
            parts.push(run);
            let left = extent.end().0.saturating_sub(run.end().0);
            rest = (left > 0).then_some(AgExtent { start: run.end(), length: left, ..extent });
        }
        drop(owner);
        Ok(parts)
    }
}
