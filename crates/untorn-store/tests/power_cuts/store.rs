//! Transactions of a [`Store`]: when it writes checkpoints and blocks home is its own affair.

use super::volume::{Contents, SMALL, Shape, change, factor, recovered, same};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::BlockDevice;
use untorn_format::log::{CHUNK, LOG_BLOCK, RecordHeader, is_header};
use untorn_format::{Lsn, Superblock};
use untorn_store::journal::LogArea;
use untorn_store::{Sequence, Store, StoreOptions};
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Cut, Event, Family, SimDisk};

/// A store being worked on.
struct Worker {
    shape: Shape,
    disk: Arc<SimDisk>,
    store: Store,
    dice: Dice,
    /// Contents after each transaction.
    states: Vec<Contents>,
    /// How many transactions are durable.
    durable: usize,
}

impl Worker {
    fn format(shape: Shape, seed: u64) -> Self {
        let (disk, contents) = shape.format();
        let journal = recovered(disk.clone(), &shape).journal;
        disk.settle();
        let (sb, tail) = (shape.superblock(), journal.head());
        let geometry = sb.geometry.clone();
        let options = StoreOptions::default();
        let store = Store::new(disk.clone(), geometry, sb.meta_uuid, journal, tail, options);
        Self { shape, disk, store, dice: Dice::new(seed), states: vec![contents], durable: 0 }
    }
    fn mark(&self) {
        self.disk.mark((self.durable as u64) << 32 | (self.states.len() as u64 - 1));
    }
    /// One transaction that changes up to `count` blocks, with `bytes` bytes of journal reserved.
    fn commit(&mut self, count: u64, bytes: u64) -> Sequence {
        let mut contents = self.states[self.states.len() - 1].clone();
        let mut transaction = self.store.begin(bytes).unwrap();
        for (block, chunks) in change(&mut contents, count, &mut self.dice) {
            let staged = transaction.stage(&self.shape.buffer(block)).unwrap();
            for at in chunks.into_iter().map(|chunk| chunk * CHUNK) {
                staged[at..at + CHUNK].copy_from_slice(&contents[block as usize][at..at + CHUNK]);
            }
        }
        self.states.push(contents);
        self.mark();
        transaction.commit().unwrap().sequence
    }
    fn force(&mut self, sequence: Sequence) {
        self.store.force(sequence).unwrap();
        self.durable = self.states.len() - 1;
        self.mark();
    }
    /// Recovers every so many-th cut; how many there were.
    fn judge(&self, families: &[Family], every: usize) -> usize {
        let mut dice = Dice::new(every as u64);
        let cuts = self.disk.cuts().families(families).seeds(3);
        let mut chosen = cuts.filter(|_| dice.chance(1, every as u64));
        chosen.by_ref().map(|cut| self.judge_cut(cut)).count()
    }
    fn judge_cut(&self, cut: Cut) {
        let told = cut.to_string();
        let mark = cut.mark.unwrap_or(0);
        let (durable, begun) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image);
        let replayed = recovered(image.clone(), &self.shape);
        assert!(replayed.intents.is_empty());
        let found = self.shape.read(&*image);
        let matches = (durable..=begun).any(|state| same(&self.states[state], &found));
        assert!(matches, "{told}: no state from {durable} to {begun}");
    }
    fn log_bytes(&self) -> Range<u64> {
        let area = LogArea::of(&self.shape.superblock()).unwrap();
        area.start..area.start + u64::from(area.blocks) * LOG_BLOCK as u64
    }
    /// Bytes of the log from the tail that the newest record names to its end.
    fn log_used(&self) -> u64 {
        let log = self.log_bytes();
        let events = self.disk.events();
        let record = events.iter().rev().find_map(|event| match event {
            Event::Write { offset, bytes } if log.contains(offset) => {
                bytes.chunks(LOG_BLOCK).rfind(|block| is_header(block))
            }
            _ => None,
        });
        let Some(header) = record.map(|block| RecordHeader::decode(block).unwrap()) else {
            return 0;
        };
        let ring = ((log.end - log.start) / LOG_BLOCK as u64) as u32;
        let blocks = (ring + header.lsn.block() - header.tail.block()) % ring;
        u64::from(blocks + header.blocks()) * LOG_BLOCK as u64
    }
    /// LSN of the superblock at home.
    fn superblock_lsn(&self) -> u64 {
        let mut sector = vec![0; self.shape.sector as usize];
        self.disk.read_at(0, &mut sector).unwrap();
        Superblock::decode(&sector).unwrap().lsn.0
    }
}

/// Panics where a write to the log touched blocks from the tail on that the newest durable record
/// names.
fn assert_tail_is_never_overwritten(worker: &Worker) {
    let log = worker.log_bytes();
    let (mut written, mut durable) = (None, None);
    for (at, event) in worker.disk.events().into_iter().enumerate() {
        match event {
            Event::Flush => durable = written,
            Event::Write { offset, bytes } if log.contains(&offset) => {
                let first = (offset - log.start) / LOG_BLOCK as u64;
                let blocks = first..first + (bytes.len() / LOG_BLOCK) as u64;
                let touches = |needed: &Needed| blocks.clone().any(|block| needed.has(block));
                let needed: Option<&Needed> = durable.as_ref();
                assert!(!needed.is_some_and(touches), "event {at}: {blocks:?} of {durable:?}");
                let mut headers = bytes.chunks(LOG_BLOCK).filter(|block| is_header(block));
                written = headers.next_back().map(Needed::of).or(written);
            }
            _ => {}
        }
    }
    assert!(durable.is_some(), "no record was found");
}

/// Blocks of the log from the tail that a record names to the record.
#[derive(Clone, Copy, Debug)]
struct Needed {
    tail: Lsn,
    record: Lsn,
}

impl Needed {
    fn of(block: &[u8]) -> Self {
        let header = RecordHeader::decode(block).unwrap();
        Self { tail: header.tail, record: header.lsn }
    }
    fn has(&self, block: u64) -> bool {
        let (tail, record) = (u64::from(self.tail.block()), u64::from(self.record.block()));
        match self.tail.cycle() == self.record.cycle() {
            true => (tail..record).contains(&block),
            false => block >= tail || block < record,
        }
    }
}

#[test]
fn a_journal_whose_newest_record_names_an_old_tail_is_covered_before_it_goes_round() {
    let shape = Shape { blocks: 90, ..SMALL };
    for seed in 0..2 * factor() {
        let mut worker = Worker::format(shape, seed);
        let largest = worker.store.largest_transaction();
        for round in 0..4 {
            // Nearly half of the log, beyond which blocks would go home unasked.
            while worker.log_used() < 240 << 10 {
                let sequence = worker.commit(4, 32 << 10);
                worker.force(sequence);
            }
            // Home, but no record says so; and nothing is left to commit that could.
            worker.store.push_all().unwrap();
            let sequence = worker.commit(1000, largest);
            if round % 2 == 0 {
                worker.force(sequence);
            }
        }
        worker.store.push_all().unwrap();
        assert_tail_is_never_overwritten(&worker);
        assert!(worker.superblock_lsn() > 0, "no checkpoint was a covering one");
        let cuts = worker.judge(&Family::ALL, 20);
        println!("seed {seed}: {cuts} cuts of {} requests", worker.disk.event_count());
        assert!(cuts > 100);
    }
}

/// Rounds of: change some blocks and force them, write them home unflushed, then commit and force
/// up to `count` blocks in a checkpoint that names a tail past those that went home.
fn checkpoints_after_pushes(count: u64, seed: u64) -> Worker {
    let mut worker = Worker::format(SMALL, seed);
    for _ in 0..10 {
        let sequence = worker.commit(4, 16 << 10);
        worker.force(sequence);
        worker.store.push_all().unwrap();
        let sequence = worker.commit(count, 256 << 10);
        worker.force(sequence);
    }
    worker
}

/// Most bytes that were written to the log between two marks.
fn longest_checkpoint(worker: &Worker) -> u64 {
    let log = worker.log_bytes();
    let in_log = |event: &Event| match event {
        Event::Write { offset, bytes } if log.contains(offset) => bytes.len() as u64,
        _ => 0,
    };
    let events = worker.disk.events();
    let stretches = events.split(|event| matches!(event, Event::Mark(_)));
    stretches.map(|stretch| stretch.iter().map(in_log).sum()).max().unwrap()
}

#[test]
fn the_tail_passes_no_block_whose_home_write_was_not_flushed() {
    for seed in 0..3 * factor() {
        let worker = checkpoints_after_pushes(2, seed);
        assert!(longest_checkpoint(&worker) <= 32 << 10, "one record was meant");
        let cuts = worker.judge(&Family::ALL, 1);
        println!("seed {seed}: {cuts} cuts of {} requests", worker.disk.event_count());
        assert!(cuts > 100);
    }
}

#[test]
fn the_first_of_several_records_names_no_tail_that_was_not_flushed() {
    for seed in 0..3 * factor() {
        let worker = checkpoints_after_pushes(300, seed);
        assert!(longest_checkpoint(&worker) > 32 << 10, "several records were meant");
        let cuts = worker.judge(&Family::ALL, 2);
        println!("seed {seed}: {cuts} cuts of {} requests", worker.disk.event_count());
        assert!(cuts > 100);
    }
}
