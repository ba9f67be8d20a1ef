//! Writing to blocks that are claimed and nobody's yet.

use crate::core::Core;
use crate::error::Result;
use untorn_device::WriteRequest;
use untorn_format::AgExtent;

/// Writes `bytes`, whole blocks, to the blocks of `runs`, one after the other. The journal flushes
/// the device before the commit that gives them an owner.
pub(crate) fn write_claimed(core: &Core, runs: &[AgExtent], bytes: &[u8]) -> Result<()> {
    let geometry = &core.geometry;
    let mut rest = bytes;
    let mut requests = Vec::with_capacity(runs.len());
    for run in runs {
        let length = ((run.length as usize) << geometry.block_log).min(rest.len());
        let (part, behind) = rest.split_at(length);
        let offset = geometry.byte_of(geometry.addr(run.ag, run.start));
        requests.push(WriteRequest { offset, bytes: part });
        rest = behind;
    }
    assert!(rest.is_empty(), "the blocks hold all that is written");
    core.store.device().write_batch(&requests)?;
    core.store.note_data_write();
    Ok(())
}
