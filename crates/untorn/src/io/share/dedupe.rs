//! Deduplication: two ranges that hold the same bytes share their blocks.

use super::look::same_bytes;
use super::own;
use super::remap::{After, Job, share_all};
use super::rules::{self, Files, Use};
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;

/// What a deduplication found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dedupe {
    /// The bytes are the same; this many of them share their blocks now. Fewer than asked where the
    /// last block of one file is not the last of the other.
    Same(u64),
    /// The bytes differ. Nothing was changed.
    Differs,
}

/// Makes `dest` share blocks of `source` from byte `at` on, if it holds the bytes of `range` there.
/// Its bytes and times stay as they are.
pub(crate) fn dedupe_range(
    core: &Arc<Core>,
    dest: &Arc<Inode>,
    at: u64,
    source: &Arc<Inode>,
    range: &Range<u64>,
) -> Result<Dedupe> {
    rules::demand_shareable(core, source, (dest, Use::Moved))?;
    let _owned = own(core, source, dest)?;
    rules::demand_shareable(core, source, (dest, Use::Moved))?;
    let files = Files::of(source, dest)?;
    let request = rules::to_dedupe(core, &rules::request(at, range), files)?;
    if !same_bytes(core, (source, request.from), (dest, request.to), request.length)? {
        return Ok(Dedupe::Differs);
    }
    let blocks = rules::blocks_of(core, &request);
    share_all(core, &Job { source, dest, blocks, after: After::Nothing })?;
    Ok(Dedupe::Same(request.length))
}
