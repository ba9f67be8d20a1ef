//! Walks: all records from one on, all that overlap a range, all blocks.

use super::blocks::TreeBlocks;
use super::kinds::TreeKind;
use super::node::{Node, disorder};
use super::tree::{Find, Mark, Tree};
use std::ops::ControlFlow;
use untorn_format::Fault;
use untorn_format::btree::MAX_LEVELS;

/// Records in ascending order; see [`Tree::records_from`]. Ends after an error.
pub struct Records<'t, K: TreeKind, B> {
    tree: &'t mut Tree<K, B>,
    from: Option<K::Rank>,
    ended: bool,
}

impl<K: TreeKind, B: TreeBlocks> Iterator for Records<'_, K, B> {
    type Item = Result<K::Record, B::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let found = match self.from.take() {
            Some(rank) => self.tree.seek(Find::AtLeast, rank),
            None => self.tree.next(),
        };
        self.ended = !matches!(found, Ok(Some(_)));
        found.transpose()
    }
}

/// Makes sure that ranks rise along each level of a walk.
struct Rising<R>([Option<R>; MAX_LEVELS as usize]);

impl<R: Copy + Ord> Rising<R> {
    fn new() -> Self {
        Self([None; MAX_LEVELS as usize])
    }
    /// The rank of entry `at`.
    fn pass<K: TreeKind<Rank = R>>(&mut self, node: &Node<'_, K>, at: usize) -> Result<R, Fault> {
        let (last, rank) = (&mut self.0[usize::from(node.level)], node.rank(at));
        if last.is_some_and(|last| last >= rank) {
            return Err(disorder::<K>("ranks must rise", at));
        }
        *last = Some(rank);
        Ok(rank)
    }
}

/// What to do with an entry of a node on the way through a tree.
enum Turn<T> {
    /// Go to the next entry.
    Pass,
    /// Go down into the entry's child.
    Enter,
    /// Show the record.
    Show(T),
    /// No entry from here on matters.
    End,
}

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// The records from the first of `rank` or a higher one, in ascending order. The position moves
    /// along.
    pub fn records_from(&mut self, rank: K::Rank) -> Records<'_, K, B> {
        Records { tree: self, from: Some(rank), ended: false }
    }

    /// Shows `visit` the records that reach into `low..=high`: whose lowest key is at most `high`
    /// and whose highest key is at least `low`; in ascending order of lowest keys, until it breaks.
    /// Only for trees with highest keys. The position is given up.
    pub fn overlapping<T>(
        &mut self,
        low: K::Rank,
        high: K::Rank,
        visit: impl FnMut(K::Record) -> ControlFlow<T>,
    ) -> Result<Option<T>, B::Error> {
        assert!(K::KIND.has_high_keys());
        let kind = self.kind;
        let mut rising = Rising::new();
        let choose = |node: &Node<'_, K>, index: usize| {
            if node.ends_before(index, &low) {
                return Ok(Turn::Pass);
            }
            let rank = rising.pass(node, index)?;
            Ok(match node.level {
                _ if rank > high => Turn::End,
                _ if node.high(index) < low => Turn::Pass,
                0 => Turn::Show(kind.decode(node.record(index))?),
                _ => Turn::Enter,
            })
        };
        self.through(choose, visit)
    }

    /// Shows `visit` each block of the tree and its level, parents before children, children from
    /// left to right. Leaves are not read. The position is given up.
    pub fn visit_blocks(&mut self, mut visit: impl FnMut(u64, u16)) -> Result<(), B::Error> {
        let top = self.enter_root()?;
        if let Some(root) = self.steps[top].at {
            visit(root, top as u16);
        }
        if top == 0 {
            return Ok(());
        }
        let mut rising = Rising::new();
        let choose = |node: &Node<'_, K>, index: usize| {
            rising.pass(node, index)?;
            visit(node.child(index), node.level - 1);
            Ok(if node.level > 1 { Turn::Enter } else { Turn::Pass })
        };
        self.through(choose, |never: std::convert::Infallible| match never {})
            .map(|_: Option<()>| ())
    }

    /// Blocks of the tree. A root in a fork is none.
    pub fn count_blocks(&mut self) -> Result<u64, B::Error> {
        let mut blocks = 0;
        self.visit_blocks(|_, _| blocks += 1)?;
        Ok(blocks)
    }

    /// Goes through the tree as `choose` says, and shows `visit` what that shows.
    fn through<S, T>(
        &mut self,
        mut choose: impl FnMut(&Node<'_, K>, usize) -> Result<Turn<S>, Fault>,
        mut visit: impl FnMut(S) -> ControlFlow<T>,
    ) -> Result<Option<T>, B::Error> {
        let mut level = self.enter_root()?;
        self.steps[level].index = 0;
        self.mark = Mark::Nowhere;
        loop {
            let from = self.steps[level].index;
            let (index, turn) = self.view(level, |node| {
                for index in from..node.count {
                    match choose(node, index)? {
                        Turn::Pass => {}
                        turn => return Ok((index, Some(turn))),
                    }
                }
                Ok((node.count, None))
            })?;
            self.steps[level].index = index;
            match turn {
                Some(Turn::Enter) => {
                    self.enter(level)?;
                    self.steps[level].index += 1;
                    level -= 1;
                    self.steps[level].index = 0;
                }
                Some(Turn::Show(shown)) => {
                    self.steps[level].index += 1;
                    if let ControlFlow::Break(value) = visit(shown) {
                        return Ok(Some(value));
                    }
                }
                None if level + 1 < self.height => level += 1,
                None | Some(Turn::End | Turn::Pass) => return Ok(None),
            }
        }
    }
}
