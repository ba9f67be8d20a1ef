//! What is measured: a file that can be read and written, and loops that do it against the clock.

use crate::dice::Dice;
use crate::kernel::Aligned;
use anyhow::Result;
use std::time::{Duration, Instant};

pub(super) use crate::fsx::Door;

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// When it returned.
    Unsynced,
    /// When it is on stable storage.
    Dsync,
}

/// A file of somebody who is measured. Memory begins at a multiple of 4096, and so do offsets and
/// lengths.
pub(super) trait Subject: Send + Sync {
    /// Writes whole or not at all, as well as this one can.
    fn overwrite(&self, offset: u64, bytes: &[u8], durability: Durability) -> Result<()>;

    /// Writes in place.
    fn write(&self, door: Door, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Fills `bytes`.
    fn read(&self, door: Door, offset: u64, bytes: &mut [u8]) -> Result<()>;

    /// Makes everything durable.
    fn sync(&self) -> Result<()>;

    /// Takes the file out of the caches.
    fn forget(&self) -> Result<()>;
}

/// Overwrites at random places.
#[derive(Clone, Copy, Debug)]
pub(super) struct Overwrites {
    /// Size of the file in bytes, a multiple of `write`.
    pub file: u64,
    /// Size of one write in bytes, a power of two.
    pub write: usize,
    /// When a write counts as done.
    pub durability: Durability,
    /// How long to go on.
    pub time: Duration,
    /// Where the dice begin.
    pub seed: u64,
}

impl Overwrites {
    /// Writes per second, one at a time on each file, all files at once.
    pub fn rate(&self, files: &[Box<dyn Subject + '_>]) -> Result<f64> {
        if let [only] = files {
            return self.on(&**only, self.seed);
        }
        std::thread::scope(|scope| {
            let run = |(number, file)| scope.spawn(move || self.on(file, self.seed + number));
            let files = files.iter().map(|file| &**file);
            let threads: Vec<_> = (0..).zip(files).map(run).collect();
            let rates = threads.into_iter().map(|thread| {
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            });
            rates.sum()
        })
    }

    /// Writes per second on one file.
    pub fn on(&self, file: &dyn Subject, seed: u64) -> Result<f64> {
        let mut dice = Dice::new(seed);
        let mut bytes = Aligned::new(self.write);
        dice.fill(&mut bytes);
        let places = self.file / self.write as u64;
        let (mut writes, began) = (0_u32, Instant::now());
        while began.elapsed() < self.time {
            let offset = dice.below(places) * self.write as u64;
            bytes[..8].copy_from_slice(&dice.roll().to_le_bytes());
            file.overwrite(offset, &bytes, self.durability)?;
            writes += 1;
        }
        Ok(f64::from(writes) / began.elapsed().as_secs_f64())
    }
}

/// Everybody in turn, every other round from the last to the first: what one leaves to the next is
/// not always left to the same one.
pub(super) fn in_turn<T>(round: u64, everybody: &[T]) -> Vec<&T> {
    let mut turns: Vec<&T> = everybody.iter().collect();
    if round % 2 == 1 {
        turns.reverse();
    }
    turns
}

/// Size in bytes of one read or write from end to end.
pub(super) const PIECE: usize = 1 << 20;

/// Writes the file from end to end and makes it durable; seconds.
pub(super) fn write_all(file: &dyn Subject, size: u64, door: Door) -> Result<f64> {
    let mut bytes = Aligned::new(PIECE);
    Dice::new(1).fill(&mut bytes);
    let began = Instant::now();
    for offset in (0..size).step_by(PIECE) {
        bytes[..8].copy_from_slice(&offset.to_le_bytes());
        file.write(door, offset, &bytes)?;
    }
    file.sync()?;
    Ok(began.elapsed().as_secs_f64())
}

/// Reads the file from end to end; seconds.
pub(super) fn read_all(file: &dyn Subject, size: u64, door: Door) -> Result<f64> {
    let mut bytes = Aligned::new(PIECE);
    let began = Instant::now();
    for offset in (0..size).step_by(PIECE) {
        file.read(door, offset, &mut bytes)?;
    }
    Ok(began.elapsed().as_secs_f64())
}

/// Reads single blocks at random places for some time; reads per second.
pub(super) fn read_at_random(
    file: &dyn Subject,
    size: u64,
    time: Duration,
    seed: u64,
) -> Result<f64> {
    let (mut dice, mut bytes) = (Dice::new(seed), Aligned::new(4096));
    let (mut reads, began) = (0_u32, Instant::now());
    while began.elapsed() < time {
        file.read(Door::Direct, dice.below(size / 4096) * 4096, &mut bytes)?;
        reads += 1;
    }
    Ok(f64::from(reads) / began.elapsed().as_secs_f64())
}
