//! After the replay: what a crash left half done is finished, what nobody can reach is freed, what
//! is free is counted.

mod attributes;
mod intents;
mod leftovers;

use crate::core::Core;
use crate::error::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::ag::{AgfDisk, AgiDisk};
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
pub(crate) fn finish(core: &Arc<Core>, pending: &[PendingIntent]) -> Result<Finished> {
    let mut finished = Finished::default();
    if let Some(oldest) = pending.iter().map(|pending| pending.lsn).min() {
        // Until all are answered durably the journal must keep them.
        core.store.hold_tail(oldest);
        for one in pending {
            intents::finish(core, &one.intent)?;
            finished.intents += 1;
        }
        core.store.force_all()?;
        core.store.release_tail(oldest);
    }
    finished.unlinked = leftovers::free_unlinked(core)?;
    finished.staging_blocks = leftovers::free_staging(core)?;
    Ok(finished)
}

/// Counts free blocks and inodes from the AG headers.
pub(crate) fn count(core: &Core) -> Result<()> {
    let (mut free_blocks, mut inodes, mut free_inodes) = (0i64, 0i64, 0i64);
    for ag in (0..core.geometry.ag_count).map(AgNumber) {
        let header = core.header(ag, BlockKind::Agf);
        let image = core.store.cache().read(&header)?;
        let agf = AgfDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
        free_blocks += i64::from(agf.freeblks.get())
            + i64::from(agf.flcount.get())
            + i64::from(agf.btreeblks.get());
        let header = core.header(ag, BlockKind::Agi);
        let image = core.store.cache().read(&header)?;
        let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
        inodes += i64::from(agi.count.get());
        free_inodes += i64::from(agi.freecount.get());
    }
    core.counters.free_blocks.store(free_blocks, Ordering::Relaxed);
    core.counters.inodes.store(inodes, Ordering::Relaxed);
    core.counters.free_inodes.store(free_inodes, Ordering::Relaxed);
    Ok(())
}
