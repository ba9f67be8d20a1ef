//! Leaves of node-form directories: making and changing them. Entries that are removed go at once:
//! leaves written here have no stale ones.

use super::leaf::{Header, LEAFN_MAGIC, Leaf, LeafEntry, Role};
use crate::Fault;
use crate::bytes::{put, view_mut};
use crate::da::Birth;
use crate::wire::U16;
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
