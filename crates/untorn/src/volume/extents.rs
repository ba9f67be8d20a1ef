//! Where the bytes of files lie: holes, extents, who shares them, what is only reserved.

use super::{File, Volume};
use crate::core::Core;
use crate::error::Result;
use crate::inode::{CowSpan, Inode};
use crate::map::{Mapping, MappingState, find, published};
use crate::namespace::Follow;
use std::ops::Range;
use untorn_format::inode::ForkFormat;
use untorn_format::records::Fork;
use untorn_format::{AgBlock, AgExtent, FileBlock, FsBlock, Ino};

/// What lies behind a run of a file's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtentKind {
    /// Nothing.
    Hole,
    /// Cached bytes that have no blocks yet: space is reserved for them.
    Delalloc,
    /// Blocks that read as zeroes.
    Unwritten,
    /// Blocks with the file's bytes.
    Written,
}

/// A run of a file's blocks and where they lie: a hole, a reservation, or (a part of) one extent
/// whose blocks are all shared or all not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileExtent {
    /// First byte in the file.
    pub offset: u64,
    /// Length in bytes.
    pub length: u64,
    /// What lies there.
    pub kind: ExtentKind,
    /// First byte on the volume, allocation group and byte in it; nothing for holes and
    /// reservations.
    pub at: Option<(u64, u32, u64)>,
    /// Other files use the blocks too.
    pub shared: bool,
}

impl File {
    /// Where its bytes lie, holes included, in order. Cached bytes that were not written back and
    /// lie over a hole are [`ExtentKind::Delalloc`].
    pub fn extents(&self) -> Result<Vec<FileExtent>> {
        self.volume.extents_in(&self.inode, Fork::Data, 0..u64::MAX)
    }

    /// The same of the blocks that `range`, in bytes, touches, cut to them: a file of millions of
    /// extents can be looked through piece by piece. What changes between two looks is in one of
    /// them as it was then.
    pub fn extents_within(&self, range: Range<u64>) -> Result<Vec<FileExtent>> {
        self.volume.extents_in(&self.inode, Fork::Data, range)
    }

    /// What waits to take the place of its blocks, in memory only, holes left out: reservations for
    /// cached bytes, and blocks that nobody writes ([`ExtentKind::Unwritten`]) or a write that goes
    /// on ([`ExtentKind::Written`]).
    pub fn cow_extents(&self) -> Result<Vec<FileExtent>> {
        let core = &self.volume.core;
        let waiting = waiting(&self.inode, 0..u64::MAX);
        waiting.into_iter().map(|(blocks, what)| what.extent(core, blocks)).collect()
    }
}

/// A piece of the CoW fork, as lists show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiting {
    /// Cached bytes, without blocks.
    Reserved,
    /// Cached bytes, and the blocks that they will go to.
    Cached(FsBlock),
    /// Blocks of which nobody makes use.
    Idle(FsBlock),
    /// Blocks that are being written.
    InFlight(FsBlock),
}

impl Waiting {
    /// Whether there are bytes that the file's own blocks do not have.
    fn holds_cached(self) -> bool {
        matches!(self, Self::Reserved | Self::Cached(_))
    }

    fn extent(self, core: &Core, blocks: Range<u64>) -> Result<FileExtent> {
        let log = core.geometry.block_log;
        let (offset, length) = (blocks.start << log, (blocks.end - blocks.start) << log);
        let (kind, start) = match self {
            Self::Reserved => (ExtentKind::Delalloc, None),
            Self::Cached(start) | Self::Idle(start) => (ExtentKind::Unwritten, Some(start)),
            Self::InFlight(start) => (ExtentKind::Written, Some(start)),
        };
        let run = |start| core.ag_extent(start, (blocks.end - blocks.start) as u32);
        let at = start.map(run).transpose()?.map(|run| place(core, run));
        Ok(FileExtent { offset, length, kind, at, shared: false })
    }
}

/// The pieces of the CoW fork in a range of blocks.
fn waiting(inode: &Inode, range: Range<u64>) -> Vec<(Range<u64>, Waiting)> {
    let cow = inode.cow.lock();
    let (mut found, mut at) = (Vec::new(), range.start);
    while at < range.end {
        let (end, what) = match cow.at(FileBlock(at), range.end) {
            CowSpan::Hole { end } => (end, None),
            CowSpan::Delalloc { end } => (end, Some(Waiting::Reserved)),
            CowSpan::Waiting { end, start } => (end, Some(Waiting::Cached(start))),
            CowSpan::Idle { end, start } => (end, Some(Waiting::Idle(start))),
            CowSpan::InFlight { end, start, .. } => (end, Some(Waiting::InFlight(start))),
        };
        let end = end.min(range.end);
        found.extend(what.map(|what| (at..end, what)));
        at = end;
    }
    found
}

/// First byte of a run on the volume, its AG, and the byte in it.
fn place(core: &Core, run: AgExtent) -> (u64, u32, u64) {
    let byte = core.geometry.byte_of(core.geometry.addr(run.ag, run.start));
    (byte, run.ag.0, u64::from(run.start.0) << core.geometry.block_log)
}

impl Volume {
    /// Where the bytes of the regular file or directory `path` lie, holes included, in order. The
    /// attribute fork where `fork` says so.
    pub fn extents(&self, path: impl AsRef<[u8]>, fork: Fork) -> Result<Vec<FileExtent>> {
        self.extents_in(&*self.inode(path.as_ref(), Follow::NotLast)?, fork, 0..u64::MAX)
    }

    /// Where the bytes of inode `ino` lie, holes included, in order.
    pub fn extents_of(&self, ino: Ino) -> Result<Vec<FileExtent>> {
        self.extents_in(&*self.core.inode_by_number(ino)?, Fork::Data, 0..u64::MAX)
    }

    fn extents_in(&self, inode: &Inode, fork: Fork, range: Range<u64>) -> Result<Vec<FileExtent>> {
        let core = inode.core()?;
        let format = match fork {
            Fork::Attr if !core.has_attr_fork() => return Ok(Vec::new()),
            _ => core.fork_format(fork),
        };
        match format {
            ForkFormat::Extents | ForkFormat::Btree => self.mapped(inode, fork, &range),
            _ => Ok(Vec::new()),
        }
    }

    fn mapped(&self, inode: &Inode, fork: Fork, range: &Range<u64>) -> Result<Vec<FileExtent>> {
        let mut extents = Vec::new();
        for mapping in self.mappings(inode, fork, range)? {
            self.list(inode, fork, &mapping, &mut extents)?;
        }
        Ok(extents)
    }

    fn mappings(&self, inode: &Inode, fork: Fork, range: &Range<u64>) -> Result<Vec<Mapping>> {
        let core = &self.core;
        let _owner = inode.owner.read();
        let image = inode.image();
        let size = inode.size()?;
        let mut extents = published(core, inode.ino, &image, fork)?;
        let last = extents.before(FileBlock(u64::MAX))?;
        let mapped_end = last.map_or(0, |extent| extent.file_end().0);
        let file_end = if fork == Fork::Data { core.geometry.blocks_for(size) } else { 0 };
        let (mut at, _) = core.geometry.file_block(range.start);
        let end = mapped_end.max(file_end).min(core.geometry.blocks_for(range.end));
        let end = FileBlock(if range.is_empty() { 0 } else { end });
        let mut found = Vec::new();
        while at < end {
            let mapping = find(&mut extents, at, end)?;
            at = mapping.end();
            found.push(mapping);
        }
        Ok(found)
    }

    /// Adds the parts of `mapping`, shared and not shared, to `found`.
    fn list(
        &self,
        inode: &Inode,
        fork: Fork,
        mapping: &Mapping,
        found: &mut Vec<FileExtent>,
    ) -> Result<()> {
        let core = &self.core;
        let log = core.geometry.block_log;
        let (kind, start) = match mapping.state {
            MappingState::Unwritten(start) => (ExtentKind::Unwritten, start),
            MappingState::Written(start) => (ExtentKind::Written, start),
            MappingState::Hole => {
                list_hole(core, inode, fork, mapping, found);
                return Ok(());
            }
        };
        let mut offset = mapping.first.0 << log;
        let run = core.ag_extent(start, mapping.length as u32)?;
        let may_share = fork == Fork::Data && inode.core()?.is_reflink();
        let shared = if may_share { core.shared_parts(run)? } else { Vec::new() };
        for (part, shared) in alternating(run, &shared) {
            let (at, length) = (Some(place(core, part)), u64::from(part.length) << log);
            found.push(FileExtent { offset, length, kind, at, shared });
            offset += length;
        }
        Ok(())
    }
}

/// Adds a hole, and what is reserved in it for cached bytes.
fn list_hole(core: &Core, inode: &Inode, fork: Fork, hole: &Mapping, found: &mut Vec<FileExtent>) {
    let log = core.geometry.block_log;
    let mut add = |blocks: Range<u64>, kind| {
        if !blocks.is_empty() {
            let (offset, length) = (blocks.start << log, (blocks.end - blocks.start) << log);
            found.push(FileExtent { offset, length, kind, at: None, shared: false });
        }
    };
    let range = hole.first.0..hole.end().0;
    let pieces = if fork == Fork::Data { waiting(inode, range.clone()) } else { Vec::new() };
    let mut at = range.start;
    for (blocks, what) in pieces {
        if what.holds_cached() {
            add(at..blocks.start, ExtentKind::Hole);
            add(blocks.clone(), ExtentKind::Delalloc);
            at = blocks.end;
        }
    }
    add(at..range.end, ExtentKind::Hole);
}

/// `run` cut where it begins and ceases to be among `shared` parts, which lie in it in order.
fn alternating(run: AgExtent, shared: &[AgExtent]) -> Vec<(AgExtent, bool)> {
    let mut parts = Vec::new();
    let mut at = run.start;
    let mut add = |from: AgBlock, to: AgBlock, shared| {
        if to > from {
            parts.push((AgExtent { start: from, length: to.0 - from.0, ..run }, shared));
        }
    };
    for part in shared {
        add(at, part.start, false);
        add(part.start, part.end(), true);
        at = part.end();
    }
    add(at, run.end(), false);
    parts
}
