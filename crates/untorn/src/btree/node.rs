//! One node of a tree as columns of entries: reading it and editing it.
//!
//! ```text
//! leaf          | header | records ...                         |
//! node, fork    | header | keys ... (capacity) | pointers ...  |
//! ```
//! Invariants: a view is made only where the count fits the bytes, so entries below it are there.
//! Indices come from the tree, never from a disk: one past the end is a mistake of ours.

use super::kinds::{Part, TreeKind};
use std::marker::PhantomData;
use std::ops::Range;
use untorn_format::Fault;
use untorn_format::btree::{Header, Links, root};

/// Bytes of the largest entry: two keys of 20 bytes and a pointer of 4.
const LARGEST_ENTRY: usize = 48;
/// Bytes of the largest key: a pair of the rmapbt.
const LARGEST_KEY: usize = 40;
/// Entries beside a guess that are looked at first.
const NEAR: usize = 2;

/// What holds a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    /// A block.
    Block,
    /// An inode's fork.
    Fork,
}

/// Where entries of one sort lie in a node.
#[derive(Clone, Copy)]
struct Column {
    at: usize,
    width: usize,
}

impl Column {
    fn range(self, entries: Range<usize>) -> Range<usize> {
        self.at + entries.start * self.width..self.at + entries.end * self.width
    }
}

/// Where everything lies in a node. A leaf has records in the first column and nothing in the
/// second, other nodes have keys and pointers.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    columns: [Column; 2],
    capacity: usize,
}

impl Plan {
    fn new<K: TreeKind>(home: Home, level: u16, size: usize) -> Self {
        let (kind, header) = match home {
            Home::Block => (K::KIND, K::KIND.header_size()),
            Home::Fork => (K::KIND, root::HEADER_SIZE),
        };
        let widths = match level {
            0 => [kind.record_size(), 0],
            _ => [kind.key_stride(), kind.pointer_size()],
        };
        let capacity = size.saturating_sub(header) / (widths[0] + widths[1]);
        let second = header + capacity * widths[0];
        let columns =
            [Column { at: header, width: widths[0] }, Column { at: second, width: widths[1] }];
        Self { columns, capacity }
    }
}

/// Most entries of a node of a tree of kind `K` that fills `size` bytes.
pub(super) fn capacity<K: TreeKind>(home: Home, level: u16, size: usize) -> usize {
    Plan::new::<K>(home, level, size).capacity
}

/// Level and count of the node in `bytes`.
fn shape<K: TreeKind>(home: Home, bytes: &[u8]) -> Result<(u16, u16), Fault> {
    match home {
        Home::Block => Header::shape(K::KIND, bytes),
        Home::Fork => root::shape(bytes),
    }
}

/// An entry on its way into a node: the bytes of a record, or of a key and a pointer.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    bytes: [u8; LARGEST_ENTRY],
}

impl Entry {
    /// The entry of a leaf.
    pub(super) fn record<K: TreeKind>(kind: K, record: &K::Record) -> Self {
        let mut bytes = [0; LARGEST_ENTRY];
        kind.encode(record, &mut bytes[..K::KIND.record_size()]);
        Self { bytes }
    }
    /// The entry of a node for the child `ptr`.
    pub(super) fn child<K: TreeKind>(key: &Key, ptr: u64) -> Self {
        let mut bytes = [0; LARGEST_ENTRY];
        let (key_size, size) = (K::KIND.key_stride(), K::KIND.pointer_size());
        bytes[..key_size].copy_from_slice(&key.bytes[..key_size]);
        bytes[key_size..key_size + size].copy_from_slice(&ptr.to_be_bytes()[8 - size..]);
        Self { bytes }
    }
    /// The key that stands for a record alone.
    pub(super) fn key<K: TreeKind>(&self) -> Key {
        let mut key = Key { bytes: [0; LARGEST_KEY] };
        K::KIND.key_of(&self.bytes, &mut key.bytes);
        if K::KIND.has_high_keys() {
            K::KIND.high_key_of(&self.bytes, &mut key.bytes[K::KIND.key_size()..]);
        }
        key
    }
}

/// What a node says of a child: its lowest key, and its highest where the tree has those.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    bytes: [u8; LARGEST_KEY],
}

impl Key {
    /// Rank of the highest key; only in trees that have those.
    pub(super) fn high<K: TreeKind>(&self) -> K::Rank {
        K::rank_of_key(&self.bytes[K::KIND.key_size()..])
    }
    /// With the lowest key of `other`.
    pub(super) fn with_low<K: TreeKind>(mut self, other: &Key) -> Self {
        let size = K::KIND.key_size();
        self.bytes[..size].copy_from_slice(&other.bytes[..size]);
        self
    }
    /// With the highest key of `other`, where that is higher.
    pub(super) fn with_high<K: TreeKind>(mut self, other: &Key) -> Self {
        self.raise::<K>(&other.bytes[K::KIND.key_size()..]);
        self
    }
    fn raise<K: TreeKind>(&mut self, high: &[u8]) {
        let size = K::KIND.key_size();
        if K::rank_of_key(high) > self.high::<K>() {
            self.bytes[size..2 * size].copy_from_slice(&high[..size]);
        }
    }
}

/// A node that is only looked at.
pub(super) struct Node<'a, K> {
    bytes: &'a [u8],
    plan: Plan,
    /// 0 is a leaf.
    pub(super) level: u16,
    /// Entries.
    pub(super) count: usize,
    kind: PhantomData<K>,
}

impl<'a, K: TreeKind> Node<'a, K> {
    /// The node in `bytes`; a count that does not fit is a fault.
    pub(super) fn open(home: Home, bytes: &'a [u8]) -> Result<Self, Fault> {
        let (level, count) = shape::<K>(home, bytes)?;
        let (plan, count) = (Plan::new::<K>(home, level, bytes.len()), usize::from(count));
        if count > plan.capacity {
            return Err(fault::<K>("bb_numrecs", count as u64));
        }
        Ok(Self { bytes, plan, level, count, kind: PhantomData })
    }
    /// Most entries that it can have.
    pub(super) fn capacity(&self) -> usize {
        self.plan.capacity
    }
    /// Fewest entries that it may have unless it is a root.
    pub(super) fn minimum(&self) -> usize {
        self.plan.capacity / 2
    }
    fn entry(&self, column: usize, index: usize) -> &'a [u8] {
        assert!(index < self.count, "entry {index} of {}", self.count);
        &self.bytes[self.plan.columns[column].range(index..index + 1)]
    }
    /// The bytes of record `index` of a leaf.
    pub(super) fn record(&self, index: usize) -> &'a [u8] {
        self.entry(0, index)
    }
    /// The child that entry `index` points to.
    pub(super) fn child(&self, index: usize) -> u64 {
        let pointer = self.entry(1, index);
        pointer.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))
    }
    /// The key of entry `index` of a node that is not a leaf.
    pub(super) fn key(&self, index: usize) -> Key {
        let mut bytes = [0; LARGEST_KEY];
        let entry = self.entry(0, index);
        bytes[..entry.len()].copy_from_slice(entry);
        Key { bytes }
    }
    /// The rank of entry `index`: of the record, or of the lowest key.
    pub(super) fn rank(&self, index: usize) -> K::Rank {
        let entry = self.entry(0, index);
        if self.level == 0 { K::rank_of_record(entry) } else { K::rank_of_key(entry) }
    }
    /// The rank of the highest key of entry `index`; only in trees that have those.
    pub(super) fn high(&self, index: usize) -> K::Rank {
        let entry = self.entry(0, index);
        if self.level > 0 {
            return K::rank_of_key(&entry[K::KIND.key_size()..]);
        }
        let mut key = [0; LARGEST_KEY / 2];
        K::KIND.high_key_of(entry, &mut key);
        K::rank_of_key(&key)
    }
    /// How many entries have ranks for which `before` holds; those come first.
    pub(super) fn partition(&self, before: impl Fn(K::Rank) -> bool) -> usize {
        halve(0..self.count, |index| before(self.rank(index)))
    }
    /// The first entry whose rank is not below `rank`, looked for where it lies if ranks are spread
    /// evenly over `span`: a leaf that no cache of the processor has costs by the lines of it that
    /// are looked at.
    pub(super) fn position(&self, rank: K::Rank, span: Option<(K::Rank, K::Rank)>) -> usize {
        let before = |index: usize| self.rank(index) < rank;
        let (mut low, mut high) = (0, self.count);
        if let Some(guess) = span.and_then(|span| self.guess(rank, span)) {
            let mut step = NEAR;
            if before(guess) {
                low = guess + 1;
                while low + step < high && before(low + step) {
                    (low, step) = (low + step + 1, 2 * step);
                }
                high = high.min(low + step);
            } else {
                high = guess;
                while step <= high && !before(high - step) {
                    (high, step) = (high - step, 2 * step);
                }
                low = if step <= high { high - step + 1 } else { 0 };
            }
        }
        halve(low..high, before)
    }
    fn guess(&self, rank: K::Rank, (low, high): (K::Rank, K::Rank)) -> Option<usize> {
        let from = K::number(low);
        let whole = K::number(high).checked_sub(from).filter(|&whole| whole > 0)?;
        let part = K::number(rank).saturating_sub(from);
        // Counts have 16 bits at most.
        let excess = (u64::BITS - whole.leading_zeros()).saturating_sub(48);
        let index = (part.min(whole) >> excess) * self.count as u64 / (whole >> excess);
        (index < self.count as u64).then_some(index as usize)
    }
    /// What a parent must say of this node; `None` if it is empty.
    pub(super) fn summary(&self) -> Option<Key> {
        if self.count == 0 {
            return None;
        }
        let mut summary = self.spread(0);
        if K::KIND.has_high_keys() {
            for index in 1..self.count {
                let size = K::KIND.key_size();
                summary.raise::<K>(&self.spread(index).bytes[size..]);
            }
        }
        Some(summary)
    }
    /// Lowest and highest key of entry `index`.
    pub(super) fn spread(&self, index: usize) -> Key {
        if self.level > 0 {
            return self.key(index);
        }
        let mut bytes = [0; LARGEST_ENTRY];
        let record = self.record(index);
        bytes[..record.len()].copy_from_slice(record);
        Entry { bytes }.key::<K>()
    }
    /// The blocks to the left and to the right of a block on its level.
    pub(super) fn links(bytes: &[u8]) -> Result<Links, Fault> {
        Header::decode(K::KIND, bytes).map(|header| header.links)
    }
    /// Whether entry `index` surely ends before `low`.
    pub(super) fn ends_before(&self, index: usize, low: &K::Rank) -> bool {
        let entry = self.entry(0, index);
        match self.level {
            0 => K::ends_before(entry, Part::Record, low),
            _ => K::ends_before(&entry[K::KIND.key_size()..], Part::Key, low),
        }
    }
    /// A fault unless the node stands on `level`.
    pub(super) fn must_be_at(&self, level: usize) -> Result<(), Fault> {
        if usize::from(self.level) == level {
            return Ok(());
        }
        Err(fault::<K>("bb_level", self.level.into()))
    }
    /// A fault unless the node can be a root on `level`.
    pub(super) fn must_be_root_at(&self, level: usize) -> Result<(), Fault> {
        self.must_be_at(level)?;
        if level > 0 && self.count == 0 { Err(fault::<K>("bb_numrecs", 0)) } else { Ok(()) }
    }
}

/// The first of `indices` for which `before` does not hold, or their end.
fn halve(indices: Range<usize>, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (indices.start, indices.end);
    while low < high {
        let middle = low + (high - low) / 2;
        if before(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

/// A staged node that is being changed.
pub(super) struct Edit<'a, K> {
    bytes: &'a mut [u8],
    home: Home,
    plan: Plan,
    count: usize,
    kind: PhantomData<K>,
}

impl<'a, K: TreeKind> Edit<'a, K> {
    /// The node in `bytes`.
    pub(super) fn open(home: Home, bytes: &'a mut [u8]) -> Result<Self, Fault> {
        let node = Node::<K>::open(home, bytes)?;
        let (plan, count) = (node.plan, node.count);
        Ok(Self { bytes, home, plan, count, kind: PhantomData })
    }
    /// Puts `entry` before entry `index`. There must be room.
    pub(super) fn insert(&mut self, index: usize, entry: &Entry) {
        self.open_gap(index, 1);
        let mut from = 0;
        for column in self.plan.columns {
            let bytes = &entry.bytes[from..from + column.width];
            self.bytes[column.range(index..index + 1)].copy_from_slice(bytes);
            from += column.width;
        }
    }
    /// Puts entries `range` of `source`, a node of the same level, before entry `index`.
    pub(super) fn splice(&mut self, index: usize, source: &Node<'_, K>, range: Range<usize>) {
        assert!(range.end <= source.count, "entries {range:?} of {}", source.count);
        let added = range.len();
        self.open_gap(index, added);
        for (to, from) in self.plan.columns.into_iter().zip(source.plan.columns) {
            let bytes = &source.bytes[from.range(range.clone())];
            self.bytes[to.range(index..index + added)].copy_from_slice(bytes);
        }
    }
    fn open_gap(&mut self, index: usize, added: usize) {
        assert!(index <= self.count && self.count + added <= self.plan.capacity);
        for column in self.plan.columns {
            let to = column.range(index + added..index + added).start;
            self.bytes.copy_within(column.range(index..self.count), to);
        }
        self.set_count(self.count + added);
    }
    /// Takes entries `range` out.
    pub(super) fn cut(&mut self, range: Range<usize>) {
        assert!(range.start <= range.end && range.end <= self.count);
        for column in self.plan.columns {
            let to = column.range(range.start..range.start).start;
            self.bytes.copy_within(column.range(range.end..self.count), to);
        }
        self.set_count(self.count - range.len());
    }
    /// Writes `entry` over record `index` of a leaf.
    pub(super) fn set_record(&mut self, index: usize, entry: &Entry) {
        self.overwrite(index, &entry.bytes);
    }
    /// Writes `key` over the key of entry `index`.
    pub(super) fn set_key(&mut self, index: usize, key: &Key) {
        self.overwrite(index, &key.bytes);
    }
    fn overwrite(&mut self, index: usize, bytes: &[u8]) {
        assert!(index < self.count, "entry {index} of {}", self.count);
        let column = self.plan.columns[0];
        self.bytes[column.range(index..index + 1)].copy_from_slice(&bytes[..column.width]);
    }
    /// Makes the node an empty one of `level`; only a fork changes its level.
    pub(super) fn reset_fork(&mut self, level: u16) {
        assert!(self.home == Home::Fork && level > 0);
        self.plan = Plan::new::<K>(self.home, level, self.bytes.len());
        self.count = 0;
        root::set_shape(self.bytes, level, 0);
    }
    fn set_count(&mut self, count: usize) {
        self.count = count;
        let numrecs = count as u16; // a block has at most 64 KiB
        match self.home {
            Home::Block => Header::set_numrecs(self.bytes, numrecs),
            Home::Fork => {
                let level = root::shape(self.bytes).map_or(1, |(level, _)| level);
                root::set_shape(self.bytes, level, numrecs);
            }
        }
    }
    /// Names the node to the left of this block.
    pub(super) fn set_left(&mut self, left: Option<u64>) {
        self.change_header(|header| header.links.left = left);
    }
    /// Names the node to the right of this block.
    pub(super) fn set_right(&mut self, right: Option<u64>) {
        self.change_header(|header| header.links.right = right);
    }
    fn change_header(&mut self, change: impl FnOnce(&mut Header)) {
        let header = Header::decode(K::KIND, self.bytes);
        assert!(header.is_ok() && self.home == Home::Block, "a node that was opened has a header");
        if let Ok(mut header) = header {
            change(&mut header);
            header.store(K::KIND, self.bytes);
        }
    }
}

/// A field of a node's header that cannot be.
pub(super) fn fault<K: TreeKind>(field: &'static str, value: u64) -> Fault {
    Fault::Field { what: K::KIND.name(), field, value }
}

/// A rule between entries or nodes that is broken.
pub(super) fn disorder<K: TreeKind>(rule: &'static str, index: usize) -> Fault {
    Fault::Order { what: K::KIND.name(), rule, index }
}
