//! Exchanging what two files map, by one transaction: live, and where a journal says that Linux had
//! begun to.

use super::{map, next_extent, trim, unmap};
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::tx::Tx;
use std::ops::Range;
use untorn_format::inode::InodeFlags2;
use untorn_format::log::{Exchange, ExchangeFlag};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{Fault, FileBlock, Ino, Place};

/// File blocks that an extent record can name.
const FILE_BLOCKS: u64 = 1 << 54;

/// Exchanges the mappings that `work` names, then sets sizes and flags as it says. Both inodes are
/// locked; the ranges do not overlap where they are one file's.
pub(crate) fn exchange(tx: &mut Tx<'_>, work: &Exchange) -> Result<()> {
    let [from_one, from_two] = work.offsets;
    work.inodes.into_iter().for_each(|ino| tx.note_moved(ino));
    for (ino, from) in work.inodes.into_iter().zip(work.offsets) {
        let end = from.0.checked_add(work.blocks).filter(|&end| end <= FILE_BLOCKS);
        end.ok_or_else(|| outside(ino, from))?;
    }
    if !work.flags.contains(&ExchangeFlag::FirstWritten) {
        swap(tx, work, work.offsets, work.blocks)?;
        return finish(tx, work);
    }
    let [one, _] = work.inodes;
    let range = from_one..FileBlock(from_one.0 + work.blocks);
    for extent in written_in(tx, one, work.fork, range)? {
        let at = FileBlock(from_two.0 + (extent.file.0 - from_one.0));
        swap(tx, work, [extent.file, at], u64::from(extent.length))?;
    }
    finish(tx, work)
}

fn outside(ino: Ino, from: FileBlock) -> Error {
    let fault = Fault::Field { what: "exchange", field: "block of a file", value: from.0 };
    fault.at(Place::inode(ino)).into()
}

fn written_in(
    tx: &mut Tx<'_>,
    ino: Ino,
    fork: Fork,
    range: Range<FileBlock>,
) -> Result<Vec<Extent>> {
    let mut found = Vec::new();
    let mut at = range.start;
    while let Some(extent) = next_extent(tx, ino, fork, at)?.filter(|e| e.file < range.end) {
        at = extent.file_end();
        if extent.state == ExtentState::Written {
            found.push(trim(extent, &range));
        }
    }
    Ok(found)
}

/// Exchanges all mappings of `blocks` blocks from `offsets` on.
fn swap(tx: &mut Tx<'_>, work: &Exchange, offsets: [FileBlock; 2], blocks: u64) -> Result<()> {
    let ([one, two], fork) = (work.inodes, work.fork);
    let [at_one, at_two] = offsets;
    let range = |from: FileBlock| from..FileBlock(from.0 + blocks);
    let first = unmap(tx, one, fork, range(at_one))?;
    let second = unmap(tx, two, fork, range(at_two))?;
    let moved = |extent: Extent, from: FileBlock, to: FileBlock| Extent {
        file: FileBlock(to.0 + (extent.file.0 - from.0)),
        ..extent
    };
    for extent in first {
        map(tx, two, fork, moved(extent, at_one, at_two))?;
    }
    for extent in second {
        map(tx, one, fork, moved(extent, at_two, at_one))?;
    }
    Ok(())
}

/// Sizes and flags after an exchange.
fn finish(tx: &mut Tx<'_>, work: &Exchange) -> Result<()> {
    let clears = [ExchangeFlag::ClearFirstReflink, ExchangeFlag::ClearSecondReflink];
    for ((ino, size), clear) in work.inodes.into_iter().zip(work.sizes).zip(clears) {
        let mut core = core_of(ino, tx.inode_bytes(ino))?;
        if work.flags.contains(&ExchangeFlag::SetSizes) {
            core.size = size;
        }
        if work.flags.contains(&clear) {
            core.flags2 = core.flags2.without(InodeFlags2::REFLINK);
        }
        core.encode(tx.inode_mut(ino));
    }
    Ok(())
}
