//! How fast overwrites are: by Linux with RWF_ATOMIC on a loop mount, and by plain direct writes to
//! a file beside the image, measured by one loop so that others can stand beside them.
//!
//! Every image and file is written whole before it is measured: else the filesystem below would be
//! measured while it allocates. Nothing is verified here but that every write was whole.

use std::fs::{File, OpenOptions};
use std::io::IoSlice;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::io::{ReadWriteFlags, pwritev2};

use super::aligned::Aligned;
use super::life::RWF_ATOMIC;
use super::mount::{Caching, MountOptions, Mounted};
use super::volume::{MkfsOptions, make_volume};
use crate::dice::Dice;

/// When a write counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// When it returned.
    Unsynced,
    /// When it is on stable storage (RWF_DSYNC).
    Dsync,
}

/// What is measured: overwrites at random places of a file that is written whole.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Size of the file in bytes, a multiple of `write_size`.
    pub file_size: u64,
    /// Size of one write in bytes, a power of two.
    pub write_size: usize,
    /// When a write counts as done.
    pub durability: Durability,
    /// How long to go on.
    pub time: Duration,
    /// Where the dice begin.
    pub seed: u64,
}

/// What one run showed.
#[derive(Clone, Copy, Debug)]
pub struct Measurement {
    /// Writes that were done.
    pub operations: u64,
    /// From the first to the end of the last.
    pub elapsed: Duration,
    /// Half of the writes took no longer.
    pub median: Duration,
    /// All but one in a hundred took no longer.
    pub percentile_99: Duration,
}

impl Measurement {
    /// Writes per second.
    pub fn rate(&self) -> f64 {
        self.operations as f64 / self.elapsed.as_secs_f64()
    }
}

/// Somebody who overwrites a file, to be measured beside others.
pub trait Contender {
    /// Who it is, for a table.
    fn name(&self) -> &str;
    /// Performs the load; the file is laid out already or laid out here, outside of the measured
    /// time.
    fn measure(&mut self, load: &Load) -> Result<Measurement>;
}

/// Performs the load by calling `write` with byte offsets and bytes, and takes the time.
///
/// The bytes begin at a multiple of 4096 and change with every write.
pub fn overwrite_at_random(
    load: &Load,
    mut write: impl FnMut(u64, &[u8]) -> Result<()>,
) -> Result<Measurement> {
    let mut dice = Dice::new(load.seed);
    let mut bytes = Aligned::new(load.write_size);
    dice.fill(&mut bytes);
    let places = load.file_size / load.write_size as u64;
    let mut took = Vec::new();
    let began = Instant::now();
    let mut now = began;
    while now - began < load.time {
        let offset = dice.below(places) * load.write_size as u64;
        bytes[..8].copy_from_slice(&dice.roll().to_le_bytes());
        write(offset, &bytes)?;
        let after = Instant::now();
        took.push(after - now);
        now = after;
    }
    Ok(summary(took, now - began))
}

fn summary(mut took: Vec<Duration>, elapsed: Duration) -> Measurement {
    assert!(!took.is_empty(), "a load has time for one write");
    took.sort_unstable();
    Measurement {
        operations: took.len() as u64,
        elapsed,
        median: took[took.len() / 2],
        percentile_99: took[took.len() * 99 / 100],
    }
}

/// Makes a file of `size` bytes with every byte written, by direct I/O, and durable.
pub fn lay_out(path: &Path, size: u64) -> Result<()> {
    open_direct(path)?.set_len(size)?;
    rewrite(path)
}

/// Writes every byte of a file again, by direct I/O, and makes them durable: afterwards no
/// filesystem below needs to allocate or convert anything when the file is overwritten.
pub fn rewrite(path: &Path) -> Result<()> {
    let file = open_direct(path)?;
    let size = file.metadata()?.len();
    let mut piece = Aligned::new(1 << 20);
    for offset in (0..size).step_by(piece.len()) {
        let length = (size - offset).min(piece.len() as u64) as usize;
        file.read_exact_at(&mut piece[..length], offset)?;
        file.write_all_at(&piece[..length], offset)?;
    }
    Ok(file.sync_all()?)
}

fn open_direct(path: &Path) -> Result<File> {
    let direct = rustix::fs::OFlags::DIRECT.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).custom_flags(direct);
    options.open(path).with_context(|| format!("no direct I/O on {}", path.display()))
}

fn write_once(file: &File, offset: u64, bytes: &[u8], flags: ReadWriteFlags) -> Result<()> {
    let written = pwritev2(file, &[IoSlice::new(bytes)], offset, flags)?;
    ensure!(written == bytes.len(), "{written} of {} bytes were written", bytes.len());
    Ok(())
}

const fn flags_of(durability: Durability) -> ReadWriteFlags {
    match durability {
        Durability::Unsynced => ReadWriteFlags::empty(),
        Durability::Dsync => ReadWriteFlags::DSYNC,
    }
}

/// Linux: RWF_ATOMIC on XFS on a loop device with direct I/O over an image in a folder.
#[derive(Debug)]
pub struct LinuxAtomic {
    file: PathBuf,
    mounted: Mounted,
    /// Removes the image when dropped, after the mount.
    _image: tempfile::TempPath,
}

impl LinuxAtomic {
    /// Makes, lays out and mounts an image of `size` bytes in the folder; needs root.
    pub fn new(folder: &Path, size: u64, options: &MkfsOptions) -> Result<Self> {
        let image = tempfile::Builder::new().suffix(".img").tempfile_in(folder)?.into_temp_path();
        make_volume(&image, size, options)?;
        rewrite(&image)?;
        let mount = |more: &str| {
            let options = MountOptions {
                caching: Caching::Direct,
                options: format!("nodiscard{more}"),
                ..MountOptions::default()
            };
            Mounted::with(&image, &options)
        };
        // Where the option is not known or not met, large writes are refused one by one.
        let mounted = mount(",max_atomic_write=1m").or_else(|_| mount(""))?;
        Ok(Self { file: mounted.at("file"), mounted, _image: image })
    }

    /// The mounted volume.
    pub fn mounted(&self) -> &Mounted {
        &self.mounted
    }
}

impl Contender for LinuxAtomic {
    fn name(&self) -> &str {
        "Linux RWF_ATOMIC on a loop device"
    }

    fn measure(&mut self, load: &Load) -> Result<Measurement> {
        lay_out(&self.file, load.file_size)?;
        let file = open_direct(&self.file)?;
        let flags = RWF_ATOMIC | flags_of(load.durability);
        overwrite_at_random(load, |offset, bytes| write_once(&file, offset, bytes, flags))
    }
}

/// Plain direct writes to a file in a folder: what the disk and the filesystem below can do.
#[derive(Debug)]
pub struct RawDirect {
    path: tempfile::TempPath,
}

impl RawDirect {
    /// Makes an empty file in the folder.
    pub fn new(folder: &Path) -> Result<Self> {
        Ok(Self { path: tempfile::NamedTempFile::new_in(folder)?.into_temp_path() })
    }
}

impl Contender for RawDirect {
    fn name(&self) -> &str {
        "plain pwrite to a raw file"
    }

    fn measure(&mut self, load: &Load) -> Result<Measurement> {
        lay_out(&self.path, load.file_size)?;
        let file = open_direct(&self.path)?;
        let flags = flags_of(load.durability);
        overwrite_at_random(load, |offset, bytes| write_once(&file, offset, bytes, flags))
    }
}
