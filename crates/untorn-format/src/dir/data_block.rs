//! Data blocks of directories with an index: making and changing them, and what they have in common
//! with the block form, which is a data block with the whole index at its end.

use super::block::{self, Block, index_size};
use super::block_edit::write_index;
use super::data::{Data, HEADER_SIZE, Header, Item, MAGIC, WHAT};
use super::data_edit::Editor;
use super::entry::{FileType, NewEntry, entry_size, is_name};
use super::leaf::LeafEntry;
use crate::bytes::view_mut;
use crate::da::Birth;
use crate::{Fault, Ino};

fn editor(bytes: &mut [u8]) -> Editor<'_> {
    let end = bytes.len();
    Editor::new(WHAT, MAGIC, bytes, end)
}

/// Fills `bytes` with a data block without entries.
pub fn init(bytes: &mut [u8], birth: &Birth) {
    bytes.fill(0);
    let length = bytes.len() - HEADER_SIZE;
    let made = view_mut(WHAT, bytes, 0)
        .map(|header: &mut Header| birth.write_dir(&mut header.block, MAGIC));
    let mut editor = editor(bytes);
    let made = made.and_then(|()| editor.free(HEADER_SIZE, length)).and_then(|()| editor.settle());
    assert!(made.is_ok(), "a directory block has room for its header");
}

/// Length in bytes of the longest free region.
pub fn best(bytes: &[u8]) -> Result<u16, Fault> {
    let best = Data::parse(bytes)?.best();
    u16::try_from(best).map_err(|_| Fault::Field {
        what: WHAT,
        field: "bestfree",
        value: best as u64,
    })
}

/// Whether the block has no entries.
pub fn is_empty(bytes: &[u8]) -> Result<bool, Fault> {
    Ok(usize::from(best(bytes)?) == bytes.len() - HEADER_SIZE)
}

/// Adds `new` and says at which byte it stands; `None`, with nothing changed, where no free region
/// has room.
pub fn add(bytes: &mut [u8], new: &NewEntry<'_>) -> Result<Option<usize>, Fault> {
    assert!(is_name(new.name), "not a name");
    let size = entry_size(new.name.len());
    let (region, length) = Data::parse(bytes)?.best_region();
    if length < size {
        return Ok(None);
    }
    let mut editor = editor(bytes);
    editor.take(region, region, size)?;
    editor.write(region, new)?;
    editor.settle()?;
    Ok(Some(region))
}

/// Removes the entry at byte `offset`; the inode that it named.
pub fn remove(bytes: &mut [u8], offset: usize) -> Result<Ino, Fault> {
    let entry = Data::parse(bytes)?.entry(offset)?;
    let (ino, size) = (entry.ino, entry_size(entry.name.len()));
    let mut editor = editor(bytes);
    editor.free(offset, size)?;
    editor.settle()?;
    Ok(ino)
}

/// Makes the entry at byte `offset` name another inode; the one that it named.
pub fn replace(
    bytes: &mut [u8],
    offset: usize,
    ino: Ino,
    file_type: FileType,
) -> Result<Ino, Fault> {
    let entry = Data::parse(bytes)?.entry(offset)?;
    let (was, name) = (entry.ino, entry.name.to_vec());
    editor(bytes).write(offset, &NewEntry { name: &name, ino, file_type })?;
    Ok(was)
}

/// Makes a data block of `bytes`, a directory in block form; the index that it had, in order of
/// hash, stale entries left out. Entries stay where they are.
pub fn from_block(bytes: &mut [u8]) -> Result<Vec<LeafEntry>, Fault> {
    let block = Block::parse(bytes)?;
    let end = block.end();
    let index: Vec<_> = block.index().iter().filter(|entry| !entry.is_stale()).copied().collect();
    view_mut::<Header>(WHAT, bytes, 0)?.block.magic.set(MAGIC);
    let length = bytes.len() - end;
    bytes[end..].fill(0);
    let mut editor = Editor::new(WHAT, MAGIC, bytes, end);
    editor.free(end, length)?;
    editor.end = editor.bytes.len();
    editor.rescan()?;
    Ok(index)
}

/// Makes the block form of `bytes`, the only data block of a directory, where the index fits behind
/// the last entry; whether it did.
pub fn to_block(bytes: &mut [u8], index: &[LeafEntry]) -> Result<bool, Fault> {
    let Some(end) = bytes.len().checked_sub(index_size(index.len())) else { return Ok(false) };
    let mut last = None;
    for item in Data::parse(bytes)?.items() {
        last = Some(item?);
    }
    let Some(Item::Free { offset, length }) = last else { return Ok(false) };
    if offset > end || offset + length != bytes.len() {
        return Ok(false);
    }
    let taken = bytes.len() - end;
    let mut editor = editor(bytes);
    editor.take(offset, end, taken)?;
    view_mut::<Header>(WHAT, editor.bytes, 0)?.block.magic.set(block::MAGIC);
    (editor.what, editor.magic, editor.end) = (block::WHAT, block::MAGIC, end);
    write_index(editor.bytes, index)?;
    editor.rescan()?;
    Ok(true)
}
