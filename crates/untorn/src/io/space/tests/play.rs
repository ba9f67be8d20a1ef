//! A volume with one file, calls on it by number, and what the file must hold then.

use crate::ag::share;
use crate::inode::core_of;
use crate::{Error, ExtentKind, File, FileExtent, NewFile, OpenOptions, SizeRule, Sync, Volume};
use crate::{map, mkfs};
use std::ops::Range;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::FileBlock;
use untorn_format::inode::InodeFlags2;
use untorn_format::records::{ExtentState, Fork};
use untorn_torture::dice::Dice;

/// How the volume is filled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Almost empty.
    Roomy,
    /// The file and free space lie in single blocks.
    Shattered,
    /// As `Shattered`, and 99 of 100 blocks are taken.
    Full,
}

/// A kind of volume.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub name: &'static str,
    pub volume: u64,
    pub block: u32,
    pub rmapbt: bool,
    pub reflink: bool,
    pub groups: u32,
    pub layout: Layout,
    /// Blocks that calls reach for.
    pub reach: u64,
}

pub const ROOMY: Setting = Setting {
    name: "roomy",
    volume: 48 << 20,
    block: 4096,
    rmapbt: true,
    reflink: true,
    groups: 2,
    layout: Layout::Roomy,
    reach: 60,
};

/// A call, by numbers that are taken modulo what exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    Write(Place),
    Cached(Place),
    Atomic(Place),
    Append(u64),
    Truncate(u64),
    Allocate(Place, SizeRule),
    Punch(Place),
    Zero(Place, SizeRule),
    Collapse(Place),
    Insert(Place),
    Unshare(Place),
    Trim,
    Seek,
    Share,
    Reopen,
}

/// A range of bytes before it is known what there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub at: u64,
    pub length: u64,
    pub align: Align,
}

/// What the ends of a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Any byte.
    Byte,
    /// Blocks.
    Block,
    /// The end is the end of the file.
    End,
}

pub fn calls(seed: u64, count: usize) -> Vec<Call> {
    let mut dice = Dice::new(seed);
    (0..count).map(|_| call(&mut dice)).collect()
}

fn call(dice: &mut Dice) -> Call {
    let align = *dice.pick(&[Align::Byte, Align::Block, Align::Byte, Align::Block, Align::End]);
    let place = Place { at: dice.roll(), length: dice.roll(), align };
    let rule = *dice.pick(&[SizeRule::Grow, SizeRule::Keep]);
    match dice.below(40) {
        0..=2 => Call::Write(place),
        3..=5 => Call::Cached(place),
        6..=10 => Call::Atomic(place),
        11 => Call::Append(dice.roll()),
        12..=15 => Call::Truncate(dice.roll()),
        16..=19 => Call::Allocate(place, rule),
        20..=23 => Call::Punch(place),
        24..=27 => Call::Zero(place, rule),
        28..=30 => Call::Collapse(place),
        31..=33 => Call::Insert(place),
        34..=35 => Call::Unshare(place),
        36 => Call::Trim,
        37 => Call::Seek,
        38 => Call::Share,
        _ => Call::Reopen,
    }
}

/// A volume being played with.
pub struct Play {
    pub setting: Setting,
    pub device: Arc<dyn BlockDevice>,
    pub volume: Volume,
    pub file: File,
    pub model: Vec<u8>,
    /// A file that shares blocks, and what it holds.
    pub sharer: Option<(File, Vec<u8>)>,
    stamp: u8,
    /// Something may be cached that the map does not know.
    cached: bool,
    /// Calls that found no space.
    pub refused: usize,
}

type Told<T> = Result<T, String>;

fn text<T>(what: &str, result: crate::Result<T>) -> Told<T> {
    result.map_err(|error| format!("{what}: {error}"))
}

impl Play {
    pub fn new(setting: Setting) -> Self {
        Self::on(setting, Arc::new(MemoryDevice::new(setting.volume)))
    }

    /// On a new volume of `device`.
    pub fn on(setting: Setting, device: Arc<dyn BlockDevice>) -> Self {
        let mut options = mkfs::Options {
            contents: mkfs::Contents::Zeroed,
            block_size: setting.block,
            uuid: Some([7; 16]),
            groups: mkfs::Groups::Count(setting.groups),
            ..mkfs::Options::default()
        };
        options.features.rmapbt = setting.rmapbt;
        options.features.reflink = setting.reflink;
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        let model = Vec::new();
        let mut play = Self {
            setting,
            device,
            volume,
            file,
            model,
            sharer: None,
            stamp: 0,
            cached: false,
            refused: 0,
        };
        if setting.layout != Layout::Roomy {
            play.shatter();
        }
        play
    }

    fn shatter(&mut self) {
        let block = self.setting.block as usize;
        let filler = self.volume.create_file("/filler", NewFile::default()).unwrap();
        for index in 0..self.setting.reach as usize {
            self.write(index * block, block, true);
            filler.write_atomic((index * block) as u64, &vec![1; block], Sync::Visible).unwrap();
        }
        if self.setting.layout == Layout::Full {
            let blocks = self.volume.space().unwrap().available;
            let keep = 12;
            let at = self.setting.reach * block as u64;
            let end = at + (blocks.saturating_sub(2 * keep)) * block as u64;
            filler.allocate(at..end, SizeRule::Grow).unwrap();
            // Single free blocks all over the filler.
            for index in 0..keep {
                let hole = at + (end - at) / keep * index / block as u64 * block as u64;
                filler.punch_hole(hole..hole + block as u64).unwrap();
            }
        }
    }

    fn byte(&mut self) -> u8 {
        self.stamp = self.stamp.wrapping_add(1).max(1);
        self.stamp
    }

    fn write(&mut self, at: usize, length: usize, atomic: bool) {
        let byte = self.byte();
        let bytes = vec![byte; length];
        match atomic {
            true => self.file.write_atomic(at as u64, &bytes, Sync::Visible).unwrap(),
            false => self.file.write_at(at as u64, &bytes, Sync::Visible).unwrap(),
        }
        self.expect(at, &bytes);
    }

    fn expect(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        self.model.resize(self.model.len().max(end), 0);
        self.model[at..end].copy_from_slice(bytes);
    }

    /// The bytes that a place stands for now; never empty.
    pub fn range(&self, place: &Place) -> Range<u64> {
        let block = u64::from(self.setting.block);
        let reach = self.setting.reach * block;
        let (mut at, mut length) = (place.at % reach, 1 + place.length % (reach / 2));
        match place.align {
            Align::Byte => {}
            Align::Block => {
                at = at / block * block;
                length = length.next_multiple_of(block);
            }
            Align::End => {
                let size = self.model.len() as u64;
                at = size.saturating_sub(length);
                length = (size - at).max(1);
            }
        }
        at..at + length
    }

    fn blocks(&self, place: &Place) -> Range<u64> {
        self.range(&Place { align: Align::Block, ..*place })
    }

    /// Makes a call and compares. An error tells what is wrong.
    pub fn make(&mut self, call: &Call) -> Told<()> {
        let before = (self.model.clone(), self.listing()?);
        match self.attempt(call) {
            Ok(()) => {}
            Err(Error::NoSpace { .. }) => {
                self.refused += 1;
                self.model = before.0;
                self.unchanged(call, &before.1)?;
            }
            Err(error) => return Err(format!("{call:?}: {error}")),
        }
        self.compare().map_err(|what| format!("{call:?}: {what}"))
    }

    /// A call that was refused for want of space has changed nothing. (A plain write may have
    /// written a part.)
    fn unchanged(&mut self, call: &Call, before: &[FileExtent]) -> Told<()> {
        if matches!(call, Call::Write(_)) {
            self.model = contents(&self.file)?;
            return Ok(());
        }
        match self.cached || self.listing()? == before {
            true => Ok(()),
            false => Err(format!("{call:?} was refused but changed the map")),
        }
    }

    fn attempt(&mut self, call: &Call) -> crate::Result<()> {
        match call {
            Call::Write(place) | Call::Cached(place) | Call::Atomic(place) => {
                let range = self.range(place);
                let bytes = vec![self.byte(); (range.end - range.start) as usize];
                match call {
                    Call::Cached(_) => {
                        self.cached = true;
                        self.file.write_cached(range.start, &bytes, Sync::Visible)?;
                    }
                    Call::Write(_) => self.file.write_at(range.start, &bytes, Sync::Visible)?,
                    _ => self.file.write_atomic(range.start, &bytes, Sync::Visible)?,
                }
                self.expect(range.start as usize, &bytes);
            }
            Call::Append(length) => {
                let bytes =
                    vec![self.byte(); 1 + (length % u64::from(self.setting.block)) as usize];
                if self.model.len() as u64 > self.setting.reach * u64::from(self.setting.block) * 2
                {
                    return Ok(());
                }
                self.file.append_atomic(&bytes, Sync::Visible)?;
                self.expect(self.model.len(), &bytes);
            }
            Call::Truncate(size) => {
                let size = size % (self.setting.reach * u64::from(self.setting.block));
                self.file.truncate(size)?;
                self.model.resize(size as usize, 0);
            }
            Call::Allocate(place, rule) => {
                let range = self.range(place);
                self.file.allocate(range.clone(), *rule)?;
                self.grow(range.end, *rule);
            }
            Call::Punch(place) => {
                let range = self.range(place);
                self.file.punch_hole(range.clone())?;
                self.zero(&range);
            }
            Call::Zero(place, rule) => {
                let range = self.range(place);
                self.file.zero_range(range.clone(), *rule)?;
                self.grow(range.end, *rule);
                self.zero(&range);
            }
            Call::Unshare(place) => self.file.unshare_range(self.range(place))?,
            Call::Trim => self.file.trim_past_end()?,
            Call::Seek => self.seek().unwrap(),
            Call::Collapse(place) => self.collapse(self.blocks(place))?,
            Call::Insert(place) => self.insert(self.blocks(place))?,
            Call::Share => self.share(),
            Call::Reopen => self.reopen(),
        }
        Ok(())
    }

    fn grow(&mut self, end: u64, rule: SizeRule) {
        if rule == SizeRule::Grow {
            self.model.resize(self.model.len().max(end as usize), 0);
        }
    }

    fn zero(&mut self, range: &Range<u64>) {
        let end = (range.end as usize).min(self.model.len());
        self.model[(range.start as usize).min(end)..end].fill(0);
    }

    fn collapse(&mut self, range: Range<u64>) -> crate::Result<()> {
        if range.end >= self.model.len() as u64 {
            let refused = self.file.collapse_range(range);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
            return Ok(());
        }
        self.file.collapse_range(range.clone())?;
        self.model.drain(range.start as usize..range.end as usize);
        Ok(())
    }

    fn insert(&mut self, range: Range<u64>) -> crate::Result<()> {
        let length = (range.end - range.start) as usize;
        let limit = 2 * self.setting.reach * u64::from(self.setting.block);
        if range.start >= self.model.len() as u64 {
            let refused = self.file.insert_range(range);
            assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
            return Ok(());
        }
        if self.model.len() + length > limit as usize {
            return Ok(());
        }
        self.file.insert_range(range.clone())?;
        let at = range.start as usize;
        self.model.splice(at..at, std::iter::repeat_n(0, length));
        Ok(())
    }

    /// Makes a file that shares all written blocks of this one, in place of the last such.
    pub fn share(&mut self) {
        if !self.setting.reflink || self.file.sync().is_err() {
            return;
        }
        self.cached = false;
        if self.sharer.take().is_some() {
            self.volume.remove("/sharer").unwrap();
        }
        let Ok(other) = self.volume.create_file("/sharer", NewFile::default()) else { return };
        let (one, two) = (self.file.inode().clone(), other.inode().clone());
        let (core, size) = (self.volume.core(), self.model.len() as u64);
        let shared = core.transact(65536, &[one.clone(), two.clone()], |tx| {
            let mut at = FileBlock(0);
            while let Some(extent) = map::next_extent(tx, one.ino, Fork::Data, at)? {
                at = extent.file_end();
                if extent.state == ExtentState::Unwritten {
                    continue;
                }
                share(tx, core.ag_extent(extent.start, extent.length)?)?;
                map::map(tx, two.ino, Fork::Data, extent)?;
            }
            for inode in [&one, &two] {
                let mut dinode = core_of(inode.ino, tx.inode_bytes(inode.ino))?;
                dinode.flags2 = dinode.flags2.with(InodeFlags2::REFLINK);
                dinode.size = size;
                dinode.encode(tx.inode_mut(inode.ino));
            }
            Ok(())
        });
        match shared {
            Ok(_) => self.sharer = Some((other, self.model.clone())),
            Err(Error::NoSpace { .. }) => self.volume.remove("/sharer").unwrap(),
            Err(error) => panic!("{error}"),
        }
    }

    fn reopen(&mut self) {
        self.cached = false;
        self.volume.clone().close().unwrap();
        self.open(self.device.clone());
    }

    /// Goes on with what is on another device: the same, once this volume was closed.
    pub fn open(&mut self, device: Arc<dyn BlockDevice>) {
        self.device = device;
        self.volume = Volume::open(self.device.clone(), OpenOptions::default()).unwrap();
        self.file = self.volume.open_file("/file").unwrap();
        if let Some((file, _)) = &mut self.sharer {
            *file = self.volume.open_file("/sharer").unwrap();
        }
    }

    pub fn listing(&self) -> Told<Vec<FileExtent>> {
        text("extents", self.volume.extents_of(self.file.ino()))
    }

    fn compare(&self) -> Told<()> {
        same("the file", &contents(&self.file)?, &self.model)?;
        if let Some((file, model)) = &self.sharer {
            same("the sharer", &contents(file)?, model)?;
        }
        Ok(())
    }

    /// What seeking says is what the map says.
    fn seek(&mut self) -> Told<()> {
        let size = self.model.len() as u64;
        // Seeking gives cached bytes their blocks.
        let _ = text("seek", self.file.seek_data(0))?;
        self.cached = false;
        let listing = self.listing()?;
        let is_data = |at: u64| {
            let found = listing.iter().find(|e| e.offset <= at && at < e.offset + e.length);
            found.is_some_and(|e| e.kind == ExtentKind::Written)
        };
        let block = u64::from(self.setting.block);
        for at in (0..size).step_by(block as usize * 7 + 3) {
            let starts = || (at / block + 1..size.div_ceil(block)).map(|b| b * block);
            let first = |wanted: bool| match is_data(at) == wanted {
                true => Some(at),
                false => starts().find(|&b| is_data(b) == wanted),
            };
            let data = text("seek", self.file.seek_data(at))?;
            let hole = text("seek", self.file.seek_hole(at))?;
            if data != first(true) || hole != first(false).or(Some(size)) {
                return Err(format!("seeking from {at} found {data:?} and {hole:?}"));
            }
        }
        let behind = (self.file.seek_data(size), self.file.seek_hole(size));
        match behind {
            (Ok(None), Ok(None)) => Ok(()),
            other => Err(format!("seeking from the end found {other:?}")),
        }
    }

    /// Closes the volume.
    pub fn close_only(self) -> Arc<dyn BlockDevice> {
        let Self { device, volume, file, sharer, .. } = self;
        drop((file, sharer));
        volume.close().unwrap();
        device
    }

    /// Closes the volume; it must be sound.
    pub fn close(self) -> Told<()> {
        let device = self.close_only();
        let report = untorn_check::check(&*device, &untorn_check::Options::default());
        let findings = report.map_err(|e| e.to_string())?.findings;
        match findings.is_empty() {
            true => Ok(()),
            false => Err(format!("checker: {:?}", &findings[..findings.len().min(4)])),
        }
    }
}

fn same(what: &str, found: &[u8], wanted: &[u8]) -> Told<()> {
    if found == wanted {
        return Ok(());
    }
    let at = found.iter().zip(wanted).position(|(a, b)| a != b);
    let (have, want) = (found.len(), wanted.len());
    Err(format!("{what} has {have} bytes, not {want}, or differs first at {at:?}"))
}

pub fn contents(file: &File) -> Told<Vec<u8>> {
    let mut bytes = vec![0; text("size", file.size())? as usize];
    let count = text("read", file.read_cached(0, &mut bytes))?;
    bytes.truncate(count);
    Ok(bytes)
}
