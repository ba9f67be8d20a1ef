//! One who commits batches: some ranges of two files, and a ledger that counts them.

use super::world::{Life, World, is_full};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use untorn::{File, NewFile, Sync, Volume};
use untorn_torture::dice::Dice;

/// Files of a writer; the last is the ledger.
const FILES: usize = 3;
const LEDGER: usize = FILES - 1;
/// Blocks of a file that are written.
const REACH: u64 = 160;
/// Most blocks of a range.
const LONGEST: u64 = 4;

/// Ranges of blocks that one batch wrote: file, first block, number of blocks.
pub type Step = Vec<(usize, u64, u64)>;

/// Who commits.
pub struct Writer {
    files: [File; FILES],
    life: Mutex<Life>,
}

fn path(number: u64, file: usize) -> String {
    format!("/writer-{number}-{file}")
}

/// What step `count` of a writer leaves in a block.
fn stamped(block: u64, number: u64, file: usize, index: u64, count: u64) -> Vec<u8> {
    [number, file as u64, index, count].map(u64::to_le_bytes).concat().repeat(block as usize / 32)
}

impl Writer {
    /// A writer with empty files.
    pub fn made(volume: &Volume, number: u64, block: u64) -> Self {
        let file = |file| volume.create_file(path(number, file), NewFile::default()).unwrap();
        let files = [0, 1, 2].map(file);
        let ledger = stamped(block, number, LEDGER, 0, 0);
        files[LEDGER].write_atomic(0, &ledger, Sync::Visible).unwrap();
        let life = Life { number, steps: Vec::new(), durable: Vec::new(), refused: 0 };
        Self { files, life: Mutex::new(life) }
    }

    /// What it did.
    pub fn life(self) -> Life {
        self.life.into_inner()
    }

    /// Commits so many batches, unless there is no space for some of them.
    pub fn run(&self, world: &World, steps: u64, mut dice: Dice) {
        for _ in 0..steps {
            let step = by_chance(&mut dice);
            let sync = if dice.chance(1, 12) { Sync::Durable } else { Sync::Visible };
            match self.commit(world, &step, sync) {
                Ok(()) => self.note(world, step, sync),
                Err(error) if is_full(&error) => self.life.lock().refused += 1,
                Err(error) => panic!("{step:?}: {error}"),
            }
        }
        self.files[LEDGER].sync().unwrap();
        self.note_durable(world);
    }

    fn commit(&self, world: &World, step: &Step, sync: Sync) -> untorn::Result<()> {
        let (number, count) = {
            let life = self.life.lock();
            (life.number, life.steps.len() as u64 + 1)
        };
        let whole = step.iter().chain([&(LEDGER, 0, 1)]);
        let bytes = whole.map(|&(file, at, length)| {
            let stamp = |index| stamped(world.block, number, file, index, count);
            (file, at * world.block, (at..at + length).flat_map(stamp).collect::<Vec<u8>>())
        });
        let bytes: Vec<_> = bytes.collect();
        let batch = bytes.iter().fold(world.volume.atomic(), |batch, (file, at, bytes)| {
            batch.write(&self.files[*file], *at, bytes)
        });
        batch.commit(sync)
    }

    fn note(&self, world: &World, step: Step, sync: Sync) {
        self.life.lock().steps.push(step);
        if sync == Sync::Durable {
            self.note_durable(world);
        }
    }

    fn note_durable(&self, world: &World) {
        let mut life = self.life.lock();
        let steps = life.steps.len();
        life.durable.push((world.disk.event_count(), steps));
    }
}

/// One to three ranges, none of which overlaps another.
fn by_chance(dice: &mut Dice) -> Step {
    let parts = 1 + dice.below(3);
    let part = |part| {
        let within = REACH / parts;
        let at = part * within + dice.below(within - LONGEST);
        (dice.below(LEDGER as u64) as usize, at, 1 + dice.below(LONGEST))
    };
    (0..parts).map(part).collect()
}

impl Life {
    /// Compares the files that `read` gives with what they may hold after `at` requests.
    pub fn compare(&self, block: u64, at: usize, what: &str, read: impl Fn(&str) -> Vec<u8>) {
        let ledger = read(&path(self.number, LEDGER));
        let count = ledger.get(24..32).and_then(|word| word.try_into().ok());
        let count = count.map(u64::from_le_bytes).unwrap_or_else(|| panic!("{what}: no ledger"));
        assert_eq!(ledger, stamped(block, self.number, LEDGER, 0, count), "{what}: torn ledger");
        let (count, made) = (count as usize, self.steps.len());
        assert!(count <= made, "{what}: {count} steps of {made}");
        let durable = self.durable.iter().filter(|(events, _)| *events <= at);
        let least = durable.map(|(_, steps)| *steps).max().unwrap_or(0);
        assert!(least <= count, "{what}: {count} steps, {least} were durable");
        let mut blocks: [BTreeMap<u64, u64>; LEDGER] = Default::default();
        for (step, count) in self.steps[..count].iter().zip(1..) {
            for &(file, at, length) in step {
                blocks[file].extend((at..at + length).map(|index| (index, count)));
            }
        }
        for (file, blocks) in blocks.iter().enumerate() {
            let end = blocks.last_key_value().map_or(0, |(last, _)| last + 1);
            let of = |index| match blocks.get(&index) {
                Some(&count) => stamped(block, self.number, file, index, count),
                None => vec![0; block as usize],
            };
            let expected: Vec<u8> = (0..end).flat_map(of).collect();
            let found = read(&path(self.number, file));
            let differs = expected.iter().zip(&found).position(|(a, b)| a != b);
            assert!(found == expected, "{what}: file {file} after {count} steps, at {differs:?}");
        }
    }
}
