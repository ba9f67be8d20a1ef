//! Attribute leaves: making and changing them. Bytes are the whole block.
//!
//! Names grow from the end of the block towards the index. A new name goes to the front of the
//! others; where the gap before them is too small but what removed names left is enough, the block
//! is written anew without holes. The free map names the gap alone: Linux takes what a map leaves
//! out for lost until the block is compacted, and the mark for holes tells it to do that.

use super::leaf::{
    FreeRun, Header, Leaf, LeafEntry, LocalHeader, MAGIC, RemoteName, WHAT, local_size, remote_size,
};
use super::{Attr, INCOMPLETE, LOCAL, Namespace, State, Value};
use crate::Fault;
use crate::bytes::{put, view_mut};
use crate::da::{Birth, DaBlock, Fit};
use crate::wire::{U16, U32};
use zerocopy::IntoBytes;

#[cfg(test)]
mod tests;

const INDEX: usize = size_of::<LeafEntry>();
/// Bytes of a leaf that entries cannot have.
const HEADER: usize = size_of::<Header>();

/// The value of an entry apart from its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryValue {
    /// Beside its name.
    Local(Vec<u8>),
    /// In blocks of its own.
    Remote {
        /// First of them.
        block: DaBlock,
        /// Length of the value in bytes.
        length: usize,
    },
}

/// An attribute apart from its leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is sorted by.
    pub hash: u32,
    /// Whose it is.
    pub namespace: Namespace,
    /// Whether it may be seen.
    pub state: State,
    /// Its name.
    pub name: Vec<u8>,
    /// Where its value is.
    pub value: EntryValue,
}

impl Entry {
    /// The attribute `attr` that stands under `hash`.
    pub fn of(hash: u32, attr: &Attr<'_>) -> Self {
        let value = match attr.value {
            Value::Local(value) => EntryValue::Local(value.to_vec()),
            Value::Remote { block, length } => EntryValue::Remote { block, length },
        };
        let (namespace, state) = (attr.namespace, attr.state);
        Self { hash, namespace, state, name: attr.name.to_vec(), value }
    }
    /// Bytes of a leaf that it takes, its place in the index included.
    pub fn size(&self) -> usize {
        INDEX + self.name_size()
    }
    /// Bytes of its name with what stands beside it.
    fn name_size(&self) -> usize {
        match &self.value {
            EntryValue::Local(value) => local_size(self.name.len(), value.len()),
            EntryValue::Remote { .. } => remote_size(self.name.len()),
        }
    }
    fn flags(&self) -> u8 {
        let local = if matches!(self.value, EntryValue::Local(_)) { LOCAL } else { 0 };
        let incomplete = if self.state == State::Incomplete { INCOMPLETE } else { 0 };
        self.namespace.flag() | local | incomplete
    }
    fn encode(&self) -> Vec<u8> {
        let length = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
        let name_length = u8::try_from(self.name.len()).unwrap_or(u8::MAX);
        let mut bytes = match &self.value {
            EntryValue::Local(value) => {
                let value_length = U16::new(length(value.len()));
                LocalHeader { value_length, name_length }.as_bytes().to_vec()
            }
            EntryValue::Remote { block, length } => {
                let value_length = U32::new(u32::try_from(*length).unwrap_or(u32::MAX));
                let block = U32::new(block.0);
                RemoteName { block, value_length, name_length }.as_bytes().to_vec()
            }
        };
        bytes.extend(&self.name);
        if let EntryValue::Local(value) = &self.value {
            bytes.extend(value);
        }
        bytes.resize(self.name_size(), 0);
        bytes
    }
}

/// Whether a value of `value` bytes stands beside its name of `name` bytes in leaves of
/// `block_size` bytes; a longer one has blocks of its own (`xfs_attr_leaf_entsize_local_max`).
pub fn is_local(name: usize, value: usize, block_size: usize) -> bool {
    local_size(name, value) < block_size / 2 + block_size / 4
}

/// Bytes of a leaf of `block_size` bytes that entries can have.
pub fn room(block_size: usize) -> usize {
    block_size - HEADER
}

/// Makes `bytes` a leaf without attributes and without neighbours.
pub fn init(bytes: &mut [u8], birth: &Birth) {
    bytes.fill(0);
    let made = view_mut(WHAT, bytes, 0).map(|header: &mut Header| {
        birth.write_info(&mut header.info, MAGIC);
    });
    let made = made.and_then(|()| refresh(bytes));
    assert!(made.is_ok(), "a block is too small for a leaf");
}

/// All attributes of the leaf with what they are sorted by. Attributes that lie over one another
/// are a fault.
pub fn entries(bytes: &[u8]) -> Result<Vec<Entry>, Fault> {
    let leaf = Leaf::parse(bytes)?;
    let read = |entry: &LeafEntry| Ok(Entry::of(entry.hash.get(), &leaf.attr(entry)?));
    let entries: Vec<Entry> = leaf.entries().iter().map(read).collect::<Result<_, Fault>>()?;
    let used: usize = entries.iter().map(Entry::size).sum();
    match used > room(bytes.len()) {
        true => Err(Fault::Field { what: WHAT, field: "usedbytes", value: used as u64 }),
        false => Ok(entries),
    }
}

/// Makes the leaf hold exactly `entries`, which are in order of hash, without holes. Its identity
/// and its neighbours stay.
pub fn fill(bytes: &mut [u8], entries: &[Entry]) -> Result<Fit, Fault> {
    if entries.iter().map(Entry::size).sum::<usize>() > room(bytes.len()) {
        return Ok(Fit::NoRoom);
    }
    let mut end = bytes.len();
    bytes[HEADER..].fill(0);
    count_entries(bytes, entries.len())?;
    for (index, entry) in entries.iter().enumerate() {
        end -= entry.name_size();
        place(bytes, index, end, entry)?;
    }
    refresh(bytes)?;
    Ok(Fit::Done)
}

/// Writes an entry of the index and its name, which begins at `at`.
fn place(bytes: &mut [u8], index: usize, at: usize, entry: &Entry) -> Result<(), Fault> {
    let name_index = U16::new(u16::try_from(at).unwrap_or(u16::MAX));
    let (hash, flags) = (U32::new(entry.hash), entry.flags());
    let listed = LeafEntry { hash, name_index, flags, pad: 0 };
    put(WHAT, bytes, HEADER + index * INDEX, listed.as_bytes())?;
    put(WHAT, bytes, at, &entry.encode())
}

/// Adds an attribute behind those of its hash. No room, with nothing changed, where it does not
/// fit.
pub fn add(bytes: &mut [u8], entry: &Entry) -> Result<Fit, Fault> {
    let leaf = Leaf::parse(bytes)?;
    let (count, first) = (leaf.entries().len(), leaf.first_used());
    let index = leaf.entries().partition_point(|other| other.hash.get() <= entry.hash);
    let end = HEADER + count * INDEX;
    if first % 4 != 0 || first - end < entry.size() {
        let mut all = entries(bytes)?;
        all.insert(index, entry.clone());
        return fill(bytes, &all);
    }
    let at = HEADER + index * INDEX;
    bytes.copy_within(at..end, at + INDEX);
    place(bytes, index, first - entry.name_size(), entry)?;
    count_entries(bytes, count + 1)?;
    refresh(bytes)?;
    Ok(Fit::Done)
}

/// Removes attribute `index` of the leaf's order.
pub fn remove(bytes: &mut [u8], index: usize) -> Result<(), Fault> {
    let leaf = Leaf::parse(bytes)?;
    let count = leaf.entries().len();
    let listed = leaf.entries().get(index).copied();
    let Some(listed) = listed else { panic!("attribute {index} of {count}") };
    let size = Entry::of(0, &leaf.attr(&listed)?).name_size();
    let at = usize::from(listed.name_index.get());
    let name_end = (at + size).min(bytes.len());
    bytes[at..name_end].fill(0);
    let (from, end) = (HEADER + index * INDEX, HEADER + count * INDEX);
    bytes.copy_within(from + INDEX..end, from);
    bytes[end - INDEX..end].fill(0);
    count_entries(bytes, count - 1)?;
    refresh(bytes)
}

fn count_entries(bytes: &mut [u8], count: usize) -> Result<(), Fault> {
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    header.count = U16::new(u16::try_from(count).unwrap_or(u16::MAX));
    // Until it is known again: at the end of the index nothing is refused.
    let index_end = HEADER + count * INDEX;
    header.first_used = U16::new(u16::try_from(index_end).unwrap_or(u16::MAX));
    Ok(())
}

/// Brings what the header counts up to date with the index.
fn refresh(bytes: &mut [u8]) -> Result<(), Fault> {
    let (mut first, mut used) = (bytes.len(), 0);
    let leaf = Leaf::parse(bytes)?;
    let index_end = HEADER + leaf.entries().len() * INDEX;
    for listed in leaf.entries() {
        first = first.min(listed.name_index.get().into());
        used += Entry::of(0, &leaf.attr(listed)?).name_size();
    }
    let word = |value: usize| U16::new(u16::try_from(value).unwrap_or(0));
    let gap = first.saturating_sub(index_end);
    let run = if gap == 0 { [0, 0] } else { [index_end, gap] };
    let length = bytes.len();
    let header: &mut Header = view_mut(WHAT, bytes, 0)?;
    header.used_bytes = word(used);
    // Blocks of 64 KiB say zero where the end is meant.
    header.first_used = word(first);
    header.holes = u8::from(first + used != length);
    let none = FreeRun { base: word(0), size: word(0) };
    header.free_map = [FreeRun { base: word(run[0]), size: word(run[1]) }, none, none];
    Ok(())
}
