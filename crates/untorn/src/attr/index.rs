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
use crate::da::index::{
    Path, descend, drop_child, edit_block, link_behind, make_node, read, renew_hash, replace_child,
    step_right, wrong,
};
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::BlockKind;
use untorn_format::Fault;
use untorn_format::attr::leaf_edit::{self, Entry, EntryValue};
use untorn_format::attr::{Attr, Leaf};
use untorn_format::da::edit::{self, Child};
use untorn_format::da::{DaBlock, Fit, Node, kind_of};

const ROOT: DaBlock = DaBlock(0);

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

/// The leaf at `at`, which may be the root.
fn leaf_image<F: AttrFork>(fork: &mut F, at: DaBlock) -> Result<Arc<[u8]>, F::Error> {
    read(fork, at, BlockKind::AttrLeaf)
}

/// Makes the root a leaf with nothing in it.
pub(crate) fn make_empty_leaf<F: AttrFork>(fork: &mut F) -> Result<(), F::Error> {
    make_leaf(fork, ROOT, &[])
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
