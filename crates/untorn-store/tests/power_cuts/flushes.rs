//! How many flushes a checkpoint takes when somebody else writes data meanwhile.

use super::volume::{SMALL, Shape, recovered};
use parking_lot::Mutex;
use std::ops::Range;
use std::sync::{Arc, OnceLock, Weak};
use untorn_device::{BlockDevice, DeviceGeometry, Result};
use untorn_format::log::{CHUNK, LOG_BLOCK};
use untorn_store::journal::LogArea;
use untorn_store::{Store, StoreOptions};
use untorn_torture::disk::{Event, SimDisk};

/// When another thread's write of data returns, as it were.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Never,
    /// After a record was written, before the flush that makes it durable.
    Record,
    /// While that flush runs.
    Flush,
}

/// A disk beside which somebody else writes.
struct Shared {
    disk: Arc<SimDisk>,
    log: Range<u64>,
    store: OnceLock<Weak<Store>>,
    meanwhile: Mutex<Meanwhile>,
}

impl Shared {
    fn new(shape: &Shape) -> (Arc<Self>, Arc<Store>) {
        let (disk, _) = shape.format();
        let sb = shape.superblock();
        let area = LogArea::of(&sb).unwrap();
        let log = area.start..area.start + u64::from(area.blocks) * LOG_BLOCK as u64;
        let (store, meanwhile) = (OnceLock::new(), Mutex::new(Meanwhile::Never));
        let shared = Arc::new(Self { disk, log, store, meanwhile });
        let journal = recovered(shared.clone(), shape).journal;
        let (geometry, tail) = (sb.geometry.clone(), journal.head());
        let options = StoreOptions::default();
        let store = Store::new(shared.clone(), geometry, sb.meta_uuid, journal, tail, options);
        let store = Arc::new(store);
        assert!(shared.store.set(Arc::downgrade(&store)).is_ok());
        (shared, store)
    }

    fn at(&self, moment: Meanwhile) {
        let mut meanwhile = self.meanwhile.lock();
        if *meanwhile == moment {
            *meanwhile = Meanwhile::Never;
            self.store.get().and_then(Weak::upgrade).unwrap().note_data_write();
        }
    }

    /// Flushes of a commit that is forced.
    fn flushes(&self, store: &Store, shape: &Shape, byte: u8) -> usize {
        let before = self.disk.event_count();
        let mut transaction = store.begin(8 << 10).unwrap();
        transaction.stage(&shape.buffer(1)).unwrap()[CHUNK..2 * CHUNK].fill(byte);
        let sequence = transaction.commit().unwrap().sequence;
        store.force(sequence).unwrap();
        let events = self.disk.events();
        events[before..].iter().filter(|event| **event == Event::Flush).count()
    }
}

impl BlockDevice for Shared {
    fn geometry(&self) -> DeviceGeometry {
        self.disk.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.disk.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.disk.write_at(offset, bytes)?;
        if self.log.contains(&offset) {
            self.at(Meanwhile::Record);
        }
        Ok(())
    }
    fn flush(&self) -> Result<()> {
        self.at(Meanwhile::Flush);
        self.disk.flush()
    }
    fn discard(&self, offset: u64, length: u64) -> Result<untorn_device::Discarded> {
        self.disk.discard(offset, length)
    }
}

#[test]
fn the_last_flush_of_a_checkpoint_saves_the_next_one_its_first() {
    let (shared, store) = Shared::new(&SMALL);
    shared.flushes(&store, &SMALL, 1);
    assert_eq!(shared.flushes(&store, &SMALL, 2), 1, "nobody wrote data");
    store.note_data_write();
    assert_eq!(shared.flushes(&store, &SMALL, 3), 2, "data must be durable before its record");
    *shared.meanwhile.lock() = Meanwhile::Record;
    assert_eq!(shared.flushes(&store, &SMALL, 4), 1);
    assert_eq!(shared.flushes(&store, &SMALL, 5), 1, "the flush before covered the data");
}

#[test]
fn data_written_while_a_flush_runs_is_not_taken_for_durable() {
    let (shared, store) = Shared::new(&SMALL);
    shared.flushes(&store, &SMALL, 1);
    *shared.meanwhile.lock() = Meanwhile::Flush;
    assert_eq!(shared.flushes(&store, &SMALL, 2), 1);
    assert_eq!(shared.flushes(&store, &SMALL, 3), 2);
    *shared.meanwhile.lock() = Meanwhile::Flush;
    assert_eq!(shared.flushes(&store, &SMALL, 4), 1);
    let before = shared.disk.event_count();
    store.flush_data().unwrap();
    store.flush_data().unwrap();
    assert_eq!(shared.disk.event_count(), before + 1, "one flush, and only one");
}
