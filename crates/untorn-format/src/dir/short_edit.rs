//! Short-form directories: making and changing them. Bytes are the whole data fork of the inode.

use super::block::index_size;
use super::entry::{Entry, FileType, NewEntry, entry_size, is_name};
use super::short::{FIRST_OFFSET, InoWidth, Short, encode};
use crate::da::Fit;
use crate::{Fault, Ino};

/// What bounds a short form.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Bytes of the inode that the data fork may fill.
    pub inline: usize,
    /// Directory block size in bytes: a short form must be able to become one block.
    pub dir_block_size: usize,
}

/// The short form of an empty directory below `parent`.
pub fn init(parent: Ino) -> Vec<u8> {
    encode(parent, std::iter::empty())
}

/// Adds `new`. The name must not be there yet: the caller looked it up.
pub fn add(bytes: &mut Vec<u8>, new: NewEntry<'_>, room: Room) -> Result<Fit, Fault> {
    assert!(is_name(new.name), "not a name");
    let short = Short::parse(bytes)?;
    let mut entries = short.entries().collect::<Result<Vec<_>, _>>()?;
    let Some((index, offset)) = place(&entries, new.name.len(), room.dir_block_size) else {
        return Ok(Fit::NoRoom);
    };
    let NewEntry { name, ino, file_type } = new;
    entries.insert(index, Entry { name, ino, file_type, offset });
    Ok(put(short.parent(), &entries, room).map_or(Fit::NoRoom, |made| replace_with(bytes, made)))
}

/// Removes `name` and says what it named; `None` where there is no such entry.
pub fn remove(bytes: &mut Vec<u8>, name: &[u8]) -> Result<Option<Ino>, Fault> {
    let short = Short::parse(bytes)?;
    let mut entries = short.entries().collect::<Result<Vec<_>, _>>()?;
    let Some(index) = entries.iter().position(|entry| entry.name == name) else {
        return Ok(None);
    };
    let removed = entries.remove(index).ino;
    let made = encode(short.parent(), entries.into_iter());
    *bytes = made;
    Ok(Some(removed))
}

/// Makes the entry `name` name another inode; `None` where there is no such entry. A wide inode
/// number may widen every entry and so not fit.
pub fn replace(
    bytes: &mut Vec<u8>,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
    room: Room,
) -> Result<Option<Fit>, Fault> {
    let short = Short::parse(bytes)?;
    let mut entries = short.entries().collect::<Result<Vec<_>, _>>()?;
    let Some(entry) = entries.iter_mut().find(|entry| entry.name == name) else {
        return Ok(None);
    };
    (entry.ino, entry.file_type) = (ino, file_type);
    let made = put(short.parent(), &entries, room);
    Ok(Some(made.map_or(Fit::NoRoom, |made| replace_with(bytes, made))))
}

/// Makes `..` name another directory.
pub fn set_parent(bytes: &mut Vec<u8>, parent: Ino, room: Room) -> Result<Fit, Fault> {
    let entries = Short::parse(bytes)?.entries().collect::<Result<Vec<_>, _>>()?;
    Ok(put(parent, &entries, room).map_or(Fit::NoRoom, |made| replace_with(bytes, made)))
}

/// Where an entry goes: its place in the list and its offset in block form. At the end when that
/// leaves room for the index of a block, otherwise in the first gap that a removal left.
fn place(entries: &[Entry<'_>], name_length: usize, block_size: usize) -> Option<(usize, usize)> {
    let size = entry_size(name_length);
    let mut next = FIRST_OFFSET;
    let mut gap = None;
    for (index, entry) in entries.iter().enumerate() {
        if gap.is_none() && next + size <= entry.offset {
            gap = Some((index, next));
        }
        next = entry.offset + entry_size(entry.name.len());
    }
    let index_bytes = index_size(entries.len() + 3);
    let at_end = next + size + index_bytes <= block_size;
    if at_end {
        Some((entries.len(), next))
    } else {
        gap.filter(|_| next + index_bytes <= block_size)
    }
}

/// The encoded short form if it fits `room`.
fn put(parent: Ino, entries: &[Entry<'_>], room: Room) -> Option<Vec<u8>> {
    (size(parent, entries) <= room.inline).then(|| encode(parent, entries.iter().copied()))
}

/// Bytes that a short form takes.
pub(crate) fn size(parent: Ino, entries: &[Entry<'_>]) -> usize {
    let wide = |ino| InoWidth::of(ino) == InoWidth::Wide;
    let any_wide = wide(parent) || entries.iter().any(|entry| wide(entry.ino));
    let width = if any_wide { InoWidth::Wide } else { InoWidth::Narrow };
    let entries = entries.iter().map(|entry| width.entry_size(entry.name.len()));
    width.header_size() + entries.sum::<usize>()
}

fn replace_with(bytes: &mut Vec<u8>, made: Vec<u8>) -> Fit {
    *bytes = made;
    Fit::Done
}
