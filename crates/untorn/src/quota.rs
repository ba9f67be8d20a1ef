//! Quota usage is not kept here: before the first change of what files have, the marks go that say
//! that it was counted, so that Linux counts again when it mounts the volume.
//!
//! Whoever changes what files have asks first: every call that writes, and a recovery that finishes
//! or frees what a crash left.

use crate::core::Core;
use crate::error::Result;
use std::sync::Arc;
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Place};

/// Takes the marks away, once.
pub(crate) fn uncount(core: &Arc<Core>) -> Result<()> {
    let flags = core.superblock.quota.flags;
    if !flags.is_accounted() {
        return Ok(());
    }
    let mut done = core.quota_uncounted.lock();
    if !*done {
        let header = core.header(AgNumber(0), BlockKind::Superblock);
        core.transact(4096, &[], |tx| {
            tx.lock_ag(AgNumber(0))?;
            let bytes = tx.stage(&header)?;
            let raw = SuperblockDisk::of_mut(bytes);
            raw.map_err(|fault| fault.at(Place::at(header.addr)))?.qflags.set(flags.uncounted().0);
            Ok(())
        })?;
        *done = true;
    }
    Ok(())
}
