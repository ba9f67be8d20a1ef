//! Checkpoints into the journal and images home: the only writer of metadata.
//!
//! Order on the device: data of a commit, flush, the records of its checkpoint, flush, and only
//! then the images home. The tail that a record names moves past an item only after the item's home
//! write was flushed, which the flush before that record does.

use crate::cache::{BlockRef, Image};
use crate::error::Result;
use crate::item::{Item, Logged};
use crate::journal::{Journal, LogItem, SinceFlush};
use crate::state::{AilEntry, AilKey, Cil, CilBuffer, Durable};
use crate::store::{Covering, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::WriteRequest;
use untorn_format::{DiskAddr, Lsn, kind};

/// Items written home in one batch.
const BATCH: usize = 512;

/// Owns the journal; whoever locks it may write.
pub(crate) struct Writer {
    journal: Journal,
    /// Images were written home since the last flush: the tail may not pass them yet.
    pushed: bool,
}

impl Writer {
    pub fn new(journal: Journal) -> Self {
        Self { journal, pushed: false }
    }

    /// Writes the open checkpoint. Afterwards all that was committed before the call is durable.
    pub fn checkpoint(&mut self, store: &Store, covering: Covering) -> Result<()> {
        let Some((mut cil, tail)) = self.take(store, covering)? else {
            return Ok(());
        };
        if cil.buffers.is_empty() && cil.items.is_empty() {
            let change = store.covering_change()?;
            let cost = change.cost();
            cil.change(change, cost);
        }
        if std::mem::take(&mut self.pushed) {
            // The tail that the records name was chosen as if those images were home.
            store.flush()?;
        }
        let start = self.write(store, &cil, tail)?;
        store.cache().set_newest(self.journal.head());
        self.settle(store, &mut cil, start, tail);
        cil.on_durable.into_iter().for_each(|action| action());
        self.push_if_crowded(store)
    }

    /// Closes the open checkpoint, with all that was put off until then; commits go into the next
    /// one from here on. Nothing where there is none to write.
    fn take(&self, store: &Store, covering: Covering) -> Result<Option<(Cil, Lsn)>> {
        let mut taken = None;
        let mut close = || {
            let mut state = store.state.lock();
            if state.put_off > 0 {
                return false;
            }
            if !state.cil.is_empty() || covering == Covering::Yes {
                let cil = std::mem::take(&mut state.cil);
                state.sequence += 1;
                state.in_flight = cil.cost;
                let tail = state.ail.tail().unwrap_or_else(|| self.journal.head());
                taken = Some((cil, tail));
            }
            true
        };
        if !close() {
            let closing = store.closing.get();
            let closing = closing.unwrap_or_else(|| unreachable!("somebody puts off"));
            closing.settle(&mut close)?;
        }
        Ok(taken)
    }

    fn write(&mut self, store: &Store, cil: &Cil, tail: Lsn) -> Result<Lsn> {
        let mut logged: Vec<Logged<'_>> = Vec::with_capacity(cil.buffers.len() + cil.items.len());
        cil.items.values().for_each(|(item, _)| item.log(&mut logged));
        let mut buffers: Vec<_> = cil.buffers.iter().collect();
        buffers.sort_unstable_by_key(|&(addr, _)| addr);
        logged.extend(buffers.into_iter().map(|(_, entry)| entry.buffer.log()));
        let items: Vec<_> = logged
            .iter()
            .map(|item| LogItem { regions: item.iter().map(|region| &**region).collect() })
            .collect();
        let flushes = &store.flushes;
        let since = match flushes.covers(flushes.moment()) {
            true => SinceFlush::Nothing,
            false => SinceFlush::Writes,
        };
        let mut last = 0;
        let before_last = || last = flushes.moment();
        let start = self.journal.write_checkpoint_then(&items, tail, since, before_last)?.start;
        // The last flush covers what others wrote while this checkpoint was written.
        flushes.note_flush(last);
        Ok(start)
    }

    /// The checkpoint at `start` is durable: its items wait to be written home.
    fn settle(&self, store: &Store, cil: &mut Cil, start: Lsn, tail: Lsn) {
        let mut state = store.state.lock();
        for (key, (item, _)) in std::mem::take(&mut cil.items) {
            if !item.homes().is_empty() && !cil.frees_homes(&*item) {
                state.ail.insert(AilKey::Item(key), Durable::Item(item), start);
            }
        }
        if cil.frees_shared() {
            state.ail.forget_freed(cil);
        }
        for (addr, entry) in std::mem::take(&mut cil.buffers) {
            let key = AilKey::Buffer(addr);
            match entry.buffer {
                CilBuffer::Cancel { .. } => state.ail.remove(key),
                CilBuffer::Image { block, image, .. } => {
                    state.ail.insert(key, Durable::Buffer { block, image }, start);
                }
            }
        }
        state.durable = state.sequence - 1;
        state.in_flight = 0;
        state.room = self.journal.free_bytes(tail);
    }

    /// Writes the oldest items home once half of the journal is in use, until a quarter is.
    fn push_if_crowded(&mut self, store: &Store) -> Result<()> {
        let capacity = self.journal.capacity();
        let free = |this: &Self| {
            let tail = store.state.lock().ail.tail();
            tail.map_or(capacity, |tail| this.journal.free_bytes(tail))
        };
        if free(self) * 2 >= capacity {
            return Ok(());
        }
        while free(self) * 4 < capacity * 3 && self.push(store)? > 0 {}
        Ok(())
    }

    /// Writes everything home.
    pub fn push_all(&mut self, store: &Store) -> Result<()> {
        while self.push(store)? > 0 {}
        Ok(())
    }

    /// Writes one batch of the oldest items home; how many there were.
    fn push(&mut self, store: &Store) -> Result<usize> {
        let oldest = store.state.lock().ail.oldest(BATCH);
        let (homes, oldest) = Homes::build(store, oldest)?;
        if oldest.is_empty() {
            return Ok(0);
        }
        homes.write(store)?;
        store.flushes.note_write();
        self.pushed = true;
        let mut state = store.state.lock();
        for (key, entry) in &oldest {
            state.ail.remove(*key);
            if let (AilKey::Buffer(addr), Durable::Buffer { image, .. }) = (key, &entry.what)
                && !state.cil.buffers.contains_key(addr)
            {
                store.cache().mark_clean(*addr, image);
            }
        }
        // What was freed meanwhile is nobody's: it must not be found there again.
        let kept = homes.shared.into_values().filter(|(block, _)| !state.cil.frees(block.addr));
        kept.for_each(|(block, image)| store.cache().publish_home(&block, image));
        Ok(oldest.len())
    }

    /// Forces, writes home, and ends the journal with an unmount record.
    pub fn close(&mut self, store: &Store) -> Result<()> {
        self.checkpoint(store, Covering::No)?;
        self.push_all(store)?;
        store.flush()?;
        self.pushed = false;
        Ok(self.journal.write_unmount()?)
    }
}

impl CilBuffer {
    fn log(&self) -> Logged<'_> {
        use crate::buffer_item;
        match self {
            Self::Cancel { block } => buffer_item::cancel(block),
            Self::Image { block, image, chunks } => buffer_item::changed(block, image, chunks),
        }
    }
}

/// What one batch writes: whole buffers, and buffers that several items share.
struct Homes {
    own: Vec<(DiskAddr, Vec<u8>)>,
    shared: BTreeMap<DiskAddr, (BlockRef, Image)>,
}

impl Homes {
    /// What is written for `entries`, and those of them that this writes. What lost its home since
    /// the last checkpoint waits: the next one forgets it.
    fn build(
        store: &Store,
        mut entries: Vec<(AilKey, AilEntry)>,
    ) -> Result<(Self, Vec<(AilKey, AilEntry)>)> {
        let mut homes = Self { own: Vec::new(), shared: BTreeMap::new() };
        let mut failed = None;
        entries.retain(|(_, entry)| match &entry.what {
            Durable::Buffer { block, image } => {
                homes.seal(block, image, entry.newest);
                true
            }
            Durable::Item(item) => {
                let applied = homes.apply(store, &**item, entry.newest);
                // Asked behind the look: a home may be freed at any time.
                let freed = store.state.lock().cil.frees_homes(&**item);
                if let (Err(error), false) = (&applied, freed) {
                    failed.get_or_insert_with(|| error.clone());
                }
                applied.is_ok() && !freed
            }
        });
        match failed {
            Some(error) => Err(error),
            None => Ok((homes, entries)),
        }
    }

    fn seal(&mut self, block: &BlockRef, image: &Image, lsn: Lsn) {
        let mut bytes = image.to_vec();
        kind::seal(block.kind, &mut bytes, lsn);
        self.own.push((block.addr, bytes));
    }

    fn apply(&mut self, store: &Store, item: &dyn Item, lsn: Lsn) -> Result<()> {
        for home in item.homes() {
            let mut image = match self.shared.remove(&home.addr) {
                Some((_, image)) => image,
                None => store.cache().read(home)?,
            };
            item.apply(home, Arc::make_mut(&mut image), lsn);
            self.shared.insert(home.addr, (*home, image));
        }
        Ok(())
    }

    fn write(&self, store: &Store) -> Result<()> {
        let own = self.own.iter().map(|(addr, bytes)| (*addr, &bytes[..]));
        let shared = self.shared.iter().map(|(addr, (_, image))| (*addr, &image[..]));
        let mut all: Vec<_> = own.chain(shared).collect();
        all.sort_unstable_by_key(|&(addr, _)| addr);
        let requests: Vec<_> = all
            .into_iter()
            .map(|(addr, bytes)| WriteRequest { offset: addr.0 << 9, bytes })
            .collect();
        Ok(store.device.write_batch(&requests)?)
    }
}
