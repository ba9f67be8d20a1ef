//! Hashed indexes of directories and attributes: the fork's blocks, and the tree of nodes above the
//! leaves.
//!
//! A walk reads every node and leaf once, whatever points where, and checks levels, neighbours both
//! ways, hashes in order from the first leaf to the last, and that each node tells the last hash of
//! its children.

use crate::code::Code;
use crate::reader::Ahead;
use crate::scan::{Scan, Step, Target};
use std::collections::HashSet;
use untorn_format::da::{BlockInfo, DaBlock, MAX_LEVEL, Node, kind_of};
use untorn_format::units::*;
use untorn_format::{BlockKind, Extent, Place};

/// The blocks of a directory or of an attribute fork.
pub(crate) struct Blocks {
    /// Inode that they belong to.
    pub(crate) ino: Ino,
    /// Extents in order.
    pub(crate) extents: Vec<Extent>,
    /// log2 of filesystem blocks of a block of the structure.
    pub(crate) unit_log: u8,
}

impl Blocks {
    /// The place of a file block of the fork.
    pub(crate) fn place(&self, scan: &Scan<'_>, block: FileBlock) -> Place {
        let offset = scan.geometry().file_byte(block);
        let addr = self.find(block).and_then(|(start, _)| scan.geometry().addr_of(start));
        Place { addr, offset, ..Place::inode(self.ino) }
    }

    /// The volume's block behind a file block and how many follow it there.
    fn find(&self, block: FileBlock) -> Option<(FsBlock, u64)> {
        let after = self.extents.partition_point(|extent| extent.file <= block);
        let extent = self.extents.get(after.checked_sub(1)?)?;
        let skip = block.0 - extent.file.0;
        let left = u64::from(extent.length).checked_sub(skip).filter(|&left| left > 0)?;
        Some((FsBlock(extent.start.0 + skip), left))
    }

    /// The structure's blocks from `from` up to `to` that are mapped, each by its first file block;
    /// each once.
    pub(crate) fn mapped(
        &self,
        from: FileBlock,
        to: FileBlock,
    ) -> impl Iterator<Item = FileBlock> + use<> {
        let unit = 1u64 << self.unit_log;
        let mut next = from.0;
        let ranges: Vec<_> = self.extents.iter().map(|e| (e.file.0, e.file_end().0)).collect();
        ranges.into_iter().flat_map(move |(start, end)| {
            let first = (start.max(next) / unit * unit).max(next);
            let last = end.min(to.0).max(first);
            next = last.next_multiple_of(unit);
            (first..last).step_by(unit as usize).map(FileBlock)
        })
    }

    /// Reads a block of the structure, unverified, and where it begins. `None`, with a finding,
    /// where part of it is not mapped.
    pub(crate) fn read(
        &self,
        scan: &mut Scan<'_>,
        block: FileBlock,
    ) -> Step<Option<(Vec<u8>, DiskAddr)>> {
        let unit = 1u64 << self.unit_log;
        let (mut bytes, mut first, mut at) = (Vec::new(), None, block.0);
        while at < block.0 + unit {
            let found = self.find(FileBlock(at));
            let Some((start, addr, left)) =
                found.and_then(|(s, left)| Some((s, scan.geometry().addr_of(s)?, left)))
            else {
                let told = format!("file block {at} is not mapped");
                return scan.find(Code::BlockMissing, self.place(scan, block), told).map(|()| None);
            };
            let count = left.min(block.0 + unit - at);
            self.ahead(scan, start, addr, left)?;
            let length = (count as usize) << scan.geometry().block_log;
            let piece = scan.read(addr, length)?;
            match bytes.is_empty() {
                true => bytes = piece,
                false => bytes.extend(piece),
            }
            first = first.or(Some(addr));
            at += count;
        }
        Ok(first.map(|addr| (bytes, addr)))
    }

    /// Reads a run ahead where it is longer than a block of the structure.
    fn ahead(&self, scan: &mut Scan<'_>, start: FsBlock, addr: DiskAddr, left: u64) -> Step {
        let most = (64u64 << 10) >> scan.geometry().block_log;
        let run = left.min(most);
        let inside = scan.geometry().extent(start, run).is_some();
        if run > 1 << self.unit_log && inside {
            scan.ahead(Ahead::File, addr, run << scan.geometry().block_log)?;
        }
        Ok(())
    }

    /// Reads and verifies a block of the structure as one of `kind`. Faults are findings.
    pub(crate) fn verified(
        &self,
        scan: &mut Scan<'_>,
        block: FileBlock,
        kind: BlockKind,
    ) -> Step<Option<Vec<u8>>> {
        let Some((bytes, addr)) = self.read(scan, block)? else { return Ok(None) };
        let target = Target { addr, length: bytes.len(), owner: Some(self.ino.0) };
        let place = self.place(scan, block);
        Ok(scan.verify(kind, &bytes, target, place)?.then_some(bytes))
    }
}

/// Takes the leaves of an index in order.
pub(crate) trait Leaves {
    /// The kinds of leaf that may stand below a node, or alone as the root.
    fn accepts(&self, kind: BlockKind, alone: bool) -> bool;
    /// A verified leaf: its links, and its first and last hash, where it has entries.
    fn leaf(&mut self, scan: &mut Scan<'_>, bytes: &[u8], place: Place) -> Step<Option<LeafSpan>>;
}

/// What the walk must know of a leaf.
#[derive(Clone, Copy)]
pub(crate) struct LeafSpan {
    /// Neighbours.
    pub(crate) info: BlockInfo,
    /// First and last hash; `None` for an empty leaf.
    pub(crate) hashes: Option<(u32, u32)>,
}

/// The block met last on a level.
#[derive(Clone, Copy)]
enum Last {
    /// None yet.
    None,
    /// One, and the block that it names after it.
    Block(DaBlock, Option<DaBlock>),
    /// One that could not be read.
    Unread,
}

/// A walk through one index.
pub(crate) struct Index<'b> {
    blocks: &'b Blocks,
    last: [Last; MAX_LEVEL as usize + 1],
    hash: u32,
    /// Blocks that belong to the tree.
    pub(crate) seen: HashSet<u32>,
    /// Whether every leaf was shown.
    pub(crate) intact: bool,
}

impl<'b> Index<'b> {
    pub(crate) fn new(blocks: &'b Blocks) -> Self {
        let last = [Last::None; MAX_LEVEL as usize + 1];
        Self { blocks, last, hash: 0, seen: HashSet::new(), intact: true }
    }

    /// Walks from the root.
    pub(crate) fn walk(
        &mut self,
        scan: &mut Scan<'_>,
        root: DaBlock,
        leaves: &mut dyn Leaves,
    ) -> Step {
        self.visit(scan, root, None, leaves)?;
        for (level, last) in self.last.into_iter().enumerate() {
            let Last::Block(block, Some(next)) = last else { continue };
            let place = self.blocks.place(scan, block.file_block());
            let told = format!("the last block of level {level} names block {next} after it");
            scan.find(Code::IndexSibling, place, told)?;
        }
        Ok(())
    }

    /// Visits a block of the index; the last hash in and below it. `level` is `None` for the root.
    fn visit(
        &mut self,
        scan: &mut Scan<'_>,
        block: DaBlock,
        level: Option<u16>,
        leaves: &mut dyn Leaves,
    ) -> Step<Option<u32>> {
        let last = self.try_visit(scan, block, level, leaves)?;
        if last.is_none() {
            self.intact = false;
            let below = usize::from(level.unwrap_or(MAX_LEVEL)) + 1;
            self.last.iter_mut().take(below).for_each(|last| *last = Last::Unread);
        }
        Ok(last)
    }

    fn try_visit(
        &mut self,
        scan: &mut Scan<'_>,
        block: DaBlock,
        level: Option<u16>,
        leaves: &mut dyn Leaves,
    ) -> Step<Option<u32>> {
        let place = self.blocks.place(scan, block.file_block());
        if !self.seen.insert(block.0) {
            return scan.find(Code::IndexLoop, place, "reached twice").map(|()| None);
        }
        let Some((bytes, addr)) = self.blocks.read(scan, block.file_block())? else {
            return Ok(None);
        };
        let kind = kind_of(&bytes).unwrap_or(BlockKind::DaNode);
        let target = Target { addr, length: bytes.len(), owner: Some(self.blocks.ino.0) };
        if !scan.verify(kind, &bytes, target, place)? {
            return Ok(None);
        }
        match (kind, level) {
            (BlockKind::DaNode, None | Some(1..)) => {
                self.node(scan, &bytes, (block, level, place), leaves)
            }
            (kind, None | Some(0)) if leaves.accepts(kind, level.is_none()) => {
                let Some(span) = leaves.leaf(scan, &bytes, place)? else { return Ok(None) };
                self.neighbours(scan, 0, block, &span.info, place)?;
                self.ascend(scan, span.hashes, place).map(Some)
            }
            (kind, _) => {
                let told = format!("a {} stands where it must not", kind.name());
                scan.find(Code::IndexLevel, place, told).map(|()| None)
            }
        }
    }

    /// Checks that a leaf's hashes come after all before; the last hash so far.
    fn ascend(
        &mut self,
        scan: &mut Scan<'_>,
        hashes: Option<(u32, u32)>,
        place: Place,
    ) -> Step<u32> {
        let Some((first, last)) = hashes else { return Ok(self.hash) };
        let told =
            format_args!("first hash {first:#x} comes before {:#x} in the leaf before", self.hash);
        scan.demand(first >= self.hash, Code::IndexOrder, place, told)?;
        self.hash = last;
        Ok(last)
    }

    fn node(
        &mut self,
        scan: &mut Scan<'_>,
        bytes: &[u8],
        (block, level, place): (DaBlock, Option<u16>, Place),
        leaves: &mut dyn Leaves,
    ) -> Step<Option<u32>> {
        let Ok(node) = Node::parse(bytes) else { return Ok(None) };
        if level.is_some_and(|level| level != node.level()) {
            let told = format!("node of level {}, expected {}", node.level(), level.unwrap_or(0));
            return scan.find(Code::IndexLevel, place, told).map(|()| None);
        }
        self.neighbours(scan, node.level(), block, node.info(), place)?;
        let mut last = None;
        for (index, entry) in node.entries().iter().enumerate() {
            let below = self.visit(scan, entry.child(), Some(node.level() - 1), leaves)?;
            if let Some(hash) = below.filter(|&hash| hash != entry.hash.get()) {
                let told = format!(
                    "node: entry {index} says that the last hash below is {:#x}, it is {hash:#x}",
                    entry.hash.get()
                );
                scan.find(Code::IndexHash, place, told)?;
            }
            last = Some(entry.hash.get());
        }
        Ok(last)
    }

    fn neighbours(
        &mut self,
        scan: &mut Scan<'_>,
        level: u16,
        block: DaBlock,
        info: &BlockInfo,
        place: Place,
    ) -> Step {
        let Some(slot) = self.last.get_mut(usize::from(level)) else { return Ok(()) };
        let before = std::mem::replace(slot, Last::Block(block, info.next()));
        let expected = match before {
            Last::Unread => return Ok(()),
            Last::None => None,
            Last::Block(left, next) => {
                let place = self.blocks.place(scan, left.file_block());
                let told = format_args!("next block is {}, expected {block}", say(next));
                scan.demand(next == Some(block), Code::IndexSibling, place, told)?;
                Some(left)
            }
        };
        let previous = info.previous();
        let told = format_args!("previous block is {}, expected {}", say(previous), say(expected));
        scan.demand(previous == expected, Code::IndexSibling, place, told)
    }
}

fn say(block: Option<DaBlock>) -> String {
    block.map_or_else(|| "none".to_owned(), |block| block.to_string())
}
