//! Changing directories with an index: data blocks, a tree of hashed leaves, the free index.
//!
//! ```text
//! add      free index -> data block with room, or a new one -> entry -> leaf for its hash
//! remove   leaf for the hash -> entry -> data block, freed when empty -> free index
//! ```
//! What Linux left in leaf form (one leaf that is its own free index) becomes node form with the
//! first change. A directory whose entries are all in the first data block again, with room behind
//! them for the index, goes back to block form.

use super::DirFork;
use crate::da::IndexFork;
use crate::da::index::{
    Path, descend, drop_child, edit_block, link_behind, make_node, read, renew_hash, replace_child,
    step_right, wrong,
};
use std::collections::HashSet;
use std::sync::Arc;
use untorn_format::BlockKind;
use untorn_format::da::edit::{self, Child};
use untorn_format::da::{DaBlock, Node, hash_name, kind_of};
use untorn_format::dir::leaf::{NO_BLOCK, Role};
use untorn_format::dir::{
    Data, DataPtr, DirBlock, FileType, Free, Leaf, LeafEntry, NewEntry, Space, data_block,
    entry_size, free_edit, leaf_edit,
};
use untorn_format::{Fault, Ino};

/// The data fork of a directory with an index inside a transaction that holds its owner lock.
pub trait NodeFork: DirFork + IndexFork<Error = <Self as DirFork>::Error> {
    /// Maps a directory block at `at`, where none is.
    fn map_block(&mut self, at: DaBlock) -> Result<(), <Self as DirFork>::Error>;
    /// The size in bytes that the inode says.
    fn size(&self) -> Result<u64, <Self as DirFork>::Error>;
    /// Sets it.
    fn set_size(&mut self, bytes: u64) -> Result<(), <Self as DirFork>::Error>;
}

type Failure<F> = <F as DirFork>::Error;

/// Where an entry stands, in the index and in the data.
struct Place {
    path: Path,
    /// Index in the leaf.
    index: usize,
    ptr: DataPtr,
}

fn at<F: NodeFork>(fork: &F, space: Space, block: DirBlock) -> Result<DaBlock, Failure<F>> {
    let file = DirFork::geometry(fork).dir_file_block(space, block);
    DaBlock::of(file).ok_or_else(|| wrong(fork, DaBlock(0), "block", file.0))
}

/// Makes node form of block form.
pub(super) fn from_block<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    let first = at(fork, Space::Data, DirBlock(0))?;
    let mut bytes = DirFork::read(fork)?.to_vec();
    let entries = data_block::from_block(&mut bytes);
    let entries = entries.map_err(|fault| DirFork::corrupt(fork, fault))?;
    let best = data_block::best(&bytes).map_err(|fault| DirFork::corrupt(fork, fault))?;
    IndexFork::create(fork, first, BlockKind::DirData)?.1.copy_from_slice(&bytes);
    let root = fork.root();
    fork.map_block(root)?;
    make_leaf(fork, root, &entries)?;
    make_free(fork, DirBlock(0), &[best])
}

/// Makes node form of leaf form.
fn from_leaf<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    let root = fork.root();
    let image = read(fork, root, BlockKind::DaNode)?;
    if kind_of(&image) != Some(BlockKind::DirLeaf1) {
        return Ok(());
    }
    let parsed = Leaf::parse(Role::Single, &image).map(|leaf| {
        let live = leaf.entries().iter().filter(|entry| !entry.is_stale()).copied();
        (live.collect::<Vec<_>>(), leaf.bests().collect::<Vec<_>>())
    });
    let (entries, bests) = parsed.map_err(|fault| wrong_at(fork, root, fault))?;
    make_leaf(fork, root, &entries)?;
    make_free(fork, DirBlock(0), &bests)
}

fn wrong_at<F: NodeFork>(fork: &F, at: DaBlock, fault: Fault) -> Failure<F> {
    crate::da::ForkBlocks::corrupt(fork, Some(at), fault)
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
    from_leaf(fork)?;
    let block = block_with_room(fork, entry_size(new.name.len()))?;
    let place = at(fork, Space::Data, block)?;
    let (offset, best) = edit_block(fork, place, BlockKind::DirData, |bytes| {
        let offset = data_block::add(bytes, new)?;
        Ok((offset, data_block::best(bytes)?))
    })?;
    let offset = offset.ok_or_else(|| wrong(fork, place, "best", best.into()))?;
    set_best(fork, block, Some(best))?;
    let ptr = DirFork::geometry(fork).dir_ptr(block, offset);
    let ptr = ptr.ok_or_else(|| wrong(fork, place, "address", offset as u64))?;
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
    while let Some(place) = crate::da::ForkBlocks::next_mapped(fork, from)? {
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
    make_data(fork, hole.unwrap_or(DirBlock(behind)))
}

fn next_block<F: NodeFork>(fork: &F, at: DaBlock) -> Result<DaBlock, Failure<F>> {
    let span = 1u32 << DirFork::geometry(fork).dir_block_log;
    at.0.checked_add(span).map(DaBlock).ok_or_else(|| fork.too_high())
}

/// Makes a data block without entries at `block`, where none is.
fn make_data<F: NodeFork>(fork: &mut F, block: DirBlock) -> Result<DirBlock, Failure<F>> {
    let limit = at(fork, Space::Leaf, DirBlock(0))?;
    let place = at(fork, Space::Data, block)?;
    if place >= limit {
        return Err(fork.too_high());
    }
    fork.map_block(place)?;
    let (birth, bytes) = IndexFork::create(fork, place, BlockKind::DirData)?;
    data_block::init(bytes, &birth);
    let best = data_block::best(bytes).map_err(|fault| wrong_at(fork, place, fault))?;
    let end = (u64::from(block.0) + 1) * fork.index_block_size() as u64;
    if end > fork.size()? {
        fork.set_size(end)?;
    }
    set_best(fork, block, Some(best))?;
    Ok(block)
}

/// The block of the free index that covers data block `block`, if there is one.
fn free_block<F: NodeFork>(
    fork: &mut F,
    block: DirBlock,
) -> Result<(DirBlock, usize, Option<DaBlock>), Failure<F>> {
    let (free, index) = DirFork::geometry(fork).dir_free_place(block);
    let place = at(fork, Space::Free, free)?;
    let mapped = crate::da::ForkBlocks::next_mapped(fork, place)? == Some(place);
    Ok((free, index, mapped.then_some(place)))
}

fn best_of<F: NodeFork>(fork: &mut F, block: DirBlock) -> Result<Option<u16>, Failure<F>> {
    let (_, index, Some(place)) = free_block(fork, block)? else { return Ok(None) };
    let image = read(fork, place, BlockKind::DirFree)?;
    let free = Free::parse(&image).map_err(|fault| wrong_at(fork, place, fault))?;
    Ok(free.bests().nth(index))
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
    let mut entries = leaf_entries(fork, leaf)?;
    entries.insert(entries.partition_point(|other| other.hash() <= entry.hash()), entry);
    if entries.len() > leaf_edit::capacity(fork.index_block_size()) {
        return split(fork, path, &entries);
    }
    edit_block(fork, leaf, BlockKind::DirLeafN, |bytes| leaf_edit::fill(bytes, &entries))?;
    renew_hash(fork, &mut path, last_hash(&entries))
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
        let entries = leaf_entries(fork, path.leaf)?;
        let first = entries.partition_point(|entry| entry.hash() < hash);
        for (index, entry) in entries.iter().enumerate().skip(first) {
            if entry.hash() != hash {
                return Ok(None);
            }
            let ptr = entry.ptr();
            if is_named(fork, ptr, name)? {
                return Ok(Some(Place { path, index, ptr }));
            }
        }
        if !step_right(fork, &mut path)? {
            return Ok(None);
        }
    }
}

fn data_place<F: NodeFork>(
    fork: &F,
    ptr: DataPtr,
) -> Result<(DirBlock, DaBlock, usize), Failure<F>> {
    let (block, offset) = DirFork::geometry(fork).dir_place(ptr);
    Ok((block, at(fork, Space::Data, block)?, offset))
}

fn is_named<F: NodeFork>(fork: &mut F, ptr: DataPtr, name: &[u8]) -> Result<bool, Failure<F>> {
    let (_, place, offset) = data_place(fork, ptr)?;
    let image: Arc<[u8]> = read(fork, place, BlockKind::DirData)?;
    let entry = Data::parse(&image).and_then(|data| data.entry(offset));
    let entry = entry.map_err(|fault| wrong_at(fork, place, fault))?;
    Ok(entry.name == name)
}

/// Removes the entry `name` and says what it named.
pub(super) fn remove<F: NodeFork>(fork: &mut F, name: &[u8]) -> Result<Option<Ino>, Failure<F>> {
    from_leaf(fork)?;
    let Some(found) = find(fork, name)? else { return Ok(None) };
    let (block, place, offset) = data_place(fork, found.ptr)?;
    let (ino, best, empty) = edit_block(fork, place, BlockKind::DirData, |bytes| {
        let ino = data_block::remove(bytes, offset)?;
        Ok((ino, data_block::best(bytes)?, data_block::is_empty(bytes)?))
    })?;
    // The first block has the directory itself and the one above.
    if empty && block != DirBlock(0) {
        fork.free(place, 1)?;
        set_best(fork, block, None)?;
        shorten(fork)?;
    } else {
        set_best(fork, block, Some(best))?;
    }
    remove_from_leaf(fork, found)?;
    to_block(fork)?;
    Ok(Some(ino))
}

/// Lets the directory end with its last data block.
fn shorten<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    let block_size = fork.index_block_size() as u64;
    let mut blocks = fork.size()? / block_size;
    while blocks > 1 {
        let last = u32::try_from(blocks - 1).map_err(|_| fork.too_high())?;
        let place = at(fork, Space::Data, DirBlock(last))?;
        if crate::da::ForkBlocks::next_mapped(fork, place)? == Some(place) {
            break;
        }
        blocks -= 1;
    }
    fork.set_size(blocks * block_size)
}

fn remove_from_leaf<F: NodeFork>(fork: &mut F, found: Place) -> Result<(), Failure<F>> {
    let Place { mut path, index, .. } = found;
    let (leaf, kind) = (path.leaf, BlockKind::DirLeafN);
    let mut entries = leaf_entries(fork, leaf)?;
    entries.remove(index);
    if entries.is_empty() && !path.steps.is_empty() {
        drop_child(fork, &mut path, leaf, kind)?;
        return collapse(fork);
    }
    edit_block(fork, leaf, kind, |bytes| leaf_edit::fill(bytes, &entries))?;
    if path.steps.is_empty() {
        return Ok(());
    }
    let small = entries.len() < leaf_edit::capacity(fork.index_block_size()) * 3 / 8;
    if !small || !merge(fork, &mut path, &entries)? {
        return renew_hash(fork, &mut path, last_hash(&entries));
    }
    collapse(fork)
}

/// Moves the entries of the path's leaf to a neighbour below the same node that has room for them
/// and some more; whether one had.
fn merge<F: NodeFork>(
    fork: &mut F,
    path: &mut Path,
    entries: &[LeafEntry],
) -> Result<bool, Failure<F>> {
    let Some(step) = path.steps.last() else { return Ok(false) };
    let (at, here) = (path.leaf, step.index);
    let most = leaf_edit::capacity(fork.index_block_size()) * 3 / 4;
    let child = |index: usize| step.children.get(index).map(|child| (index, child.block));
    let sides = [here.checked_sub(1).and_then(child), child(here + 1)];
    for (index, other) in sides.into_iter().flatten().filter(|&(_, other)| other != at) {
        let theirs = leaf_entries(fork, other)?;
        if theirs.len() + entries.len() > most {
            continue;
        }
        let (first, second) =
            if index < here { (theirs.as_slice(), entries) } else { (entries, theirs.as_slice()) };
        let all = [first, second].concat();
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

/// Makes block form of a directory with one data block and one leaf, where the index fits behind
/// the last entry.
fn to_block<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    if fork.size()? != fork.index_block_size() as u64 {
        return Ok(());
    }
    let root = fork.root();
    let image = read(fork, root, BlockKind::DaNode)?;
    if kind_of(&image) != Some(BlockKind::DirLeafN) {
        return Ok(());
    }
    let entries = leaf_edit::entries(&image).map_err(|fault| wrong_at(fork, root, fault))?;
    let first = at(fork, Space::Data, DirBlock(0))?;
    let mut bytes = read(fork, first, BlockKind::DirData)?.to_vec();
    let made = data_block::to_block(&mut bytes, &entries);
    if !made.map_err(|fault| wrong_at(fork, first, fault))? {
        return Ok(());
    }
    fork.free(root, 1)?;
    let free = at(fork, Space::Free, DirBlock(0))?;
    fork.free(free, 1)?;
    IndexFork::create(fork, first, BlockKind::DirBlock)?.1.copy_from_slice(&bytes);
    Ok(())
}

/// Makes the entry `name` name another inode and says what it named.
pub(super) fn replace<F: NodeFork>(
    fork: &mut F,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Ino>, Failure<F>> {
    from_leaf(fork)?;
    let Some(found) = find(fork, name)? else { return Ok(None) };
    let (_, place, offset) = data_place(fork, found.ptr)?;
    let kind = BlockKind::DirData;
    edit_block(fork, place, kind, |bytes| data_block::replace(bytes, offset, ino, file_type))
        .map(Some)
}

/// Whether there are no entries but the directory itself and the one above.
pub(super) fn is_empty<F: NodeFork>(fork: &mut F) -> Result<bool, Failure<F>> {
    let root = fork.root();
    let image = read(fork, root, BlockKind::DaNode)?;
    if kind_of(&image) == Some(BlockKind::DirLeaf1) {
        let leaf = Leaf::parse(Role::Single, &image);
        let leaf = leaf.map_err(|fault| wrong_at(fork, root, fault))?;
        return Ok(leaf.entries().iter().filter(|entry| !entry.is_stale()).count() <= 2);
    }
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
