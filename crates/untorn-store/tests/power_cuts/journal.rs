//! Checkpoints written by hand: [`Journal`] alone.

use super::volume::{BLOCK, Contents, SMALL, Shape, change, factor, recovered, same, write_home};
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::log::{BufferFormat, CHUNK, LOG_BLOCK};
use untorn_format::{BlockKind, Lsn};
use untorn_store::journal::{Journal, JournalError, LogArea, LogItem, SinceFlush};
use untorn_store::replay::{RecoverError, recover};
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Cut, Family, SimDisk};

/// A block that the journal has and that is not home.
struct Dirty {
    /// The first checkpoint since it was home.
    first: Lsn,
    /// The last.
    last: Lsn,
    image: Vec<u8>,
}

/// A volume being worked on.
struct Worker {
    shape: Shape,
    disk: Arc<SimDisk>,
    journal: Journal,
    dice: Dice,
    contents: Contents,
    dirty: BTreeMap<u64, Dirty>,
    since_flush: SinceFlush,
    /// LSN that the next checkpoint may name as its tail: all before is home and flushed.
    tail: Lsn,
    /// Contents after each checkpoint.
    states: Vec<Contents>,
}

impl Worker {
    /// A new volume, all of it durable.
    fn format(shape: Shape, seed: u64) -> Self {
        let (disk, contents) = shape.format();
        Self::resume(shape, disk, contents, seed)
    }
    /// Goes on with a volume that has these contents.
    fn resume(shape: Shape, disk: Arc<SimDisk>, contents: Contents, seed: u64) -> Self {
        let replayed = recovered(disk.clone(), &shape);
        let tail = replayed.journal.head();
        let states = vec![contents.clone()];
        Self {
            shape,
            disk,
            journal: replayed.journal,
            dice: Dice::new(seed),
            contents,
            dirty: BTreeMap::new(),
            since_flush: SinceFlush::Writes,
            tail,
            states,
        }
    }
    fn work(&mut self) {
        for _ in 0..self.shape.checkpoints {
            self.checkpoint();
            if self.dice.chance(1, 3) {
                let count = self.dice.below(self.dirty.len() as u64 + 1);
                self.push(count);
            }
        }
    }
    /// Changes some chunks of some blocks and returns which.
    fn change(&mut self) -> BTreeMap<u64, Vec<usize>> {
        let count = match self.dice.chance(1, 4) {
            true => 1 + self.dice.below(self.shape.most),
            false => 1 + self.dice.below(4),
        };
        change(&mut self.contents, count, &mut self.dice)
    }
    fn checkpoint(&mut self) {
        let changed = self.change();
        self.states.push(self.contents.clone());
        let number = self.states.len() as u64 - 1;
        self.disk.mark(2 * number);
        let formats: Vec<(Vec<u8>, BufferFormat, u64)> = changed
            .iter()
            .map(|(&block, chunks)| {
                let addr = self.shape.addr(block);
                let mut format = BufferFormat::of_block(BlockKind::Symlink, addr, BLOCK);
                chunks.iter().for_each(|&chunk| format.mark(chunk));
                (format.encode(), format, block)
            })
            .collect();
        let contents = self.contents.clone();
        let items: Vec<LogItem<'_>> = formats
            .iter()
            .map(|(encoded, format, block)| {
                let mut regions = vec![encoded.as_slice()];
                let runs = format.runs().into_iter();
                regions.extend(runs.map(|run| &contents[*block as usize][run]));
                LogItem { regions }
            })
            .collect();
        let written = match self.journal.write_checkpoint(&items, self.tail, self.since_flush) {
            Ok(written) => written,
            Err(JournalError::Full { .. }) => {
                self.push(u64::MAX);
                self.flush();
                self.journal.write_checkpoint(&items, self.tail, SinceFlush::Nothing).unwrap()
            }
            Err(error) => panic!("{error}"),
        };
        assert_eq!(self.disk.unflushed(), 0);
        assert!(written.start < written.head);
        self.disk.mark(2 * number + 1);
        for &block in changed.keys() {
            let image = self.contents[block as usize].clone();
            let dirty = self.dirty.entry(block).or_insert(Dirty {
                first: written.start,
                last: written.start,
                image: Vec::new(),
            });
            (dirty.last, dirty.image) = (written.start, image);
        }
        self.flushed();
    }
    /// Writes the `count` oldest blocks home. The tail moves when they are flushed.
    fn push(&mut self, count: u64) {
        let mut order: Vec<_> = self.dirty.iter().map(|(&block, d)| (d.first, block)).collect();
        order.sort_unstable();
        for (_, block) in order.into_iter().take(count.min(usize::MAX as u64) as usize) {
            let Some(dirty) = self.dirty.remove(&block) else { continue };
            write_home(&*self.disk, self.shape.addr(block), dirty.image, dirty.last);
            self.since_flush = SinceFlush::Writes;
        }
        if self.dice.chance(1, 2) {
            self.flush();
        }
    }
    fn flush(&mut self) {
        self.disk.flush().unwrap();
        self.flushed();
    }
    fn flushed(&mut self) {
        let oldest = self.dirty.values().map(|dirty| dirty.first).min();
        self.tail = oldest.unwrap_or(self.journal.head());
        self.since_flush = SinceFlush::Nothing;
    }
    /// Panics where the image of a cut is not one of the states that it may be.
    fn judge(&self, cut: Cut) -> Contents {
        let told = cut.to_string();
        let mark = cut.mark.unwrap_or(1);
        let begun = mark / 2;
        let durable = if mark % 2 == 1 { begun } else { begun - 1 };
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image);
        let replayed = recovered(image.clone(), &self.shape);
        assert!(replayed.intents.is_empty());
        let found = self.shape.read(&*image);
        let matches = (durable..=begun).any(|state| same(&self.states[state as usize], &found));
        assert!(matches, "{told}: neither state {durable} nor {begun}");
        // Recovered once, it is recovered: nothing changes any more.
        let again = recovered(image.clone(), &self.shape);
        assert_eq!(again.journal.head(), replayed.journal.head(), "{told}");
        assert!(same(&self.shape.read(&*image), &found), "{told}: a second recovery changes it");
        found
    }
}

/// The same with so many checkpoints that the log is filled more than once.
fn around(shape: Shape) -> Shape {
    Shape { checkpoints: shape.checkpoints * 3, ..shape }
}

#[test]
fn a_cut_anywhere_leaves_the_state_after_a_checkpoint() {
    let shapes = [
        SMALL,
        Shape { sector: 4096, stripe: 4096, ..SMALL },
        Shape { stripe: 32768, log_blocks: 160, ..SMALL },
        Shape { stripe: 65536, log_blocks: 256, ..SMALL },
    ];
    for (index, shape) in shapes.into_iter().enumerate() {
        for seed in 0..factor() {
            let mut worker = Worker::format(around(shape), seed * 10 + index as u64);
            worker.work();
            let cycles = worker.journal.head().cycle();
            assert!(cycles > 1, "the log went around {cycles} times only");
            let mut cuts = 0;
            let mut dice = Dice::new(seed);
            for cut in worker.disk.cuts().seeds(2) {
                if dice.chance(1, 12) {
                    worker.judge(cut);
                    cuts += 1;
                }
            }
            println!("{shape:?} seed {seed}: {cycles} cycles, {cuts} cuts");
        }
    }
}

#[test]
fn a_second_cut_after_a_recovery_finds_nothing_of_what_the_first_tore() {
    for seed in 0..2 * factor() {
        let mut first = Worker::format(Shape { checkpoints: 12, ..SMALL }, 1000 + seed);
        first.work();
        let mut dice = Dice::new(seed);
        let families = [Family::Torn, Family::TornMiddle, Family::Dropped];
        let cuts: Vec<Cut> = first.disk.cuts().families(&families).collect();
        for _ in 0..8 {
            let at = dice.below(cuts.len() as u64) as usize;
            let Cut { at, policy, seed, mark, ref image } = cuts[at];
            let image = image.snapshot();
            let contents = first.judge(Cut { at, policy, seed, mark, image: image.snapshot() });
            let shape = Shape { checkpoints: 4, ..SMALL };
            let mut second = Worker::resume(shape, SimDisk::new(image), contents, dice.roll());
            second.disk.mark(1);
            second.work();
            let start = second
                .disk
                .events()
                .iter()
                .position(|event| *event == untorn_torture::disk::Event::Mark(1));
            let start = start.unwrap();
            for cut in second.disk.cuts().between(start, usize::MAX) {
                if dice.chance(1, 4) {
                    second.judge(cut);
                }
            }
        }
    }
}

#[test]
fn a_checkpoint_larger_than_what_may_be_in_flight_survives_cuts() {
    let shape = Shape { log_blocks: 4096, blocks: 1500, most: 1500, checkpoints: 0, ..SMALL };
    let mut worker = Worker::format(shape, 7);
    for chance in [1, 1, 1, 1, 1, 1] {
        // All blocks, all chunks: 6 MiB in one checkpoint.
        worker.dice = Dice::new(chance);
        let all: Vec<usize> = (1..32).collect();
        for block in 0..shape.blocks as usize {
            let word = worker.dice.roll().to_le_bytes();
            let bytes = &mut worker.contents[block][CHUNK..];
            bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&word));
        }
        worker.states.push(worker.contents.clone());
        let number = worker.states.len() as u64 - 1;
        worker.disk.mark(2 * number);
        let formats: Vec<Vec<u8>> = (0..shape.blocks)
            .map(|block| {
                let addr = shape.addr(block);
                let mut format = BufferFormat::of_block(BlockKind::Symlink, addr, BLOCK);
                all.iter().for_each(|&chunk| format.mark(chunk));
                format.encode()
            })
            .collect();
        let items: Vec<LogItem<'_>> = formats
            .iter()
            .zip(&worker.contents)
            .map(|(format, content)| LogItem { regions: vec![format, &content[CHUNK..]] })
            .collect();
        let written =
            worker.journal.write_checkpoint(&items, worker.tail, SinceFlush::Nothing).unwrap();
        worker.disk.mark(2 * number + 1);
        for block in 0..shape.blocks {
            let image = worker.contents[block as usize].clone();
            let dirty = Dirty { first: written.start, last: written.start, image };
            worker.dirty.insert(block, dirty);
        }
        worker.push(u64::MAX);
        worker.flush();
    }
    let mut cuts = 0;
    let dropped = [Family::Prefix, Family::TornMiddle, Family::Dropped];
    for cut in worker.disk.cuts().families(&dropped).seeds(2) {
        // Between two checkpoints the blocks go home; that is not the question here.
        if cut.mark.is_none_or(|mark| mark % 2 == 0) {
            worker.judge(cut);
            cuts += 1;
        }
    }
    println!("{cuts} cuts, head {}", worker.journal.head());
    assert!(worker.journal.head().cycle() > 1 && cuts > 50);
}

#[test]
fn costs_are_exact_and_bounded() {
    let shapes = [SMALL, Shape { stripe: 65536, log_blocks: 512, ..SMALL }];
    for shape in shapes {
        let disk = Arc::new(shape.device());
        let area = LogArea::of(&shape.superblock()).unwrap();
        let journal = Journal::format(disk, area).unwrap();
        let mut dice = Dice::new(3);
        for _ in 0..400 {
            let count = 1 + dice.below(60);
            let lengths: Vec<usize> = (0..count)
                .map(|_| {
                    let most = if dice.chance(1, 5) { 1500 } else { 40 };
                    4 * (1 + dice.below(most) as usize)
                })
                .collect();
            let bytes: u64 = lengths.iter().map(|&length| length as u64).sum();
            let regions: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![1; length]).collect();
            let cost = journal.cost_of(lengths.iter().copied());
            assert!(cost <= journal.cost_bound(count, bytes), "{count} regions, {bytes} bytes");
            let items = [LogItem { regions: regions.iter().map(Vec::as_slice).collect() }];
            let head = journal.head();
            let free = journal.free_bytes(head);
            assert_eq!(free, journal.capacity());
            match journal.write_checkpoint(&items, head, SinceFlush::Nothing) {
                Ok(written) => {
                    assert_eq!(written.start, head);
                    let to = written.head.block() as i64 - head.block() as i64;
                    let blocks = to.rem_euclid(i64::from(area.blocks)) as u64;
                    assert_eq!(blocks * LOG_BLOCK as u64, cost);
                    assert_eq!(journal.free_bytes(head), free - cost);
                }
                Err(JournalError::Full { need, free: left }) => {
                    assert_eq!((need, left), (cost, free));
                    assert!(cost > free);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_small_checkpoint_costs_one_flush_and_a_dirty_device_two() {
    let shape = SMALL;
    let mut worker = Worker::format(shape, 5);
    for (since, flushes) in [(SinceFlush::Nothing, 1), (SinceFlush::Writes, 2)] {
        let before = worker.disk.event_count();
        worker.since_flush = since;
        let regions = [vec![1; 64], vec![2; 128]];
        let items = [LogItem { regions: regions.iter().map(Vec::as_slice).collect() }];
        worker.journal.write_checkpoint(&items, worker.tail, since).unwrap();
        let events = worker.disk.events();
        let done = events[before..].iter();
        let count = done.filter(|event| **event == untorn_torture::disk::Event::Flush).count();
        assert_eq!(count, flushes, "{since:?}");
    }
}

#[test]
fn no_damage_to_a_log_makes_recovery_panic_or_hang() {
    let mut worker = Worker::format(Shape { checkpoints: 30, ..SMALL }, 77);
    worker.work();
    let disk = worker.disk.content();
    let area = LogArea::of(&SMALL.superblock()).unwrap();
    let mut dice = Dice::new(5);
    let (mut recovered, mut refused) = (0, 0);
    for _ in 0..400 * factor() {
        let image = disk.snapshot();
        for _ in 0..1 + dice.below(4) {
            damage(&image, &area, &mut dice);
        }
        match recover(Arc::new(image), &SMALL.superblock()) {
            Ok(_) => recovered += 1,
            Err(RecoverError::Device(error)) => panic!("{error}"),
            Err(_) => refused += 1,
        }
    }
    println!("{recovered} recovered, {refused} refused");
    assert!(recovered > 0 && refused > 0);
}

/// Changes a sector of the log; where it can, so that the record's checksum stays right.
fn damage(image: &MemoryDevice, area: &LogArea, dice: &mut Dice) {
    let block = dice.below(u64::from(area.blocks));
    let at = area.start + block * LOG_BLOCK as u64;
    let mut sector = vec![0; LOG_BLOCK];
    image.read_at(at, &mut sector).unwrap();
    let byte = match dice.below(3) {
        0 => dice.below(48),
        1 => 300 + dice.below(28),
        _ => dice.below(LOG_BLOCK as u64),
    };
    sector[byte as usize] = dice.roll() as u8;
    if sector[..4] == 0xfeed_babe_u32.to_be_bytes() {
        // A record without a checksum is believed.
        sector[32..36].fill(0);
    }
    image.write_at(at, &sector).unwrap();
}
