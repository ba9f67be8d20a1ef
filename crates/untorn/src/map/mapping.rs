//! One question per intent: what lies at this range of the file?

use super::fork::Extents;
use crate::btree::TreeBlocks;
use crate::error::{Error, Result};
use untorn_format::records::ExtentState;
use untorn_format::{FileBlock, FsBlock};

/// What lies behind a mapping. Only states with blocks have blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MappingState {
    /// Nothing: reads as zeroes.
    Hole,
    /// Blocks that read as zeroes; the first.
    Unwritten(FsBlock),
    /// Blocks that hold the file's bytes; the first.
    Written(FsBlock),
}

/// A range of a file and what lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// First block of the file.
    pub first: FileBlock,
    /// Length in blocks; never zero.
    pub length: u64,
    /// What lies there.
    pub state: MappingState,
}

impl Mapping {
    /// The file block after the last.
    pub fn end(&self) -> FileBlock {
        FileBlock(self.first.0 + self.length)
    }
}

/// What lies at `at`, up to `limit` at most.
pub(crate) fn find<B: TreeBlocks<Error = Error>>(
    extents: &mut Extents<B>,
    at: FileBlock,
    limit: FileBlock,
) -> Result<Mapping> {
    assert!(at < limit, "a mapping is asked for a range");
    let next = extents.at_or_after(at)?;
    let Some(extent) = next.filter(|extent| extent.file <= at) else {
        let end = next.map_or(limit, |extent| extent.file).min(limit);
        return Ok(Mapping { first: at, length: end.0 - at.0, state: MappingState::Hole });
    };
    let skip = at.0 - extent.file.0;
    let start = FsBlock(extent.start.0 + skip);
    let state = match extent.state {
        ExtentState::Written => MappingState::Written(start),
        ExtentState::Unwritten => MappingState::Unwritten(start),
    };
    let end = extent.file_end().min(limit);
    Ok(Mapping { first: at, length: end.0 - at.0, state })
}
