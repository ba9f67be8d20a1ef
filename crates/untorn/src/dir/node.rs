//! Node form: data blocks, a tree of hashed leaves, the free index.
//!
//! ```text
//! add      free index -> data block with room, or a new one -> entry -> leaf for its hash
//! remove   leaf for the hash -> entry -> data block, freed when empty -> free index
//! ```

use super::DirFork;
use super::data::{self, Failure, at, wrong_at};
use super::single::Single;
use crate::da::index::{
    Path, descend, drop_child, edit_block, link_behind, make_node, read, renew_hash, replace_child,
    step_right, wrong,
};
use crate::da::{ForkBlocks, IndexFork};
use std::collections::HashSet;
use untorn_format::da::edit::{self, Child};
use untorn_format::da::{DaBlock, Node, hash_name, kind_of};
use untorn_format::dir::leaf::{NO_BLOCK, Role};
use untorn_format::dir::{
    DataPtr, DirBlock, FileType, Free, Leaf, LeafEntry, NewEntry, Space, entry_size, free_edit,
    leaf_edit,
};
use untorn_format::{BlockKind, Ino};

/// The data fork of a directory with an index inside a transaction that holds its owner lock.
pub trait NodeFork: DirFork + IndexFork<Error = <Self as DirFork>::Error> {
    /// Maps a directory block at `at`, where none is.
    fn map_block(&mut self, at: DaBlock) -> Result<(), <Self as DirFork>::Error>;
    /// The size in bytes that the inode says.
    fn size(&self) -> Result<u64, <Self as DirFork>::Error>;
    /// Sets it.
    fn set_size(&mut self, bytes: u64) -> Result<(), <Self as DirFork>::Error>;
}

/// Where an entry stands, in the index and in the data.
struct Place {
    path: Path,
    /// Index in the leaf, stale entries counted.
    index: usize,
    ptr: DataPtr,
}

/// Makes node form of leaf form: what is the single leaf becomes one below a node that is to come.
pub(super) fn from_single<F: NodeFork>(fork: &mut F, single: &Single) -> Result<(), Failure<F>> {
    let root = fork.root();
    make_leaf(fork, root, &single.entries)?;
    make_free(fork, DirBlock(0), &single.bests)
}

/// Index and free index, where both are one block and fit a single leaf.
pub(super) fn as_single<F: NodeFork>(fork: &mut F) -> Result<Option<Single>, Failure<F>> {
    let (root, free) = (fork.root(), at(fork, Space::Free, DirBlock(0))?);
    let image = read(fork, root, BlockKind::DaNode)?;
    let behind = next_block(fork, free)?;
    if kind_of(&image) != Some(BlockKind::DirLeafN)
        || ForkBlocks::next_mapped(fork, behind)?.is_some()
    {
        return Ok(None);
    }
    let entries = leaf_edit::entries(&image).map_err(|fault| wrong_at(fork, root, fault))?;
    let image = read(fork, free, BlockKind::DirFree)?;
    let parsed = Free::parse(&image).map_err(|fault| wrong_at(fork, free, fault))?;
    let mut bests: Vec<u16> = parsed.bests().collect();
    let used = bests.iter().rposition(|&best| best != NO_BLOCK).map_or(0, |last| last + 1);
    bests.truncate(used);
    let fits = leaf_edit::fits_single(fork.index_block_size(), entries.len(), bests.len());
    Ok(fits.then_some(Single { entries, bests }))
}

fn make_leaf<F: NodeFork>(
    fork: &mut F,
    at: DaBlock,
    entries: &[LeafEntry],
) -> Result<(), Failure<F>> {
    let (birth, bytes) = IndexFork::create(fork, at, BlockKind::DirLeafN)?;
    leaf_edit::init(bytes, &birth, entries);
    Ok(())
}

fn make_free<F: NodeFork>(fork: &mut F, block: DirBlock, bests: &[u16]) -> Result<(), Failure<F>> {
    let place = at(fork, Space::Free, block)?;
    fork.map_block(place)?;
    let per_block = untorn_format::dir::free::capacity(fork.index_block_size()) as u32;
    let (birth, bytes) = IndexFork::create(fork, place, BlockKind::DirFree)?;
    free_edit::init(bytes, &birth, DirBlock(block.0 * per_block), bests);
    Ok(())
}

/// Adds an entry.
pub(super) fn add<F: NodeFork>(fork: &mut F, new: &NewEntry<'_>) -> Result<(), Failure<F>> {
    let block = block_with_room(fork, entry_size(new.name.len()))?;
    let (ptr, best) = data::put(fork, block, new)?;
    set_best(fork, block, Some(best))?;
    insert(fork, LeafEntry::new(hash_name(new.name), ptr))
}

/// A data block with a free region of `size` bytes, new if need be.
fn block_with_room<F: NodeFork>(fork: &mut F, size: usize) -> Result<DirBlock, Failure<F>> {
    let fits = |best: u16| best != NO_BLOCK && usize::from(best) >= size;
    let last = (fork.size()? / fork.index_block_size() as u64).checked_sub(1);
    if let Some(last) = last.and_then(|last| u32::try_from(last).ok())
        && best_of(fork, DirBlock(last))?.is_some_and(fits)
    {
        return Ok(DirBlock(last));
    }
    let mut hole = None;
    let mut from = at(fork, Space::Free, DirBlock(0))?;
    while let Some(place) = ForkBlocks::next_mapped(fork, from)? {
        let image = read(fork, place, BlockKind::DirFree)?;
        let free = Free::parse(&image).map_err(|fault| wrong_at(fork, place, fault))?;
        for (index, best) in (0..).zip(free.bests()) {
            let block = DirBlock(free.first().0.saturating_add(index));
            if fits(best) {
                return Ok(block);
            }
            if best == NO_BLOCK && hole.is_none() {
                hole = Some(block);
            }
        }
        from = next_block(fork, place)?;
    }
    let behind = last.map_or(0, |last| last + 1);
    let behind = u32::try_from(behind).map_err(|_| fork.too_high())?;
    let block = hole.unwrap_or(DirBlock(behind));
    let best = data::make(fork, block)?;
    set_best(fork, block, Some(best))?;
    Ok(block)
}

fn next_block<F: NodeFork>(fork: &F, at: DaBlock) -> Result<DaBlock, Failure<F>> {
    let span = 1u32 << DirFork::geometry(fork).dir_block_log;
    at.0.checked_add(span).map(DaBlock).ok_or_else(|| fork.too_high())
}

/// The block of the free index that covers data block `block`, if there is one.
fn free_block<F: NodeFork>(
    fork: &mut F,
    block: DirBlock,
) -> Result<(DirBlock, usize, Option<DaBlock>), Failure<F>> {
    let (free, index) = DirFork::geometry(fork).dir_free_place(block);
    let place = at(fork, Space::Free, free)?;
    let mapped = ForkBlocks::next_mapped(fork, place)? == Some(place);
    Ok((free, index, mapped.then_some(place)))
}

fn best_of<F: NodeFork>(fork: &mut F, block: DirBlock) -> Result<Option<u16>, Failure<F>> {
    let (_, index, Some(place)) = free_block(fork, block)? else { return Ok(None) };
    let image = read(fork, place, BlockKind::DirFree)?;
    let free = Free::parse(&image).map_err(|fault| wrong_at(fork, place, fault))?;
    Ok(free.best(index))
}

/// Tells the free index of data block `block`; `None`: it is gone.
fn set_best<F: NodeFork>(
    fork: &mut F,
    block: DirBlock,
    best: Option<u16>,
) -> Result<(), Failure<F>> {
    let (free, index, place) = free_block(fork, block)?;
    let Some(place) = place else {
        let bests = vec![NO_BLOCK; index].into_iter().chain(best).collect::<Vec<_>>();
        return make_free(fork, free, &bests);
    };
    let covers =
        edit_block(fork, place, BlockKind::DirFree, |bytes| free_edit::set(bytes, index, best))?;
    if covers { Ok(()) } else { fork.free(place, 1) }
}

/// Puts `entry` into the leaf for its hash.
fn insert<F: NodeFork>(fork: &mut F, entry: LeafEntry) -> Result<(), Failure<F>> {
    let mut path = descend(fork, entry.hash())?;
    let leaf = path.leaf;
    let now = edit_block(fork, leaf, BlockKind::DirLeafN, |bytes| leaf_edit::insert(bytes, entry))?;
    if let Some(now) = now {
        return renew_hash(fork, &mut path, now.last);
    }
    let mut entries = leaf_entries(fork, leaf)?;
    entries.insert(entries.partition_point(|other| other.hash() <= entry.hash()), entry);
    split(fork, path, &entries)
}

fn last_hash(entries: &[LeafEntry]) -> u32 {
    entries.last().map_or(0, LeafEntry::hash)
}

fn leaf_entries<F: NodeFork>(fork: &mut F, at: DaBlock) -> Result<Vec<LeafEntry>, Failure<F>> {
    let image = read(fork, at, BlockKind::DirLeafN)?;
    leaf_edit::entries(&image).map_err(|fault| wrong_at(fork, at, fault))
}

/// Divides the path's leaf, which would have `entries`, into two.
fn split<F: NodeFork>(
    fork: &mut F,
    mut path: Path,
    entries: &[LeafEntry],
) -> Result<(), Failure<F>> {
    let (kind, old) = (BlockKind::DirLeafN, path.leaf);
    // What is added in order of hash leaves full leaves behind as little as what is not.
    let (left, right) = entries.split_at(entries.len() / 2);
    let told = |entries: &[LeafEntry], block| Child { hash: last_hash(entries), block };
    let first = if path.steps.is_empty() { IndexFork::grow(fork)? } else { old };
    match path.steps.is_empty() {
        true => make_leaf(fork, first, left)?,
        false => edit_block(fork, first, kind, |bytes| leaf_edit::fill(bytes, left))?,
    }
    let second = IndexFork::grow(fork)?;
    make_leaf(fork, second, right)?;
    link_behind(fork, kind, first, second)?;
    let told = [told(left, first), told(right, second)];
    match path.steps.is_empty() {
        true => make_node(fork, old, 1, &told),
        false => replace_child(fork, &mut path, &told),
    }
}

/// Where the entry `name` stands.
fn find<F: NodeFork>(fork: &mut F, name: &[u8]) -> Result<Option<Place>, Failure<F>> {
    let hash = hash_name(name);
    let mut path = descend(fork, hash)?;
    let mut seen = HashSet::new();
    loop {
        if !seen.insert(path.leaf) {
            return Err(wrong(fork, path.leaf, "before", path.leaf.0.into()));
        }
        let image = read(fork, path.leaf, BlockKind::DirLeafN)?;
        let leaf = Leaf::parse(Role::BelowNode, &image);
        let leaf = leaf.map_err(|fault| wrong_at(fork, path.leaf, fault))?;
        for (index, ptr) in leaf.places(hash) {
            if data::is_named(fork, ptr, name)? {
                return Ok(Some(Place { path, index, ptr }));
            }
        }
        if leaf.entries().last().is_some_and(|last| last.hash() > hash) {
            return Ok(None);
        }
        if !step_right(fork, &mut path)? {
            return Ok(None);
        }
    }
}

/// Removes the entry `name` and says what it named.
pub(super) fn remove<F: NodeFork>(fork: &mut F, name: &[u8]) -> Result<Option<Ino>, Failure<F>> {
    let Some(found) = find(fork, name)? else { return Ok(None) };
    let taken = data::take(fork, found.ptr)?;
    set_best(fork, taken.block, taken.best)?;
    remove_from_leaf(fork, found)?;
    Ok(Some(taken.ino))
}

fn remove_from_leaf<F: NodeFork>(fork: &mut F, found: Place) -> Result<(), Failure<F>> {
    let Place { mut path, index, .. } = found;
    let (leaf, kind) = (path.leaf, BlockKind::DirLeafN);
    let now = edit_block(fork, leaf, kind, |bytes| leaf_edit::remove(bytes, index))?;
    if path.steps.is_empty() {
        return Ok(());
    }
    if now.live == 0 {
        drop_child(fork, &mut path, leaf, kind)?;
        return collapse(fork);
    }
    let small = now.live < leaf_edit::capacity(fork.index_block_size()) * 3 / 8;
    if !small || !merge(fork, &mut path)? {
        return renew_hash(fork, &mut path, now.last);
    }
    collapse(fork)
}

/// Moves the entries of the path's leaf to a neighbour below the same node that has room for them
/// and some more; whether one had.
fn merge<F: NodeFork>(fork: &mut F, path: &mut Path) -> Result<bool, Failure<F>> {
    let Some(step) = path.steps.last() else { return Ok(false) };
    let (at, here) = (path.leaf, step.index);
    let most = leaf_edit::capacity(fork.index_block_size()) * 3 / 4;
    let child = |index: usize| step.children.get(index).map(|child| (index, child.block));
    let entries = leaf_entries(fork, at)?;
    let sides = [here.checked_sub(1).and_then(child), child(here + 1)];
    for (index, other) in sides.into_iter().flatten().filter(|&(_, other)| other != at) {
        let theirs = leaf_entries(fork, other)?;
        if theirs.len() + entries.len() > most {
            continue;
        }
        let all = match index < here {
            true => [theirs.as_slice(), &entries].concat(),
            false => [entries.as_slice(), &theirs].concat(),
        };
        edit_block(fork, other, BlockKind::DirLeafN, |bytes| leaf_edit::fill(bytes, &all))?;
        if let Some(child) = path.steps.last_mut().and_then(|step| step.children.get_mut(index)) {
            child.hash = last_hash(&all);
        }
        drop_child(fork, path, at, BlockKind::DirLeafN)?;
        return Ok(true);
    }
    Ok(false)
}

/// Makes the root what its only child is, as long as it has but one.
fn collapse<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    let root_at = fork.root();
    loop {
        let image = read(fork, root_at, BlockKind::DaNode)?;
        if kind_of(&image) != Some(BlockKind::DaNode) {
            return Ok(());
        }
        let root = Node::parse(&image).map_err(|fault| wrong_at(fork, root_at, fault))?;
        let [only] = root.entries() else { return Ok(()) };
        let (child, level) = (only.child(), root.level());
        if level == 1 {
            let entries = leaf_entries(fork, child)?;
            fork.free(child, 1)?;
            return make_leaf(fork, root_at, &entries);
        }
        let image = read(fork, child, BlockKind::DaNode)?;
        let children = edit::children(&image).map_err(|fault| wrong_at(fork, child, fault))?;
        fork.free(child, 1)?;
        make_node(fork, root_at, level - 1, &children)?;
    }
}

/// Makes the entry `name` name another inode and says what it named.
pub(super) fn replace<F: NodeFork>(
    fork: &mut F,
    name: &[u8],
    (ino, file_type): (Ino, FileType),
) -> Result<Option<Ino>, Failure<F>> {
    match find(fork, name)? {
        Some(found) => data::turn(fork, found.ptr, ino, file_type).map(Some),
        None => Ok(None),
    }
}

/// Whether there are no entries but the directory itself and the one above.
pub(super) fn is_empty<F: NodeFork>(fork: &mut F) -> Result<bool, Failure<F>> {
    let (mut path, mut count) = (descend(fork, 0)?, 0);
    let mut seen = HashSet::new();
    loop {
        if !seen.insert(path.leaf) {
            return Err(wrong(fork, path.leaf, "before", path.leaf.0.into()));
        }
        count += leaf_entries(fork, path.leaf)?.len();
        if count > 2 || !step_right(fork, &mut path)? {
            return Ok(count <= 2);
        }
    }
}
