//! What the journal must still carry (CIL) and what it carries that is not home yet (AIL).
//!
//! ```text
//!   commit -> open checkpoint (Cil) -> written to the journal -> Ail -> written home -> forgotten
//! ```
//! The AIL is ordered by the first LSN at which an item was journaled since it was last home: every
//! change from there on is in the journal, so the journal's tail is the smallest of them. What is
//! written home is the image of the newest durable checkpoint, stamped with that one's LSN.
//!
//! Pure bookkeeping: no I/O, no locks of its own.

use crate::address::{AddrMap, NumberHash};
use crate::cache::{BlockRef, Image};
use crate::chunks::Chunks;
use crate::error::{Result, StoreError};
use crate::item::{Item, ItemKey};
use crate::txn::{Change, OnDurable};
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::thread::ThreadId;
use untorn_device::DeviceError;
use untorn_format::{BlockKind, DiskAddr, Lsn};

/// A buffer of the open checkpoint and the journal bytes that it takes.
pub(crate) struct CilEntry {
    pub buffer: CilBuffer,
    cost: u64,
}

/// What a checkpoint says of a buffer.
pub(crate) enum CilBuffer {
    /// Changed: the image and the chunks to journal.
    Image { block: BlockRef, image: Image, chunks: Chunks },
    /// Freed.
    Cancel { block: BlockRef },
}

/// The open checkpoint: all that was committed since the last one was taken.
#[derive(Default)]
pub(crate) struct Cil {
    pub buffers: AddrMap<CilEntry>,
    pub items: BTreeMap<ItemKey, (Arc<dyn Item>, u64)>,
    pub on_durable: Vec<OnDurable>,
    /// Journal bytes that it takes.
    pub cost: u64,
    /// Journal bytes that it is expected to take besides, for what was put off until it closes.
    pub expected: u64,
}

impl Cil {
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.items.is_empty() && self.on_durable.is_empty()
    }

    /// Whether the block of the buffer at `addr` was freed.
    pub fn frees(&self, addr: DiskAddr) -> bool {
        let entry = self.buffers.get(&addr);
        entry.is_some_and(|entry| matches!(entry.buffer, CilBuffer::Cancel { .. }))
    }

    /// Whether a buffer that several items share was freed.
    pub fn frees_shared(&self) -> bool {
        self.buffers.values().any(|entry| match &entry.buffer {
            CilBuffer::Cancel { block } => block.kind == BlockKind::Inodes,
            CilBuffer::Image { .. } => false,
        })
    }

    /// Whether all that `item` lives in was freed: it has no home to be written to any more, and a
    /// replay leaves it out.
    pub fn frees_homes(&self, item: &dyn Item) -> bool {
        let homes = item.homes();
        !homes.is_empty() && homes.iter().all(|home| self.frees(home.addr))
    }

    /// Adds a buffer's change, which alone costs `cost`, on top of what the checkpoint already has
    /// of it.
    pub fn change(&mut self, change: Change, cost: u64) {
        let (addr, buffer) = match change {
            Change::Cancel { block } => (block.addr, CilBuffer::Cancel { block }),
            Change::Image { block, image, chunks } => {
                (block.addr, CilBuffer::Image { block, image, chunks })
            }
            Change::Unlogged { .. } => return,
        };
        let mut new = CilEntry { buffer, cost };
        match self.buffers.entry(addr) {
            Entry::Vacant(place) => {
                self.cost += new.cost;
                place.insert(new);
            }
            Entry::Occupied(mut place) => {
                new.follow(&place.get().buffer);
                self.cost = self.cost - place.get().cost + new.cost;
                place.insert(new);
            }
        }
    }

    /// Adds a snapshot that costs `cost`, in place of an older one of the same thing.
    pub fn log(&mut self, item: Arc<dyn Item>, cost: u64) {
        self.cost += cost;
        if let Some((_, old)) = self.items.insert(item.key(), (item, cost)) {
            self.cost -= old;
        }
    }
}

impl CilEntry {
    /// Adds what `old`, an earlier entry of the same buffer, says.
    fn follow(&mut self, old: &CilBuffer) {
        let CilBuffer::Image { image, chunks, .. } = &mut self.buffer else { return };
        let before = chunks.clone();
        match old {
            CilBuffer::Image { chunks: old, .. } => chunks.merge(old),
            // Freed and in use again: nothing of the old content may survive a replay.
            CilBuffer::Cancel { .. } => *chunks = Chunks::all(image.len()),
        }
        if *chunks != before {
            self.cost = chunks.cost(image.len());
        }
    }
}

/// What an entry of the AIL is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AilKey {
    Buffer(DiskAddr),
    Item(ItemKey),
}

/// What has to be written home.
#[derive(Clone)]
pub(crate) enum Durable {
    Buffer { block: BlockRef, image: Image },
    Item(Arc<dyn Item>),
}

#[derive(Clone)]
pub(crate) struct AilEntry {
    /// First LSN at which the journal has it.
    first: Lsn,
    /// LSN of the newest durable checkpoint that has it.
    pub newest: Lsn,
    pub what: Durable,
}

/// All that is durable in the journal and not home.
#[derive(Default)]
pub(crate) struct Ail {
    entries: HashMap<AilKey, AilEntry, NumberHash>,
    order: BTreeSet<(Lsn, AilKey)>,
    /// Positions that the tail must not pass though nothing here stands at them: the intents of a
    /// journal that is being recovered.
    holds: BTreeSet<Lsn>,
}

impl Ail {
    /// The oldest position that a replay needs.
    pub fn tail(&self) -> Option<Lsn> {
        let entries = self.order.first().map(|&(lsn, _)| lsn);
        let holds = self.holds.first().copied();
        entries.into_iter().chain(holds).min()
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// `what` is durable as of the checkpoint at `lsn`.
    pub fn insert(&mut self, key: AilKey, what: Durable, lsn: Lsn) {
        let first = self.entries.get(&key).map_or(lsn, |old| old.first);
        self.entries.insert(key, AilEntry { first, newest: lsn, what });
        self.order.insert((first, key));
    }

    pub fn remove(&mut self, key: AilKey) {
        if let Some(old) = self.entries.remove(&key) {
            self.order.remove(&(old.first, key));
        }
    }

    /// Forgets every item whose homes `cil`, durable now, has freed.
    pub fn forget_freed(&mut self, cil: &Cil) {
        let freed = |(key, entry): (&AilKey, &AilEntry)| match &entry.what {
            Durable::Item(item) if cil.frees_homes(&**item) => Some(*key),
            _ => None,
        };
        let gone: Vec<AilKey> = self.entries.iter().filter_map(freed).collect();
        gone.into_iter().for_each(|key| self.remove(key));
    }

    /// The `count` entries that hold the tail back most.
    pub fn oldest(&self, count: usize) -> Vec<(AilKey, AilEntry)> {
        let keys = self.order.iter().take(count);
        keys.filter_map(|(_, key)| Some((*key, self.entries.get(key)?.clone()))).collect()
    }

    pub fn hold(&mut self, lsn: Lsn) {
        self.holds.insert(lsn);
    }

    pub fn release(&mut self, lsn: Lsn) {
        self.holds.remove(&lsn);
    }
}

/// Everything behind the store's one short lock.
pub(crate) struct State {
    pub cil: Cil,
    pub ail: Ail,
    /// Number of the open checkpoint.
    pub sequence: u64,
    /// Number of the newest durable checkpoint.
    pub durable: u64,
    /// Journal bytes promised to transactions that have not committed.
    pub reserved: u64,
    /// Journal bytes promised to what was put off until the open checkpoint closes; while there are
    /// any, it may not.
    pub put_off: u64,
    /// Transactions that have begun, or whose committer is not done with them.
    pub open: u64,
    /// Journal bytes of the checkpoint that is being written.
    pub in_flight: u64,
    /// Journal bytes between the head and the tail that the newest record names.
    pub room: u64,
    /// Part of the room that is never promised.
    pub slack: u64,
    /// The thread that is closing the store.
    pub closing: Option<ThreadId>,
}

impl State {
    /// Refuses new transactions while the store is being closed, but for those that close it.
    pub fn admit(&self) -> Result<()> {
        match self.closing {
            Some(thread) if thread != std::thread::current().id() => {
                let closing = DeviceError::Unusable("the volume is being closed".to_owned());
                Err(StoreError::Stopped(Arc::new(closing.into())))
            }
            _ => Ok(()),
        }
    }

    /// Whether `bytes` more can be promised.
    pub fn fits(&self, bytes: u64) -> bool {
        let used = self.cil.cost + self.in_flight + self.reserved + self.put_off;
        framed(used.saturating_add(bytes)).saturating_add(self.slack) <= self.room
    }
}

/// Bytes in the journal of `bytes` of log items: headers, padding and continuation of records.
pub(crate) fn framed(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 16).saturating_add(4096)
}

/// Room always kept for a record that moves the tail.
pub(crate) const SLACK: u64 = 16 * 1024;
