//! A tree and a position in it.
//!
//! The position is a path: for each level the node and the index of an entry there. Path indices
//! and images are this tree's own; whoever changes blocks of the tree behind its back must make a
//! new [`Tree`].
//!
//! What a disk can do wrong is met on the way down: each node must stand on the level that its
//! parent implies and begin with the key that its parent holds. Walking forward, ranks must rise.
//! Since keys rise along a level and each node begins with its own key, no node is met twice, so
//! that no walk is longer than the volume has blocks.

use super::blocks::{Image, Root, TreeBlocks};
use super::kinds::TreeKind;
use super::node::{Edit, Home, Node, disorder, fault};
use untorn_format::Fault;
use untorn_format::btree::MAX_LEVELS;

/// Which record a search wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// The record of this rank.
    Equal,
    /// The last record of this rank or a lower one.
    AtMost,
    /// The first record of this rank or a higher one.
    AtLeast,
}

/// One level of the path.
#[derive(Clone, Default)]
pub(super) struct Step {
    /// The node's block; `None` for the fork.
    pub(super) at: Option<u64>,
    /// The entry that the path goes through.
    pub(super) index: usize,
    /// The node's bytes, unless they were not read yet or changed since.
    pub(super) image: Option<Image>,
}

impl Step {
    /// A step through the first entry of a node.
    pub(super) fn at(at: Option<u64>) -> Self {
        Self { at, index: 0, image: None }
    }
}

/// Where the position is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Mark<R> {
    /// Nowhere.
    Nowhere,
    /// On the record that the path leads to.
    On,
    /// On the record of this rank; the path does not lead there any more.
    Lost(R),
    /// Between records, where one of this rank would stand.
    Gap(R),
}

/// Two ranks between which those of a node lie.
type Span<R> = (R, R);

/// What a node says of one of its children.
#[derive(Clone, Copy)]
struct Child<R> {
    ptr: u64,
    rank: R,
    /// The key of the next one.
    next: Option<R>,
    /// Other children of the node.
    siblings: usize,
}

impl<R: Copy + Ord> Child<R> {
    fn of<K: TreeKind<Rank = R>>(node: &Node<'_, K>, index: usize) -> Self {
        Self {
            ptr: node.child(index),
            rank: node.rank(index),
            next: (index + 1 < node.count).then(|| node.rank(index + 1)),
            siblings: node.count - 1,
        }
    }

    fn span(&self) -> Option<Span<R>> {
        self.next.map(|next| (self.rank, next))
    }

    /// A fault unless `node` can be this child, on `level` of a tree of `height` levels.
    fn accept<K: TreeKind<Rank = R>>(
        &self,
        node: &Node<'_, K>,
        level: usize,
        height: usize,
    ) -> Result<(), Fault> {
        node.must_be_at(level)?;
        // The only leaf of a fork may run empty until its owner gives up the btree form.
        let may_be_empty = level == 0 && self.siblings == 0 && height == 2;
        match node.count {
            0 if may_be_empty => Ok(()),
            0 => Err(fault::<K>("bb_numrecs", 0)),
            _ if node.rank(0) == self.rank => Ok(()),
            _ => Err(disorder::<K>("a node must begin with the key that its parent holds", 0)),
        }
    }
}

/// How a descent chooses its way.
#[derive(Clone, Copy)]
pub(super) enum Aim<R> {
    First,
    Last,
    Rank(R),
}

impl<R: Copy + Ord> Aim<R> {
    /// The entry of a node to go through, and its child.
    fn choose<K: TreeKind<Rank = R>>(self, node: &Node<'_, K>) -> (usize, Child<R>) {
        let index = match self {
            Self::First => 0,
            Self::Last => node.count - 1,
            Self::Rank(rank) => node.partition(|key| key <= rank).saturating_sub(1),
        };
        (index, Child::of(node, index))
    }

    /// The entry of a leaf of `count` to begin with.
    fn index(self, count: usize) -> usize {
        match self {
            Self::Last => count.saturating_sub(1),
            Self::First | Self::Rank(_) => 0,
        }
    }
}

/// A tree of kind `K` whose blocks are found through `B`, and a position in it.
pub struct Tree<K: TreeKind, B> {
    pub(super) kind: K,
    pub(super) blocks: B,
    pub(super) steps: [Step; MAX_LEVELS as usize],
    /// Levels that the path has.
    pub(super) height: usize,
    pub(super) mark: Mark<K::Rank>,
}

impl<K: TreeKind, B: TreeBlocks> Tree<K, B> {
    /// The tree in `blocks`, positioned nowhere. Reads nothing.
    pub fn new(kind: K, blocks: B) -> Self {
        Self { kind, blocks, steps: Default::default(), height: 0, mark: Mark::Nowhere }
    }

    /// What holds the blocks. The position is given up.
    pub fn blocks(&mut self) -> &mut B {
        self.forget();
        &mut self.blocks
    }

    /// What holds the blocks, to look at.
    pub fn holder(&self) -> &B {
        &self.blocks
    }

    /// The tree is done with: what holds the blocks.
    pub fn into_blocks(self) -> B {
        self.blocks
    }

    /// The error for a fault that shows in what the tree's records say.
    pub fn corrupt(&self, fault: Fault) -> B::Error {
        self.blocks.corrupt(None, fault)
    }

    /// Moves to the record that `find` wants of `rank`. Where there is none the position is the gap
    /// where a record of `rank` would stand: [`Tree::next`] and [`Tree::prev`] go on from there.
    pub fn seek(&mut self, find: Find, rank: K::Rank) -> Result<Option<K::Record>, B::Error> {
        let kind = self.kind;
        let (index, found) = self.look_for(rank, |leaf, span| {
            let index = leaf.position(rank, span);
            let exact = index < leaf.count && leaf.rank(index) == rank;
            let wanted = match find {
                _ if exact => Some(index),
                Find::Equal => None,
                Find::AtMost => index.checked_sub(1),
                Find::AtLeast => Some(index).filter(|&index| index < leaf.count),
            };
            let record = wanted.map(|wanted| kind.decode(leaf.record(wanted))).transpose()?;
            Ok((wanted.unwrap_or(index), record))
        })?;
        self.steps[0].index = index;
        if found.is_some() {
            self.mark = Mark::On;
            return Ok(found);
        }
        self.mark = Mark::Gap(rank);
        match find {
            Find::AtLeast if self.advance_leaf(Direction::Forward)? => self.settle(),
            _ => Ok(None),
        }
    }

    /// Moves to the first record.
    pub fn first(&mut self) -> Result<Option<K::Record>, B::Error> {
        self.extreme(Aim::First)
    }

    /// Moves to the last record.
    pub fn last(&mut self) -> Result<Option<K::Record>, B::Error> {
        self.extreme(Aim::Last)
    }

    /// The record of the position; `None` in a gap.
    pub fn current(&mut self) -> Result<Option<K::Record>, B::Error> {
        match self.mark {
            Mark::On => self.settle(),
            Mark::Lost(rank) => self.recover(rank).and_then(|()| self.settle()),
            Mark::Gap(_) | Mark::Nowhere => Ok(None),
        }
    }

    /// Moves to the next record; from nowhere, to the first. Stays where it is if there is none.
    #[expect(clippy::should_implement_trait, reason = "a position moves both ways")]
    pub fn next(&mut self) -> Result<Option<K::Record>, B::Error> {
        match self.mark {
            Mark::On => self.walk(Direction::Forward),
            Mark::Lost(rank) => self.recover(rank).and_then(|()| self.walk(Direction::Forward)),
            Mark::Gap(rank) => self.seek(Find::AtLeast, rank),
            Mark::Nowhere => self.first(),
        }
    }

    /// Moves to the record before; from nowhere, to the last. Stays where it is if there is none.
    pub fn prev(&mut self) -> Result<Option<K::Record>, B::Error> {
        match self.mark {
            Mark::On => self.walk(Direction::Backward),
            Mark::Lost(rank) => self.recover(rank).and_then(|()| self.walk(Direction::Backward)),
            Mark::Gap(rank) => self.seek(Find::AtMost, rank),
            Mark::Nowhere => self.last(),
        }
    }

    /// Gives the position up, and all images of the path.
    pub fn forget(&mut self) {
        self.set_height(0);
        self.mark = Mark::Nowhere;
    }

    fn extreme(&mut self, aim: Aim<K::Rank>) -> Result<Option<K::Record>, B::Error> {
        let count = self.descend(aim, |leaf, _| Ok(leaf.count))?;
        self.mark = Mark::Nowhere;
        self.steps[0].index = aim.index(count);
        if count == 0 { Ok(None) } else { self.settle() }
    }

    /// Takes the path's record as the position.
    fn settle(&mut self) -> Result<Option<K::Record>, B::Error> {
        let (kind, index) = (self.kind, self.steps[0].index);
        self.mark = Mark::On;
        self.view(0, |leaf| kind.decode(leaf.record(index))).map(Some)
    }

    /// Makes the path lead to the record of `rank` again.
    pub(super) fn recover(&mut self, rank: K::Rank) -> Result<(), B::Error> {
        let (_, _, exact) = self.around(rank)?;
        if !exact {
            return Err(self.misplaced());
        }
        self.mark = Mark::On;
        Ok(())
    }

    /// The fault of a record that is not where its rank leads.
    pub(super) fn misplaced(&self) -> B::Error {
        let at = self.steps.first().and_then(|leaf| leaf.at);
        self.blocks.corrupt(at, disorder::<K>("a record is not where its rank leads", 0))
    }

    /// Makes the path lead to where a record of `rank` stands or would stand: its index, the leaf's
    /// count, and whether the record there has that rank.
    pub(super) fn around(&mut self, rank: K::Rank) -> Result<(usize, usize, bool), B::Error> {
        let (index, count, exact) = self.look_for(rank, |leaf, span| {
            let index = leaf.position(rank, span);
            Ok((index, leaf.count, index < leaf.count && leaf.rank(index) == rank))
        })?;
        self.steps[0].index = index;
        Ok((index, count, exact))
    }

    fn walk(&mut self, to: Direction) -> Result<Option<K::Record>, B::Error> {
        let (kind, index) = (self.kind, self.steps[0].index);
        let (rank, inside) = self.view(0, |leaf| {
            let rank = leaf.rank(index);
            let Some(next) = to.step(index, leaf.count) else { return Ok((rank, None)) };
            to.check::<K>(rank, leaf.rank(next), next)?;
            Ok((rank, Some((next, kind.decode(leaf.record(next))?))))
        })?;
        if let Some((next, record)) = inside {
            self.steps[0].index = next;
            self.mark = Mark::On;
            return Ok(Some(record));
        }
        if !self.advance_leaf(to)? {
            return Ok(None);
        }
        let index = self.steps[0].index;
        self.view(0, |leaf| to.check::<K>(rank, leaf.rank(index), index))?;
        self.settle()
    }

    /// Moves the path to the nearest record of the next leaf; `false`, and no move, at the end.
    fn advance_leaf(&mut self, to: Direction) -> Result<bool, B::Error> {
        for level in 1..self.height {
            let index = self.steps[level].index;
            let moved = self.view(level, |node| {
                let Some(new) = to.step(index, node.count) else { return Ok(None) };
                to.check::<K>(node.rank(index), node.rank(new), index)?;
                Ok(Some((new, Child::of(node, new))))
            })?;
            let Some((new, child)) = moved else { continue };
            self.steps[level].index = new;
            let count = self.below(level, child, to.nearest(), |leaf, _| match leaf.count {
                0 => Err(fault::<K>("bb_numrecs", 0)),
                count => Ok(count),
            })?;
            self.steps[0].index = to.nearest::<K::Rank>().index(count);
            return Ok(true);
        }
        Ok(false)
    }

    /// Makes the path lead to the leaf where a record of `rank` stands or would stand, and looks at
    /// that, knowing the ranks between which its own lie, if they are known.
    fn look_for<T>(
        &mut self,
        rank: K::Rank,
        look: impl Fn(&Node<'_, K>, Option<Span<K::Rank>>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        if self.height > 0 && matches!(self.mark, Mark::On | Mark::Gap(_)) {
            let seen = self.view(0, |leaf| {
                let span = (leaf.count > 0).then(|| (leaf.rank(0), leaf.rank(leaf.count - 1)));
                let inside = span.filter(|&(first, last)| first <= rank && rank <= last);
                inside.map(|_| look(leaf, span)).transpose()
            })?;
            if let Some(seen) = seen {
                return Ok(seen);
            }
        }
        self.descend(Aim::Rank(rank), look)
    }

    /// Makes the path lead from the root to a leaf, and looks at that. The index there is whatever
    /// it was, or 0.
    fn descend<T>(
        &mut self,
        aim: Aim<K::Rank>,
        look: impl Fn(&Node<'_, K>, Option<Span<K::Rank>>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        let top = self.start()?;
        if top == 0 {
            return self.view(0, |leaf| leaf.must_be_at(0).and_then(|()| look(leaf, None)));
        }
        let (index, child) = self.view(top, |root| {
            root.must_be_root_at(top)?;
            Ok(aim.choose(root))
        })?;
        self.steps[top].index = index;
        self.below(top, child, aim, look)
    }

    /// The same from `child` on, that of the entry that the path goes through on `level`.
    fn below<T>(
        &mut self,
        level: usize,
        mut child: Child<K::Rank>,
        aim: Aim<K::Rank>,
        look: impl Fn(&Node<'_, K>, Option<Span<K::Rank>>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        let height = self.height;
        for level in (1..level).rev() {
            self.arrive(level, Some(child.ptr));
            let (index, next) = self.view(level, |node| {
                child.accept(node, level, height)?;
                Ok(aim.choose(node))
            })?;
            self.steps[level].index = index;
            child = next;
        }
        self.arrive(0, Some(child.ptr));
        self.view(0, |leaf| {
            child.accept(leaf, 0, height)?;
            look(leaf, child.span())
        })
    }

    /// Starts the path at the root: the root's level.
    pub(super) fn enter_root(&mut self) -> Result<usize, B::Error> {
        let top = self.start()?;
        self.view(top, |root| root.must_be_root_at(top))?;
        Ok(top)
    }

    /// The same, not having looked at the root yet.
    fn start(&mut self) -> Result<usize, B::Error> {
        let (at, levels) = match self.blocks.root()? {
            Root::Block { ptr, levels } => (Some(ptr), Ok(levels)),
            Root::Fork(bytes) => {
                (None, Node::<K>::open(Home::Fork, bytes).map(|node| u32::from(node.level) + 1))
            }
        };
        let levels = levels.map_err(|fault| self.blocks.corrupt(at, fault))?;
        let fewest = if at.is_some() { 1 } else { 2 };
        if levels < fewest || levels > u32::from(MAX_LEVELS) {
            let fault = fault::<K>("level", levels.into());
            return Err(self.blocks.corrupt(None, fault));
        }
        self.set_height(levels as usize);
        let top = self.height - 1;
        self.arrive(top, at);
        Ok(top)
    }

    /// Gives the path so many levels.
    pub(super) fn set_height(&mut self, height: usize) {
        if height < self.height {
            self.steps[height..self.height].fill_with(Step::default);
        }
        self.height = height;
    }

    /// Lets the path pass through the node at `at`, keeping the image if it passed there before.
    fn arrive(&mut self, level: usize, at: Option<u64>) {
        let step = &mut self.steps[level];
        if step.at != at {
            *step = Step::at(at);
        }
    }

    /// Lets the path pass into the child of the entry that it goes through on `level`.
    pub(super) fn enter(&mut self, level: usize) -> Result<(), B::Error> {
        let (index, height) = (self.steps[level].index, self.height);
        let child = self.view(level, |node| Ok(Child::of(node, index)))?;
        let below = level - 1;
        self.arrive(below, Some(child.ptr));
        self.view(below, |node| child.accept(node, below, height))
    }

    /// Looks at the path's node on `level`.
    pub(super) fn view<T>(
        &mut self,
        level: usize,
        look: impl FnOnce(&Node<'_, K>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        let step = &mut self.steps[level];
        let Some(ptr) = step.at else { return self.view_fork(look) };
        if step.image.is_none() {
            step.image = Some(self.blocks.read(ptr)?);
        }
        let bytes = step.image.as_deref().unwrap_or_default();
        let seen = Node::open(Home::Block, bytes).and_then(|node| look(&node));
        seen.map_err(|fault| self.blocks.corrupt(Some(ptr), fault))
    }

    fn view_fork<T>(
        &mut self,
        look: impl FnOnce(&Node<'_, K>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        let seen = match self.blocks.root()? {
            Root::Fork(bytes) => Node::open(Home::Fork, bytes).and_then(|node| look(&node)),
            Root::Block { .. } => panic!("a fork's root does not become a block"),
        };
        seen.map_err(|fault| self.blocks.corrupt(None, fault))
    }

    /// Looks at block `ptr`, which need not be on the path.
    pub(super) fn view_block<T>(
        &mut self,
        ptr: u64,
        look: impl FnOnce(&Node<'_, K>) -> Result<T, Fault>,
    ) -> Result<T, B::Error> {
        let image = self.blocks.read(ptr)?;
        let seen = Node::open(Home::Block, &image).and_then(|node| look(&node));
        seen.map_err(|fault| self.blocks.corrupt(Some(ptr), fault))
    }

    /// The block of the path's node on `level`, whose image the path lets go.
    pub(super) fn let_go(&mut self, level: usize) -> u64 {
        let step = &mut self.steps[level];
        step.image = None;
        match step.at {
            Some(ptr) => ptr,
            None => panic!("a fork grows before it is full"),
        }
    }

    /// A copy of the fork's bytes.
    pub(super) fn copy_fork(&mut self) -> Result<Vec<u8>, B::Error> {
        match self.blocks.root()? {
            Root::Fork(bytes) => Ok(bytes.to_vec()),
            Root::Block { .. } => panic!("a fork's root does not become a block"),
        }
    }

    /// Changes the path's node on `level`.
    pub(super) fn edit<T>(
        &mut self,
        level: usize,
        change: impl FnOnce(&mut Edit<'_, K>) -> T,
    ) -> Result<T, B::Error> {
        self.steps[level].image = None;
        match self.steps[level].at {
            Some(ptr) => self.edit_block(ptr, change),
            None => {
                let changed = Edit::open(Home::Fork, self.blocks.stage_fork()?);
                let changed = changed.map(|mut edit| change(&mut edit));
                changed.map_err(|fault| self.blocks.corrupt(None, fault))
            }
        }
    }

    /// Changes block `ptr`, of which the path must hold no image.
    pub(super) fn edit_block<T>(
        &mut self,
        ptr: u64,
        change: impl FnOnce(&mut Edit<'_, K>) -> T,
    ) -> Result<T, B::Error> {
        let changed = Edit::open(Home::Block, self.blocks.stage(ptr)?);
        let changed = changed.map(|mut edit| change(&mut edit));
        changed.map_err(|fault| self.blocks.corrupt(Some(ptr), fault))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Backward,
}

impl Direction {
    fn step(self, index: usize, count: usize) -> Option<usize> {
        match self {
            Self::Forward => Some(index + 1).filter(|&next| next < count),
            Self::Backward => index.checked_sub(1),
        }
    }
    fn nearest<R>(self) -> Aim<R> {
        match self {
            Self::Forward => Aim::First,
            Self::Backward => Aim::Last,
        }
    }
    /// Ranks must rise on the way forward and fall on the way back.
    fn check<K: TreeKind>(self, from: K::Rank, to: K::Rank, index: usize) -> Result<(), Fault> {
        let rises = match self {
            Self::Forward => from < to,
            Self::Backward => to < from,
        };
        if rises { Ok(()) } else { Err(disorder::<K>("ranks must rise", index)) }
    }
}
