//! How much is measured.

use std::time::Duration;

/// Sizes, times and repetitions.
#[derive(Clone, Debug)]
pub(super) struct Scale {
    /// Times that every peer is measured in a case.
    pub rounds: u64,
    /// Times that every peer overwrites, for a moment each: devices have moods that last seconds.
    pub moments: u64,
    /// How long one measurement of overwrites takes.
    pub time: Duration,
    /// How long a section may wait for others to leave the processors alone.
    pub patience: Duration,
    /// Size in bytes of a file that is overwritten.
    pub overwritten: u64,
    /// Sizes of overwrites in bytes.
    pub writes: Vec<usize>,
    /// Size in bytes of a file that is read or written from end to end.
    pub streamed: u64,
    /// Operations of the exerciser in a round.
    pub exercises: u64,
    /// Extents of files: powers of ten.
    pub extents: Vec<u64>,
    /// Free extents of volumes: powers of ten.
    pub free: Vec<u64>,
    /// Sizes of volumes in bytes.
    pub volumes: Vec<u64>,
    /// Inodes that are looked at to learn what one takes.
    pub inodes: u64,
    /// Operations in one measurement of a curve; there are three times as many rounds.
    pub repeats: u64,
    /// Times that everybody makes trees of names and images.
    pub tree_rounds: u64,
    /// Files whose names are made, found and removed; a multiple of 400.
    pub names: usize,
}

impl Scale {
    /// What the figures are made from: minutes.
    pub fn full() -> Self {
        Self {
            rounds: 5,
            moments: 21,
            time: Duration::from_millis(100),
            patience: Duration::from_secs(120),
            overwritten: 128 << 20,
            writes: [4, 16, 64, 256, 1024].map(|size| size << 10).into(),
            streamed: 1 << 30,
            exercises: 20_000,
            extents: vec![1_000, 10_000, 100_000, 1_000_000],
            free: vec![100, 1_000, 10_000, 100_000, 1_000_000],
            volumes: [30, 33, 36, 40].map(|log| 1 << log).into(),
            inodes: 10_000,
            repeats: 2_000,
            tree_rounds: 3,
            names: 100_000,
        }
    }

    /// A look whether everything works: less than a minute.
    pub fn quick() -> Self {
        Self {
            rounds: 3,
            moments: 3,
            time: Duration::from_millis(60),
            patience: Duration::ZERO,
            overwritten: 16 << 20,
            writes: [4, 64, 1024].map(|size| size << 10).into(),
            streamed: 64 << 20,
            exercises: 1_500,
            extents: vec![1_000, 10_000],
            free: vec![100, 10_000],
            volumes: [30, 36].map(|log| 1 << log).into(),
            inodes: 1_000,
            repeats: 300,
            tree_rounds: 3,
            names: 10_000,
        }
    }
}
