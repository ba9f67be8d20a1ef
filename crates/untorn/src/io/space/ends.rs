//! Blocks of which only a part becomes zeroes.

use super::super::blocks::read_raw_block;
use super::parts::{Part, rewrite};
use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::FileBlock;

/// A block of which some bytes become zeroes.
#[derive(Debug, PartialEq, Eq)]
struct End {
    block: FileBlock,
    zeroes: Range<usize>,
}

/// The blocks at both ends of `range` that lie in it in part, as far as a file of `size` bytes
/// has them. Where the range reaches the end of the file, so do the zeroes reach the end of its
/// last block.
fn ends_of(core: &Core, range: &Range<u64>, size: u64) -> Vec<End> {
    let whole = core.geometry.block_size();
    let (first, skip) = core.geometry.file_block(range.start);
    let (last, used) = core.geometry.file_block(range.end);
    let mut ends = Vec::new();
    if skip != 0 {
        ends.push(End { block: first, zeroes: skip..if last == first { used } else { whole } });
    }
    if used != 0 && !(skip != 0 && last == first) {
        ends.push(End { block: last, zeroes: 0..used });
    }
    let log = core.geometry.block_log;
    ends.retain(|end| end.block.0 << log < size);
    for end in &mut ends {
        if (end.block.0 << log) + end.zeroes.end as u64 >= size {
            end.zeroes.end = whole;
        }
    }
    ends
}

/// Parts that make the ends of `range` read as zeroes, written out of place already. Ends that do
/// so as they are have none.
pub(super) fn zero_ends(
    core: &Arc<Core>,
    inode: &Inode,
    range: &Range<u64>,
    size: u64,
) -> Result<Vec<Part>> {
    let mut blocks = Vec::with_capacity(2);
    for End { block, zeroes } in ends_of(core, range, size) {
        let Some(mut bytes) = read_raw_block(core, inode, block.0)? else { continue };
        if bytes[zeroes.clone()].iter().any(|&byte| byte != 0) {
            bytes[zeroes].fill(0);
            blocks.push((block, bytes));
        }
    }
    rewrite(core, inode, &blocks)
}
