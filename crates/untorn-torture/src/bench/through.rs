//! The exerciser's target on a mounted filesystem: each operation is a system call or two.
//!
//! What takes an ioctl, or shared memory, is not here: both sides of a comparison leave it out,
//! or read and write through the page cache in its place.

use super::path::open_direct;
use crate::fsx::{Alike, Answer, Door, Kind, Op, Piece, Rule, Shared, Target, Trouble};
use crate::kernel::Aligned;
use rustix::fs::{FallocateFlags, copy_file_range, fallocate};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file at a path.
pub struct PathTarget {
    path: PathBuf,
    direct: File,
    cached: File,
    /// Where direct I/O can reach it.
    memory: Aligned,
}

/// What direct I/O moves is a multiple of it.
const UNIT: usize = 4096;

impl PathTarget {
    /// The file at `path`, made where there is none; no operation is longer than `longest`.
    pub fn open(path: &Path, longest: u64) -> anyhow::Result<Self> {
        let direct = open_direct(path)?;
        let cached = OpenOptions::new().read(true).write(true).open(path)?;
        let memory = Aligned::new((longest as usize).next_multiple_of(UNIT));
        Ok(Self { path: path.to_owned(), direct, cached, memory })
    }
}

fn failed(error: impl std::fmt::Display) -> Trouble {
    Trouble::Failed(error.to_string())
}

impl PathTarget {
    fn read_direct(&mut self, offset: u64, bytes: &mut [u8]) -> std::io::Result<usize> {
        let memory = &mut self.memory[..bytes.len().next_multiple_of(UNIT)];
        let read = self.direct.read_at(memory, offset)?.min(bytes.len());
        bytes[..read].copy_from_slice(&memory[..read]);
        Ok(read)
    }

    fn write_direct(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let memory = &mut self.memory[..bytes.len()];
        memory.copy_from_slice(bytes);
        self.direct.write_all_at(memory, offset)
    }

    fn allocate(&self, op: &Op) -> rustix::io::Result<()> {
        let kept = match op.rule {
            Rule::Keep => FallocateFlags::KEEP_SIZE,
            Rule::Grow => FallocateFlags::empty(),
        };
        let mode = match (op.kind, op.shared) {
            (Kind::Fallocate, Shared::Stay) => kept,
            (Kind::Fallocate, Shared::Unshare) => kept | FallocateFlags::UNSHARE_RANGE,
            (Kind::PunchHole, _) => FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE,
            (Kind::ZeroRange, _) => kept | FallocateFlags::ZERO_RANGE,
            (Kind::CollapseRange, _) => FallocateFlags::COLLAPSE_RANGE,
            _ => FallocateFlags::INSERT_RANGE,
        };
        fallocate(&self.cached, mode, op.offset, op.length)
    }

    fn copy(&self, op: &Op) -> std::io::Result<()> {
        let (mut from, mut to, mut left) = (op.offset, op.other, op.length as usize);
        while left > 0 {
            let file = &self.cached;
            match copy_file_range(file, Some(&mut from), file, Some(&mut to), left)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                copied => left -= copied,
            }
        }
        Ok(())
    }
}

impl Target for PathTarget {
    fn can(&self, kind: Kind) -> bool {
        use Kind::{
            CollapseRange, CopyRange, Fallocate, Fsync, InsertRange, MapRead, MapWrite, PunchHole,
            Read, Truncate, Write, ZeroRange,
        };
        let calls = [Read, Write, MapRead, MapWrite, Truncate, Fallocate, PunchHole, ZeroRange];
        let more = [CollapseRange, InsertRange, CopyRange, Fsync];
        calls.contains(&kind) || more.contains(&kind)
    }

    fn size(&mut self) -> Answer<u64> {
        Ok(self.cached.metadata().map_err(failed)?.len())
    }

    fn read(&mut self, door: Door, offset: u64, bytes: &mut [u8]) -> Answer<usize> {
        let read = match door {
            Door::Cached => self.cached.read_at(bytes, offset),
            Door::Direct | Door::Atomic => self.read_direct(offset, bytes),
        };
        read.map_err(failed)
    }

    fn write(&mut self, door: Door, offset: u64, bytes: &[u8]) -> Answer<()> {
        let written = match door {
            Door::Cached => self.cached.write_all_at(bytes, offset),
            Door::Direct | Door::Atomic => self.write_direct(offset, bytes),
        };
        written.map_err(failed)
    }

    fn write_batch(&mut self, _: &[Piece<'_>]) -> Answer<()> {
        Err(Trouble::Failed("no system call writes a batch".to_owned()))
    }

    fn change(&mut self, op: &Op) -> Answer<()> {
        match op.kind {
            Kind::Truncate => self.cached.set_len(op.length).map_err(failed),
            Kind::CopyRange => self.copy(op).map_err(failed),
            _ => self.allocate(op).map_err(failed),
        }
    }

    fn dedupe(&mut self, _: &Op) -> Answer<Alike> {
        Err(Trouble::Failed("that takes an ioctl".to_owned()))
    }

    fn sync(&mut self) -> Answer<()> {
        self.cached.sync_all().map_err(failed)
    }

    fn reopen(&mut self) -> Answer<()> {
        let longest = self.memory.len() as u64;
        *self = Self::open(&self.path, longest).map_err(failed)?;
        Ok(())
    }

    fn remount(&mut self) -> Answer<()> {
        Ok(())
    }

    fn crash(&mut self, _: u64) -> Answer<()> {
        Err(Trouble::Failed("the power of a mounted filesystem is not cut".to_owned()))
    }

    /// Linux checks nothing while the volume is mounted.
    fn check(&mut self) -> Answer<()> {
        Ok(())
    }
}
