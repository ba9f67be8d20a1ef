//! A disk that fails one request and then works again: the store must not go on, nor say that
//! anything is durable that is not.

use super::volume::{Contents, SMALL, Shape, change, recovered, same};
use std::sync::Arc;
use untorn_device::Operation;
use untorn_format::log::CHUNK;
use untorn_store::{Result, Store, StoreOptions};
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Event, FaultPlan, Policy, SimDisk};

/// A store on a disk that fails.
struct Worker {
    shape: Shape,
    disk: Arc<SimDisk>,
    store: Store,
    dice: Dice,
    states: Vec<Contents>,
    durable: usize,
}

impl Worker {
    fn new(shape: Shape, faults: FaultPlan) -> Self {
        let (disk, contents) = shape.format();
        let journal = recovered(disk.clone(), &shape).journal;
        disk.settle();
        let (sb, tail) = (shape.superblock(), journal.head());
        let (geometry, options) = (sb.geometry.clone(), StoreOptions::default());
        let store = Store::new(disk.clone(), geometry, sb.meta_uuid, journal, tail, options);
        disk.set_faults(faults);
        Self { shape, disk, store, dice: Dice::new(7), states: vec![contents], durable: 0 }
    }

    fn commit(&mut self) -> Result<()> {
        let mut contents = self.states[self.states.len() - 1].clone();
        let mut transaction = self.store.begin(16 << 10)?;
        for (block, chunks) in change(&mut contents, 4, &mut self.dice) {
            let staged = transaction.stage(&self.shape.buffer(block))?;
            for at in chunks.into_iter().map(|chunk| chunk * CHUNK) {
                staged[at..at + CHUNK].copy_from_slice(&contents[block as usize][at..at + CHUNK]);
            }
        }
        transaction.commit()?;
        self.states.push(contents);
        Ok(())
    }

    fn step(&mut self, step: u64) -> Result<()> {
        self.commit()?;
        match step % 6 {
            1 | 4 => {
                self.store.note_data_write();
                self.store.force_all()?;
                self.durable = self.states.len() - 1;
            }
            2 => self.store.flush_data()?,
            3 => self.store.push_all()?,
            5 => self.store.relieve()?,
            _ => {}
        }
        Ok(())
    }

    fn work(&mut self) -> Result<()> {
        (0..36).try_for_each(|step| self.step(step))?;
        self.store.close()?;
        self.durable = self.states.len() - 1;
        Ok(())
    }

    /// Nothing that is asked of a store that failed succeeds or writes.
    fn demand_stopped(&mut self, told: &str) {
        let writes = |disk: &SimDisk| {
            let events = disk.events();
            events.iter().filter(|event| matches!(event, Event::Write { .. })).count()
        };
        let before = writes(&self.disk);
        assert!(self.store.force_all().is_err(), "{told}: forced");
        assert!(self.store.push_all().is_err(), "{told}: pushed");
        assert!(self.store.flush_data().is_err(), "{told}: flushed");
        assert!(self.store.bring_home().is_err(), "{told}: brought home");
        assert!(self.store.close().is_err(), "{told}: closed");
        assert!(self.commit().is_err(), "{told}: committed");
        assert_eq!(writes(&self.disk), before, "{told}: something was written");
    }

    fn judge(&self, told: &str) {
        let end = self.disk.event_count();
        for policy in [Policy::FlushedOnly, Policy::Prefix] {
            let image = Arc::new(self.disk.durable_after(end, policy, 1));
            recovered(image.clone(), &self.shape);
            let found = self.shape.read(&*image);
            let matches = (self.durable..self.states.len()).any(|s| same(&self.states[s], &found));
            assert!(matches, "{told}, {policy:?}: nothing from {} on", self.durable);
        }
    }
}

#[test]
fn one_failed_request_stops_the_store_for_good() {
    for shape in [SMALL, Shape { log_blocks: 64, ..SMALL }] {
        for operation in [Operation::Write, Operation::Flush] {
            let mut failed = 0;
            for number in 0.. {
                let told = format!("{operation:?} {number}, {} blocks", shape.log_blocks);
                let mut worker = Worker::new(shape, FaultPlan::none().fail(operation, number));
                match worker.work() {
                    Ok(()) => break,
                    Err(_) => worker.demand_stopped(&told),
                }
                worker.judge(&told);
                failed += 1;
            }
            assert!(failed > 5, "{operation:?}: {failed} failures");
        }
    }
}
