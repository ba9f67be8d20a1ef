//! Putting records in.
//!
//! A full node first gives entries to a neighbour below the same parent; only between full
//! neighbours does it split, in halves. Records that arrive in ascending order at the end of the
//! tree leave full nodes behind: all room of the left neighbour is used before the last one splits.

use super::blocks::TreeBlocks;
use super::kinds::TreeKind;
use super::node::{Entry, Home, Node, disorder, fault};
use super::tree::{Mark, Step, Tree};
use untorn_format::btree::MAX_LEVELS;

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// Puts `record` in and moves to it. Another record of its rank is a fault of the volume, since
    /// the callers insert only what must not be there.
    pub fn insert(&mut self, record: &K::Record) -> Result<(), B::Error> {
        let rank = K::rank(record);
        if !self.find_gap_nearby(rank)? {
            let (index, _, exact) = self.around(rank)?;
            if exact {
                let fault = disorder::<K>("a record is there already", index);
                return Err(self.blocks.corrupt(self.steps[0].at, fault));
            }
        }
        let entry = Entry::record(self.kind, record);
        if self.view(0, |leaf| Ok(leaf.count < leaf.capacity()))? {
            let index = self.steps[0].index;
            self.edit(0, |leaf| leaf.insert(index, &entry))?;
            self.leaf_changed(index, None, Some(&entry.key::<K>()))?;
            self.mark = Mark::On;
        } else {
            self.insert_into_full(entry)?;
            self.forget();
            self.mark = Mark::Lost(rank);
        }
        Ok(())
    }

    /// Whether the path's leaf certainly is where a record of `rank` belongs and has none; the path
    /// then leads to the gap.
    fn find_gap_nearby(&mut self, rank: K::Rank) -> Result<bool, B::Error> {
        if self.height == 0 || !matches!(self.mark, Mark::On | Mark::Gap(_)) {
            return Ok(false);
        }
        let index = self.steps[0].index;
        let is_last = self.is_last_leaf()?;
        let found = self.view(0, |leaf| {
            let fits = |gap: usize| {
                let after = gap > 0 && gap <= leaf.count && leaf.rank(gap - 1) < rank;
                let before = if gap < leaf.count { rank < leaf.rank(gap) } else { is_last };
                after && before
            };
            Ok([index, index + 1].into_iter().find(|&gap| fits(gap)))
        })?;
        self.steps[0].index = found.unwrap_or(index);
        Ok(found.is_some())
    }

    fn is_last_leaf(&mut self) -> Result<bool, B::Error> {
        for level in 1..self.height {
            let index = self.steps[level].index;
            if self.view(level, |node| Ok(index + 1 < node.count))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts `entry` at the path's place in its full leaf, making room as far up as needed.
    fn insert_into_full(&mut self, mut entry: Entry) -> Result<(), B::Error> {
        let mut level = 0;
        loop {
            if level + 1 == self.height && self.is_full(level)? {
                self.grow()?;
            }
            if !self.is_full(level)? {
                let index = self.steps[level].index;
                self.edit(level, |node| node.insert(index, &entry))?;
                return self.renew_keys(level);
            }
            if self.shift(level, &entry)? {
                return self.renew_keys(level + 1);
            }
            entry = self.split(level, &entry)?;
            level += 1;
            self.steps[level].index += 1;
        }
    }

    fn is_full(&mut self, level: usize) -> Result<bool, B::Error> {
        self.view(level, |node| Ok(node.count == node.capacity()))
    }

    /// Puts `entry` in by moving entries of the path's full node on `level` to a neighbour that has
    /// room; `false` where none has. Keys in the parent are made true.
    fn shift(&mut self, level: usize, entry: &Entry) -> Result<bool, B::Error> {
        let index = self.steps[level + 1].index;
        let siblings = self.view(level + 1, |parent| Ok(parent.count))?;
        Ok(index + 1 < siblings && self.shift_right(level, entry)?
            || index > 0 && self.shift_left(level, entry)?)
    }

    fn shift_right(&mut self, level: usize, entry: &Entry) -> Result<bool, B::Error> {
        let (node, index, full) = self.full_node(level)?;
        let above = self.steps[level + 1].index;
        let (right, there) = self.neighbour(level, above + 1)?;
        let room = full - there;
        if room == 0 {
            return Ok(false);
        }
        let moved = if index == full { room / 2 } else { room.div_ceil(2) };
        let kept = full - moved;
        self.move_entries(node, kept..full, right, 0)?;
        if index > kept || moved == 0 {
            self.edit_block(right, |node| node.insert(index - kept, entry))?;
        } else {
            self.edit_block(node, |node| node.insert(index, entry))?;
        }
        self.renew_key_of(level + 1, above, node)?;
        self.renew_key_of(level + 1, above + 1, right)?;
        Ok(true)
    }

    fn shift_left(&mut self, level: usize, entry: &Entry) -> Result<bool, B::Error> {
        let (node, index, full) = self.full_node(level)?;
        let above = self.steps[level + 1].index;
        let (left, there) = self.neighbour(level, above - 1)?;
        let room = full - there;
        if room == 0 {
            return Ok(false);
        }
        let appends = index == full && self.links_of(node)?.right.is_none();
        let moved = match index {
            _ if appends => room,
            0 => room / 2,
            _ => room.div_ceil(2),
        };
        self.move_entries(node, 0..moved, left, there)?;
        if index < moved || moved == 0 {
            self.edit_block(left, |node| node.insert(there + index, entry))?;
        } else {
            self.edit_block(node, |node| node.insert(index - moved, entry))?;
        }
        self.renew_key_of(level + 1, above - 1, left)?;
        self.renew_key_of(level + 1, above, node)?;
        Ok(true)
    }

    /// Block, index and count of the path's full node on `level`; its image is let go.
    fn full_node(&mut self, level: usize) -> Result<(u64, usize, usize), B::Error> {
        let full = self.view(level, |node| Ok(node.count))?;
        Ok((self.let_go(level), self.steps[level].index, full))
    }

    /// Splits the path's full node on `level` in halves and puts `entry` in: the entry of the new
    /// node for the parent, whose entry of the old one is made true.
    fn split(&mut self, level: usize, entry: &Entry) -> Result<Entry, B::Error> {
        let (node, index, full) = self.full_node(level)?;
        let new = self.blocks.allocate(Some(node), level as u16)?;
        let left = (full + 1).div_ceil(2);
        let kept = if index < left { left - 1 } else { left };
        self.move_entries(node, kept..full, new, 0)?;
        if index < left {
            self.edit_block(node, |node| node.insert(index, entry))?;
        } else {
            self.edit_block(new, |node| node.insert(index - kept, entry))?;
        }
        self.link_after(level, node, new)?;
        let above = self.steps[level + 1].index;
        self.renew_key_of(level + 1, above, node)?;
        Ok(Entry::child::<K>(&self.summary_of(new)?, new))
    }

    /// Puts a level on top of the full root. The path goes on through the new root.
    fn grow(&mut self) -> Result<(), B::Error> {
        if self.height == usize::from(MAX_LEVELS) {
            let fault = fault::<K>("level", self.height as u64);
            return Err(self.blocks.corrupt(None, fault));
        }
        match self.steps[self.height - 1].at {
            Some(root) => self.grow_block(root),
            None => self.grow_fork(),
        }
    }

    fn grow_block(&mut self, root: u64) -> Result<(), B::Error> {
        let entry = Entry::child::<K>(&self.summary_of(root)?, root);
        let new = self.blocks.allocate(Some(root), self.height as u16)?;
        self.edit_block(new, |node| node.insert(0, &entry))?;
        self.set_height(self.height + 1);
        self.steps[self.height - 1] = Step::at(Some(new));
        self.blocks.set_root(new, self.height as u32)
    }

    /// Moves the entries of the fork to a new block, which becomes its only child.
    fn grow_fork(&mut self) -> Result<(), B::Error> {
        let top = self.height - 1;
        let fork = self.copy_fork()?;
        let near = self.view(top, |fork| Ok(fork.child(0)))?;
        let new = self.blocks.allocate(Some(near), top as u16)?;
        let source = Node::<K>::open(Home::Fork, &fork);
        let source = source.map_err(|fault| self.blocks.corrupt(None, fault))?;
        if source.count > self.view_block(new, |node| Ok(node.capacity()))? {
            let fault = fault::<K>("bb_numrecs", source.count as u64);
            return Err(self.blocks.corrupt(None, fault));
        }
        self.edit_block(new, |node| node.splice(0, &source, 0..source.count))?;
        let entry = Entry::child::<K>(&self.summary_of(new)?, new);
        self.edit(top, |fork| {
            fork.reset_fork(top as u16 + 1);
            fork.insert(0, &entry);
        })?;
        let index = self.steps[top].index;
        self.steps[top] = Step { index, ..Step::at(Some(new)) };
        self.set_height(self.height + 1);
        self.steps[top + 1] = Step::at(None);
        Ok(())
    }
}
