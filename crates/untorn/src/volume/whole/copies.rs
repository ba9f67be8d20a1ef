//! Every superblock of a volume, the first and the copies, changed alike.

use crate::core::Core;
use crate::error::Result;
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Place};

/// Superblocks changed by one transaction where nothing is gained by more. The smallest journal
/// carries as many.
const TOGETHER: u32 = 256;
/// Journal bytes that the change of one takes.
pub(super) const EACH: u64 = 768;

/// Changes the superblocks of `groups` within a transaction.
pub(super) fn edit(
    tx: &mut Tx<'_>,
    groups: Range<u32>,
    change: impl Fn(&mut SuperblockDisk),
) -> Result<()> {
    for ag in groups.map(AgNumber) {
        tx.lock_ag(ag)?;
        let header = tx.core.header(ag, BlockKind::Superblock);
        let raw = SuperblockDisk::of_mut(tx.stage(&header)?);
        change(raw.map_err(|fault| fault.at(Place::at(header.addr)))?);
    }
    Ok(())
}

/// Changes the superblocks of all groups from `first` on, [`TOGETHER`] in a transaction.
pub(super) fn edit_all(
    core: &Arc<Core>,
    first: u32,
    change: impl Fn(&mut SuperblockDisk),
) -> Result<()> {
    let count = core.geometry.ag_count;
    for start in (first..count).step_by(TOGETHER as usize) {
        let groups = start..count.min(start.saturating_add(TOGETHER));
        let bytes = EACH * u64::from(TOGETHER);
        core.transact(bytes, &[], |tx| edit(tx, groups.clone(), &change))?;
    }
    Ok(())
}

/// How many superblocks, from the first on, a transaction can change that journals `beside` bytes
/// besides.
pub(super) fn together(core: &Core, beside: u64) -> u32 {
    let most = core.largest_transaction.saturating_sub(beside) / EACH;
    core.geometry.ag_count.min(u32::try_from(most).unwrap_or(u32::MAX).max(TOGETHER))
}

/// Makes the copies say the size of the volume, where a power cut left some that do not.
pub(super) fn catch_up(core: &Arc<Core>) -> Result<()> {
    let (blocks, groups) = (core.geometry.data_blocks, core.geometry.ag_count);
    for ag in (1..groups).map(AgNumber) {
        let header = core.header(ag, BlockKind::Superblock);
        let image = core.store.cache().read(&header)?;
        let copy = SuperblockDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
        if (copy.dblocks.get(), copy.agcount.get()) != (blocks, groups) {
            return edit_all(core, 1, |superblock| {
                superblock.dblocks.set(blocks);
                superblock.agcount.set(groups);
            });
        }
    }
    Ok(())
}
