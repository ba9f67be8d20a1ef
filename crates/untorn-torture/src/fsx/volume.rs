//! The target that matters: a file of a volume that the library keeps.
//!
//! - [`Ground`] is a formatted device to begin from: memory, for as many equal targets as one
//!   likes, or an image.
//! - [`VolumeTarget`] is the file on it.
//!
//! What the library can do is one table, [`HAS`]: operations that are not in it are not drawn.

use super::target::{Alike, Answer, Door, Piece, Target, Trouble};
use super::{Kind, Op, Power, Rule, Shared};
use crate::dice::Dice;
use crate::disk::{Policy, SimDisk};
use std::sync::Arc;
use untorn::{Background, Dedupe, File, NewFile, OpenOptions, SizeRule, Sync, Volume, mkfs};
use untorn_device::{BlockDevice, MemoryDevice};

/// What the library can do.
const HAS: &[(Kind, bool)] = &[
    (Kind::Read, true),
    (Kind::Write, true),
    (Kind::WriteAtomic, true),
    (Kind::MapRead, true),
    (Kind::MapWrite, true),
    (Kind::Truncate, true),
    (Kind::Fallocate, true),
    (Kind::PunchHole, true),
    (Kind::ZeroRange, true),
    (Kind::CollapseRange, true),
    (Kind::InsertRange, true),
    (Kind::CloneRange, true),
    (Kind::DedupeRange, true),
    (Kind::CopyRange, true),
    (Kind::ExchangeRange, true),
    (Kind::Batch, true),
    (Kind::Fsync, true),
    (Kind::Remount, true),
    (Kind::Crash, true),
];

/// Events of the simulated disk after which a sync lets go of them.
const MOST_EVENTS: usize = 2_000;

/// How volumes are opened: nothing happens behind the run's back, so that it can be repeated.
fn undisturbed() -> OpenOptions {
    OpenOptions { background: Background::Off, ..OpenOptions::default() }
}

impl From<untorn::Error> for Trouble {
    fn from(error: untorn::Error) -> Self {
        match error {
            untorn::Error::TooLarge { .. } => Self::Refused(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// What a target is made on.
pub enum Ground {
    /// A formatted volume in memory with an empty file; each target begins with a copy. The power
    /// is cut on a simulated disk.
    Memory(MemoryDevice),
    /// A volume on a device that keeps what it was given: a power cut loses what the library had
    /// not written yet, nothing else.
    Device(Arc<dyn BlockDevice>),
}

impl Ground {
    /// A new volume in memory with an empty file at `path`.
    pub fn memory(
        size: u64,
        options: &mkfs::Options,
        path: impl AsRef<[u8]>,
    ) -> anyhow::Result<Self> {
        let medium = Arc::new(MemoryDevice::new(size));
        let contents = mkfs::Contents::Zeroed;
        mkfs::make(&*medium, &mkfs::Options { contents, ..options.clone() })?;
        let volume = Volume::open(Arc::clone(&medium) as _, undisturbed())?;
        drop(volume.create_file(path, NewFile::default())?);
        volume.close()?;
        Ok(Self::Memory(medium.snapshot()))
    }

    /// The file at `path`. `power` says whether the power will be cut: that takes a disk that
    /// remembers.
    pub fn target(&self, path: impl AsRef<[u8]>, power: Power) -> Answer<VolumeTarget> {
        let media = match (self, power) {
            (Self::Memory(medium), Power::Cut) => Media::Disk(SimDisk::new(medium.snapshot())),
            (Self::Memory(medium), Power::Stays) => Media::Device(Arc::new(medium.snapshot())),
            (Self::Device(device), _) => Media::Device(Arc::clone(device)),
        };
        VolumeTarget::on(media, path.as_ref())
    }
}

enum Media {
    Disk(Arc<SimDisk>),
    Device(Arc<dyn BlockDevice>),
}

impl Media {
    fn device(&self) -> Arc<dyn BlockDevice> {
        match self {
            Self::Disk(disk) => Arc::clone(disk) as _,
            Self::Device(device) => Arc::clone(device),
        }
    }
}

/// A file of a volume.
pub struct VolumeTarget {
    media: Media,
    path: Vec<u8>,
    /// Nothing only while the volume is closed.
    open: Option<(Volume, File)>,
    /// Events of the simulated disk up to the last sync.
    synced: usize,
}

fn open(media: &Media, path: &[u8]) -> Answer<(Volume, File)> {
    let volume = Volume::open(media.device(), undisturbed())?;
    let file = volume.open_file(path)?;
    Ok((volume, file))
}

impl VolumeTarget {
    fn on(media: Media, path: &[u8]) -> Answer<Self> {
        let open = Some(open(&media, path)?);
        Ok(Self { media, path: path.to_owned(), open, synced: 0 })
    }

    fn open(&self) -> Answer<(&Volume, &File)> {
        let open = self.open.as_ref().map(|(volume, file)| (volume, file));
        open.ok_or_else(|| Trouble::Failed("the volume could not be opened again".to_owned()))
    }

    fn file(&self) -> Answer<&File> {
        Ok(self.open()?.1)
    }

    /// Closes the volume cleanly; nothing can be done until it is opened again.
    pub fn close(&mut self) -> Answer<()> {
        if let Some((volume, file)) = self.open.take() {
            drop(file);
            volume.close()?;
        }
        Ok(())
    }

    fn open_again(&mut self) -> Answer<()> {
        self.open = Some(open(&self.media, &self.path)?);
        self.note_sync()
    }

    /// All that was done is durable: power cuts come after it.
    fn note_sync(&mut self) -> Answer<()> {
        if let Media::Disk(disk) = &self.media {
            if disk.event_count() > MOST_EVENTS {
                disk.flush().map_err(|error| Trouble::Failed(error.to_string()))?;
                disk.settle();
            }
            self.synced = disk.event_count();
        }
        Ok(())
    }

    /// Lets go of the volume as a killed process would.
    pub fn abandon(mut self) {
        if let Some((volume, file)) = self.open.take() {
            volume.abandon();
            drop(file);
        }
    }

    /// The file's contents as the volume gives them.
    pub fn contents(&mut self) -> Answer<Vec<u8>> {
        let mut bytes = vec![0; self.file()?.size()? as usize];
        let count = self.file()?.read_at(0, &mut bytes)?;
        bytes.truncate(count);
        Ok(bytes)
    }
}

fn size_rule(rule: Rule) -> SizeRule {
    match rule {
        Rule::Grow => SizeRule::Grow,
        Rule::Keep => SizeRule::Keep,
    }
}

/// What a power cut leaves of the requests since the last sync.
fn cut(disk: &SimDisk, synced: usize, seed: u64) -> MemoryDevice {
    let mut dice = Dice::new(seed);
    let at = synced + dice.below((disk.event_count() - synced) as u64 + 1) as usize;
    let policy = match dice.below(6) {
        0 => Policy::Prefix,
        1 => Policy::FlushedOnly,
        2 => Policy::Torn { sectors: dice.below(16) },
        3 => Policy::TornMiddle,
        _ => Policy::Dropped,
    };
    disk.durable_after(at, policy, seed)
}

impl Target for VolumeTarget {
    fn can(&self, kind: Kind) -> bool {
        HAS.contains(&(kind, true))
    }

    fn size(&mut self) -> Answer<u64> {
        Ok(self.file()?.size()?)
    }

    fn read(&mut self, door: Door, offset: u64, bytes: &mut [u8]) -> Answer<usize> {
        let file = self.file()?;
        Ok(match door {
            Door::Cached => file.read_cached(offset, bytes)?,
            Door::Direct | Door::Atomic => file.read_at(offset, bytes)?,
        })
    }

    fn write(&mut self, door: Door, offset: u64, bytes: &[u8]) -> Answer<()> {
        let file = self.file()?;
        let written = match door {
            Door::Atomic => file.write_atomic(offset, bytes, Sync::Visible),
            Door::Cached => file.write_cached(offset, bytes, Sync::Visible),
            Door::Direct => file.write_at(offset, bytes, Sync::Visible),
        };
        Ok(written?)
    }

    fn write_batch(&mut self, pieces: &[Piece<'_>]) -> Answer<()> {
        let (volume, file) = self.open()?;
        let mut batch = volume.atomic();
        for (offset, bytes) in pieces {
            batch = batch.write(file, *offset, bytes);
        }
        Ok(batch.commit(Sync::Visible)?)
    }

    fn change(&mut self, op: &Op) -> Answer<()> {
        let file = self.file()?;
        let (range, rule) = (op.offset..op.end(), size_rule(op.rule));
        match op.kind {
            Kind::Truncate => file.truncate(op.length)?,
            Kind::Fallocate => {
                if op.shared == Shared::Unshare {
                    file.unshare_range(range.clone())?;
                }
                file.allocate(range, rule)?;
            }
            Kind::PunchHole => file.punch_hole(range)?,
            Kind::ZeroRange => file.zero_range(range, rule)?,
            Kind::CollapseRange => file.collapse_range(range)?,
            Kind::InsertRange => file.insert_range(range)?,
            Kind::CloneRange => file.clone_range(op.other, file, range)?,
            Kind::ExchangeRange => file.exchange_range(op.offset, file, op.other, op.length)?,
            Kind::CopyRange => match file.copy_range(op.other, file, range)? {
                copied if copied == op.length => {}
                copied => return Err(Trouble::Failed(format!("0x{copied:x} bytes copied"))),
            },
            kind => return Err(Trouble::Failed(format!("{} cannot be done", kind.word()))),
        }
        Ok(())
    }

    fn dedupe(&mut self, op: &Op) -> Answer<Alike> {
        let file = self.file()?;
        Ok(match file.dedupe_range(op.other, file, op.offset..op.end())? {
            Dedupe::Same(_) => Alike::Same,
            Dedupe::Differs => Alike::Differ,
        })
    }

    fn sync(&mut self) -> Answer<()> {
        self.file()?.sync()?;
        self.note_sync()
    }

    fn reopen(&mut self) -> Answer<()> {
        if let Some((volume, file)) = self.open.take() {
            drop(file);
            let file = volume.open_file(&self.path)?;
            self.open = Some((volume, file));
        }
        Ok(())
    }

    fn remount(&mut self) -> Answer<()> {
        self.close()?;
        self.open_again()
    }

    fn crash(&mut self, seed: u64) -> Answer<()> {
        if let Some((volume, file)) = self.open.take() {
            volume.abandon();
            drop(file);
        }
        if let Media::Disk(disk) = &self.media {
            self.media = Media::Disk(SimDisk::new(cut(disk, self.synced, seed)));
        }
        self.open_again()
    }

    fn check(&mut self) -> Answer<()> {
        self.close()?;
        let report = untorn_check::check(&*self.media.device(), &untorn_check::Options::default());
        let report = report.map_err(|error| Trouble::Failed(format!("check: {error}")))?;
        if !report.is_clean() {
            return Err(Trouble::Unsound(report.to_string().trim().replace('\n', "; ")));
        }
        self.open_again()
    }
}
