//! Walks a btree of any kind from its root and checks its structure: identity of blocks, levels,
//! neighbours both ways, fill, keys against what lies below them, the order of all records.
//!
//! Records go to a [`Visitor`] in order; a record out of order is a finding and is withheld. What
//! the records mean is the visitor's business. A block that cannot be read leaves a gap:
//! [`Walk::intact`] tells.
//!
//! Hostile trees: a walk visits at most as many blocks as the budget says, whatever points where.

use crate::code::Code;
use crate::scan::{Scan, Step, Target};
use std::cmp::Ordering;
use untorn_format::Place;
use untorn_format::btree::root::Root;
use untorn_format::btree::{BtreeKind, Header, MAX_LEVELS};
use untorn_format::units::*;
use untorn_format::wire::{be32, be64};

/// The longest key of any btree in bytes.
const LONGEST_KEY: usize = 20;
type Key = [u8; LONGEST_KEY];

/// Takes what a walk meets.
pub(crate) trait Visitor {
    /// A block of the tree, before anything in it.
    fn block(&mut self, scan: &mut Scan<'_>, block: FsBlock) -> Step;
    /// A record at `place`, in order.
    fn record(&mut self, scan: &mut Scan<'_>, record: &[u8], place: Place) -> Step;
}

/// The block met last on a level.
#[derive(Clone, Copy)]
enum Last {
    /// None yet.
    None,
    /// One, and the neighbour that it names to its right.
    Block { pointer: u64, right: Option<u64> },
    /// One that could not be read.
    Unread,
}

/// Whether a block must be half full.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fill {
    /// It need not: it is a root, or the only child of a root in an inode.
    Any,
    /// It must.
    Half,
}

/// Lowest and highest key of a block.
struct Span {
    low: Key,
    high: Key,
}

/// A walk through one tree.
pub(crate) struct Walk {
    kind: BtreeKind,
    owner: u64,
    /// AG of the tree, or inode: what findings are placed at besides the block's address.
    place: Place,
    levels: [Last; MAX_LEVELS as usize + 1],
    last_key: Option<Key>,
    budget: u64,
    /// Blocks visited.
    pub(crate) blocks: u64,
    /// Whether every record was shown.
    pub(crate) intact: bool,
}

impl Walk {
    /// A walk through a tree of AG `ag`.
    pub(crate) fn in_ag(scan: &Scan<'_>, kind: BtreeKind, ag: AgNumber) -> Self {
        let budget = scan.geometry().blocks_of(ag).into();
        Self::new(kind, ag.0.into(), Place { ag: Some(ag), ..Place::default() }, budget)
    }

    /// A walk through the bmbt of a fork of `ino`.
    pub(crate) fn in_inode(scan: &Scan<'_>, ino: Ino) -> Self {
        Self::new(BtreeKind::Bmbt, ino.0, Place::inode(ino), scan.geometry().data_blocks)
    }

    fn new(kind: BtreeKind, owner: u64, place: Place, budget: u64) -> Self {
        let levels = [Last::None; MAX_LEVELS as usize + 1];
        Self { kind, owner, place, levels, last_key: None, budget, blocks: 0, intact: true }
    }

    /// Walks from a root block with `levels` levels.
    pub(crate) fn walk_from_block(
        &mut self,
        scan: &mut Scan<'_>,
        root: AgBlock,
        levels: u16,
        visitor: &mut dyn Visitor,
    ) -> Step {
        let top = levels.saturating_sub(1);
        self.visit(scan, Child { pointer: root.0.into(), level: top, fill: Fill::Any }, visitor)?;
        self.finish(scan)
    }

    /// Walks from a root that lies in an inode.
    pub(crate) fn walk_from_fork(
        &mut self,
        scan: &mut Scan<'_>,
        root: &Root,
        visitor: &mut dyn Visitor,
    ) -> Step {
        let fill = if root.children.len() == 1 { Fill::Any } else { Fill::Half };
        let level = root.level.saturating_sub(1);
        for (index, (key, block)) in root.children.iter().enumerate() {
            let span = self.visit(scan, Child { pointer: block.0, level, fill }, visitor)?;
            let Some(span) = span else { continue };
            if self.compare(&key.0.to_be_bytes(), &span.low) != Ordering::Equal {
                let told = format!("bmbt root: key {index} is not the first key below it");
                scan.find(Code::BtreeKey, self.place, told)?;
            }
        }
        self.finish(scan)
    }

    /// Checks that no level goes on past its last block.
    fn finish(&mut self, scan: &mut Scan<'_>) -> Step {
        for (level, last) in self.levels.into_iter().enumerate() {
            if let Last::Block { pointer, right: Some(right) } = last {
                let name = self.kind.name();
                let told = format!(
                    "{name}: the last block of level {level} names block {right} to its right"
                );
                scan.find(Code::BtreeSibling, self.place_of(scan, pointer), told)?;
            }
        }
        Ok(())
    }

    /// Visits a block and everything below it; its keys, where it has any that can be trusted.
    fn visit(
        &mut self,
        scan: &mut Scan<'_>,
        child: Child,
        visitor: &mut dyn Visitor,
    ) -> Step<Option<Span>> {
        let span = self.try_visit(scan, child, visitor)?;
        if span.is_none() {
            self.lose(child.level);
        }
        Ok(span)
    }

    /// Notes that a block of `level` was not read: nothing is known of the last blocks from there
    /// down.
    fn lose(&mut self, level: u16) {
        self.intact = false;
        self.levels.iter_mut().take(usize::from(level) + 1).for_each(|last| *last = Last::Unread);
    }

    fn try_visit(
        &mut self,
        scan: &mut Scan<'_>,
        child: Child,
        visitor: &mut dyn Visitor,
    ) -> Step<Option<Span>> {
        let Some((block, addr)) = self.resolve(scan, child.pointer) else {
            let told = format!("{}: pointer to block {}", self.kind.name(), child.pointer);
            return scan.find(Code::BtreePointer, self.place, told).map(|()| None);
        };
        let place = Place { addr: Some(addr), ..self.place };
        if self.blocks >= self.budget {
            let told = format!("{}: more blocks than there are", self.kind.name());
            return scan.find(Code::BtreeLoop, place, told).map(|()| None);
        }
        self.blocks += 1;
        visitor.block(scan, block)?;
        let length = scan.geometry().block_size();
        let target = Target { addr, length, owner: Some(self.owner) };
        let Some(bytes) = scan.block(self.kind.block_kind(), target, place)? else {
            return Ok(None);
        };
        let Ok(header) = Header::decode(self.kind, &bytes) else { return Ok(None) };
        let at = At { bytes: &bytes, header, child, place };
        if !self.check_header(scan, &at)? {
            return Ok(None);
        }
        if child.level == 0 { self.leaf(scan, &at, visitor) } else { self.node(scan, &at, visitor) }
    }

    /// Level, fill and neighbours. Whether the block can be used.
    fn check_header(&mut self, scan: &mut Scan<'_>, at: &At<'_>) -> Step<bool> {
        let (name, header, child) = (self.kind.name(), at.header, at.child);
        if header.level != child.level {
            let told = format!("{name}: level is {}, expected {}", header.level, child.level);
            return scan.find(Code::BtreeLevel, at.place, told).map(|()| false);
        }
        let least = self.kind.min_records(at.bytes.len(), header.level);
        let least = if child.fill == Fill::Half { least } else { usize::from(header.level > 0) };
        if usize::from(header.numrecs) < least {
            let told = format!("{name}: {} entries, at least {least}", header.numrecs);
            scan.find(Code::BtreeUnderfull, at.place, told)?;
        }
        self.check_neighbours(scan, at)?;
        Ok(true)
    }

    fn check_neighbours(&mut self, scan: &mut Scan<'_>, at: &At<'_>) -> Step {
        let (name, links) = (self.kind.name(), at.header.links);
        let Some(last) = self.levels.get_mut(usize::from(at.child.level)) else { return Ok(()) };
        let here = Last::Block { pointer: at.child.pointer, right: links.right };
        let before = std::mem::replace(last, here);
        let (expected, named) = match before {
            Last::Unread => return Ok(()),
            Last::None => (None, None),
            Last::Block { pointer, right } => (Some(pointer), Some((pointer, right))),
        };
        if links.left != expected {
            let told = format!(
                "{name}: left neighbour is {}, expected {}",
                named_block(links.left),
                named_block(expected)
            );
            scan.find(Code::BtreeSibling, at.place, told)?;
        }
        match named {
            Some((pointer, right)) if right != Some(at.child.pointer) => {
                let told = format!(
                    "{name}: right neighbour is {}, expected {}",
                    named_block(right),
                    at.child.pointer
                );
                scan.find(Code::BtreeSibling, self.place_of(scan, pointer), told)
            }
            _ => Ok(()),
        }
    }

    fn leaf(
        &mut self,
        scan: &mut Scan<'_>,
        at: &At<'_>,
        visitor: &mut dyn Visitor,
    ) -> Step<Option<Span>> {
        let (kind, size) = (self.kind, self.kind.record_size());
        let mut span: Option<Span> = None;
        for index in 0..usize::from(at.header.numrecs) {
            let offset = kind.record_offset(index);
            let Some(record) = at.bytes.get(offset..offset + size) else { break };
            let (low, high) = keys_of(kind, record);
            let place = Place { offset: Some(offset as u64), ..at.place };
            if self.ascends(scan, &low, place)? {
                visitor.record(scan, record, place)?;
            }
            self.widen(&mut span, low, high);
        }
        // An empty root is a tree without records, and there is nobody to compare keys with.
        Ok(Some(span.unwrap_or(Span { low: [0; LONGEST_KEY], high: [0; LONGEST_KEY] })))
    }

    /// Whether `key` comes after all before it; a finding where it does not.
    fn ascends(&mut self, scan: &mut Scan<'_>, key: &Key, place: Place) -> Step<bool> {
        let ascends = self.last_key.is_none_or(|last| self.compare(&last, key) == Ordering::Less);
        if ascends {
            self.last_key = Some(*key);
            return Ok(true);
        }
        self.intact = false;
        let told = format!("{}: record does not come after the one before it", self.kind.name());
        scan.find(Code::BtreeOrder, place, told).map(|()| false)
    }

    fn node(
        &mut self,
        scan: &mut Scan<'_>,
        at: &At<'_>,
        visitor: &mut dyn Visitor,
    ) -> Step<Option<Span>> {
        let mut span: Option<Span> = None;
        for index in 0..usize::from(at.header.numrecs) {
            let Some((pointer, low, high)) = self.entry(at.bytes, index) else { break };
            let child = Child { pointer, level: at.child.level - 1, fill: Fill::Half };
            let below = self.visit(scan, child, visitor)?;
            let place = Place { offset: Some(self.kind.key_offset(index) as u64), ..at.place };
            if let Some(below) = below {
                self.check_keys(scan, place, &Span { low, high }, &below)?;
            }
            self.widen(&mut span, low, high);
        }
        Ok(span)
    }

    /// Compares the keys that a node holds for a child with those of the child.
    fn check_keys(&self, scan: &mut Scan<'_>, place: Place, said: &Span, is: &Span) -> Step {
        let name = self.kind.name();
        if self.compare(&said.low, &is.low) != Ordering::Equal {
            let told = format!("{name}: key is not the first key of the block below it");
            scan.find(Code::BtreeKey, place, told)?;
        }
        if self.kind.has_high_keys() && self.compare(&said.high, &is.high) != Ordering::Equal {
            let told = format!("{name}: high key is not the highest key of the block below it");
            scan.find(Code::BtreeHighKey, place, told)?;
        }
        Ok(())
    }

    /// Pointer and keys of entry `index` of a node.
    fn entry(&self, bytes: &[u8], index: usize) -> Option<(u64, Key, Key)> {
        let kind = self.kind;
        let pointer_at = kind.pointer_offset(bytes.len(), index);
        let pointer = match kind.is_long() {
            true => be64(bytes, pointer_at)?,
            false => be32(bytes, pointer_at)?.into(),
        };
        let low = key_at(kind, bytes, kind.key_offset(index))?;
        let high = match kind.has_high_keys() {
            true => key_at(kind, bytes, kind.high_key_offset(index))?,
            false => low,
        };
        Some((pointer, low, high))
    }

    fn widen(&self, span: &mut Option<Span>, low: Key, high: Key) {
        match span {
            None => *span = Some(Span { low, high }),
            Some(span) if self.compare(&span.high, &high) == Ordering::Less => span.high = high,
            Some(_) => {}
        }
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        self.kind.compare_keys(a, b)
    }

    /// Block and address of a pointer of this tree; `None` outside the volume or at an AG's start.
    fn resolve(&self, scan: &Scan<'_>, pointer: u64) -> Option<(FsBlock, DiskAddr)> {
        let geometry = scan.geometry();
        let block = match self.place.ag {
            Some(ag) => {
                let block = u32::try_from(pointer).ok()?;
                let inside = block < geometry.blocks_of(ag);
                inside.then(|| geometry.fs_block(ag, AgBlock(block)))?
            }
            None => FsBlock(pointer),
        };
        let (_, in_ag) = geometry.split(block)?;
        (in_ag.0 != 0).then_some((block, geometry.addr_of(block)?))
    }

    fn place_of(&self, scan: &Scan<'_>, pointer: u64) -> Place {
        let addr = self.resolve(scan, pointer).map(|(_, addr)| addr);
        Place { addr, ..self.place }
    }
}

/// A block to be visited.
#[derive(Clone, Copy)]
struct Child {
    pointer: u64,
    level: u16,
    fill: Fill,
}

/// A block being visited.
struct At<'b> {
    bytes: &'b [u8],
    header: Header,
    child: Child,
    place: Place,
}

fn keys_of(kind: BtreeKind, record: &[u8]) -> (Key, Key) {
    let mut low = [0; LONGEST_KEY];
    kind.key_of(record, &mut low);
    let mut high = low;
    if kind.has_high_keys() {
        kind.high_key_of(record, &mut high);
    }
    (low, high)
}

fn key_at(kind: BtreeKind, bytes: &[u8], offset: usize) -> Option<Key> {
    let mut key = [0; LONGEST_KEY];
    let size = kind.key_size();
    key.get_mut(..size)?.copy_from_slice(bytes.get(offset..offset + size)?);
    Some(key)
}

fn named_block(link: Option<u64>) -> String {
    link.map_or_else(|| "none".to_owned(), |block| block.to_string())
}
