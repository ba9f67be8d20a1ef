//! Block-form directories: making and changing them. Bytes are the whole directory block.
//!
//! The index grows towards the entries and the entries towards the index; both live off the free
//! region between them. When that is used up but the index has stale entries, it is compacted.

use super::block::{Block, MAGIC, Tail, WHAT, index_size};
use super::data::{HEADER_SIZE, Header, Item};
use super::data_edit::Editor;
use super::entry::{Entry, FileType, NewEntry, entry_size, is_name};
use super::leaf::LeafEntry;
use super::short::{self, Short, encode};
use super::short_edit;
use super::space::DataPtr;
use crate::bytes::{put, view_mut};
use crate::da::{Birth, hash_name};
use crate::wire::U32;
use crate::{Fault, Geometry, Ino};
use zerocopy::IntoBytes;

/// An entry that was removed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Was {
    /// Inode that it named.
    pub ino: Ino,
    /// Where it stood.
    pub ptr: DataPtr,
}

/// Fills `bytes` with the block form of an empty directory `birth.owner` below `parent`.
pub fn init(bytes: &mut [u8], birth: &Birth, parent: Ino) {
    let made = fill(bytes, birth, parent, &[]);
    assert!(made.is_ok(), "an empty directory does not fit its block");
}

/// Fills `bytes` with the block form of `short`, the whole data fork of directory `birth.owner`.
/// Entries keep their positions. `short` is checked first; its faults come back, with `bytes`
/// untouched.
pub fn from_short(
    bytes: &mut [u8],
    birth: &Birth,
    short: &[u8],
    geometry: &Geometry,
) -> Result<(), Fault> {
    assert!(bytes.len() == geometry.dir_block_size());
    short::verify(short, geometry)?;
    let short = Short::parse(short)?;
    let entries = short.entries().collect::<Result<Vec<_>, _>>()?;
    fill(bytes, birth, short.parent(), &entries)
}

fn fill(bytes: &mut [u8], birth: &Birth, parent: Ino, children: &[Entry<'_>]) -> Result<(), Fault> {
    bytes.fill(0);
    let end = bytes.len() - index_size(children.len() + 2);
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    birth.write_dir(&mut header.block, MAGIC);
    let mut editor = Editor::new(WHAT, MAGIC, bytes, end);
    editor.free(HEADER_SIZE, end - HEADER_SIZE)?;
    let dots = [dot(b".", birth.owner, HEADER_SIZE), dot(b"..", parent, HEADER_SIZE + 16)];
    let mut index = Vec::with_capacity(children.len() + 2);
    let mut region = HEADER_SIZE;
    for entry in dots.iter().chain(children) {
        let size = entry_size(entry.name.len());
        editor.take(region, entry.offset, size)?;
        let Entry { name, ino, file_type, .. } = *entry;
        editor.write(entry.offset, &NewEntry { name, ino, file_type })?;
        index.push(index_entry(name, entry.offset));
        region = entry.offset + size;
    }
    index.sort_unstable_by_key(|entry| (entry.hash(), entry.ptr()));
    write_index(editor.bytes, &index)?;
    editor.settle()
}

fn dot(name: &[u8], ino: Ino, offset: usize) -> Entry<'_> {
    Entry { name, ino, file_type: FileType::Directory, offset }
}

fn index_entry(name: &[u8], offset: usize) -> LeafEntry {
    let Some(ptr) = DataPtr::in_first_block(offset) else { panic!("an entry past its block") };
    LeafEntry::new(hash_name(name), ptr)
}

/// Adds `new` and says where it stands; `None`, with nothing changed, where the block has no room.
/// The name must not be there yet: the caller looked it up.
pub fn add(bytes: &mut [u8], new: NewEntry<'_>) -> Result<Option<DataPtr>, Fault> {
    assert!(is_name(new.name), "not a name");
    let block = Block::parse(bytes)?;
    let size = entry_size(new.name.len());
    let Some(plan) = Plan::make(&block, size)? else { return Ok(None) };
    let (old_end, mut index) = (block.end(), block.index().to_vec());
    let entry = index_entry(new.name, plan.offset);
    plan.slot.insert(&mut index, entry);

    let end = bytes.len() - index_size(index.len());
    let mut editor = Editor::new(WHAT, MAGIC, bytes, old_end);
    editor.move_end(end)?;
    editor.take(plan.offset, plan.offset, size)?;
    editor.write(plan.offset, &new)?;
    write_index(editor.bytes, &index)?;
    editor.rescan()?;
    Ok(Some(entry.ptr()))
}

/// Removes `name` and says what it was; `None` where there is no such entry.
pub fn remove(bytes: &mut [u8], name: &[u8]) -> Result<Option<Was>, Fault> {
    let block = Block::parse(bytes)?;
    let Some(Entry { ino, offset, .. }) = block.find(name)? else { return Ok(None) };
    let (end, mut index) = (block.end(), block.index().to_vec());
    let entry = index_entry(name, offset);
    let Some(slot) = index.iter_mut().find(|slot| **slot == entry) else { return Ok(None) };
    slot.address = U32::ZERO;
    let mut editor = Editor::new(WHAT, MAGIC, bytes, end);
    editor.free(offset, entry_size(name.len()))?;
    write_index(editor.bytes, &index)?;
    editor.settle()?;
    Ok(Some(Was { ino, ptr: entry.ptr() }))
}

/// Makes the entry `name` (`..` included) name another inode and says what it was; `None` where
/// there is no such entry.
pub fn replace(
    bytes: &mut [u8],
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Was>, Fault> {
    let block = Block::parse(bytes)?;
    let Some(Entry { ino: old, offset, .. }) = block.find(name)? else { return Ok(None) };
    let end = block.end();
    let mut editor = Editor::new(WHAT, MAGIC, bytes, end);
    editor.write(offset, &NewEntry { name, ino, file_type })?;
    Ok(Some(Was { ino: old, ptr: DataPtr::in_first_block(offset).unwrap_or_default() }))
}

/// The short form of this directory, if it takes at most `inline` bytes. Entries keep their
/// positions.
pub fn to_short(bytes: &[u8], inline: usize) -> Result<Option<Vec<u8>>, Fault> {
    let block = Block::parse(bytes)?;
    let (mut parent, mut entries) = (None, Vec::new());
    for entry in block.entries() {
        let entry = entry?;
        match entry.name {
            b"." => {}
            b".." => parent = Some(entry.ino),
            _ => entries.push(entry),
        }
    }
    let no_parent = Fault::Order { what: WHAT, rule: "there is no entry ..", index: 1 };
    let parent = parent.ok_or(no_parent)?;
    let fits = short_edit::size(parent, &entries) <= inline;
    Ok(fits.then(|| encode(parent, entries.into_iter())))
}

/// How the index gets a place for one more entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    /// A stale entry gives way.
    Reuse,
    /// All stale entries give way and the rest moves together.
    Compact,
    /// The index grows by one.
    Grow,
}

impl Slot {
    /// Entries of the index afterwards.
    fn count(self, live: usize, stale: usize) -> usize {
        match self {
            Self::Reuse => live + stale,
            Self::Compact => live + 1,
            Self::Grow => live + stale + 1,
        }
    }
    /// Puts `entry` where its hash belongs.
    fn insert(self, index: &mut Vec<LeafEntry>, entry: LeafEntry) {
        match self {
            Self::Grow => {}
            Self::Compact => index.retain(|other| !other.is_stale()),
            Self::Reuse => {
                let place = index.partition_point(|other| other.hash() < entry.hash());
                let stale =
                    (0..index.len()).filter(|&i| index.get(i).is_some_and(|e| e.is_stale()));
                if let Some(nearest) = stale.min_by_key(|&i| i.abs_diff(place)) {
                    index.remove(nearest);
                }
            }
        }
        let place = index.partition_point(|other| other.hash() < entry.hash());
        index.insert(place, entry);
    }
}

/// Where a new entry goes and how its index entry gets a place.
struct Plan {
    slot: Slot,
    offset: usize,
}

impl Plan {
    fn make(block: &Block<'_>, size: usize) -> Result<Option<Self>, Fault> {
        let mut regions = Vec::new();
        for item in block.items() {
            if let Item::Free { offset, length } = item? {
                regions.push((offset, offset + length));
            }
        }
        let stale = block.index().iter().filter(|entry| entry.is_stale()).count();
        let live = block.index().len() - stale;
        let slots: &[Slot] = if stale == 0 { &[Slot::Grow] } else { &[Slot::Reuse, Slot::Compact] };
        let plan = slots.iter().find_map(|&slot| {
            let end = block.size().checked_sub(index_size(slot.count(live, stale)))?;
            let offset = first_fit(&regions, block.end(), end, size)?;
            Some(Self { slot, offset })
        });
        Ok(plan)
    }
}

/// First of the free `regions` with room for `size` bytes once the data part ends at `new_end`
/// and no longer at `end`.
fn first_fit(regions: &[(usize, usize)], end: usize, new_end: usize, size: usize) -> Option<usize> {
    let (last, inner) = match regions.split_last() {
        Some((&last, inner)) if last.1 == end => (last, inner),
        _ => ((end, end), regions),
    };
    if new_end < last.0 {
        return None;
    }
    let mut all = inner.iter().copied().chain([(last.0, new_end)]);
    all.find(|(start, stop)| stop - start >= size).map(|(start, _)| start)
}

impl Editor<'_> {
    /// Moves the end of the data part into or out of the free region at the end.
    fn move_end(&mut self, new_end: usize) -> Result<(), Fault> {
        let start = self.free_before(self.end)?.unwrap_or(self.end);
        assert!(new_end >= start, "the index grew over entries");
        self.end = new_end;
        if start < new_end { self.free(start, new_end - start) } else { Ok(()) }
    }
}

/// Writes index and tail at the end of a block.
pub(super) fn write_index(bytes: &mut [u8], index: &[LeafEntry]) -> Result<(), Fault> {
    let count = |n: usize| U32::new(u32::try_from(n).unwrap_or(u32::MAX));
    let stale = index.iter().filter(|entry| entry.is_stale()).count();
    let tail = Tail { count: count(index.len()), stale: count(stale) };
    let at = bytes.len() - index_size(index.len());
    put(WHAT, bytes, at, index.as_bytes())?;
    let tail_at = bytes.len() - size_of::<Tail>();
    put(WHAT, bytes, tail_at, tail.as_bytes())
}
