//! Exchange: two ranges change places, by one transaction or not at all.
//!
//! Linux needs an incompatible feature for its exchange because it journals an intent that older
//! kernels cannot finish. Here no intent is written: what one transaction cannot carry is refused,
//! and any volume will do.

use super::remap::{EXPECTED, mark_shared, room_for_maps, touch};
use super::rules::{self, Files, Request, Use};
use super::{own, own_range};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map::{self, published};
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;
use untorn_format::inode::{InodeCore, Timestamp};
use untorn_format::log::{self, ExchangeFlag};
use untorn_format::records::{Extent, Fork};
use untorn_format::{FileBlock, Ino};

/// How much of two files changes places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// This many bytes: whole blocks, or up to the ends of both files.
    Bytes(u64),
    /// Everything up to the ends of both files; the sizes change places with it.
    ToEnd,
}

/// Which blocks of the ranges change places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exchanged {
    /// All.
    #[default]
    All,
    /// Those that were written in the other file; its holes and preallocated blocks stay.
    WrittenInOther,
}

/// Whether anything is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rehearsal {
    /// The files change.
    #[default]
    No,
    /// Nothing changes; the call says what it would say.
    Yes,
}

/// How ranges are exchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExchangeOptions {
    /// Which blocks.
    pub blocks: Exchanged,
    /// Whether really.
    pub rehearsal: Rehearsal,
    /// Only if the file was not changed after this was taken from it.
    pub unless_changed: Option<Freshness>,
}

/// What tells whether a file was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freshness {
    ino: Ino,
    generation: u32,
    mtime: Timestamp,
    ctime: Timestamp,
    change_count: u64,
}

impl Freshness {
    fn of(core: &InodeCore) -> Self {
        let InodeCore { ino, generation, mtime, ctime, change_count, .. } = *core;
        Self { ino, generation, mtime, ctime, change_count }
    }
}

/// What tells later whether the file was changed after now. Cached writes are committed first.
pub(crate) fn freshness(core: &Arc<Core>, inode: &Arc<Inode>) -> Result<Freshness> {
    let _owned = own_range(core, inode, 0..u64::MAX)?;
    Ok(Freshness::of(&inode.core()?))
}

/// An exchange as it is asked for.
pub(crate) struct Exchange<'a> {
    /// The file, and where in it.
    pub one: (&'a Arc<Inode>, u64),
    /// The other file, and where in it.
    pub other: (&'a Arc<Inode>, u64),
    pub span: Span,
    pub options: ExchangeOptions,
}

/// Exchanges ranges of two files.
pub(crate) fn exchange_range(core: &Arc<Core>, exchange: &Exchange<'_>) -> Result<()> {
    let ((one, _), (other, _)) = (exchange.one, exchange.other);
    let demand = || {
        rules::demand_movable(one, Use::Changed)?;
        rules::demand_movable(other, Use::Changed)
    };
    demand()?;
    let _owned = own(core, one, other)?;
    demand()?;
    let work = exchange.work(core)?;
    if work.blocks == 0 {
        return exchange.demand_fresh(&one.core()?);
    }
    demand_possible(core, exchange, &work)?;
    let inodes = [Arc::clone(one), Arc::clone(other)];
    let _room = room_for_maps(core, &inodes)?;
    let body = |tx: &mut Tx<'_>| exchange.perform(tx, &work);
    match exchange.options.rehearsal {
        Rehearsal::Yes => core.rehearse(EXPECTED, &inodes, body),
        Rehearsal::No => core.transact(EXPECTED, &inodes, body).map(drop),
    }
}

impl Exchange<'_> {
    /// The work in the journal's own terms. The file that `WrittenInOther` asks about comes first.
    fn work(&self, core: &Core) -> Result<log::Exchange> {
        let ((one, at), (other, other_at)) = (self.one, self.other);
        let files = Files::of(other, one)?;
        let (request, sizes) = match self.span {
            Span::Bytes(length) => (Request { from: other_at, to: at, length }, None),
            Span::ToEnd => to_end(other_at, at, files)?,
        };
        let blocks = match sizes {
            None => rules::to_exchange(core, &request, files)?,
            Some(sizes) => to_end_blocks(core, &request, sizes, files)?,
        };
        let mut flags = Vec::new();
        flags.extend(sizes.map(|_| ExchangeFlag::SetSizes));
        let written = self.options.blocks == Exchanged::WrittenInOther;
        flags.extend(written.then_some(ExchangeFlag::FirstWritten));
        Ok(log::Exchange {
            inodes: [other.ino, one.ino],
            generations: [other.core()?.generation, one.core()?.generation],
            offsets: [blocks.from, blocks.to],
            blocks: blocks.blocks,
            sizes: sizes.unwrap_or_default(),
            fork: Fork::Data,
            flags,
        })
    }

    fn demand_fresh(&self, core: &InodeCore) -> Result<()> {
        match self.options.unless_changed {
            Some(token) if token != Freshness::of(core) => {
                Err(Error::Changed(format!("inode {}", core.ino)))
            }
            _ => Ok(()),
        }
    }

    fn perform(&self, tx: &mut Tx<'_>, work: &log::Exchange) -> Result<()> {
        let ((one, _), (other, _)) = (self.one, self.other);
        self.demand_fresh(&core_of(one.ino, tx.inode_bytes(one.ino))?)?;
        let shares = |tx: &Tx<'_>, ino| core_of(ino, tx.inode_bytes(ino)).map(|c| c.is_reflink());
        let shared = shares(tx, one.ino)? || shares(tx, other.ino)?;
        map::exchange(tx, work)?;
        for inode in [one, other] {
            if shared {
                mark_shared(tx, inode.ino)?;
            }
            touch(tx, inode.ino, 0)?;
        }
        Ok(())
    }
}

/// The longer of the rests of both files, and the sizes afterwards: the other file's, then the
/// file's.
fn to_end(from: u64, to: u64, files: Files) -> Result<(Request, Option<[u64; 2]>)> {
    let past = || Error::Invalid("the range begins past the end of its file".to_owned());
    let source = files.source.checked_sub(from).ok_or_else(past)?;
    let dest = files.dest.checked_sub(to).ok_or_else(past)?;
    if files.same == rules::Same::One {
        let why = "one file has one end; nothing was changed";
        return Err(Error::Invalid(why.to_owned()));
    }
    let sizes = [from.saturating_add(dest), to.saturating_add(source)];
    Ok((Request { from, to, length: source.max(dest) }, Some(sizes)))
}

/// The blocks of an exchange of all up to the ends.
fn to_end_blocks(
    core: &Core,
    request: &Request,
    sizes: [u64; 2],
    files: Files,
) -> Result<rules::Blocks> {
    // With the sizes of the longer rests the range ends where both files do.
    let [other, one] = sizes;
    let files = Files { source: files.source.max(other), dest: files.dest.max(one), ..files };
    rules::to_exchange(core, request, files)
}

/// Refuses what no transaction can carry, before anything is staged.
fn demand_possible(core: &Core, exchange: &Exchange<'_>, work: &log::Exchange) -> Result<()> {
    let limit = core.largest_transaction;
    // Each record leaves one map and enters the other.
    let most = limit / (2 * Extent::SIZE as u64);
    let [from, to] = work.offsets;
    let range = |at: FileBlock| at..FileBlock(at.0 + work.blocks);
    let mut records = count_records(core, exchange.other.0, range(from), most)?;
    records += count_records(core, exchange.one.0, range(to), most)?;
    match records <= most {
        true => Ok(()),
        false => Err(Error::TooLarge { need: records * 2 * Extent::SIZE as u64, limit }),
    }
}

/// Extents of a range; those past `most` are not counted.
fn count_records(core: &Core, inode: &Inode, range: Range<FileBlock>, most: u64) -> Result<u64> {
    let _owner = inode.owner.read();
    let image = inode.image();
    let mut extents = published(core, inode.ino, &image, Fork::Data)?;
    let (mut at, mut count) = (range.start, 0);
    while let Some(extent) = extents.at_or_after(at)?.filter(|e| e.file < range.end) {
        count += 1;
        if count > most {
            break;
        }
        at = extent.file_end();
    }
    Ok(count)
}
