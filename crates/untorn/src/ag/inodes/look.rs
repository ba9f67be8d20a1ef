//! Whether an inode is in use, as the published inode btree says.

use super::form;
use crate::ag::trees::{Published, Trees};
use crate::btree::{Chunks, Find};
use crate::core::Core;
use crate::error::Result;
use untorn_format::records::INODES_PER_CHUNK;
use untorn_format::{AgIno, AgNumber};

/// Whether inode `in_ag` of `ag` is in use. The caller holds no AG.
pub(crate) fn is_allocated(core: &Core, ag: AgNumber, in_ag: AgIno) -> Result<bool> {
    let _owner = core.ag(ag).owner.lock();
    let mut published = Published(core);
    let found = published.tree(ag, Chunks(form(core))).seek(Find::AtMost, in_ag)?;
    let Some(chunk) = found.filter(|chunk| in_ag.0 - chunk.start.0 < INODES_PER_CHUNK) else {
        return Ok(false);
    };
    let bit = 1u64 << (in_ag.0 - chunk.start.0);
    Ok(chunk.allocated() & bit != 0 && chunk.free & bit == 0)
}
