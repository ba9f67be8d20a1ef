//! Random operations on a mounted volume: the life that ages a volume and that a crash interrupts.
//!
//! One [`Life`] owns one directory and one stream of dice. Operations that the volume refuses for a
//! reason of their own (no space, no such feature, a name that is gone) count as refused; an I/O
//! error is returned, for it means that the volume was shut down.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, XattrFlags, copy_file_range, fallocate, ioctl_ficlone};
use rustix::io::{Errno, ReadWriteFlags, pwritev2};

use super::aligned::Aligned;
use super::exchange::Exchanger;
use crate::dice::Dice;

/// RWF_ATOMIC (linux/fs.h): the write is untorn or refused.
pub const RWF_ATOMIC: ReadWriteFlags = ReadWriteFlags::from_bits_retain(0x40);

/// Names per directory; few, so that operations meet each other.
const NAMES: u64 = 24;
/// Directories besides the life's own.
const FOLDERS: u64 = 4;
/// Attribute names per file.
const ATTRIBUTES: u64 = 6;
/// Offsets are below this many bytes.
const REACH: u64 = 3 << 20;
/// One operation touches at most so many bytes.
const LONGEST: u64 = 192 << 10;

type Action = fn(&mut Life) -> io::Result<()>;

/// What a life does, with how often relative to the others.
const ACTIONS: [(&str, u64, Action); 26] = [
    ("write", 14, Life::write),
    ("append", 5, Life::append),
    ("direct", 8, Life::direct),
    ("atomic", 12, Life::atomic),
    ("truncate", 4, Life::truncate),
    ("allocate", 4, Life::allocate),
    ("punch", 5, Life::punch),
    ("zero", 3, Life::zero),
    ("collapse", 2, Life::collapse),
    ("insert", 2, Life::insert),
    ("unshare", 1, Life::unshare),
    ("comb", 2, Life::comb),
    ("clone", 4, Life::clone_whole),
    ("clone-range", 5, Life::clone_range),
    ("exchange", 4, Life::exchange),
    ("rename", 5, Life::rename),
    ("link", 3, Life::link),
    ("unlink", 4, Life::unlink),
    ("unlink-open", 3, Life::unlink_open),
    ("symlink", 2, Life::symlink),
    ("folder", 2, Life::folder),
    ("xattr", 5, Life::xattr),
    ("xattr-remove", 2, Life::xattr_remove),
    ("node", 1, Life::node),
    ("fsync", 3, Life::fsync),
    ("syncfs", 1, Life::syncfs),
];

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It was done.
    Done,
    /// The volume refused it, as it may.
    Refused,
}

/// A stream of random operations in one directory.
#[derive(Debug)]
pub struct Life {
    root: PathBuf,
    dice: Dice,
    block: u64,
    held: Vec<File>,
    exchanger: Option<Exchanger>,
    counts: BTreeMap<(&'static str, Outcome), u64>,
    allowed: Vec<&'static str>,
}

impl Life {
    /// A life in the directory `root`, which exists.
    pub fn new(root: &Path, seed: u64) -> io::Result<Self> {
        for number in 0..FOLDERS {
            fs::create_dir_all(root.join(format!("folder-{number}")))?;
        }
        Ok(Self {
            root: root.to_owned(),
            dice: Dice::new(seed),
            block: rustix::fs::statvfs(root)?.f_bsize,
            held: Vec::new(),
            exchanger: Exchanger::start().ok(),
            counts: BTreeMap::new(),
            allowed: ACTIONS.iter().map(|(name, ..)| *name).collect(),
        })
    }

    /// The same life with only these operations (names as in [`Life::counts`]).
    pub fn only(mut self, names: &[&str]) -> Self {
        self.allowed.retain(|name| names.contains(name));
        assert_eq!(self.allowed.len(), names.len(), "every name is an operation");
        self
    }

    /// Performs one operation. An error is the volume's end.
    pub fn step(&mut self) -> io::Result<Outcome> {
        let (name, action) = self.choose();
        let outcome = match action(self) {
            Ok(()) => Outcome::Done,
            Err(error) if is_end(&error) => return Err(error),
            Err(_) => Outcome::Refused,
        };
        *self.counts.entry((name, outcome)).or_default() += 1;
        Ok(outcome)
    }

    /// How often each operation was done and refused.
    pub fn counts(&self) -> &BTreeMap<(&'static str, Outcome), u64> {
        &self.counts
    }

    /// The files that were removed while open, and are open still.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    fn choose(&mut self) -> (&'static str, Action) {
        let choices = || ACTIONS.iter().filter(|(name, ..)| self.allowed.contains(name));
        let total = choices().map(|(_, weight, _)| weight).sum();
        let mut rest = self.dice.below(total);
        for (name, weight, action) in ACTIONS.iter() {
            if !self.allowed.contains(name) {
                continue;
            }
            if rest < *weight {
                return (name, *action);
            }
            rest -= weight;
        }
        unreachable!("the weights add up to the total")
    }

    fn path(&mut self) -> PathBuf {
        let name = format!("file-{}", self.dice.below(NAMES));
        match self.dice.below(FOLDERS + 1) {
            FOLDERS => self.root.join(name),
            folder => self.root.join(format!("folder-{folder}")).join(name),
        }
    }

    fn open(&mut self) -> io::Result<File> {
        let path = self.path();
        open(&path)
    }

    /// A range in bytes; block-aligned at both ends three times in four.
    fn range(&mut self) -> (u64, u64) {
        if self.dice.chance(1, 4) {
            return (self.dice.below(REACH), 1 + self.dice.below(LONGEST));
        }
        self.block_range()
    }

    fn block_range(&mut self) -> (u64, u64) {
        let longest = (LONGEST / self.block).max(4);
        let offset = self.dice.below(REACH.div_ceil(self.block));
        (offset * self.block, (1 + self.dice.below(longest)) * self.block)
    }

    fn write(&mut self) -> io::Result<()> {
        let (offset, length) = self.range();
        let bytes = self.dice.bytes(length as usize);
        self.open()?.write_all_at(&bytes, offset)
    }

    fn append(&mut self) -> io::Result<()> {
        let length = self.dice.below(3 * self.block) as usize;
        let bytes = self.dice.bytes(length);
        let file = self.open()?;
        let end = file.metadata()?.len();
        if end > 2 * REACH { Ok(()) } else { file.write_all_at(&bytes, end) }
    }

    fn direct(&mut self) -> io::Result<()> {
        let (offset, length) = self.block_range();
        self.direct_write(offset, length, ReadWriteFlags::empty())
    }

    /// A power of two of blocks, naturally aligned.
    fn atomic(&mut self) -> io::Result<()> {
        let length = self.block << self.dice.below(6);
        let offset = self.dice.below(REACH.div_ceil(length)) * length;
        let sync = self.dice.chance(1, 4);
        let flags = if sync { RWF_ATOMIC | ReadWriteFlags::DSYNC } else { RWF_ATOMIC };
        self.direct_write(offset, length, flags)
    }

    fn direct_write(&mut self, offset: u64, length: u64, flags: ReadWriteFlags) -> io::Result<()> {
        let mut bytes = Aligned::new(length as usize);
        self.dice.fill(&mut bytes);
        let file = open_direct(&self.path())?;
        match pwritev2(&file, &[IoSlice::new(&bytes)], offset, flags)? {
            written if written as u64 == length => Ok(()),
            _ => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    fn truncate(&mut self) -> io::Result<()> {
        let length = if self.dice.chance(1, 3) { 0 } else { self.range().0 };
        self.open()?.set_len(length)
    }

    fn allocate(&mut self) -> io::Result<()> {
        let keep = self.dice.chance(1, 2);
        let flags = if keep { FallocateFlags::KEEP_SIZE } else { FallocateFlags::empty() };
        let range = self.range();
        self.fallocate(flags, range)
    }

    fn punch(&mut self) -> io::Result<()> {
        let range = self.range();
        self.fallocate(FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, range)
    }

    fn zero(&mut self) -> io::Result<()> {
        let range = self.range();
        self.fallocate(FallocateFlags::ZERO_RANGE, range)
    }

    fn collapse(&mut self) -> io::Result<()> {
        let range = self.block_range();
        self.fallocate(FallocateFlags::COLLAPSE_RANGE, range)
    }

    fn insert(&mut self) -> io::Result<()> {
        let range = self.block_range();
        self.fallocate(FallocateFlags::INSERT_RANGE, range)
    }

    fn unshare(&mut self) -> io::Result<()> {
        let range = self.range();
        self.fallocate(FallocateFlags::UNSHARE_RANGE, range)
    }

    fn fallocate(&mut self, flags: FallocateFlags, range: (u64, u64)) -> io::Result<()> {
        Ok(fallocate(self.open()?, flags, range.0, range.1)?)
    }

    /// Many single blocks punched from a file: a long map, whose removal takes many transactions.
    fn comb(&mut self) -> io::Result<()> {
        let file = self.open()?;
        let bytes = self.dice.bytes((128 * self.block).min(2 << 20) as usize);
        file.write_all_at(&bytes, 0)?;
        let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        for at in (0..bytes.len() as u64).step_by(2 * self.block as usize) {
            fallocate(&file, punch, at, self.block)?;
        }
        Ok(())
    }

    fn clone_whole(&mut self) -> io::Result<()> {
        let (from, to) = (self.path(), self.open()?);
        Ok(ioctl_ficlone(&to, open(&from)?)?)
    }

    /// Between block-aligned ranges, Linux clones instead of copying.
    fn clone_range(&mut self) -> io::Result<()> {
        let (from, to) = (self.open()?, self.open()?);
        let (mut at, length) = self.block_range();
        let mut target = self.block_range().0;
        copy_file_range(&from, Some(&mut at), &to, Some(&mut target), length as usize)?;
        Ok(())
    }

    fn exchange(&mut self) -> io::Result<()> {
        let (first, second) = (self.path(), self.path());
        let length = open(&first)?.metadata()?.len().min(open(&second)?.metadata()?.len());
        let length = length / self.block * self.block;
        match &mut self.exchanger {
            Some(exchanger) => exchanger.exchange((&first, 0), (&second, 0), length),
            None => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn rename(&mut self) -> io::Result<()> {
        fs::rename(self.path(), self.path())
    }

    fn link(&mut self) -> io::Result<()> {
        fs::hard_link(self.path(), self.path())
    }

    fn unlink(&mut self) -> io::Result<()> {
        fs::remove_file(self.path())
    }

    /// A removed file that stays open has no name, yet keeps its blocks: the unlinked list.
    fn unlink_open(&mut self) -> io::Result<()> {
        let path = self.path();
        let file = File::open(&path)?;
        fs::remove_file(&path)?;
        if self.held.len() >= 8 {
            let oldest = self.dice.below(self.held.len() as u64) as usize;
            self.held.swap_remove(oldest);
        }
        self.held.push(file);
        Ok(())
    }

    fn symlink(&mut self) -> io::Result<()> {
        let length = 1 + self.dice.below(1000) as usize;
        std::os::unix::fs::symlink("t".repeat(length), self.path())
    }

    /// Makes a directory of some entries, or removes one that is empty by then.
    fn folder(&mut self) -> io::Result<()> {
        let folder = self.root.join(format!("extra-{}", self.dice.below(NAMES)));
        if fs::create_dir(&folder).is_ok() {
            let entries = self.dice.below(60);
            return (0..entries).try_for_each(|number| {
                File::create(folder.join(format!("some-longer-name-{number}"))).map(drop)
            });
        }
        fs::remove_dir_all(&folder)
    }

    fn xattr(&mut self) -> io::Result<()> {
        let name = format!("user.attribute-{}", self.dice.below(ATTRIBUTES));
        let longest = *self.dice.pick(&[40, 300, 3000, 20_000]);
        let length = self.dice.below(longest) as usize;
        let value = self.dice.bytes(length);
        Ok(rustix::fs::fsetxattr(self.open()?, name, &value, XattrFlags::empty())?)
    }

    fn xattr_remove(&mut self) -> io::Result<()> {
        let name = format!("user.attribute-{}", self.dice.below(ATTRIBUTES));
        Ok(rustix::fs::fremovexattr(self.open()?, name)?)
    }

    fn node(&mut self) -> io::Result<()> {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let (path, mode) = (self.path(), Mode::from_raw_mode(0o600));
        Ok(mknodat(CWD, path, FileType::CharacterDevice, mode, rustix::fs::makedev(1, 3))?)
    }

    fn fsync(&mut self) -> io::Result<()> {
        self.open()?.sync_all()
    }

    fn syncfs(&mut self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.root)?)?)
    }
}

/// A file of this name, made when there is none; symlinks and device nodes are refused.
fn open(path: &Path) -> io::Result<File> {
    open_with(path, 0)
}

fn open_direct(path: &Path) -> io::Result<File> {
    open_with(path, rustix::fs::OFlags::DIRECT.bits().cast_signed())
}

fn open_with(path: &Path, flags: i32) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    OpenOptions::new().read(true).write(true).create(true).custom_flags(flags).open(path)
}

/// The volume was shut down under the operation.
fn is_end(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::IO | Errno::SHUTDOWN | Errno::UCLEAN))
}
