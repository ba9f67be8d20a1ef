//! Keeping what parents say of their children true, and moving entries between neighbours.
//!
//! Invariant that these keep: entry `i` of a node holds the summary of its child `i`.

use super::blocks::TreeBlocks;
use super::kinds::TreeKind;
use super::node::{Home, Key, Node, disorder, fault};
use super::tree::Tree;
use std::ops::Range;
use untorn_format::btree::Links;

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// Makes the path's parents true after entry `index` of the leaf changed: `gone` went, `come`
    /// came. Looks at the whole leaf only where what went may have been the highest.
    pub(super) fn leaf_changed(
        &mut self,
        index: usize,
        gone: Option<&Key>,
        come: Option<&Key>,
    ) -> Result<(), B::Error> {
        if self.height < 2 {
            return Ok(());
        }
        if !K::KIND.has_high_keys() {
            return if index == 0 { self.renew_keys(0) } else { Ok(()) };
        }
        let above = self.steps[1].index;
        let old = self.view(1, |parent| Ok(parent.key(above)))?;
        if gone.is_some_and(|key| key.high::<K>() >= old.high::<K>()) {
            return self.renew_keys(0);
        }
        let first = self.view(0, |leaf| Ok((leaf.count > 0).then(|| leaf.spread(0))))?;
        let Some(first) = first else { return Ok(()) };
        let new = old.with_low::<K>(&first).with_high::<K>(come.unwrap_or(&first));
        if new == old {
            return Ok(());
        }
        self.edit(1, |parent| parent.set_key(above, &new))?;
        self.renew_keys(1)
    }

    /// Makes the parents of the path's node on `level` true, up to where they already are.
    pub(super) fn renew_keys(&mut self, level: usize) -> Result<(), B::Error> {
        for level in level..self.height - 1 {
            let Some(summary) = self.view(level, |node| Ok(node.summary()))? else { break };
            let index = self.steps[level + 1].index;
            if self.view(level + 1, |parent| Ok(parent.key(index)))? == summary {
                break;
            }
            self.edit(level + 1, |parent| parent.set_key(index, &summary))?;
        }
        Ok(())
    }

    /// Makes entry `index` of the path's node on `level` true for its child `ptr`.
    pub(super) fn renew_key_of(
        &mut self,
        level: usize,
        index: usize,
        ptr: u64,
    ) -> Result<(), B::Error> {
        let summary = self.summary_of(ptr)?;
        self.edit(level, |parent| parent.set_key(index, &summary))
    }

    /// What a parent must say of block `ptr`.
    pub(super) fn summary_of(&mut self, ptr: u64) -> Result<Key, B::Error> {
        self.view_block(ptr, |node| node.summary().ok_or(fault::<K>("bb_numrecs", 0)))
    }

    /// The child of entry `index` of the path's node above `level`, and its count: a neighbour of
    /// the path's node, which it must not be itself.
    pub(super) fn neighbour(
        &mut self,
        level: usize,
        index: usize,
    ) -> Result<(u64, usize), B::Error> {
        let own = self.steps[level].at;
        let (ptr, rank) =
            self.view(level + 1, |parent| Ok((parent.child(index), parent.rank(index))))?;
        let count = self.view_block(ptr, |node| {
            node.must_be_at(level)?;
            if node.count == 0 {
                return Err(fault::<K>("bb_numrecs", 0));
            }
            if node.rank(0) != rank || Some(ptr) == own {
                return Err(disorder::<K>(
                    "a node must begin with the key that its parent holds",
                    0,
                ));
            }
            Ok(node.count)
        })?;
        Ok((ptr, count))
    }

    /// Copies entries `range` of block `from` before entry `index` of block `to`.
    pub(super) fn copy_entries(
        &mut self,
        from: u64,
        range: Range<usize>,
        to: u64,
        index: usize,
    ) -> Result<(), B::Error> {
        let image = self.blocks.read(from)?;
        let source = Node::<K>::open(Home::Block, &image);
        let source = source.map_err(|fault| self.blocks.corrupt(Some(from), fault))?;
        if range.end > source.count {
            // The block was given out a second time since its entries were counted.
            let fault = fault::<K>("bb_numrecs", source.count as u64);
            return Err(self.blocks.corrupt(Some(from), fault));
        }
        self.edit_block(to, |node| node.splice(index, &source, range))
    }

    /// Moves entries `range` of block `from` before entry `index` of block `to`.
    pub(super) fn move_entries(
        &mut self,
        from: u64,
        range: Range<usize>,
        to: u64,
        index: usize,
    ) -> Result<(), B::Error> {
        self.copy_entries(from, range.clone(), to, index)?;
        self.edit_block(from, |node| node.cut(range))
    }

    /// Neighbours of block `ptr`.
    pub(super) fn links_of(&mut self, ptr: u64) -> Result<Links, B::Error> {
        let image = self.blocks.read(ptr)?;
        Node::<K>::links(&image).map_err(|fault| self.blocks.corrupt(Some(ptr), fault))
    }

    /// Lets block `new` follow block `left` on `level`.
    pub(super) fn link_after(&mut self, level: usize, left: u64, new: u64) -> Result<(), B::Error> {
        let far = self.links_of(left)?.right;
        if let Some(far) = far {
            self.relink(level, far, left, new)?;
        }
        self.edit_block(left, |node| node.set_right(Some(new)))?;
        self.edit_block(new, |node| {
            node.set_left(Some(left));
            node.set_right(far);
        })
    }

    /// Lets what follows block `right` on `level` follow `left`, the neighbour of `right`, instead.
    pub(super) fn unlink(&mut self, level: usize, left: u64, right: u64) -> Result<(), B::Error> {
        let (before, after) = (self.links_of(left)?, self.links_of(right)?);
        if before.right != Some(right) || after.left != Some(left) {
            return Err(self.misnamed(right));
        }
        let far = after.right;
        if let Some(far) = far {
            self.relink(level, far, right, left)?;
        }
        self.edit_block(left, |node| node.set_right(far))
    }

    /// Makes `new` the left neighbour of block `far`, where `old` was.
    fn relink(&mut self, level: usize, far: u64, old: u64, new: u64) -> Result<(), B::Error> {
        self.view_block(far, |node| node.must_be_at(level))?;
        if self.links_of(far)?.left != Some(old) {
            return Err(self.misnamed(far));
        }
        self.edit_block(far, |node| node.set_left(Some(new)))
    }

    fn misnamed(&self, ptr: u64) -> B::Error {
        self.blocks.corrupt(Some(ptr), disorder::<K>("neighbours must name each other", 0))
    }
}
