//! Leaf form: data blocks, and one leaf that is the whole index and the free index too.

use super::data::{self, Failure, at, wrong_at};
use super::node::NodeFork;
use super::small::{self, Added};
use crate::da::IndexFork;
use crate::da::index::{edit_block, read};
use untorn_format::da::{hash_name, kind_of};
use untorn_format::dir::leaf::NO_BLOCK;
use untorn_format::dir::{DirBlock, FileType, LeafEntry, NewEntry, Space, entry_size, leaf_edit};
use untorn_format::{BlockKind, Ino};

/// What the single leaf of a directory holds.
#[derive(Debug)]
pub(super) struct Single {
    /// The index without stale entries, in order of hash.
    pub entries: Vec<LeafEntry>,
    /// The longest free region of each data block.
    pub bests: Vec<u16>,
}

/// The single leaf, where the directory is in leaf form; it has an index.
pub(super) fn load<F: NodeFork>(fork: &mut F) -> Result<Option<Single>, Failure<F>> {
    let root = fork.root();
    let image = read(fork, root, BlockKind::DaNode)?;
    if kind_of(&image) != Some(BlockKind::DirLeaf1) {
        return Ok(None);
    }
    let parsed = leaf_edit::single(&image).map_err(|fault| wrong_at(fork, root, fault));
    parsed.map(|(entries, bests)| Some(Single { entries, bests }))
}

fn store<F: NodeFork>(fork: &mut F, single: &Single) -> Result<(), Failure<F>> {
    let Single { entries, bests } = single;
    let root = fork.root();
    edit_block(fork, root, BlockKind::DirLeaf1, |bytes| {
        leaf_edit::fill_single(bytes, entries, bests)
    })
}

/// Makes leaf form of block form.
pub(super) fn from_block<F: NodeFork>(fork: &mut F) -> Result<Single, Failure<F>> {
    let (entries, best) = data::from_block(fork)?;
    let root = fork.root();
    fork.map_block(root)?;
    let single = Single { entries, bests: vec![best] };
    make(fork, &single)?;
    Ok(single)
}

/// Makes the block of the root, which is mapped, the single leaf.
fn make<F: NodeFork>(fork: &mut F, single: &Single) -> Result<(), Failure<F>> {
    let root = fork.root();
    let (birth, bytes) = IndexFork::create(fork, root, BlockKind::DirLeaf1)?;
    leaf_edit::init_single(bytes, &birth, &single.entries, &single.bests);
    Ok(())
}

/// Makes leaf form of node form, whose index and free index are one block each with what `single`
/// holds.
pub(super) fn from_node<F: NodeFork>(fork: &mut F, single: Single) -> Result<(), Failure<F>> {
    let free = at(fork, Space::Free, DirBlock(0))?;
    fork.free(free, 1)?;
    make(fork, &single)?;
    to_block(fork, &single)
}

/// Makes block form of a directory with one data block, where the index fits behind its entries,
/// and short form of that, where they fit into the inode.
fn to_block<F: NodeFork>(fork: &mut F, single: &Single) -> Result<(), Failure<F>> {
    let one = fork.size()? == fork.index_block_size() as u64;
    if one && data::to_block(fork, &single.entries)? {
        let root = fork.root();
        fork.free(root, 1)?;
        small::to_short(fork)?;
    }
    Ok(())
}

/// Adds an entry, unless the leaf would need more room than it has.
pub(super) fn try_add<F: NodeFork>(
    fork: &mut F,
    single: &mut Single,
    new: &NewEntry<'_>,
) -> Result<Added, Failure<F>> {
    let Single { entries, bests } = single;
    let size = entry_size(new.name.len());
    let fits = |&best: &u16| best != NO_BLOCK && usize::from(best) >= size;
    let found = bests.iter().position(fits);
    let hole = || bests.iter().position(|&best| best == NO_BLOCK);
    let index = found.or_else(hole).unwrap_or(bests.len());
    let blocks = bests.len().max(index + 1);
    if !leaf_edit::fits_single(fork.index_block_size(), entries.len() + 1, blocks) {
        return Ok(Added::NoRoom);
    }
    let block = DirBlock(u32::try_from(index).map_err(|_| fork.too_high())?);
    bests.resize(blocks, NO_BLOCK);
    if found.is_none() {
        data::make(fork, block)?;
    }
    let (ptr, best) = data::put(fork, block, new)?;
    bests[index] = best;
    let entry = LeafEntry::new(hash_name(new.name), ptr);
    entries.insert(entries.partition_point(|other| other.hash() <= entry.hash()), entry);
    store(fork, single).map(|()| Added::Done)
}

/// The index in the leaf of the entry `name`.
fn find<F: NodeFork>(
    fork: &mut F,
    single: &Single,
    name: &[u8],
) -> Result<Option<usize>, Failure<F>> {
    let hash = hash_name(name);
    let first = single.entries.partition_point(|entry| entry.hash() < hash);
    for (index, entry) in single.entries.iter().enumerate().skip(first) {
        if entry.hash() != hash {
            break;
        }
        if data::is_named(fork, entry.ptr(), name)? {
            return Ok(Some(index));
        }
    }
    Ok(None)
}

/// Removes the entry `name` and says what it named.
pub(super) fn remove<F: NodeFork>(
    fork: &mut F,
    single: &mut Single,
    name: &[u8],
) -> Result<Option<Ino>, Failure<F>> {
    let Some(index) = find(fork, single, name)? else { return Ok(None) };
    let taken = data::take(fork, single.entries.remove(index).ptr())?;
    let Single { bests, .. } = single;
    if let Some(best) = bests.get_mut(taken.block.0 as usize) {
        *best = taken.best.unwrap_or(NO_BLOCK);
    }
    let last = bests.iter().rposition(|&best| best != NO_BLOCK);
    bests.truncate(last.map_or(0, |last| last + 1));
    store(fork, single)?;
    to_block(fork, single)?;
    Ok(Some(taken.ino))
}

/// Makes the entry `name` name another inode and says what it named.
pub(super) fn replace<F: NodeFork>(
    fork: &mut F,
    single: &Single,
    name: &[u8],
    (ino, file_type): (Ino, FileType),
) -> Result<Option<Ino>, Failure<F>> {
    match find(fork, single, name)? {
        Some(index) => {
            let ptr = single.entries[index].ptr();
            data::turn(fork, ptr, ino, file_type).map(Some)
        }
        None => Ok(None),
    }
}
