//! The index of attribute blocks: a leaf at da block 0, or a tree of nodes and leaves from there.
//!
//! ```text
//! 0: leaf             0: node --> 1: leaf <-> 2: leaf          the root never moves
//! ```
//!
//! A full leaf is divided into two, or into three where a long name comes between others; a full
//! node into two. What is divided stands at the root moves to new blocks first, below a new level.
//! A leaf that became small moves to a neighbour below the same node; an empty one goes. A root
//! with one child becomes that child.

use super::AttrFork;
use super::divide::divide;
use crate::da::ForkBlocks;
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::attr::leaf_edit::{self, Entry, EntryValue};
use untorn_format::attr::{Attr, Leaf};
use untorn_format::da::edit::{self, Child, Side};
use untorn_format::da::{DaBlock, Fit, MAX_LEVEL, Node, kind_of};
use untorn_format::{BlockKind, Fault};

const ROOT: DaBlock = DaBlock(0);
const WHAT: &str = "attribute index";

/// A node on the way down and the child that the way takes.
#[derive(Debug)]
struct Step {
    at: DaBlock,
    level: u16,
    children: Vec<Child>,
    index: usize,
}

/// The way from the root to a leaf.
#[derive(Debug)]
pub(super) struct Path {
    /// From the root down.
    steps: Vec<Step>,
    leaf: DaBlock,
}

/// Where an attribute stands.
#[derive(Debug)]
pub(super) struct Found {
    path: Path,
    /// In the leaf's order.
    index: usize,
    /// The attribute.
    pub entry: Entry,
}

/// Finds the first attribute under `hash` that `means` means.
pub(super) fn find<F: AttrFork>(
    fork: &mut F,
    hash: u32,
    means: impl Fn(&Attr<'_>) -> bool,
) -> Result<Option<Found>, F::Error> {
    let mut path = descend(fork, hash)?;
    let mut seen = HashSet::new();
    loop {
        if !seen.insert(path.leaf) {
            return Err(wrong(fork, path.leaf, "before", path.leaf.0.into()));
        }
        let image = leaf_image(fork, path.leaf)?;
        let at = Some(path.leaf);
        let leaf = Leaf::parse(&image).map_err(|fault| fork.corrupt(at, fault))?;
        let first = leaf.entries().partition_point(|entry| entry.hash.get() < hash);
        for (index, attr) in (first..).zip(leaf.matching(hash)) {
            let attr = attr.map_err(|fault| fork.corrupt(at, fault))?;
            if means(&attr) {
                let entry = Entry::of(hash, &attr);
                return Ok(Some(Found { path, index, entry }));
            }
        }
        let ends_below = leaf.entries().last().is_some_and(|last| last.hash.get() > hash);
        if ends_below || !step_right(fork, &mut path)? {
            return Ok(None);
        }
    }
}

/// The way to the first leaf that may hold `hash`, or to the last leaf.
fn descend<F: AttrFork>(fork: &mut F, hash: u32) -> Result<Path, F::Error> {
    let mut path = Path { steps: Vec::new(), leaf: ROOT };
    go_down(fork, &mut path, ROOT, |children| {
        children.partition_point(|child| child.hash < hash).min(children.len() - 1)
    })?;
    Ok(path)
}

/// Follows children from the block at `at` down to a leaf.
fn go_down<F: AttrFork>(
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
        if above.is_none() && kind_of(&image) == Some(BlockKind::AttrLeaf) {
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
fn step_right<F: AttrFork>(fork: &mut F, path: &mut Path) -> Result<bool, F::Error> {
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

fn read<F: AttrFork>(fork: &mut F, at: DaBlock, kind: BlockKind) -> Result<Arc<[u8]>, F::Error> {
    fork.read(at, kind)?.ok_or_else(|| wrong(fork, at, "before", at.0.into()))
}

/// The leaf at `at`, which may be the root.
fn leaf_image<F: AttrFork>(fork: &mut F, at: DaBlock) -> Result<Arc<[u8]>, F::Error> {
    read(fork, at, BlockKind::AttrLeaf)
}

fn wrong<F: ForkBlocks>(fork: &F, at: DaBlock, field: &'static str, value: u64) -> F::Error {
    fork.corrupt(Some(at), Fault::Field { what: WHAT, field, value })
}

/// Changes a block and gives its faults their place.
fn edit_block<F: AttrFork, R>(
    fork: &mut F,
    at: DaBlock,
    kind: BlockKind,
    change: impl FnOnce(&mut [u8]) -> Result<R, Fault>,
) -> Result<R, F::Error> {
    let changed = change(fork.stage(at, kind)?);
    changed.map_err(|fault| fork.corrupt(Some(at), fault))
}

/// Makes an empty leaf the root of a fork without blocks.
pub(super) fn plant<F: AttrFork>(fork: &mut F) -> Result<(), F::Error> {
    let at = fork.grow()?;
    if at != ROOT {
        return Err(wrong(fork, at, "root", at.0.into()));
    }
    make_leaf(fork, at, &[])
}

fn make_leaf<F: AttrFork>(fork: &mut F, at: DaBlock, entries: &[Entry]) -> Result<(), F::Error> {
    let (birth, bytes) = fork.create(at, BlockKind::AttrLeaf)?;
    leaf_edit::init(bytes, &birth);
    let filled = leaf_edit::fill(bytes, entries).map_err(|fault| fork.corrupt(Some(at), fault))?;
    assert!(filled == Fit::Done, "what is put into a new leaf fits it");
    Ok(())
}

fn make_node<F: AttrFork>(
    fork: &mut F,
    at: DaBlock,
    level: u16,
    children: &[Child],
) -> Result<(), F::Error> {
    let (birth, bytes) = fork.create(at, BlockKind::DaNode)?;
    edit::init_node(bytes, &birth, level, children);
    Ok(())
}

/// The attributes where the root is a leaf.
pub(super) fn only_leaf<F: AttrFork>(fork: &mut F) -> Result<Option<Vec<Entry>>, F::Error> {
    let image = read(fork, ROOT, BlockKind::DaNode)?;
    if kind_of(&image) != Some(BlockKind::AttrLeaf) {
        return Ok(None);
    }
    let entries = leaf_edit::entries(&image);
    entries.map(Some).map_err(|fault| fork.corrupt(Some(ROOT), fault))
}

/// Adds an attribute.
pub(crate) fn insert<F: AttrFork>(fork: &mut F, entry: &Entry) -> Result<(), F::Error> {
    let mut path = descend(fork, entry.hash)?;
    let leaf = path.leaf;
    let (fit, last) = edit_block(fork, leaf, BlockKind::AttrLeaf, |bytes| {
        let fit = leaf_edit::add(bytes, entry)?;
        Ok((fit, last_hash(bytes)?))
    })?;
    match fit {
        Fit::Done => renew_hash(fork, &mut path, last),
        Fit::NoRoom => split_leaf(fork, path, entry),
    }
}

fn last_hash(leaf: &[u8]) -> Result<u32, Fault> {
    Ok(Leaf::parse(leaf)?.entries().last().map_or(0, |entry| entry.hash.get()))
}

/// Tells the nodes above that the last hash below the path's last step is `hash` now.
fn renew_hash<F: AttrFork>(fork: &mut F, path: &mut Path, hash: u32) -> Result<(), F::Error> {
    let Some(step) = path.steps.last_mut() else { return Ok(()) };
    match step.children.get_mut(step.index) {
        Some(child) if child.hash != hash => child.hash = hash,
        _ => return Ok(()),
    }
    store_children(fork, path)
}

/// Writes the children of the path's last step, dividing the node where they are too many.
fn store_children<F: AttrFork>(fork: &mut F, path: &mut Path) -> Result<(), F::Error> {
    let Some(step) = path.steps.pop() else { return Ok(()) };
    let Step { at, level, children, .. } = step;
    let capacity = edit::node_capacity(fork.geometry().block_size());
    if children.len() > capacity {
        let (left, right) = children.split_at(children.len() / 2);
        let pieces = [left.to_vec(), right.to_vec()];
        return split_node(fork, path, (at, level), &pieces);
    }
    edit_block(fork, at, BlockKind::DaNode, |bytes| edit::fill_node(bytes, &children))?;
    renew_hash(fork, path, children.last().map_or(0, |child| child.hash))
}

fn split_node<F: AttrFork>(
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
        return make_node(fork, ROOT, level + 1, &[told(left, new), told(right, other)]);
    }
    edit_block(fork, at, kind, |bytes| edit::fill_node(bytes, left))?;
    make_node(fork, new, level, right)?;
    link_behind(fork, kind, at, new)?;
    replace_child(fork, path, &[told(left, at), told(right, new)])
}

/// Puts `told` where the path's last step has the child that it goes through.
fn replace_child<F: AttrFork>(
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
fn link<F: AttrFork>(
    fork: &mut F,
    kind: BlockKind,
    left: DaBlock,
    right: DaBlock,
) -> Result<(), F::Error> {
    edit_block(fork, left, kind, |b| edit::set_neighbour(b, Side::Right, Some(right)))?;
    edit_block(fork, right, kind, |b| edit::set_neighbour(b, Side::Left, Some(left)))
}

/// Puts the new block `new` behind `at`, before what followed it.
fn link_behind<F: AttrFork>(
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
fn neighbour<F: AttrFork>(
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

/// Divides the path's leaf, which is full, with `entry` put in.
fn split_leaf<F: AttrFork>(fork: &mut F, mut path: Path, entry: &Entry) -> Result<(), F::Error> {
    let (at, kind) = (path.leaf, BlockKind::AttrLeaf);
    let image = leaf_image(fork, at)?;
    let mut entries = leaf_edit::entries(&image).map_err(|fault| fork.corrupt(Some(at), fault))?;
    entries.insert(entries.partition_point(|other| other.hash <= entry.hash), entry.clone());
    let pieces = divide(entries, leaf_edit::room(image.len()));
    let mut blocks = Vec::with_capacity(pieces.len());
    for (index, piece) in pieces.iter().enumerate() {
        if index == 0 && !path.steps.is_empty() {
            let fit = edit_block(fork, at, kind, |bytes| leaf_edit::fill(bytes, piece))?;
            assert!(fit == Fit::Done, "a piece of a leaf fits it");
            blocks.push(at);
            continue;
        }
        let new = fork.grow()?;
        make_leaf(fork, new, piece)?;
        if let Some(&before) = blocks.last() {
            link_behind(fork, kind, before, new)?;
        }
        blocks.push(new);
    }
    let hash = |piece: &Vec<Entry>| piece.last().map_or(0, |entry| entry.hash);
    let told: Vec<Child> = pieces
        .iter()
        .zip(blocks)
        .map(|(piece, block)| Child { hash: hash(piece), block })
        .collect();
    match path.steps.is_empty() {
        true => make_node(fork, ROOT, 1, &told),
        false => replace_child(fork, &mut path, &told),
    }
}

/// Removes the attribute that was found.
pub(super) fn remove<F: AttrFork>(fork: &mut F, found: Found) -> Result<(), F::Error> {
    let Found { mut path, index, .. } = found;
    let (leaf, kind) = (path.leaf, BlockKind::AttrLeaf);
    let left = edit_block(fork, leaf, kind, |bytes| {
        leaf_edit::remove(bytes, index)?;
        leaf_edit::entries(bytes)
    })?;
    if path.steps.is_empty() {
        return Ok(());
    }
    match left.last() {
        None => drop_child(fork, &mut path, leaf, kind)?,
        Some(last) => {
            let small = small(&left, fork.geometry().block_size());
            if !small || !merge_leaf(fork, &mut path, &left)? {
                renew_hash(fork, &mut path, last.hash)?;
            }
        }
    }
    collapse(fork)
}

fn size(entries: &[Entry]) -> usize {
    entries.iter().map(Entry::size).sum()
}

/// Whether a leaf is so small that a neighbour should take it.
fn small(entries: &[Entry], block_size: usize) -> bool {
    size(entries) < block_size * 3 / 8
}

/// Takes a block out of the index: from between its neighbours, from the node above, and that node
/// too where it was its last child.
fn drop_child<F: AttrFork>(
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
        true => make_leaf(fork, ROOT, &[]),
        false => drop_child(fork, path, above, BlockKind::DaNode),
    }
}

/// Moves the attributes of the path's leaf to a neighbour below the same node that has room for
/// them and some more; whether one had.
fn merge_leaf<F: AttrFork>(
    fork: &mut F,
    path: &mut Path,
    entries: &[Entry],
) -> Result<bool, F::Error> {
    let Some(step) = path.steps.last() else { return Ok(false) };
    let at = path.leaf;
    let most = fork.geometry().block_size() * 3 / 4;
    let child = |index: usize| step.children.get(index).map(|child| (index, child.block));
    let sides = [step.index.checked_sub(1).and_then(child), child(step.index + 1)];
    for (index, other) in sides.into_iter().flatten().filter(|&(_, other)| other != at) {
        let image = leaf_image(fork, other)?;
        let theirs =
            leaf_edit::entries(&image).map_err(|fault| fork.corrupt(Some(other), fault))?;
        if size(&theirs) + size(entries) > most {
            continue;
        }
        let here = path.steps.last().map_or(0, |step| step.index);
        let (first, second) =
            if index < here { (theirs.as_slice(), entries) } else { (entries, theirs.as_slice()) };
        let all = [first, second].concat();
        let last = all.last().map_or(0, |entry| entry.hash);
        edit_block(fork, other, BlockKind::AttrLeaf, |bytes| leaf_edit::fill(bytes, &all))?;
        if let Some(child) = path.steps.last_mut().and_then(|step| step.children.get_mut(index)) {
            child.hash = last;
        }
        drop_child(fork, path, at, BlockKind::AttrLeaf)?;
        return Ok(true);
    }
    Ok(false)
}

/// Makes the root what its only child is, as long as it has but one.
fn collapse<F: AttrFork>(fork: &mut F) -> Result<(), F::Error> {
    loop {
        let image = read(fork, ROOT, BlockKind::DaNode)?;
        if kind_of(&image) != Some(BlockKind::DaNode) {
            return Ok(());
        }
        let root = Node::parse(&image).map_err(|fault| fork.corrupt(Some(ROOT), fault))?;
        let [only] = root.entries() else { return Ok(()) };
        let (child, level) = (only.child(), root.level());
        if level == 1 {
            let image = leaf_image(fork, child)?;
            let entries = leaf_edit::entries(&image);
            let entries = entries.map_err(|fault| fork.corrupt(Some(child), fault))?;
            fork.free(child, 1)?;
            return make_leaf(fork, ROOT, &entries);
        }
        let image = read(fork, child, BlockKind::DaNode)?;
        let children = edit::children(&image).map_err(|fault| fork.corrupt(Some(child), fault))?;
        fork.free(child, 1)?;
        make_node(fork, ROOT, level - 1, &children)?;
    }
}

/// A block of the index and the values that its attributes have in blocks of their own.
pub(super) struct Visited {
    /// The block.
    pub block: DaBlock,
    /// First block and length in bytes of each.
    pub values: Vec<(DaBlock, usize)>,
}

/// Every block of the index.
pub(super) fn blocks<F: AttrFork>(fork: &mut F) -> Result<Vec<Visited>, F::Error> {
    let mut path = descend(fork, 0)?;
    let mut found: Vec<Visited> = Vec::new();
    let mut seen = HashSet::new();
    loop {
        let nodes = path.steps.iter().map(|step| step.at);
        let new: Vec<_> = nodes.filter(|&at| seen.insert(at)).collect();
        found.extend(new.into_iter().map(|block| Visited { block, values: Vec::new() }));
        if !seen.insert(path.leaf) {
            return Err(wrong(fork, path.leaf, "before", path.leaf.0.into()));
        }
        let image = leaf_image(fork, path.leaf)?;
        let entries = leaf_edit::entries(&image);
        let entries = entries.map_err(|fault| fork.corrupt(Some(path.leaf), fault))?;
        let values = entries.iter().filter_map(|entry| match entry.value {
            EntryValue::Remote { block, length } => Some((block, length)),
            EntryValue::Local(_) => None,
        });
        found.push(Visited { block: path.leaf, values: values.collect() });
        if !step_right(fork, &mut path)? {
            return Ok(found);
        }
    }
}
