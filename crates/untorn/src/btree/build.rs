//! Building a whole tree from records in order, for volumes that are made or repaired, and for
//! forks that outgrow their inode.
//!
//! Nodes are written from left to right on all levels at once; what has to be remembered is one
//! node a level. Entries are spread so that nodes of a level differ by at most one.

use super::blocks::{Root, TreeBlocks};
use super::kinds::TreeKind;
use super::node::{Entry, Home, capacity, fault};
use super::tree::Tree;
use untorn_format::btree::{MAX_LEVELS, root};

/// How full the nodes of a built tree are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// As full as they can be.
    Full,
    /// Three quarters, so that a tree that lives on need not split at once.
    Loose,
}

/// Nodes of one level, and the one that is being filled.
#[derive(Default)]
struct Shelf {
    entries: u64,
    nodes: u64,
    /// Nodes finished so far.
    done: u64,
    open: Option<u64>,
    count: u64,
}

impl Shelf {
    /// Entries of node `done`: the first ones have one more where they do not come out even.
    fn goal(&self) -> u64 {
        self.entries / self.nodes + u64::from(self.done < self.entries % self.nodes)
    }
}

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// Makes the tree hold `records`, of which there must be `count`, in ascending order; at least
    /// one where the root is a fork. What the root said before is overwritten: the tree must have
    /// no blocks. `size` is the size of a block in bytes. The position is given up.
    pub fn build(
        &mut self,
        size: usize,
        fill: Fill,
        count: u64,
        records: impl IntoIterator<Item = K::Record>,
    ) -> Result<(), B::Error> {
        self.forget();
        let fork = match self.blocks.root()? {
            Root::Fork(bytes) => Some(capacity::<K>(Home::Fork, 1, bytes.len()) as u64),
            Root::Block { .. } => None,
        };
        assert!(count > 0 || fork.is_none(), "a fork's root has a child");
        if fork == Some(0) {
            // The disk decides where a fork ends: no number of levels would make this one do.
            return Err(self.blocks.corrupt(None, fault::<K>("room of the root", 0)));
        }
        let mut shelves = plan::<K>(size, fill, count, fork);
        if shelves.len() > usize::from(MAX_LEVELS) {
            return Err(self.blocks.corrupt(None, fault::<K>("level", shelves.len() as u64)));
        }
        if fork.is_some() {
            let top = shelves.len() as u16;
            self.blocks.stage_fork()?.fill(0);
            root::set_shape(self.blocks.stage_fork()?, top, 0);
        }
        let (mut last, mut seen) = (None, 0);
        for record in records {
            let rank = K::rank(&record);
            assert!(last.is_none_or(|last| last < rank), "records must ascend: {record:?}");
            (last, seen) = (Some(rank), seen + 1);
            self.place(&mut shelves, 0, &Entry::record(self.kind, &record))?;
        }
        assert!(seen == count, "{seen} records of {count}");
        if count == 0 {
            let leaf = self.blocks.allocate(None, 0)?;
            self.blocks.set_root(leaf, 1)?;
        }
        Ok(())
    }

    /// Puts `entry` at the end of `level`.
    fn place(
        &mut self,
        shelves: &mut [Shelf],
        level: usize,
        entry: &Entry,
    ) -> Result<(), B::Error> {
        let Some(shelf) = shelves.get_mut(level) else { return self.place_in_fork(level, entry) };
        let node = match shelf.open {
            Some(node) if shelf.count > 0 => node,
            before => self.open_node(level, before)?,
        };
        let at = shelf.count as usize;
        (shelf.open, shelf.count) = (Some(node), shelf.count + 1);
        self.edit_block(node, |edit| edit.insert(at, entry))?;
        if shelf.count < shelf.goal() {
            return Ok(());
        }
        (shelf.done, shelf.count) = (shelf.done + 1, 0);
        let is_root = shelf.nodes == 1 && level + 1 == shelves.len();
        if is_root && matches!(self.blocks.root()?, Root::Block { .. }) {
            return self.blocks.set_root(node, level as u32 + 1);
        }
        let entry = Entry::child::<K>(&self.summary_of(node)?, node);
        self.place(shelves, level + 1, &entry)
    }

    fn open_node(&mut self, level: usize, before: Option<u64>) -> Result<u64, B::Error> {
        let new = self.blocks.allocate(before, level as u16)?;
        if let Some(before) = before {
            self.edit_block(before, |edit| edit.set_right(Some(new)))?;
            self.edit_block(new, |edit| edit.set_left(Some(before)))?;
        }
        Ok(new)
    }

    fn place_in_fork(&mut self, level: usize, entry: &Entry) -> Result<(), B::Error> {
        self.set_height(level + 1);
        let at = self.view(level, |fork| Ok(fork.count))?;
        let placed = self.edit(level, |fork| fork.insert(at, entry));
        self.forget();
        placed
    }

    /// Takes a tree apart that is a fork's root over a single leaf: its records, and the leaf is
    /// freed. `None`, and nothing happens, where the tree is larger or the leaf has more than
    /// `most` records. The root's bytes are left as they are, for the caller to overwrite.
    pub fn dissolve(&mut self, most: usize) -> Result<Option<Vec<K::Record>>, B::Error> {
        let top = self.enter_root()?;
        if self.steps[top].at.is_some() || top > 1 || self.view(top, |node| Ok(node.count > 1))? {
            return Ok(None);
        }
        self.enter(top)?;
        let kind = self.kind;
        let records = self.view(0, |leaf| {
            if leaf.count > most {
                return Ok(None);
            }
            let records = (0..leaf.count).map(|index| kind.decode(leaf.record(index)));
            records.collect::<Result<Vec<_>, _>>().map(Some)
        })?;
        if records.is_some() {
            let leaf = self.let_go(0);
            self.forget();
            self.blocks.free(leaf)?;
        }
        Ok(records)
    }
}

/// The levels of blocks that `count` records need, leaves first. With a root in a fork, which holds
/// `fork` entries, that comes on top.
fn plan<K: TreeKind>(size: usize, fill: Fill, count: u64, fork: Option<u64>) -> Vec<Shelf> {
    let mut shelves: Vec<Shelf> = Vec::new();
    let mut entries = count;
    while entries > 0 {
        let level = shelves.len() as u16;
        let most = capacity::<K>(Home::Block, level, size) as u64;
        let nodes = nodes_for(entries, most, fill);
        shelves.push(Shelf { entries, nodes, ..Shelf::default() });
        if nodes <= fork.unwrap_or(1) {
            break;
        }
        entries = nodes;
    }
    shelves
}

/// Nodes for `entries` entries, where a node holds `most`. None but a single one is less than half
/// full.
fn nodes_for(entries: u64, most: u64, fill: Fill) -> u64 {
    let goal = match fill {
        Fill::Full => most,
        Fill::Loose => most - most / 4,
    };
    let nodes = entries.div_ceil(goal);
    if nodes == 1 || entries / nodes >= most / 2 { nodes } else { entries.div_ceil(most) }
}
