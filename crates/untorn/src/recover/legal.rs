//! What an intent may ask for. The journal's checksum says that somebody wrote it, not that it can
//! be: what no file and no volume has is refused before anything is changed.

use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::sync::Arc;
use untorn_format::inode::{ForkFormat, InodeCore};
use untorn_format::log::{Exchange, ExchangeFlag, Intent, MapUpdate, RmapOp, RmapUpdate, Work};
use untorn_format::records::{Extent, ExtentState, Fork, RmapRec};
use untorn_format::{AgExtent, Corrupt, Fault, FileBlock, FsBlock, Ino, Place};

/// Sectors of headers at the start of an AG.
const AG_HEADERS: usize = 4;

/// Refuses an intent that cannot be meant. `inodes` are those that it changes.
pub(super) fn demand(core: &Core, intent: &Intent, inodes: &[Arc<Inode>]) -> Result<()> {
    match &intent.work {
        Work::Map(list) => list.iter().zip(inodes).try_for_each(|(update, inode)| {
            run(core, update.start, update.length)?;
            mapping(update, &inode.core()?)
        }),
        Work::Exchange(one) => inodes
            .iter()
            .enumerate()
            .try_for_each(|(side, inode)| exchange(one, side, &inode.core()?)),
        // Runs of blocks are looked at where they are used; attributes have rules of their own.
        Work::Free(_) | Work::Rmap(_) | Work::Refcount(_) | Work::Attr(_) => Ok(()),
    }
}

/// The blocks of a run, which must lie in one AG behind its headers.
pub(super) fn run(core: &Core, start: FsBlock, length: u32) -> Result<AgExtent> {
    let run = core.ag_extent(start, length)?;
    let headers = AG_HEADERS * core.geometry.sector_size();
    match run.start.0 as usize >= headers.div_ceil(core.geometry.block_size()) {
        true => Ok(run),
        false => {
            let fault = Fault::Field { what: "intent", field: "block of a header", value: start.0 };
            Err(fault.at(Place { ag: Some(run.ag), ..Place::default() }).into())
        }
    }
}

fn wrong(ino: Ino, what: &'static str, field: &'static str, value: u64) -> Corrupt {
    Fault::Field { what, field, value }.at(Place::inode(ino))
}

/// Whether a file can have `length` blocks from `from` on.
fn is_range(from: FileBlock, length: u64) -> bool {
    let end = from.0.checked_add(length);
    length > 0 && end.is_some_and(|end| end <= Extent::MAX_FILE_BLOCK.0 + 1)
}

fn mapping(update: &MapUpdate, inode: &InodeCore) -> Result<()> {
    let MapUpdate { ino, offset, length, fork, unwritten, .. } = *update;
    let field = match () {
        () if length > Extent::MAX_LENGTH => ("me_len", length.into()),
        () if !is_range(offset, length.into()) => ("me_startoff", offset.0),
        () if unwritten && fork == Fork::Attr => ("me_flags", 0),
        () if !has_extents(inode, fork) => ("me_owner", ino.0),
        () => return Ok(()),
    };
    Err(wrong(ino, "BUI", field.0, field.1).into())
}

/// Whether the inode is in use and has a fork of extents.
fn has_extents(inode: &InodeCore, fork: Fork) -> bool {
    let there = fork == Fork::Data || inode.has_attr_fork();
    let format = inode.fork_format(fork);
    inode.mode != 0 && there && matches!(format, ForkFormat::Extents | ForkFormat::Btree)
}

/// One side of an exchange: 0 or 1.
fn exchange(work: &Exchange, side: usize, inode: &InodeCore) -> Result<()> {
    let (ino, from) = (work.inodes[side], work.offsets[side]);
    let (size, generation) = (work.sizes[side], work.generations[side]);
    let apart = work.offsets[0].0.abs_diff(work.offsets[1].0);
    let sets_sizes = work.flags.contains(&ExchangeFlag::SetSizes);
    let field = match () {
        () if !is_range(from, work.blocks) => ("xmi_startoff", from.0),
        () if work.inodes[0] == work.inodes[1] && apart < work.blocks => ("xmi_startoff", from.0),
        () if sets_sizes && i64::try_from(size).is_err() => ("xmi_isize", size),
        () if inode.generation != generation => ("xmi_igen", generation.into()),
        () if !has_extents(inode, work.fork) => ("xmi_inode", ino.0),
        () => return Ok(()),
    };
    Err(wrong(ino, "XMI", field.0, field.1).into())
}

/// Refuses a reverse mapping that no btree can hold.
pub(super) fn demand_possible(update: &RmapUpdate, mapping: &RmapRec) -> Result<()> {
    let converts = matches!(update.op, RmapOp::Convert | RmapOp::ConvertShared);
    let before = RmapRec { state: ExtentState::Unwritten, ..*mapping };
    if mapping.is_possible() && (!converts || before.is_possible()) {
        return Ok(());
    }
    let fault = Fault::Field { what: "RUI", field: "me_startoff", value: update.offset.0 };
    Err(fault.at(Place::default()).into())
}
