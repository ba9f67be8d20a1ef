//! After the replay: what a crash left half done is finished, what nobody can reach is freed, what
//! is free is counted.

mod attributes;
mod intents;
mod leftovers;
mod legal;
#[cfg(test)]
pub(crate) mod tests;

use crate::core::{Core, CounterChange};
use crate::error::{Error, Result};
use crate::quota;
use crate::volume::Access;
use std::sync::Arc;
use untorn_format::ag::{AgfDisk, AgiDisk};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Place};
use untorn_store::replay::PendingIntent;

/// What was finished.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Finished {
    pub intents: u64,
    pub unlinked: u64,
    pub staging_blocks: u64,
}

/// Finishes intents, then frees unlinked inodes and leftover staging blocks.
pub(crate) fn finish(
    core: &Arc<Core>,
    pending: &[PendingIntent],
    access: Access,
) -> Result<Finished> {
    let mut finished = Finished::default();
    if let Some(oldest) = pending.iter().map(|pending| pending.lsn).min() {
        // Until all are answered durably the journal must keep them.
        core.store.hold_tail(oldest);
        quota::uncount(core)?;
        for one in pending {
            intents::finish(core, &one.intent)?;
            finished.intents += 1;
        }
        core.store.force_all()?;
        core.store.release_tail(oldest);
    }
    finished.unlinked = leftovers::free_unlinked(core, access)?;
    finished.staging_blocks = leftovers::free_staging(core, access)?;
    if access == Access::ReadWrite {
        forget_log_features(core)?;
    }
    Ok(finished)
}

/// Takes back what the superblock says of items that only some can replay: untorn writes none, and
/// when all is home the journal has none that a replay would meet.
fn forget_log_features(core: &Arc<Core>) -> Result<()> {
    if core.features.log_incompat == 0 {
        return Ok(());
    }
    core.store.bring_home()?;
    let header = core.header(AgNumber(0), BlockKind::Superblock);
    core.transact(4096, &[], |tx| {
        tx.lock_ag(AgNumber(0))?;
        let raw = SuperblockDisk::of_mut(tx.stage(&header)?);
        raw.map_err(|fault| fault.at(Place::at(header.addr)))?.features_log_incompat.set(0);
        Ok(())
    })?;
    Ok(())
}

/// Frees what was removed when the volume is closed: whoever removed it may have been refused the
/// second of its transactions. Damage does not hinder closing; the next opening tells of it.
pub(crate) fn finish_removals(core: &Arc<Core>) -> Result<()> {
    leftovers::free_unlinked(core, Access::ReadOnly).map(drop)
}

/// What a reader can do without, where the volume is too damaged to give it; a writer cannot.
fn spared<T: Default>(access: Access, outcome: Result<T>) -> Result<T> {
    match outcome {
        Err(error @ (Error::Corrupt(_) | Error::UnlinkedChain { .. }))
            if access == Access::ReadOnly =>
        {
            tracing::warn!(%error, "the volume is damaged; it is read as far as it can be");
            Ok(T::default())
        }
        outcome => outcome,
    }
}

/// Counts free blocks and inodes from the AG headers.
pub(crate) fn count(core: &Core, access: Access) -> Result<()> {
    // What was freed until now is counted with the rest.
    core.counters.clear();
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        core.counters.add(&spared(access, count_blocks(core, ag))?);
        core.counters.add(&spared(access, count_inodes(core, ag))?);
    }
    Ok(())
}

fn count_blocks(core: &Core, ag: AgNumber) -> Result<CounterChange> {
    let header = core.header(ag, BlockKind::Agf);
    let image = core.store.cache().read(&header)?;
    let agf = AgfDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    let parts = [agf.freeblks.get(), agf.flcount.get(), agf.btreeblks.get()];
    let free_blocks = parts.into_iter().map(i64::from).sum();
    Ok(CounterChange { free_blocks, ..CounterChange::default() })
}

fn count_inodes(core: &Core, ag: AgNumber) -> Result<CounterChange> {
    let header = core.header(ag, BlockKind::Agi);
    let image = core.store.cache().read(&header)?;
    let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    let (inodes, free_inodes) = (agi.count.get().into(), agi.freecount.get().into());
    Ok(CounterChange { inodes, free_inodes, ..CounterChange::default() })
}
