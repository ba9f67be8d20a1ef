//! The tree above the leaves of a hashed index: the way down, dividing and dropping nodes.
//!
//! Leaves are their owners' (attributes, directories): here they are blocks with neighbours and a
//! last hash. The root never moves: what is divided there moves to new blocks first, below a new
//! level.

use super::ForkBlocks;
use std::sync::Arc;
use untorn_format::da::edit::{self, Child, Side};
use untorn_format::da::{Birth, DaBlock, MAX_LEVEL, Node, kind_of};
use untorn_format::{BlockKind, Fault};

const WHAT: &str = "hashed index";

/// A fork with a hashed index inside a transaction that holds its owner lock.
pub trait IndexFork: ForkBlocks {
    /// Where the index begins.
    fn root(&self) -> DaBlock;
    /// What its leaves are.
    fn leaf_kind(&self) -> BlockKind;
    /// Bytes of a block of the index.
    fn index_block_size(&self) -> usize;
    /// Maps a block at the first place of the index that is free.
    fn grow(&mut self) -> Result<DaBlock, Self::Error>;
    /// A mapped block, to become another of `kind` from its first byte on, and what it must say of
    /// itself.
    fn create(&mut self, at: DaBlock, kind: BlockKind) -> Result<(Birth, &mut [u8]), Self::Error>;
    /// A private copy of a block, verified as `kind`, to be changed.
    fn stage(&mut self, at: DaBlock, kind: BlockKind) -> Result<&mut [u8], Self::Error>;
    /// Unmaps and frees `count` blocks from `at` on, all of which must be mapped.
    fn free(&mut self, at: DaBlock, count: u32) -> Result<(), Self::Error>;
    /// Makes the root a leaf with nothing in it.
    fn make_empty_leaf(&mut self) -> Result<(), Self::Error>;
    /// The error for a tree that would need more levels than there may be.
    fn too_high(&self) -> Self::Error;
}

/// A node on the way down and the child that the way takes.
#[derive(Debug)]
pub(crate) struct Step {
    pub at: DaBlock,
    pub level: u16,
    pub children: Vec<Child>,
    pub index: usize,
}

/// The way from the root to a leaf.
#[derive(Debug)]
pub(crate) struct Path {
    /// From the root down.
    pub steps: Vec<Step>,
    pub leaf: DaBlock,
}

/// The way to the first leaf that may hold `hash`, or to the last leaf.
pub(crate) fn descend<F: IndexFork>(fork: &mut F, hash: u32) -> Result<Path, F::Error> {
    let mut path = Path { steps: Vec::new(), leaf: fork.root() };
    let root = fork.root();
    go_down(fork, &mut path, root, |children| {
        children.partition_point(|child| child.hash < hash).min(children.len() - 1)
    })?;
    Ok(path)
}

/// Follows children from the block at `at` down to a leaf.
pub(crate) fn go_down<F: IndexFork>(
    fork: &mut F,
    path: &mut Path,
    mut at: DaBlock,
    choose: impl Fn(&[Child]) -> usize,
) -> Result<(), F::Error> {
    loop {
        let above = path.steps.last().map(|step| step.level);
        if above == Some(1) {
            path.leaf = at;
            return Ok(());
        }
        let image = read(fork, at, BlockKind::DaNode)?;
        if above.is_none() && kind_of(&image) == Some(fork.leaf_kind()) {
            path.leaf = at;
            return Ok(());
        }
        let parsed =
            Node::parse(&image).and_then(|node| Ok((node.level(), edit::children(&image)?)));
        let (level, children) = parsed.map_err(|fault| fork.corrupt(Some(at), fault))?;
        if above.is_some_and(|above| level + 1 != above) {
            return Err(wrong(fork, at, "level", level.into()));
        }
        let index = choose(&children);
        let next = children.get(index).map(|child| child.block);
        path.steps.push(Step { at, level, children, index });
        at = next.ok_or_else(|| wrong(fork, at, "count", 0))?;
    }
}

/// Moves the path on to the next leaf; whether there is one.
pub(crate) fn step_right<F: IndexFork>(fork: &mut F, path: &mut Path) -> Result<bool, F::Error> {
    let more = path.steps.iter().rposition(|step| step.index + 1 < step.children.len());
    let Some(depth) = more else { return Ok(false) };
    path.steps.truncate(depth + 1);
    let Some(step) = path.steps.last_mut() else { return Ok(false) };
    step.index += 1;
    let Some(child) = step.children.get(step.index).map(|child| child.block) else {
        return Ok(false);
    };
    go_down(fork, path, child, |_| 0)?;
    Ok(true)
}

pub(crate) fn read<F: IndexFork>(
    fork: &mut F,
    at: DaBlock,
    kind: BlockKind,
) -> Result<Arc<[u8]>, F::Error> {
    fork.read(at, kind)?.ok_or_else(|| wrong(fork, at, "before", at.0.into()))
}

pub(crate) fn wrong<F: IndexFork>(
    fork: &F,
    at: DaBlock,
    field: &'static str,
    value: u64,
) -> F::Error {
    fork.corrupt(Some(at), Fault::Field { what: WHAT, field, value })
}

/// Changes a block and gives its faults their place.
pub(crate) fn edit_block<F: IndexFork, R>(
    fork: &mut F,
    at: DaBlock,
    kind: BlockKind,
    change: impl FnOnce(&mut [u8]) -> Result<R, Fault>,
) -> Result<R, F::Error> {
    let changed = change(fork.stage(at, kind)?);
    changed.map_err(|fault| fork.corrupt(Some(at), fault))
}

pub(crate) fn make_node<F: IndexFork>(
    fork: &mut F,
    at: DaBlock,
    level: u16,
    children: &[Child],
) -> Result<(), F::Error> {
    let (birth, bytes) = fork.create(at, BlockKind::DaNode)?;
    edit::init_node(bytes, &birth, level, children);
    Ok(())
}

/// Tells the nodes above that the last hash below the path's last step is `hash` now.
pub(crate) fn renew_hash<F: IndexFork>(
    fork: &mut F,
    path: &mut Path,
    hash: u32,
) -> Result<(), F::Error> {
    let Some(step) = path.steps.last_mut() else { return Ok(()) };
    match step.children.get_mut(step.index) {
        Some(child) if child.hash != hash => child.hash = hash,
        _ => return Ok(()),
    }
    store_children(fork, path)
}

/// Writes the children of the path's last step, dividing the node where they are too many.
pub(crate) fn store_children<F: IndexFork>(fork: &mut F, path: &mut Path) -> Result<(), F::Error> {
    let Some(step) = path.steps.pop() else { return Ok(()) };
    let Step { at, level, children, .. } = step;
    let capacity = edit::node_capacity(fork.index_block_size());
    if children.len() > capacity {
        let (left, right) = children.split_at(children.len() / 2);
        let pieces = [left.to_vec(), right.to_vec()];
        return split_node(fork, path, (at, level), &pieces);
    }
    edit_block(fork, at, BlockKind::DaNode, |bytes| edit::fill_node(bytes, &children))?;
    renew_hash(fork, path, children.last().map_or(0, |child| child.hash))
}

pub(crate) fn split_node<F: IndexFork>(
    fork: &mut F,
    path: &mut Path,
    (at, level): (DaBlock, u16),
    pieces: &[Vec<Child>; 2],
) -> Result<(), F::Error> {
    let told = |piece: &Vec<Child>, block| Child {
        hash: piece.last().map_or(0, |child| child.hash),
        block,
    };
    let [left, right] = pieces;
    let (kind, new) = (BlockKind::DaNode, fork.grow()?);
    if path.steps.is_empty() {
        if level == MAX_LEVEL {
            return Err(fork.too_high());
        }
        let other = fork.grow()?;
        make_node(fork, new, level, left)?;
        make_node(fork, other, level, right)?;
        link(fork, kind, new, other)?;
        let root = fork.root();
        return make_node(fork, root, level + 1, &[told(left, new), told(right, other)]);
    }
    edit_block(fork, at, kind, |bytes| edit::fill_node(bytes, left))?;
    make_node(fork, new, level, right)?;
    link_behind(fork, kind, at, new)?;
    replace_child(fork, path, &[told(left, at), told(right, new)])
}

/// Puts `told` where the path's last step has the child that it goes through.
pub(crate) fn replace_child<F: IndexFork>(
    fork: &mut F,
    path: &mut Path,
    told: &[Child],
) -> Result<(), F::Error> {
    if let Some(step) = path.steps.last_mut() {
        step.children.splice(step.index..=step.index, told.iter().copied());
    }
    store_children(fork, path)
}

/// Makes `left` and `right` neighbours.
pub(crate) fn link<F: IndexFork>(
    fork: &mut F,
    kind: BlockKind,
    left: DaBlock,
    right: DaBlock,
) -> Result<(), F::Error> {
    edit_block(fork, left, kind, |b| edit::set_neighbour(b, Side::Right, Some(right)))?;
    edit_block(fork, right, kind, |b| edit::set_neighbour(b, Side::Left, Some(left)))
}

/// Puts the new block `new` behind `at`, before what followed it.
pub(crate) fn link_behind<F: IndexFork>(
    fork: &mut F,
    kind: BlockKind,
    at: DaBlock,
    new: DaBlock,
) -> Result<(), F::Error> {
    let next = neighbour(fork, kind, at, Side::Right)?;
    link(fork, kind, at, new)?;
    match next {
        Some(next) => link(fork, kind, new, next),
        None => Ok(()),
    }
}

/// The neighbour of a block, which must name the block in turn.
pub(crate) fn neighbour<F: IndexFork>(
    fork: &mut F,
    kind: BlockKind,
    at: DaBlock,
    side: Side,
) -> Result<Option<DaBlock>, F::Error> {
    let (field, back) = match side {
        Side::Left => ("back", Side::Right),
        Side::Right => ("forw", Side::Left),
    };
    let named = |fork: &mut F, at, side| {
        let image = read(fork, at, kind)?;
        edit::neighbour(&image, side).map_err(|fault| fork.corrupt(Some(at), fault))
    };
    let Some(other) = named(fork, at, side)? else { return Ok(None) };
    match named(fork, other, back)? == Some(at) && other != at {
        true => Ok(Some(other)),
        false => Err(wrong(fork, at, field, other.0.into())),
    }
}

/// Takes a block out of the index: from between its neighbours, from the node above, and that node
/// too where it was its last child.
pub(crate) fn drop_child<F: IndexFork>(
    fork: &mut F,
    path: &mut Path,
    at: DaBlock,
    kind: BlockKind,
) -> Result<(), F::Error> {
    let left = neighbour(fork, kind, at, Side::Left)?;
    let right = neighbour(fork, kind, at, Side::Right)?;
    if let Some(left) = left {
        edit_block(fork, left, kind, |b| edit::set_neighbour(b, Side::Right, right))?;
    }
    if let Some(right) = right {
        edit_block(fork, right, kind, |b| edit::set_neighbour(b, Side::Left, left))?;
    }
    fork.free(at, 1)?;
    let Some(step) = path.steps.last_mut() else { return Ok(()) };
    step.children.remove(step.index);
    if !step.children.is_empty() {
        return store_children(fork, path);
    }
    let above = step.at;
    path.steps.pop();
    match path.steps.is_empty() {
        true => fork.make_empty_leaf(),
        false => drop_child(fork, path, above, BlockKind::DaNode),
    }
}
