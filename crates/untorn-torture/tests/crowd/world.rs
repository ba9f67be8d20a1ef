//! The volume of a crowd, what was committed to it, and what may be left of that.

use super::writer::{Step, Writer};
use std::path::Path;
use std::sync::Arc;
use untorn::{Error, NewFile, OpenOptions, SizeRule, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::dice::Dice;
use untorn_torture::disk::SimDisk;

const WRITERS: u64 = 3;
/// The directory of files that nobody answers for.
pub const NOISE: &str = "/noise";

/// What a volume is like.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub block_size: u32,
    groups: u32,
    rmapbt: bool,
    /// Blocks that are left to the crowd.
    room: u64,
}

impl Geometry {
    pub fn by_chance(dice: &mut Dice) -> Self {
        Self {
            block_size: *dice.pick(&[1024, 1024, 4096]),
            groups: 1 + dice.below(3) as u32,
            rmapbt: dice.chance(2, 3),
            room: *dice.pick(&[400, 1000, 4000]),
        }
    }

    fn made(&self) -> MemoryDevice {
        let device = MemoryDevice::new(64 << 20);
        let mut options = mkfs::Options {
            block_size: self.block_size,
            groups: mkfs::Groups::Count(self.groups),
            contents: mkfs::Contents::Zeroed,
            uuid: Some([5; 16]),
            ..mkfs::Options::default()
        };
        options.log.room = mkfs::LogRoom::Least;
        options.features.rmapbt = self.rmapbt;
        mkfs::make(&device, &options).unwrap();
        device
    }
}

/// A volume and who works on it.
pub struct World {
    pub disk: Arc<SimDisk>,
    pub volume: Volume,
    pub block: u64,
    pub writers: Vec<Writer>,
}

impl World {
    /// A volume that is nearly full, its free blocks in many pieces.
    pub fn made(geometry: &Geometry, dice: &mut Dice) -> Self {
        let disk = SimDisk::new(geometry.made());
        let volume = Volume::open(disk.clone(), OpenOptions::default()).unwrap();
        let block = u64::from(geometry.block_size);
        let writers = (0..WRITERS).map(|number| Writer::made(&volume, number, block)).collect();
        volume.create_dir(NOISE, NewFile::default()).unwrap();
        let filler = volume.create_file("/filler", NewFile::default()).unwrap();
        let mut size = 0;
        while volume.space().unwrap().available > geometry.room {
            filler.allocate(size * block..(size + 64) * block, SizeRule::Grow).unwrap();
            size += 64;
        }
        for _ in 0..200 {
            let at = dice.below(size.max(1));
            filler.punch_hole(at * block..(at + 1) * block).unwrap();
        }
        volume.sync().unwrap();
        disk.settle();
        Self { disk, volume, block, writers }
    }

    /// Closes the volume: what was committed.
    pub fn close(self) -> Log {
        let Self { volume, block, writers, .. } = self;
        let lives = writers.into_iter().map(Writer::life).collect();
        volume.close().unwrap();
        Log { block, lives }
    }
}

/// What one writer committed.
pub struct Life {
    pub number: u64,
    pub steps: Vec<Step>,
    /// After so many requests to the disk so many steps were durable.
    pub durable: Vec<(usize, usize)>,
    /// Steps that found no space.
    pub refused: usize,
}

/// What a crowd committed.
pub struct Log {
    block: u64,
    lives: Vec<Life>,
}

/// Whether it is for want of space that a step cannot be.
pub fn is_full(error: &Error) -> bool {
    matches!(error, Error::NoSpace { .. } | Error::NoRun { .. })
}

impl Log {
    /// The run did what it is for.
    pub fn assert_worth(&self) {
        let steps: usize = self.lives.iter().map(|life| life.steps.len()).sum();
        let refused: usize = self.lives.iter().map(|life| life.refused).sum();
        println!("{steps} steps, {refused} without space");
        assert!(self.lives.iter().all(|life| !life.durable.is_empty()), "nothing was durable");
    }

    /// Looks at what is left on `image` after `at` requests.
    pub fn judge(&self, image: MemoryDevice, at: usize, what: &str) {
        let device = Arc::new(image);
        let volume = Volume::open(device.clone(), OpenOptions::default());
        let volume = volume.unwrap_or_else(|error| panic!("{what}: {error}"));
        self.compare(at, what, |path| {
            let file = volume.open_file(path).unwrap();
            let mut bytes = vec![0; file.size().unwrap() as usize];
            file.read_at(0, &mut bytes).unwrap();
            bytes
        });
        volume.close().unwrap_or_else(|error| panic!("{what}: {error}"));
        let report = untorn_check::check(&*device as &dyn BlockDevice, &Default::default());
        let findings = report.unwrap().findings;
        assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
    }

    /// The same where the volume is mounted.
    pub fn judge_mounted(&self, root: &Path, at: usize, what: &str) {
        let read = |path: &str| std::fs::read(root.join(path.trim_start_matches('/'))).unwrap();
        self.compare(at, what, read);
    }

    fn compare(&self, at: usize, what: &str, read: impl Fn(&str) -> Vec<u8>) {
        for life in &self.lives {
            let what = format!("{what}, writer {}", life.number);
            life.compare(self.block, at, &what, &read);
        }
    }
}
