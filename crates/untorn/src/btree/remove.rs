//! Changing records in place and taking them out.
//!
//! A node that falls below half takes entries from a neighbour below the same parent, or becomes
//! one with it. A root block with a single child gives way to the child; a root in a fork takes in
//! its only child once that fits and is no leaf.

use super::blocks::TreeBlocks;
use super::kinds::TreeKind;
use super::node::{Entry, Home, Node, disorder, fault};
use super::tree::{Mark, Tree};

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// Writes `record` over the record of the position. Its rank may change, but not past the
    /// neighbours' ranks.
    pub fn replace(&mut self, record: &K::Record) -> Result<(), B::Error> {
        self.stand_on_record()?;
        let (index, rank) = (self.steps[0].index, K::rank(record));
        let (old, ordered) = self.view(0, |leaf| {
            let after = index == 0 || leaf.rank(index - 1) < rank;
            let before = index + 1 >= leaf.count || rank < leaf.rank(index + 1);
            Ok((leaf.spread(index), after && before))
        })?;
        if !ordered || !self.is_below_next_leaf(rank)? {
            let fault = disorder::<K>("a record would pass its neighbour", index);
            return Err(self.blocks.corrupt(self.steps[0].at, fault));
        }
        let entry = Entry::record(self.kind, record);
        self.edit(0, |leaf| leaf.set_record(index, &entry))?;
        self.leaf_changed(index, Some(&old), Some(&entry.key::<K>()))
    }

    /// Whether `rank` is below the key of the leaf that follows the path's.
    fn is_below_next_leaf(&mut self, rank: K::Rank) -> Result<bool, B::Error> {
        for level in 1..self.height {
            let next = self.steps[level].index + 1;
            let key = self.view(level, |node| Ok((next < node.count).then(|| node.rank(next))))?;
            if let Some(key) = key {
                return Ok(rank < key);
            }
        }
        Ok(true)
    }

    /// Takes out the record of the position, which becomes the gap that it leaves.
    pub fn remove(&mut self) -> Result<K::Record, B::Error> {
        self.stand_on_record()?;
        let (kind, index) = (self.kind, self.steps[0].index);
        let (record, key) =
            self.view(0, |leaf| Ok((kind.decode(leaf.record(index))?, leaf.spread(index))))?;
        self.edit(0, |leaf| leaf.cut(index..index + 1))?;
        if self.height == 1 || self.is_filled(0)? {
            self.leaf_changed(index, Some(&key), None)?;
        } else {
            self.mend(0)?;
            self.forget();
        }
        self.mark = Mark::Gap(K::rank(&record));
        Ok(record)
    }

    fn stand_on_record(&mut self) -> Result<(), B::Error> {
        match self.mark {
            Mark::On => Ok(()),
            Mark::Lost(rank) => self.recover(rank),
            // A search missed what another had found: the tree is not in order.
            Mark::Gap(_) | Mark::Nowhere => Err(self.misplaced()),
        }
    }

    fn is_filled(&mut self, level: usize) -> Result<bool, B::Error> {
        self.view(level, |node| Ok(node.count >= node.minimum()))
    }

    /// Makes the tree right above the path's node on `level`, which lost an entry and has too few.
    fn mend(&mut self, level: usize) -> Result<(), B::Error> {
        for level in level.. {
            if !self.merge(level)? {
                break;
            }
            let gone = self.steps[level + 1].index;
            self.edit(level + 1, |parent| parent.cut(gone..gone + 1))?;
            if level + 2 == self.height {
                break;
            }
            if self.is_filled(level + 1)? {
                return self.renew_keys(level + 1);
            }
        }
        self.collapse()
    }

    /// Fills the path's node on `level` from a neighbour: `true` where the two became one and the
    /// path on the level above leads to the entry that must go.
    fn merge(&mut self, level: usize) -> Result<bool, B::Error> {
        let index = self.steps[level + 1].index;
        let siblings = self.view(level + 1, |parent| Ok(parent.count))?;
        if siblings == 1 {
            return self.keep_only_child(level).map(|()| false);
        }
        let (capacity, minimum, count) =
            self.view(level, |node| Ok((node.capacity(), node.minimum(), node.count)))?;
        let node = (self.let_go(level), count);
        // The pair is the node and its right neighbour, or its left one at the right end.
        let first = index.min(siblings - 2);
        let (left, right) = match first == index {
            true => (node, self.neighbour(level, index + 1)?),
            false => (self.neighbour(level, first)?, node),
        };
        let (here, there) = (left.1, right.1);
        if here.max(there) <= minimum && here + there <= capacity {
            self.join(level, left, right)?;
            self.renew_key_of(level + 1, first, left.0)?;
            self.steps[level + 1].index = first + 1;
            return Ok(true);
        }
        let goal = (here + there) / 2;
        if here < goal {
            self.move_entries(right.0, 0..goal - here, left.0, here)?;
        } else {
            self.move_entries(left.0, goal..here, right.0, 0)?;
        }
        self.renew_key_of(level + 1, first, left.0)?;
        self.renew_key_of(level + 1, first + 1, right.0)?;
        self.renew_keys(level + 1).map(|()| false)
    }

    /// Moves all of `right` into its neighbour `left` and frees it. Both come with their counts.
    fn join(
        &mut self,
        level: usize,
        left: (u64, usize),
        right: (u64, usize),
    ) -> Result<(), B::Error> {
        self.copy_entries(right.0, 0..right.1, left.0, left.1)?;
        self.unlink(level, left.0, right.0)?;
        self.blocks.free(right.0)
    }

    /// Accepts that the path's node on `level` has few entries, being the only child of the root.
    fn keep_only_child(&mut self, level: usize) -> Result<(), B::Error> {
        if level + 2 < self.height {
            let fault = fault::<K>("bb_numrecs", 1);
            return Err(self.blocks.corrupt(self.steps[level + 1].at, fault));
        }
        self.renew_keys(level)
    }

    /// Takes levels off the top that have a single entry.
    fn collapse(&mut self) -> Result<(), B::Error> {
        while self.height > 1 {
            let top = self.height - 1;
            let only = self.view(top, |root| Ok((root.count == 1).then(|| root.child(0))))?;
            let Some(child) = only else { break };
            if let Some(root) = self.steps[top].at {
                self.blocks.set_root(child, top as u32)?;
                self.blocks.free(root)?;
            } else if !self.take_in(top, child)? {
                break;
            }
            self.enter_root()?;
        }
        Ok(())
    }

    /// Moves the entries of `child`, the only child of the fork on level `top`, into the fork;
    /// `false` where it is a leaf or does not fit.
    fn take_in(&mut self, top: usize, child: u64) -> Result<bool, B::Error> {
        let room = self.view(top, |fork| Ok(fork.capacity()))?;
        let fits = top >= 2
            && self
                .view_block(child, |node| node.must_be_at(top - 1).map(|()| node.count <= room))?;
        if !fits {
            return Ok(false);
        }
        let image = self.blocks.read(child)?;
        let source = Node::<K>::open(Home::Block, &image);
        let source = source.map_err(|fault| self.blocks.corrupt(Some(child), fault))?;
        self.edit(top, |fork| {
            fork.reset_fork(top as u16 - 1);
            fork.splice(0, &source, 0..source.count);
        })?;
        self.blocks.free(child)?;
        Ok(true)
    }
}
