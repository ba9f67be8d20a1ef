//! Leaves of directories: making and changing them. Entries that are removed go at once: leaves
//! written here have no stale ones.

use super::leaf::{Header, LEAF1_MAGIC, LEAFN_MAGIC, Leaf, LeafEntry, Role};
use crate::Fault;
use crate::bytes::{put, view_mut};
use crate::da::Birth;
use crate::wire::{U16, U32};
use zerocopy::IntoBytes;

const WHAT: &str = "directory leaf";

/// Entries that a leaf of `block_size` bytes can have.
pub fn capacity(block_size: usize) -> usize {
    (block_size - size_of::<Header>()) / size_of::<LeafEntry>()
}

/// Makes `bytes` a leaf with `entries`, without neighbours.
pub fn init(bytes: &mut [u8], birth: &Birth, entries: &[LeafEntry]) {
    bytes.fill(0);
    let made = view_mut(WHAT, bytes, 0)
        .map(|header: &mut Header| birth.write_info(&mut header.info, LEAFN_MAGIC));
    let made = made.and_then(|()| fill(bytes, entries));
    assert!(made.is_ok(), "a directory block has room for its header");
}

/// The live entries of a leaf, in order of hash.
pub fn entries(bytes: &[u8]) -> Result<Vec<LeafEntry>, Fault> {
    let leaf = Leaf::parse(Role::BelowNode, bytes)?;
    Ok(leaf.entries().iter().filter(|entry| !entry.is_stale()).copied().collect())
}

/// Makes the leaf have exactly `entries`, which fit and are in order of hash.
pub fn fill(bytes: &mut [u8], entries: &[LeafEntry]) -> Result<(), Fault> {
    assert!(entries.len() <= capacity(bytes.len()), "a leaf of {} entries", entries.len());
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    header.count = U16::new(entries.len() as u16); // a leaf has at most 64 KiB
    header.stale = U16::ZERO;
    put(WHAT, bytes, size_of::<Header>(), entries.as_bytes())?;
    let end = size_of::<Header>() + size_of_val(entries);
    bytes[end..].fill(0);
    Ok(())
}

/// What became of a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Hash of its last entry; zero where it has none.
    pub last: u32,
    /// Entries that are not stale.
    pub live: usize,
}

/// Puts `entry` where its hash belongs; `None`, with nothing changed, where the leaf is full.
pub fn insert(bytes: &mut [u8], entry: LeafEntry) -> Result<Option<Now>, Fault> {
    let leaf = Leaf::parse(Role::BelowNode, bytes)?;
    let (count, stale) = (leaf.entries().len(), usize::from(leaf.stale()));
    if count == capacity(bytes.len()) {
        if stale == 0 {
            return Ok(None);
        }
        let live = entries(bytes)?;
        fill(bytes, &live)?;
        return insert(bytes, entry);
    }
    let place = leaf.entries().partition_point(|other| other.hash() <= entry.hash());
    let (from, end) = (position(place), position(count));
    bytes.copy_within(from..end, from + size_of::<LeafEntry>());
    put(WHAT, bytes, from, entry.as_bytes())?;
    set_count(bytes, count + 1).map(Some)
}

/// Takes away the entry at `index`, counted with the stale ones.
pub fn remove(bytes: &mut [u8], index: usize) -> Result<Now, Fault> {
    let count = Leaf::parse(Role::BelowNode, bytes)?.entries().len();
    assert!(index < count, "entry {index} of {count}");
    let end = position(count);
    bytes.copy_within(position(index + 1)..end, position(index));
    bytes[position(count - 1)..end].fill(0);
    set_count(bytes, count - 1)
}

/// Where the entry at `index` stands.
fn position(index: usize) -> usize {
    size_of::<Header>() + index * size_of::<LeafEntry>()
}

fn set_count(bytes: &mut [u8], count: usize) -> Result<Now, Fault> {
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    header.count = U16::new(count as u16); // a leaf has at most 64 KiB
    let leaf = Leaf::parse(Role::BelowNode, bytes)?;
    let last = leaf.entries().last().map_or(0, LeafEntry::hash);
    Ok(Now { last, live: count.saturating_sub(leaf.stale().into()) })
}

/// Whether a single leaf of `block_size` bytes has room for `entries` and the bests of `blocks`
/// data blocks.
pub fn fits_single(block_size: usize, entries: usize, blocks: usize) -> bool {
    let used = size_of::<Header>() + entries * size_of::<LeafEntry>() + tail_size(blocks);
    used <= block_size
}

fn tail_size(blocks: usize) -> usize {
    blocks * size_of::<U16>() + size_of::<U32>()
}

/// Makes `bytes` the single leaf of a directory: its index and its free index.
pub fn init_single(bytes: &mut [u8], birth: &Birth, entries: &[LeafEntry], bests: &[u16]) {
    bytes.fill(0);
    let made = view_mut(WHAT, bytes, 0)
        .map(|header: &mut Header| birth.write_info(&mut header.info, LEAF1_MAGIC));
    let made = made.and_then(|()| fill_single(bytes, entries, bests));
    assert!(made.is_ok(), "a directory block has room for its header");
}

/// The live entries of a single leaf, in order of hash, and the bests of the data blocks.
pub fn single(bytes: &[u8]) -> Result<(Vec<LeafEntry>, Vec<u16>), Fault> {
    let leaf = Leaf::parse(Role::Single, bytes)?;
    let live = leaf.entries().iter().filter(|entry| !entry.is_stale()).copied();
    Ok((live.collect(), leaf.bests().collect()))
}

/// Makes the single leaf have exactly these entries and bests, which fit.
pub fn fill_single(bytes: &mut [u8], entries: &[LeafEntry], bests: &[u16]) -> Result<(), Fault> {
    let fits = fits_single(bytes.len(), entries.len(), bests.len());
    assert!(fits, "a single leaf of {} entries and {} bests", entries.len(), bests.len());
    fill(bytes, entries)?;
    let tail: Vec<u8> = bests.iter().flat_map(|best| best.to_be_bytes()).collect();
    put(WHAT, bytes, bytes.len() - tail_size(bests.len()), &tail)?;
    let count = U32::new(bests.len() as u32); // two bytes each in at most 64 KiB
    put(WHAT, bytes, bytes.len() - size_of::<U32>(), count.as_bytes())
}
