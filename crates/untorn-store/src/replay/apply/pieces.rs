//! Directory blocks that lie in several pieces of the volume.
//!
//! Linux lays a directory block that is larger than a block of the volume down in pieces where free
//! space is in pieces, and logs each piece that changed as an item of its own. The checksum in the
//! first piece covers all of them; a change may have left that piece out. (Linux 6.18 itself does
//! not recover from such a journal: it takes each piece for a whole block.)
//!
//! So a buffer that may be a piece is kept as bytes alone. When all is replayed, the directories
//! among the inodes that changed together with such buffers say what belongs together: whole blocks
//! are put together from the journal and the device, sealed, and taken apart again. What is no
//! piece of a directory was a whole block (a node of attributes is as short), sealed as one.
//!
//! A crash before the end changes nothing: pieces carry no LSN that holds, so another replay
//! applies all their changes again.

use super::Replay;
use crate::replay::error::RecoverError;
use crate::replay::held::Leaving;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use untorn_format::btree::{BtreeKind, LongHeader, root::Root};
use untorn_format::inode::{self, FileKind, ForkFormat, InodeCore};
use untorn_format::log::{BufferFormat, BufferUse, InodeItem, Item};
use untorn_format::records::Extent;
use untorn_format::wire::{be64, view};
use untorn_format::{BlockKind, DiskAddr, Fault, FileBlock, FsBlock, Ino, Lsn, Place};
use untorn_format::{Superblock, kind};

/// Type codes of directory blocks and of nodes.
const DIRECTORY: std::ops::RangeInclusive<u16> = 10..=15;

/// What is known of buffers that may be pieces.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    parts: BTreeMap<DiskAddr, Part>,
    inodes: BTreeMap<Ino, Home>,
}

/// A buffer that may be a piece.
#[derive(Clone, Copy, Debug)]
struct Part {
    /// Its length in 512-byte units.
    blocks: u32,
    /// The type code of its items.
    code: u16,
    /// The last transaction that changed it.
    changed: Lsn,
}

/// Where an inode lies: its cluster, and the byte in that.
#[derive(Clone, Copy, Debug)]
struct Home {
    cluster: DiskAddr,
    blocks: u32,
    offset: u32,
}

/// Whether the buffer of an item is too short for the directory block that its type says.
pub(super) fn may_be_piece(format: &BufferFormat, sb: &Superblock) -> bool {
    format.usage == BufferUse::Regular
        && DIRECTORY.contains(&format.code)
        && usize::from(format.blocks) << 9 < sb.geometry().dir_block_size()
}

impl Pieces {
    /// Notes the inodes of a transaction that has pieces.
    pub(super) fn look(&mut self, items: &[Item<'_>], sb: &Superblock) {
        let piece =
            |item: &Item<'_>| matches!(item, Item::Buffer(it) if may_be_piece(&it.format, sb));
        if sb.geometry().dir_block_log == 0 || !items.iter().any(piece) {
            return;
        }
        for item in items {
            if let Item::Inode(item) = item {
                self.inodes.insert(item.ino, Home::of(item));
            }
        }
    }

    /// Notes a buffer that may be a piece.
    pub(super) fn note(&mut self, format: &BufferFormat, changed: Lsn) {
        let part = Part { blocks: format.blocks.into(), code: format.code, changed };
        self.parts.insert(format.addr, part);
    }

    /// A later item says that the buffer is something else: no piece (a node of attributes that
    /// became a leaf where it is).
    pub(super) fn forget(&mut self, addr: DiskAddr) {
        self.parts.remove(&addr);
    }
}

impl Home {
    fn of(item: &InodeItem<'_>) -> Self {
        let (cluster, blocks) = (item.cluster, item.cluster_blocks);
        Self { cluster, blocks, offset: item.offset }
    }
}

/// The runs of the volume that one directory block consists of: start and length in blocks.
type Runs = Vec<(FsBlock, u32)>;

impl Replay {
    /// Seals what was noted: directory blocks in pieces as wholes, the rest each by itself. All is
    /// replayed.
    pub(crate) fn join_pieces(&mut self) -> Result<(), RecoverError> {
        for (ino, home) in std::mem::take(&mut self.pieces.inodes) {
            for runs in self.blocks_in_pieces(ino, home)? {
                self.join(ino, &runs)?;
            }
            self.hold_little()?;
        }
        for (addr, part) in std::mem::take(&mut self.pieces.parts) {
            let held = self.blocks.read(addr, part.blocks)?;
            held.change(BlockKind::from_blft(part.code, &held.bytes), part.changed);
            self.hold_little()?;
        }
        Ok(())
    }

    /// Writes home what is held where that is much.
    fn hold_little(&mut self) -> Result<(), RecoverError> {
        match self.blocks.is_full() {
            true => self.blocks.write_home(Leaving::Done).map(drop),
            false => Ok(()),
        }
    }

    /// Seals a directory block as a whole, if any piece of it changed.
    fn join(&mut self, ino: Ino, runs: &Runs) -> Result<(), RecoverError> {
        let places = self.places(ino, runs)?;
        let parts = places.iter().filter_map(|(addr, _)| self.pieces.parts.remove(addr));
        let Some(last) = parts.max_by_key(|part| part.changed) else { return Ok(()) };
        let mut whole = Vec::new();
        for &(addr, blocks) in &places {
            whole.extend_from_slice(&self.blocks.read(addr, blocks)?.bytes);
        }
        let addr = places.first().map_or(DiskAddr(0), |place| place.0);
        let sb = Arc::clone(&self.sb);
        if let Some(kind) = BlockKind::from_blft(last.code, &whole) {
            kind::seal(kind, &mut whole, last.changed);
            let identity = kind::Identity { owner: Some(ino.0), ..sb.identity(addr, None) };
            kind::verify(kind, &whole, &identity).map_err(|fault| fault.at(Place::at(addr)))?;
        }
        let mut rest = &whole[..];
        for &(addr, blocks) in &places {
            let held = self.blocks.read(addr, blocks)?;
            let (part, behind) = rest.split_at(held.bytes.len());
            held.bytes.copy_from_slice(part);
            held.change(None, last.changed);
            rest = behind;
        }
        Ok(())
    }

    /// Addresses and lengths in 512-byte units.
    fn places(&self, ino: Ino, runs: &Runs) -> Result<Vec<(DiskAddr, u32)>, RecoverError> {
        let geometry = self.sb.geometry();
        let units = geometry.sectors_per_block() as u32;
        let place = |&(start, length): &(FsBlock, u32)| {
            let outside = Fault::Position { what: "directory block", found: start.0 };
            let addr = geometry.addr_of(start).ok_or_else(|| outside.at(Place::inode(ino)))?;
            Ok((addr, length * units))
        };
        runs.iter().map(place).collect()
    }

    /// The blocks of a directory that lie in pieces. An inode that is none, or none any more, has
    /// none.
    fn blocks_in_pieces(&mut self, ino: Ino, home: Home) -> Result<Vec<Runs>, RecoverError> {
        let span = 1u64 << self.sb.geometry().dir_block_log;
        let mut blocks: BTreeMap<u64, Runs> = BTreeMap::new();
        for extent in self.extents(ino, home)? {
            for (block, run) in partial(extent, span) {
                blocks.entry(block).or_default().push(run);
            }
        }
        let whole = |runs: &Runs| runs.iter().map(|run| u64::from(run.1)).sum::<u64>() == span;
        Ok(blocks.into_values().filter(whole).collect())
    }

    /// The data fork of a directory, in order.
    fn extents(&mut self, ino: Ino, home: Home) -> Result<Vec<Extent>, RecoverError> {
        let sb = Arc::clone(&self.sb);
        let at = |fault: Fault| RecoverError::from(fault.at(Place::inode(ino)));
        let size = sb.geometry().inode_size();
        let held = self.blocks.read(home.cluster, home.blocks)?;
        let inode = held.bytes.get(home.offset as usize..).and_then(|rest| rest.get(..size));
        let inode = inode.unwrap_or_default();
        // The cluster may have become something else.
        let Ok(core) = InodeCore::decode(inode, &sb.inode_identity(ino, None)) else {
            return Ok(Vec::new());
        };
        if core.kind() != Some(FileKind::Directory) {
            return Ok(Vec::new());
        }
        let fork = inode::data_fork(inode).map_err(at)?;
        match core.format {
            ForkFormat::Extents => {
                let count = usize::try_from(core.extents).unwrap_or(usize::MAX);
                let records = fork.chunks_exact(Extent::SIZE).take(count);
                records.map(Extent::decode).collect::<Result<_, _>>().map_err(at)
            }
            ForkFormat::Btree => {
                let root = Root::decode(fork).map_err(at)?;
                self.leaves(ino, &root)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The records of all leaves of a tree, which has no block twice.
    fn leaves(&mut self, ino: Ino, root: &Root) -> Result<Vec<Extent>, RecoverError> {
        let at = |fault: Fault| fault.at(Place::inode(ino));
        let below = root.level.saturating_sub(1);
        let mut queue: Vec<_> = root.children.iter().map(|&(_, block)| (block, below)).collect();
        let (mut extents, mut seen) = (Vec::new(), BTreeSet::new());
        while let Some(block) = queue.pop() {
            if !seen.insert(block.0) {
                let rule = "the tree has a block twice";
                return Err(at(Fault::Order { what: "bmbt", rule, index: 0 }).into());
            }
            queue.extend(self.tree_block(ino, block, &mut extents)?);
        }
        extents.sort_unstable_by_key(|extent: &Extent| extent.file);
        Ok(extents)
    }

    /// The children of a block of a tree; the records of a leaf are added to `extents`.
    fn tree_block(
        &mut self,
        ino: Ino,
        (block, level): (FsBlock, u16),
        extents: &mut Vec<Extent>,
    ) -> Result<Vec<(FsBlock, u16)>, RecoverError> {
        const TREE: BtreeKind = BtreeKind::Bmbt;
        let (addr, units) = match self.places(ino, &vec![(block, 1)])?.first() {
            Some(&place) => place,
            None => return Ok(Vec::new()),
        };
        let bytes = &self.blocks.read(addr, units)?.bytes;
        let at = |fault: Fault| fault.at(Place::at(addr));
        let header = view::<LongHeader>(TREE.name(), bytes).map_err(at)?;
        if header.magic.get() != TREE.magic() || header.level.get() != level {
            let value = header.level.get().into();
            return Err(at(Fault::Field { what: TREE.name(), field: "bb_level", value }).into());
        }
        let count = usize::from(header.numrecs.get()).min(TREE.max_records(bytes.len(), level));
        if level == 0 {
            let records = (0..count).filter_map(|index| bytes.get(TREE.record_offset(index)..));
            let records = records.map(Extent::decode).collect::<Result<Vec<_>, _>>();
            extents.extend(records.map_err(at)?);
            return Ok(Vec::new());
        }
        let child = |index| be64(bytes, TREE.pointer_offset(bytes.len(), index)).map(FsBlock);
        Ok((0..count).filter_map(child).map(|block| (block, level - 1)).collect())
    }
}

/// What an extent has of directory blocks of `span` blocks of which it has not all: at its ends.
fn partial(extent: Extent, span: u64) -> impl Iterator<Item = (u64, (FsBlock, u32))> {
    let (from, to) = (extent.file.0, extent.file_end().0);
    let (first, last) = (from / span, to.saturating_sub(1) / span);
    let part = move |block: u64| {
        let start = FileBlock(from.max(block * span));
        let length = to.min((block + 1) * span) - start.0;
        let run = (FsBlock(extent.start.0 + (start.0 - from)), length as u32);
        (length < span).then_some((block, run))
    };
    [first, last].into_iter().take(if first == last { 1 } else { 2 }).filter_map(part)
}
