//! The data blocks of directories with an index: making them, putting entries in, taking them out.
//!
//! What the free index says of a block is the caller's: each change says what the block's longest
//! free region is now.

use super::DirFork;
use super::node::NodeFork;
use crate::da::index::{edit_block, read, wrong};
use crate::da::{ForkBlocks, IndexFork};
use untorn_format::da::DaBlock;
use untorn_format::dir::{
    Data, DataPtr, DirBlock, FileType, LeafEntry, NewEntry, Space, data_block,
};
use untorn_format::{BlockKind, Fault, Ino};

pub(super) type Failure<F> = <F as DirFork>::Error;

/// Where a directory block of a space lies in the fork.
pub(super) fn at<F: NodeFork>(
    fork: &F,
    space: Space,
    block: DirBlock,
) -> Result<DaBlock, Failure<F>> {
    let file = DirFork::geometry(fork).dir_file_block(space, block);
    DaBlock::of(file).ok_or_else(|| wrong(fork, DaBlock(0), "block", file.0))
}

/// The error for a fault in the block at `at`.
pub(super) fn wrong_at<F: NodeFork>(fork: &F, at: DaBlock, fault: Fault) -> Failure<F> {
    ForkBlocks::corrupt(fork, Some(at), fault)
}

/// Makes a data block of the only block of a directory; its index in order of hash, and the longest
/// free region.
pub(super) fn from_block<F: NodeFork>(fork: &mut F) -> Result<(Vec<LeafEntry>, u16), Failure<F>> {
    let first = at(fork, Space::Data, DirBlock(0))?;
    let mut bytes = DirFork::read(fork)?.to_vec();
    let made = data_block::from_block(&mut bytes)
        .and_then(|entries| Ok((entries, data_block::best(&bytes)?)));
    let (entries, best) = made.map_err(|fault| wrong_at(fork, first, fault))?;
    IndexFork::create(fork, first, BlockKind::DirData)?.1.copy_from_slice(&bytes);
    Ok((entries, best))
}

/// Makes block form of the first data block, where nothing but `entries` is in the index and they
/// fit behind the last entry; whether they did. Index and free index are still mapped then.
pub(super) fn to_block<F: NodeFork>(
    fork: &mut F,
    entries: &[LeafEntry],
) -> Result<bool, Failure<F>> {
    let first = at(fork, Space::Data, DirBlock(0))?;
    let mut bytes = read(fork, first, BlockKind::DirData)?.to_vec();
    let made = data_block::to_block(&mut bytes, entries);
    let made = made.map_err(|fault| wrong_at(fork, first, fault))?;
    if made {
        IndexFork::create(fork, first, BlockKind::DirBlock)?.1.copy_from_slice(&bytes);
    }
    Ok(made)
}

/// Makes a data block without entries at `block`, where none is; its longest free region.
pub(super) fn make<F: NodeFork>(fork: &mut F, block: DirBlock) -> Result<u16, Failure<F>> {
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
    Ok(best)
}

/// Puts an entry into a data block that has room for it, as the free index says; where it stands
/// and the longest free region now.
pub(super) fn put<F: NodeFork>(
    fork: &mut F,
    block: DirBlock,
    new: &NewEntry<'_>,
) -> Result<(DataPtr, u16), Failure<F>> {
    let place = at(fork, Space::Data, block)?;
    let (offset, best) = edit_block(fork, place, BlockKind::DirData, |bytes| {
        let offset = data_block::add(bytes, new)?;
        Ok((offset, data_block::best(bytes)?))
    })?;
    let offset = offset.ok_or_else(|| wrong(fork, place, "best", best.into()))?;
    let ptr = DirFork::geometry(fork).dir_ptr(block, offset);
    let ptr = ptr.ok_or_else(|| wrong(fork, place, "address", offset as u64))?;
    Ok((ptr, best))
}

/// An entry that was taken out.
pub(super) struct Taken {
    /// What it named.
    pub ino: Ino,
    /// The data block in which it stood.
    pub block: DirBlock,
    /// The longest free region of that; `None`: the block had nothing else and is gone.
    pub best: Option<u16>,
}

/// Takes out the entry at `ptr`.
pub(super) fn take<F: NodeFork>(fork: &mut F, ptr: DataPtr) -> Result<Taken, Failure<F>> {
    let (block, place, offset) = place_of(fork, ptr)?;
    let (ino, best, empty) = edit_block(fork, place, BlockKind::DirData, |bytes| {
        let ino = data_block::remove(bytes, offset)?;
        Ok((ino, data_block::best(bytes)?, data_block::is_empty(bytes)?))
    })?;
    // The first block has the directory itself and the one above.
    if !empty || block == DirBlock(0) {
        return Ok(Taken { ino, block, best: Some(best) });
    }
    fork.free(place, 1)?;
    shorten(fork)?;
    Ok(Taken { ino, block, best: None })
}

/// Lets the directory end with its last data block. That is searched for: a size that lies may be
/// billions of blocks away from it.
fn shorten<F: NodeFork>(fork: &mut F) -> Result<(), Failure<F>> {
    let block_size = fork.index_block_size() as u64;
    let blocks = fork.size()? / block_size;
    let mut end = u32::try_from(blocks).map_err(|_| fork.too_high())?;
    let mut least = 1;
    while least < end {
        let middle = least + (end - least) / 2;
        let place = at(fork, Space::Data, DirBlock(middle))?;
        let next = ForkBlocks::next_mapped(fork, place)?;
        match next.is_some_and(|next| next < fork.root()) {
            true => least = middle + 1,
            false => end = middle,
        }
    }
    fork.set_size(u64::from(least) * block_size)
}

/// Makes the entry at `ptr` name another inode; the one that it named.
pub(super) fn turn<F: NodeFork>(
    fork: &mut F,
    ptr: DataPtr,
    ino: Ino,
    file_type: FileType,
) -> Result<Ino, Failure<F>> {
    let (_, place, offset) = place_of(fork, ptr)?;
    let kind = BlockKind::DirData;
    edit_block(fork, place, kind, |bytes| data_block::replace(bytes, offset, ino, file_type))
}

/// Whether the entry at `ptr` has this name.
pub(super) fn is_named<F: NodeFork>(
    fork: &mut F,
    ptr: DataPtr,
    name: &[u8],
) -> Result<bool, Failure<F>> {
    let (_, place, offset) = place_of(fork, ptr)?;
    let image = read(fork, place, BlockKind::DirData)?;
    let entry = Data::parse(&image).and_then(|data| data.entry(offset));
    let entry = entry.map_err(|fault| wrong_at(fork, place, fault))?;
    Ok(entry.name == name)
}

fn place_of<F: NodeFork>(fork: &F, ptr: DataPtr) -> Result<(DirBlock, DaBlock, usize), Failure<F>> {
    let (block, offset) = DirFork::geometry(fork).dir_place(ptr);
    Ok((block, at(fork, Space::Data, block)?, offset))
}
