//! The store: commits, checkpoints, forces and writeback of one volume.
//!
//! Locks, in order: `writer` (one checkpoint or writeback at a time; held across I/O), then `state`
//! (short, never across I/O). Commits take `state` alone, so they proceed while a checkpoint is
//! being written. Between the two come the locks of owners, for who closes a checkpoint makes what
//! was put off (see [`Closing`]): nobody who has locked an owner may wait for `writer`.
//!
//! After the first failed write nothing more is written: the journal on the device is whole up to
//! its last durable checkpoint, and what this process believes beyond that is given up.

use crate::cache::{BlockRef, Cache};
use crate::chunks::{CHUNK, Chunks};
use crate::error::{Result, StoreError};
use crate::flushes::Flushes;
use crate::journal::Journal;
use crate::state::{Ail, Cil, SLACK, State, framed};
use crate::txn::{Change, Commit, Transaction};
use crate::writeback::Writer;
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, OnceLock};
use untorn_device::{BlockDevice, DeviceError};
use untorn_format::{BlockKind, DiskAddr, Geometry, Lsn};

/// Names a checkpoint: everything committed under it is durable once it has been forced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(pub u64);

/// How a store behaves.
#[derive(Clone, Copy, Debug)]
pub struct StoreOptions {
    /// Bytes of clean metadata to keep in memory.
    pub cache_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { cache_bytes: 64 << 20 }
    }
}

/// Does what transactions have put off until the open checkpoint closes.
pub trait Closing: Send + Sync {
    /// Commits everything that was put off, in transactions of [`Store::begin_closing`], and calls
    /// `close` while nobody can put off more; again, with what came meanwhile, as long as `close`
    /// gives `false`. The caller holds no lock but that of the journal's writer.
    fn settle(&self, close: &mut dyn FnMut() -> bool) -> Result<()>;
}

/// Metadata of one volume: cache, open checkpoint, journal, writeback.
pub struct Store {
    pub(crate) device: Arc<dyn BlockDevice>,
    cache: Cache,
    pub(crate) state: Mutex<State>,
    released: Condvar,
    pub(crate) writer: Mutex<Writer>,
    /// Data and metadata written home, and which of it is durable.
    pub(crate) flushes: Flushes,
    stopped: OnceLock<Arc<StoreError>>,
    pub(crate) closing: OnceLock<Box<dyn Closing>>,
    capacity: u64,
    sector: u32,
    /// Journal bytes kept for a record that moves the tail, padding to a log stripe included.
    slack: u64,
}

impl Store {
    /// A store over `device` whose journal was recovered and continues at its head; nothing older
    /// than `tail` is needed.
    pub fn new(
        device: Arc<dyn BlockDevice>,
        geometry: Geometry,
        uuid: [u8; 16],
        journal: Journal,
        tail: Lsn,
        options: StoreOptions,
    ) -> Self {
        let capacity = journal.capacity();
        let room = journal.free_bytes(tail);
        let slack = SLACK + 2 * journal.cost_bound(1, 512);
        let sector = geometry.sector_size() as u32;
        let cache = Cache::new(Arc::clone(&device), geometry, uuid, options.cache_bytes);
        let state = State {
            cil: Cil::default(),
            ail: Ail::default(),
            sequence: 1,
            durable: 0,
            reserved: 0,
            put_off: 0,
            open: 0,
            in_flight: 0,
            room,
            slack,
            closing: None,
        };
        Self {
            device,
            cache,
            state: Mutex::new(state),
            released: Condvar::new(),
            writer: Mutex::new(Writer::new(journal)),
            flushes: Flushes::new(),
            stopped: OnceLock::new(),
            closing: OnceLock::new(),
            capacity,
            sector,
            slack,
        }
    }

    /// The metadata cache.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The device below.
    pub fn device(&self) -> &Arc<dyn BlockDevice> {
        &self.device
    }

    /// The most journal bytes that one transaction can have.
    pub fn largest_transaction(&self) -> u64 {
        self.capacity.saturating_sub(4 * self.slack) / 17 * 16
    }

    /// Begins a transaction that may journal about `bytes` bytes. Waits for room; call it with no
    /// owner's lock held.
    pub fn begin(&self, bytes: u64) -> Result<Transaction<'_>> {
        let limit = self.largest_transaction();
        if bytes > limit {
            return Err(StoreError::TooLarge { need: bytes, limit });
        }
        loop {
            self.running()?;
            let mut state = self.state.lock();
            state.admit()?;
            if state.fits(bytes) {
                state.reserved += bytes;
                state.open += 1;
                return Ok(Transaction::new(self, Reservation { store: self, bytes }));
            }
            drop(state);
            self.make_room(bytes)?;
        }
    }

    /// Whether a transaction of `bytes` bytes would find room now and lead to no checkpoint.
    pub fn has_room(&self, bytes: u64) -> bool {
        let state = self.state.lock();
        let expected = state.cil.cost + state.cil.expected;
        state.fits(bytes) && expected.saturating_add(bytes) <= self.checkpoint_size()
    }

    /// Whether everything committed under `sequence` is durable.
    pub fn is_durable(&self, sequence: Sequence) -> bool {
        self.state.lock().durable >= sequence.0
    }

    /// Makes a checkpoint, writes home, and moves the tail until `bytes` fit or others must finish.
    fn make_room(&self, bytes: u64) -> Result<()> {
        let mut writer = self.writer.lock();
        // The store may have been closed or stopped meanwhile.
        self.running()?;
        if self.state.lock().fits(bytes) {
            return Ok(());
        }
        self.latch(writer.checkpoint(self, Covering::No))?;
        if self.state.lock().fits(bytes) {
            return Ok(());
        }
        self.latch(writer.push_all(self))?;
        self.latch(writer.checkpoint(self, Covering::Yes))?;
        drop(writer);
        let mut state = self.state.lock();
        if !state.fits(bytes) && state.reserved > 0 {
            self.released.wait_for(&mut state, std::time::Duration::from_millis(20));
        }
        Ok(())
    }

    /// Begins the transaction that does what was put off (see [`Closing`]): it has what was
    /// promised to that, and never waits.
    pub fn begin_closing(&self) -> Transaction<'_> {
        self.state.lock().open += 1;
        Transaction::new(self, Reservation { store: self, bytes: 0 })
    }

    /// Says who does what transactions put off.
    pub fn set_closing(&self, closing: Box<dyn Closing>) {
        assert!(self.closing.set(closing).is_ok(), "one does what is put off");
    }

    pub(crate) fn publish(
        &self,
        commit: Commit,
        reservation: &mut Reservation<'_>,
    ) -> Result<Sequence> {
        self.running()?;
        let Commit { changes, items, on_durable, put_off } = commit;
        let costs: Vec<u64> = changes.iter().map(Change::cost).collect();
        let need = costs.iter().sum::<u64>() + items.iter().map(|(_, cost)| cost).sum::<u64>();
        let mut state = self.state.lock();
        let more = (need + put_off.promise).saturating_sub(reservation.bytes + put_off.kept);
        if more > 0 && !state.fits(more) {
            let promise = put_off.promise.saturating_sub(put_off.kept);
            return Err(StoreError::Outgrown { need: need + promise });
        }
        state.reserved -= std::mem::take(&mut reservation.bytes);
        state.put_off = state.put_off + put_off.promise - put_off.kept;
        state.cil.expected += put_off.expected;
        for (change, cost) in changes.into_iter().zip(costs) {
            self.cache.apply(&change);
            state.cil.change(change, cost);
        }
        items.into_iter().for_each(|(item, cost)| state.cil.log(item, cost));
        state.cil.on_durable.extend(on_durable);
        Ok(Sequence(state.sequence))
    }

    /// Writes a checkpoint if the open one has grown large and nobody is writing one. Call it after
    /// commits, with no owner's lock held.
    pub fn relieve(&self) -> Result<()> {
        if self.load() == Load::Light {
            return Ok(());
        }
        match self.writer.try_lock() {
            Some(mut writer) => {
                self.running()?;
                self.latch(writer.checkpoint(self, Covering::No))
            }
            None => Ok(()),
        }
    }

    /// How much the open checkpoint has to carry.
    pub fn load(&self) -> Load {
        let state = self.state.lock();
        match (state.cil.cost + state.cil.expected) / self.checkpoint_size() {
            0 => Load::Light,
            1 => Load::Heavy,
            _ => Load::TooHeavy,
        }
    }

    /// Journal bytes at which a checkpoint is written without anybody asking.
    fn checkpoint_size(&self) -> u64 {
        (self.capacity / 8).clamp(1, 4 << 20)
    }

    /// The checkpoint that the next commit goes into.
    pub fn open_sequence(&self) -> Sequence {
        Sequence(self.state.lock().sequence)
    }

    /// Makes everything committed under `sequence` durable. Concurrent callers share one write.
    pub fn force(&self, sequence: Sequence) -> Result<()> {
        if self.is_durable(sequence) {
            return Ok(());
        }
        let mut writer = self.writer.lock();
        if self.state.lock().durable >= sequence.0 {
            return Ok(());
        }
        self.running()?;
        self.latch(writer.checkpoint(self, Covering::No))
    }

    /// Makes everything committed so far durable.
    pub fn force_all(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        self.running()?;
        self.latch(writer.checkpoint(self, Covering::No))
    }

    /// Says that data was written to the device: the next checkpoint flushes before its commit.
    pub fn note_data_write(&self) {
        self.flushes.note_write();
    }

    /// Makes data that was written before this call durable.
    pub fn flush_data(&self) -> Result<()> {
        let moment = self.flushes.moment();
        if self.flushes.covers(moment) {
            return self.running();
        }
        let _writer = self.writer.lock();
        self.running()?;
        if self.flushes.covers(moment) {
            return Ok(());
        }
        self.latch(self.flush())
    }

    /// Makes all that was written before this call durable.
    pub(crate) fn flush(&self) -> Result<()> {
        let moment = self.flushes.moment();
        self.device.flush()?;
        self.flushes.note_flush(moment);
        Ok(())
    }

    /// Writes home everything that the journal holds.
    pub fn push_all(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        self.running()?;
        self.latch(writer.push_all(self))
    }

    /// Makes everything durable, writes it home and lets the journal say so: a replay would have
    /// next to nothing to do.
    pub fn bring_home(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        self.running()?;
        self.latch(writer.checkpoint(self, Covering::No))?;
        self.latch(writer.push_all(self))?;
        self.latch(writer.checkpoint(self, Covering::Yes))
    }

    /// Lets nobody but this thread begin transactions, and waits for those that others have begun:
    /// [`Store::close`] follows.
    pub fn quiesce(&self) -> Result<()> {
        self.running()?;
        let mut state = self.state.lock();
        state.closing = Some(std::thread::current().id());
        while state.open > 0 {
            self.released.wait(&mut state);
        }
        Ok(())
    }

    /// Leaves a journal that needs no replay: all is forced and written home, then the unmount
    /// record follows.
    pub fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        self.running()?;
        self.latch(writer.close(self))?;
        // Before anybody else gets the writer: nothing may follow the unmount record.
        let closed = DeviceError::Unusable("the volume was closed".to_owned());
        self.stop(closed.into());
        Ok(())
    }

    /// Keeps the tail of the journal from passing `lsn` (an intent being recovered).
    pub fn hold_tail(&self, lsn: Lsn) {
        self.state.lock().ail.hold(lsn);
    }

    /// Lets the tail pass `lsn` again.
    pub fn release_tail(&self, lsn: Lsn) {
        self.state.lock().ail.release(lsn);
    }

    /// What a checkpoint carries that has nothing else to say: a piece of the superblock as it is.
    pub(crate) fn covering_change(&self) -> Result<Change> {
        let block = BlockRef {
            addr: DiskAddr(0),
            length: self.sector,
            kind: BlockKind::Superblock,
            owner: None,
        };
        let image = self.cache.read(&block)?;
        Ok(Change::Image { block, image, chunks: Chunks::all(CHUNK) })
    }

    /// Bytes of journal that the open checkpoint takes, and entries waiting to be written home.
    pub fn pending(&self) -> (u64, usize) {
        let state = self.state.lock();
        (framed(state.cil.cost), state.ail.len())
    }

    /// What committed changes wait for.
    pub fn waits_for(&self) -> WaitsFor {
        let state = self.state.lock();
        match (state.cil.is_empty(), state.ail.len()) {
            (false, _) => WaitsFor::Journal,
            (true, 0) => WaitsFor::Nothing,
            (true, _) => WaitsFor::Home,
        }
    }

    /// Refuses what can no longer reach the device: the store was stopped, or is being closed by
    /// another thread.
    pub fn demand_open(&self) -> Result<()> {
        self.running()?;
        self.state.lock().admit()
    }

    fn running(&self) -> Result<()> {
        match self.stopped.get() {
            Some(first) => Err(StoreError::Stopped(Arc::clone(first))),
            None => Ok(()),
        }
    }

    /// Passes `result` on; an error stops the store for good.
    fn latch<T>(&self, result: Result<T>) -> Result<T> {
        result.inspect_err(|error| {
            let _ = self.stopped.set(Arc::new(error.clone()));
        })
    }

    /// Stops the store: nothing more is written, as after a power cut.
    pub fn stop(&self, reason: StoreError) {
        let _ = self.stopped.set(Arc::new(reason));
    }
}

/// How much the open checkpoint has to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load {
    /// Nobody needs to write it.
    Light,
    /// It is time that somebody does.
    Heavy,
    /// Who commits must do so.
    TooHeavy,
}

/// What the newest of the committed changes wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitsFor {
    /// To be written to the journal: a power cut loses them.
    Journal,
    /// To be written home: a replay would do it.
    Home,
    /// Nothing: all is home.
    Nothing,
}

/// Whether a checkpoint is written even when there is nothing to commit, to record a newer tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Covering {
    Yes,
    No,
}

/// A transaction that is open, and the journal bytes promised to it; both end on drop.
pub(crate) struct Reservation<'s> {
    store: &'s Store,
    bytes: u64,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let mut state = self.store.state.lock();
        state.reserved -= self.bytes;
        state.open -= 1;
        drop(state);
        self.store.released.notify_all();
    }
}
