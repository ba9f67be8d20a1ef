//! What is done to the file, and on what volume.

use untorn::mkfs;

/// How the file lies before the first write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Nothing in it.
    Empty,
    /// Written in one piece.
    Whole,
    /// Written block by block with another file between: many extents, on a shattered volume.
    Shattered,
    /// Written blocks and holes by turns.
    Holes,
}

/// Which writes ask for durability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syncing {
    /// None.
    Never,
    /// Every third.
    Some,
    /// All.
    Always,
}

/// What the disk hears of free blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// Nothing.
    Nothing,
    /// Of each that was freed.
    Freed,
    /// Of all free space after every other write.
    Free,
}

/// A run: a volume, a file, atomic writes.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What reports call it.
    pub name: &'static str,
    /// Size of the volume in bytes.
    pub volume: u64,
    /// Block size in bytes.
    pub block_size: u32,
    /// Whether AGs know the owner of each block and files may share blocks.
    pub rmapbt: bool,
    /// Whether files may share blocks.
    pub reflink: bool,
    /// How the file lies before.
    pub layout: Layout,
    /// Size of the file before, in bytes.
    pub file: u64,
    /// Writes.
    pub writes: usize,
    /// Longest write in bytes.
    pub longest: u64,
    /// Which writes are durable at once.
    pub syncing: Syncing,
    /// What the disk hears of free blocks.
    pub hears: Hears,
    /// Where offsets, lengths and bytes come from.
    pub seed: u64,
}

impl Scenario {
    /// What mkfs is told.
    pub fn mkfs(&self) -> mkfs::Options {
        let mut options = mkfs::Options {
            block_size: self.block_size,
            contents: mkfs::Contents::Zeroed,
            uuid: Some([0x75; 16]),
            ..mkfs::Options::default()
        };
        options.features.rmapbt = self.rmapbt;
        options.features.reflink = self.reflink;
        options
    }
}

/// The scenarios that every change must survive, with `writes` writes each.
pub fn scenarios(writes: usize, seed: u64) -> Vec<Scenario> {
    let base = Scenario {
        name: "overwrite in one piece",
        volume: 48 << 20,
        block_size: 4096,
        rmapbt: true,
        reflink: true,
        layout: Layout::Whole,
        file: 256 << 10,
        writes,
        longest: 40 << 10,
        syncing: Syncing::Some,
        hears: Hears::Nothing,
        seed,
    };
    vec![
        base.clone(),
        Scenario { name: "grow from nothing", layout: Layout::Empty, file: 0, ..base.clone() },
        Scenario { name: "shattered volume", layout: Layout::Shattered, ..base.clone() },
        Scenario { name: "holes", layout: Layout::Holes, syncing: Syncing::Never, ..base.clone() },
        Scenario {
            name: "1 KiB blocks, no reverse mappings",
            block_size: 1024,
            rmapbt: false,
            layout: Layout::Shattered,
            file: 128 << 10,
            ..base.clone()
        },
        Scenario {
            name: "no shared blocks, all durable",
            reflink: false,
            rmapbt: false,
            syncing: Syncing::Always,
            ..base.clone()
        },
        Scenario {
            name: "freed blocks are discarded",
            hears: Hears::Freed,
            layout: Layout::Shattered,
            ..base.clone()
        },
        Scenario { name: "free space is trimmed", hears: Hears::Free, ..base },
    ]
}
