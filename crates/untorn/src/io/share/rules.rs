//! What may be shared, and which blocks a request for bytes means.
//!
//! The rules are those of Linux for FICLONERANGE and its kin: whole blocks at both places, except
//! for the last block of a file, which may be taken where it ends the other file too.

use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Change, Inode, demand_open};
use crate::io::{demand_regular, largest_file};
use std::ops::Range;
use untorn_format::FileBlock;
use untorn_format::inode::InodeFlags;

/// Bytes of two files as a call names them: `length` of them, at a place in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// First byte in the file that they come from.
    pub from: u64,
    /// First byte in the file that they go to.
    pub to: u64,
    /// Bytes.
    pub length: u64,
}

/// Sizes of the two files in bytes, and whether they are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Files {
    pub source: u64,
    pub dest: u64,
    pub same: Same,
}

/// Whether two handles are of one file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Same {
    One,
    Two,
}

impl Files {
    /// The sizes now; the files are owned.
    pub fn of(source: &Inode, dest: &Inode) -> Result<Self> {
        let same = if source.ino == dest.ino { Same::One } else { Same::Two };
        Ok(Self { source: source.size()?, dest: dest.size()?, same })
    }
}

/// Blocks of two files: `blocks` of them, at a place in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub from: FileBlock,
    pub to: FileBlock,
    pub blocks: u64,
}

/// Refuses what cannot share blocks, whatever the range.
pub(super) fn demand_shareable(
    core: &Core,
    source: &Inode,
    (dest, what): (&Inode, Use),
) -> Result<()> {
    if !core.features.has_reflink() {
        return Err(Error::Unsupported {
            what: "sharing blocks on a volume without the feature reflink".to_owned(),
            remedy: "copy the bytes, or make the volume with reflink".to_owned(),
        });
    }
    demand_movable(source, Use::Read)?;
    demand_movable(dest, what)
}

/// What a call does to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Read,
    /// Its bytes stay, other blocks hold them.
    Moved,
    Changed,
}

/// Refuses files whose blocks cannot be moved: other than regular, realtime, not to be changed.
pub(super) fn demand_movable(inode: &Inode, what: Use) -> Result<()> {
    demand_regular(inode)?;
    let core = inode.core()?;
    if core.flags.has(InodeFlags::REALTIME) {
        return Err(Error::Unsupported {
            what: format!("moving blocks of inode {}, a realtime file,", inode.ino),
            remedy: "mount the volume on Linux instead".to_owned(),
        });
    }
    match what {
        Use::Read => Ok(()),
        Use::Moved => demand_open(inode.ino, core.flags, Change::Allocate),
        Use::Changed => demand_open(inode.ino, core.flags, Change::Rewrite),
    }
}

/// The bytes of `range`, to go to byte `at`; one that ends before it begins is none.
pub(super) fn request(at: u64, range: &Range<u64>) -> Request {
    Request { from: range.start, to: at, length: range.end.saturating_sub(range.start) }
}

fn refused(why: &str) -> Error {
    Error::Invalid(format!("{why}; nothing was changed"))
}

/// Refuses what no file can hold, and ranges of one file that overlap. `length` may be rounded up.
pub(super) fn demand_apart(core: &Core, request: &Request, length: u64, same: Same) -> Result<()> {
    let Request { from, to, .. } = *request;
    let end = |start: u64| {
        let end = start.checked_add(length).filter(|_| start <= largest_file(core));
        end.ok_or_else(|| refused("the range reaches past the largest file size"))
    };
    if to.checked_add(request.length).is_none_or(|end| end > largest_file(core)) {
        return Err(refused("the range reaches past the largest file size"));
    }
    let (from_end, to_end) = (end(from)?, end(to)?);
    if same == Same::One && from < to_end && to < from_end {
        return Err(refused("the two ranges of the file overlap"));
    }
    Ok(())
}

/// Bytes of the blocks that `length` bytes from a block's start touch.
fn whole(core: &Core, length: u64) -> u64 {
    core.geometry.blocks_for(length).saturating_mul(core.geometry.block_size() as u64)
}

/// Whether byte `at` begins a block.
pub(super) fn is_aligned(core: &Core, at: u64) -> bool {
    at.is_multiple_of(core.geometry.block_size() as u64)
}

/// The blocks of a checked request.
pub(super) fn blocks_of(core: &Core, request: &Request) -> Blocks {
    let (from, _) = core.geometry.file_block(request.from);
    let (to, _) = core.geometry.file_block(request.to);
    Blocks { from, to, blocks: core.geometry.blocks_for(request.length) }
}

fn demand_aligned(core: &Core, request: &Request) -> Result<()> {
    match is_aligned(core, request.from) && is_aligned(core, request.to) {
        true => Ok(()),
        false => Err(refused("both ranges must begin at whole blocks")),
    }
}

fn demand_inside(start: u64, length: u64, size: u64) -> Result<()> {
    match start.checked_add(length).is_some_and(|end| end <= size) {
        true => Ok(()),
        false => Err(refused("the range reaches past the end of the file")),
    }
}

/// The blocks of a clone.
pub(super) fn to_clone(core: &Core, request: &Request, files: Files) -> Result<Blocks> {
    demand_aligned(core, request)?;
    demand_inside(request.from, request.length, files.source)?;
    demand_apart(core, request, whole(core, request.length), files.same)?;
    let (from_end, to_end) = (request.from + request.length, request.to + request.length);
    let ends_both = from_end == files.source && to_end >= files.dest;
    if !is_aligned(core, request.length) && !ends_both {
        return Err(refused("the range must end at a whole block, or at the end of both files"));
    }
    Ok(blocks_of(core, request))
}

/// What of a request can be cloned; `None` where nothing can.
pub(super) fn cloneable(core: &Core, request: &Request, files: Files) -> Option<Request> {
    if to_clone(core, request, files).is_ok() && request.length > 0 {
        return Some(*request);
    }
    let block = core.geometry.block_size() as u64;
    let shorter = Request { length: request.length / block * block, ..*request };
    (shorter.length > 0 && to_clone(core, &shorter, files).is_ok()).then_some(shorter)
}

/// The bytes of a request for deduplication that can be: the last block of one file is left out
/// where it is not the last of the other.
pub(super) fn to_dedupe(core: &Core, request: &Request, files: Files) -> Result<Request> {
    demand_aligned(core, request)?;
    demand_inside(request.from, request.length, files.source)?;
    demand_inside(request.to, request.length, files.dest)?;
    let ends_both =
        request.from + request.length == files.source && request.to + request.length == files.dest;
    let block = core.geometry.block_size() as u64;
    let length = match ends_both {
        true => request.length,
        false => request.length / block * block,
    };
    let request = Request { length, ..*request };
    demand_apart(core, &request, whole(core, length), files.same)?;
    Ok(request)
}

/// The blocks of an exchange of `request`.
pub(super) fn to_exchange(core: &Core, request: &Request, files: Files) -> Result<Blocks> {
    demand_aligned(core, request)?;
    demand_inside(request.from, request.length, files.source)?;
    demand_inside(request.to, request.length, files.dest)?;
    demand_apart(core, request, whole(core, request.length), files.same)?;
    let ends_both =
        request.from + request.length == files.source && request.to + request.length == files.dest;
    if !is_aligned(core, request.length) && !ends_both {
        return Err(refused("the ranges must end at whole blocks, or at the ends of both files"));
    }
    Ok(blocks_of(core, request))
}
