//! Several files of one volume, what each must hold, and everything that can be done to them.

use std::ops::Range;
use std::sync::Arc;
use untorn::{
    Dedupe, Error, ExchangeOptions, Exchanged, File, NewFile, OpenOptions, Result, Span, Sync,
    Volume, mkfs,
};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::dice::Dice;

/// Files of a world.
const FILES: usize = 4;

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    pub name: &'static str,
    pub size: u64,
    pub block_size: u32,
    pub rmapbt: bool,
    pub groups: u32,
    pub nrext64: bool,
    /// Longest file in blocks.
    pub longest: u64,
    pub space: Space,
    /// Journal bytes that one transaction may take, where that is little.
    pub journal: Option<u64>,
}

/// What free space there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Plenty.
    Ample,
    /// Plenty, in single blocks.
    Shattered,
    /// In single blocks, and hardly enough.
    Scarce,
}

impl Geometry {
    pub fn open(&self) -> OpenOptions {
        OpenOptions { largest_transaction: self.journal, ..OpenOptions::default() }
    }

    pub fn mkfs(&self) -> mkfs::Options {
        let mut options = mkfs::Options {
            block_size: self.block_size,
            contents: mkfs::Contents::Zeroed,
            groups: mkfs::Groups::Count(self.groups),
            uuid: Some([0x51; 16]),
            ..mkfs::Options::default()
        };
        // The default is below what blocks of this size need.
        options.log.size = (self.block_size == 65536).then_some(140 << 20);
        options.features.rmapbt = self.rmapbt;
        options.features.nrext64 = self.nrext64;
        options
    }
}

/// A file and what it must hold.
pub struct Shadowed {
    pub name: String,
    pub file: File,
    pub bytes: Vec<u8>,
}

pub struct World {
    pub device: Arc<dyn BlockDevice>,
    volume: Option<Volume>,
    open: OpenOptions,
    pub files: Vec<Shadowed>,
    pub dice: Dice,
    pub block: u64,
    pub longest: u64,
    /// What was done, for messages; and how often what was refused for space.
    pub last: String,
    pub refused: u64,
    /// How often what one transaction cannot carry.
    pub too_large: u64,
}

pub fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    let count = file.read_at(0, &mut bytes).unwrap();
    assert_eq!(count, bytes.len());
    bytes
}

fn cached_contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    let count = file.read_cached(0, &mut bytes).unwrap();
    assert_eq!(count, bytes.len());
    bytes
}

fn overlay(contents: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let end = at as usize + bytes.len();
    contents.resize(contents.len().max(end), 0);
    contents[at as usize..end].copy_from_slice(bytes);
}

impl World {
    pub fn new(geometry: &Geometry, seed: u64) -> Self {
        let device: Arc<dyn BlockDevice> = Arc::new(MemoryDevice::new(geometry.size));
        mkfs::make(&*device, &geometry.mkfs()).unwrap();
        Self::on(device, geometry, seed)
    }

    /// On a volume that was made.
    pub fn on(device: Arc<dyn BlockDevice>, geometry: &Geometry, seed: u64) -> Self {
        let volume = Volume::open(Arc::clone(&device), geometry.open()).unwrap();
        let block = u64::from(geometry.block_size);
        prepare(&volume, geometry);
        let files = (0..FILES).map(|number| made(&volume, number)).collect();
        let (longest, dice) = (geometry.longest * block, Dice::new(seed));
        let (last, refused, too_large) = (String::new(), 0, 0);
        let (volume, open) = (Some(volume), geometry.open());
        Self { device, volume, open, files, dice, block, longest, last, refused, too_large }
    }

    pub fn volume(&self) -> &Volume {
        self.volume.as_ref().unwrap()
    }

    /// On a volume whose files somebody else has changed: what they must hold.
    pub fn resume(
        device: Arc<dyn BlockDevice>,
        geometry: &Geometry,
        seed: u64,
        files: Vec<(String, Vec<u8>)>,
    ) -> Self {
        let volume = Volume::open(Arc::clone(&device), geometry.open()).unwrap();
        let files = shadowed(&volume, files);
        let block = u64::from(geometry.block_size);
        let (longest, dice) = (geometry.longest * block, Dice::new(seed));
        let (last, refused, too_large) = ("opening".to_owned(), 0, 0);
        let (volume, open) = (Some(volume), geometry.open());
        let mut world =
            Self { device, volume, open, files, dice, block, longest, last, refused, too_large };
        world.compare_all();
        world
    }

    /// Closes the volume: what each file must hold.
    pub fn close(mut self) -> Vec<(String, Vec<u8>)> {
        self.compare_all();
        let files = self.files.drain(..).map(|file| (file.name, file.bytes)).collect();
        self.volume.take().unwrap().close().unwrap();
        files
    }

    /// A place in a file: mostly whole blocks, often near the file's end.
    fn place(&mut self, size: u64) -> u64 {
        let at = match self.dice.below(8) {
            0 => size,
            1 => self.dice.below(self.longest),
            _ => self.dice.below(size + 1),
        };
        if self.dice.chance(3, 4) { at / self.block * self.block } else { at }
    }

    fn length(&mut self) -> u64 {
        let most = match self.dice.below(4) {
            0 => self.longest / 2,
            _ => 6 * self.block,
        };
        let length = 1 + self.dice.below(most);
        if self.dice.chance(3, 4) { length.next_multiple_of(self.block) } else { length }
    }

    fn range(&mut self, size: u64) -> Range<u64> {
        let start = self.place(size);
        let end = start + self.length();
        match self.dice.below(6) {
            0 => start..size.max(start),
            1 => start..end,
            _ => start.min(size)..end.min(size).max(start.min(size)),
        }
    }

    /// One random step. Panics where what was done is not what should be.
    pub fn step(&mut self) {
        let (one, other) =
            (self.dice.below(FILES as u64) as usize, self.dice.below(FILES as u64) as usize);
        match self.dice.below(20) {
            0..=1 => self.write(one, Way::Plain),
            2..=3 => self.write(one, Way::Cached),
            4..=5 => self.write(one, Way::Atomic),
            6..=9 => self.clone(one, other),
            10 => self.clone_whole(one, other),
            11..=12 => self.dedupe(one, other),
            13..=14 => self.copy(one, other),
            15..=16 => self.exchange(one, other),
            17 => self.exchange_ends(one, other),
            18 => self.remove(one),
            _ => self.clone_file(one, other),
        }
        self.compare(one);
        self.compare(other);
    }

    fn compare(&mut self, which: usize) {
        let cached = self.dice.chance(1, 2);
        let Shadowed { name, file, bytes } = &self.files[which];
        // Reading around the cache would write it back each time.
        let found = if cached { cached_contents(file) } else { contents(file) };
        if let Some(at) = first_difference(&found, bytes) {
            panic!("{}: {name} differs from its shadow at byte {at}", self.last);
        }
    }

    /// Every file is its shadow: nobody changed but who was meant to.
    pub fn compare_all(&mut self) {
        (0..FILES).for_each(|which| self.compare(which));
    }

    /// Takes note of what was done; whether it succeeded. What space refused is allowed in part,
    /// from the left where `partial` says so.
    fn settle(&mut self, which: usize, result: Result<()>, after: Vec<u8>, partial: Partial) {
        match result {
            Ok(()) => self.files[which].bytes = after,
            Err(Error::TooLarge { .. }) if self.open.largest_transaction.is_some() => {
                assert!(partial != Partial::Blocks, "{}: a clone is never too large", self.last);
                self.too_large += 1;
                if partial == Partial::Bytes {
                    self.accept_part(which, &after, 1);
                }
            }
            Err(Error::NoSpace { .. }) => {
                self.refused += 1;
                match partial {
                    Partial::Nothing => {}
                    Partial::Blocks => self.accept_part(which, &after, self.block as usize),
                    Partial::Bytes => self.accept_part(which, &after, 1),
                }
            }
            Err(error) => panic!("{}: {error}", self.last),
        }
    }

    /// Some pieces of `piece` bytes are new, the others old; what the file grew by without being
    /// written is zeroes.
    fn accept_part(&mut self, which: usize, after: &[u8], piece: usize) {
        let found = contents(&self.files[which].file);
        let before = &self.files[which].bytes;
        assert!(found.len() <= before.len().max(after.len()), "{}", self.last);
        for start in (0..found.len()).step_by(piece) {
            let end = (start + piece).min(found.len());
            let part = |bytes: &[u8]| -> Vec<u8> {
                (start..end).map(|at| bytes.get(at).copied().unwrap_or(0)).collect()
            };
            let is = &found[start..end];
            let known = is == part(before) || is == part(after);
            assert!(known, "{}: byte {start} is neither old nor new", self.last);
        }
        self.files[which].bytes = found;
    }

    fn write(&mut self, which: usize, way: Way) {
        let at = self.place(self.files[which].bytes.len() as u64);
        let length = self.length().min(self.longest.saturating_sub(at)).max(1);
        let bytes = match self.dice.below(3) {
            // Bytes that come again, for deduplication.
            0 => vec![7; length as usize],
            _ => self.dice.bytes(length as usize),
        };
        self.last = format!("{way:?} write of {length} at {at} of {which}");
        let file = &self.files[which].file;
        let (result, partial) = match way {
            Way::Plain => (file.write_at(at, &bytes, Sync::Visible), Partial::Bytes),
            Way::Cached => (file.write_cached(at, &bytes, Sync::Visible), Partial::Bytes),
            Way::Atomic => (file.write_atomic(at, &bytes, Sync::Visible), Partial::Nothing),
        };
        let mut after = self.files[which].bytes.clone();
        overlay(&mut after, at, &bytes);
        self.settle(which, result, after, partial);
    }

    fn is_aligned(&self, at: u64) -> bool {
        at.is_multiple_of(self.block)
    }

    fn overlaps(&self, at: u64, range: &Range<u64>, length: u64) -> bool {
        let length = length.next_multiple_of(self.block);
        at < range.start + length && range.start < at + length
    }

    fn may_clone(&self, dest: usize, at: u64, source: usize, range: &Range<u64>) -> bool {
        let (dest_size, size) =
            (self.files[dest].bytes.len() as u64, self.files[source].bytes.len() as u64);
        let length = range.end - range.start;
        let ends = self.is_aligned(length) || range.end == size && at + length >= dest_size;
        let apart = dest != source || !self.overlaps(at, range, length);
        self.is_aligned(at) && self.is_aligned(range.start) && range.end <= size && ends && apart
    }

    fn taken(&self, source: usize, range: &Range<u64>) -> Vec<u8> {
        self.files[source].bytes[range.start as usize..range.end as usize].to_vec()
    }

    fn clone(&mut self, dest: usize, source: usize) {
        let range = self.range(self.files[source].bytes.len() as u64);
        let at = self.place(self.files[dest].bytes.len() as u64);
        self.last = format!("clone of {range:?} of {source} to {at} of {dest}");
        let result = self.files[dest].file.clone_range(at, &self.files[source].file, range.clone());
        if !self.may_clone(dest, at, source, &range) {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
            return;
        }
        let mut after = self.files[dest].bytes.clone();
        if !range.is_empty() {
            overlay(&mut after, at, &self.taken(source, &range));
        }
        self.settle(dest, result, after, Partial::Blocks);
    }

    fn clone_whole(&mut self, dest: usize, source: usize) {
        self.last = format!("clone of {source} to {dest}");
        let range = 0..self.files[source].bytes.len() as u64;
        let result = self.files[dest].file.clone_from(&self.files[source].file);
        if !self.may_clone(dest, 0, source, &range) {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
            return;
        }
        let mut after = self.files[dest].bytes.clone();
        overlay(&mut after, 0, &self.taken(source, &range));
        self.settle(dest, result, after, Partial::Blocks);
    }

    fn dedupe(&mut self, dest: usize, source: usize) {
        let sizes = [dest, source].map(|which| self.files[which].bytes.len() as u64);
        let range = self.range(sizes[1]);
        // The same place is where the same bytes are.
        let at = if self.dice.chance(2, 3) { range.start } else { self.place(sizes[0]) };
        self.last = format!("dedupe of {range:?} of {source} with {at} of {dest}");
        let length = range.end - range.start;
        let inside = range.end <= sizes[1] && at + length <= sizes[0];
        let ends = range.end == sizes[1] && at + length == sizes[0];
        let length = if ends { length } else { length / self.block * self.block };
        let apart = dest != source || !self.overlaps(at, &range, length);
        let aligned = self.is_aligned(at) && self.is_aligned(range.start);
        let result =
            self.files[dest].file.dedupe_range(at, &self.files[source].file, range.clone());
        if !(inside && apart && aligned) {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
            return;
        }
        let bytes =
            |which: usize, at: u64| &self.files[which].bytes[at as usize..(at + length) as usize];
        let same = bytes(dest, at) == bytes(source, range.start);
        match result {
            Err(Error::NoSpace { .. }) => self.refused += 1,
            Ok(Dedupe::Same(found)) => assert!(same && found == length, "{}", self.last),
            Ok(Dedupe::Differs) => assert!(!same, "{}", self.last),
            Err(error) => panic!("{}: {error}", self.last),
        }
    }

    fn copy(&mut self, dest: usize, source: usize) {
        let size = self.files[source].bytes.len() as u64;
        let range = self.range(size);
        let at = match self.dice.below(3) {
            0 => self.place(self.files[dest].bytes.len() as u64),
            // Where blocks meet blocks.
            _ => self.place(self.longest) / self.block * self.block + range.start % self.block,
        };
        self.last = format!("copy of {range:?} of {source} to {at} of {dest}");
        let meant = range.end.min(size).saturating_sub(range.start);
        let result = self.files[dest].file.copy_range(at, &self.files[source].file, range.clone());
        if dest == source && at < range.start + meant && range.start < at + meant {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
            return;
        }
        let end = range.end.min(size).max(range.start.min(size));
        let taken = self.taken(source, &(range.start.min(end)..end));
        let mut after = self.files[dest].bytes.clone();
        if !taken.is_empty() {
            overlay(&mut after, at, &taken);
        }
        if let Ok(count) = &result {
            assert_eq!(*count, taken.len() as u64, "{}", self.last);
        }
        self.settle(dest, result.map(drop), after, Partial::Bytes);
    }

    fn exchange(&mut self, one: usize, other: usize) {
        let sizes = [one, other].map(|which| self.files[which].bytes.len() as u64);
        let range = self.range(sizes[1]);
        let at = self.place(sizes[0]);
        let length = range.end - range.start;
        self.last = format!("exchange of {range:?} of {other} with {at} of {one}");
        let result =
            self.files[one].file.exchange_range(at, &self.files[other].file, range.start, length);
        let aligned = self.is_aligned(at) && self.is_aligned(range.start);
        let inside = range.end <= sizes[1] && at + length <= sizes[0];
        let ends = range.end == sizes[1] && at + length == sizes[0] || self.is_aligned(length);
        let apart = one != other || !self.overlaps(at, &range, length);
        if !(aligned && inside && ends && apart) {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
            return;
        }
        if self.went_through(result) {
            let first = self.taken(one, &(at..at + length));
            let second = self.taken(other, &range);
            overlay(&mut self.files[one].bytes, at, &second);
            overlay(&mut self.files[other].bytes, range.start, &first);
        }
    }

    /// Whether it was done; refused for space is nothing done.
    fn went_through(&mut self, result: Result<()>) -> bool {
        match result {
            Ok(()) => true,
            Err(Error::NoSpace { .. }) => {
                self.refused += 1;
                false
            }
            Err(Error::TooLarge { .. }) if self.open.largest_transaction.is_some() => {
                self.too_large += 1;
                false
            }
            Err(error) => panic!("{}: {error}", self.last),
        }
    }

    fn exchange_ends(&mut self, one: usize, other: usize) {
        let blocks = Exchanged::WrittenInOther;
        if self.dice.chance(1, 3) && one != other {
            // Nothing but holes and written blocks here: written ones with bytes other than zero.
            self.last = format!("exchange of what is written in {other} with {one}");
            let options = ExchangeOptions { blocks, ..ExchangeOptions::default() };
            let files = &self.files;
            let whole = files[one].bytes.len().min(files[other].bytes.len()) as u64;
            let length = whole / self.block * self.block;
            files[other].file.sync().unwrap();
            let written = written(self.volume(), &files[other].file, length);
            let span = Span::Bytes(length);
            let result = files[one].file.exchange(0, &files[other].file, 0, span, options);
            if self.went_through(result) {
                for range in written {
                    let (first, second) = (self.taken(one, &range), self.taken(other, &range));
                    overlay(&mut self.files[one].bytes, range.start, &second);
                    overlay(&mut self.files[other].bytes, range.start, &first);
                }
            }
            return;
        }
        let [at, other_at] = [one, other].map(|which| {
            let size = self.files[which].bytes.len() as u64;
            self.dice.below(size + 1) / self.block * self.block
        });
        self.last = format!("exchange of all from {other_at} of {other} with {at} of {one}");
        let (span, options) = (Span::ToEnd, ExchangeOptions::default());
        let files = &self.files;
        let result = files[one].file.exchange(at, &files[other].file, other_at, span, options);
        if one == other {
            assert!(matches!(result, Err(Error::Invalid(_))), "{}: {result:?}", self.last);
        } else if self.went_through(result) {
            let first = self.files[one].bytes.split_off(at as usize);
            let second = self.files[other].bytes.split_off(other_at as usize);
            self.files[one].bytes.extend(second);
            self.files[other].bytes.extend(first);
        }
    }

    fn remove(&mut self, which: usize) {
        self.last = format!("removal of {which}");
        let name = self.files[which].name.clone();
        self.volume().remove(&name).unwrap();
        self.files[which] = made(self.volume(), which);
    }

    fn clone_file(&mut self, dest: usize, source: usize) {
        if dest == source {
            return;
        }
        self.last = format!("clone of file {source} as {dest}");
        let (name, from) = (self.files[dest].name.clone(), self.files[source].name.clone());
        self.volume().remove(&name).unwrap();
        let (file, bytes) = match self.volume().clone_file(&from, &name) {
            Ok(file) => (file, self.files[source].bytes.clone()),
            Err(Error::NoSpace { .. }) => {
                self.refused += 1;
                (self.volume().create_file(&name, NewFile::default()).unwrap(), Vec::new())
            }
            Err(error) => panic!("{}: {error}", self.last),
        };
        self.files[dest] = Shadowed { name, file, bytes };
    }

    /// Closes the volume, checks it, opens it again.
    pub fn judge(&mut self) {
        self.compare_all();
        let bytes: Vec<_> = self.files.drain(..).map(|file| (file.name, file.bytes)).collect();
        self.volume.take().unwrap().close().unwrap();
        let report = untorn_check::check(&*self.device, &Default::default()).unwrap();
        let findings = &report.findings[..report.findings.len().min(4)];
        assert!(findings.is_empty(), "after {}: {findings:#?}", self.last);
        let volume = Volume::open(Arc::clone(&self.device), self.open).unwrap();
        self.files = shadowed(&volume, bytes);
        self.volume = Some(volume);
        self.compare_all();
    }
}

fn shadowed(volume: &Volume, files: Vec<(String, Vec<u8>)>) -> Vec<Shadowed> {
    let open = |name: &str| volume.open_file(name).unwrap();
    files.into_iter().map(|(name, bytes)| Shadowed { file: open(&name), name, bytes }).collect()
}

/// Ranges of whole blocks below `limit` that are written.
fn written(volume: &Volume, file: &File, limit: u64) -> Vec<Range<u64>> {
    let extents = volume.extents_of(file.ino()).unwrap();
    let written = extents.iter().filter(|extent| extent.kind == untorn::ExtentKind::Written);
    let ranges = written.map(|e| e.offset..(e.offset + e.length).min(limit));
    ranges.filter(|range| range.start < range.end).collect()
}

fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let at = one.iter().zip(other).position(|(a, b)| a != b);
    at.or((one.len() != other.len()).then_some(one.len().min(other.len())))
}

fn made(volume: &Volume, number: usize) -> Shadowed {
    let name = format!("/file-{number}");
    let file = volume.create_file(&name, NewFile::default()).unwrap();
    Shadowed { name, file, bytes: Vec::new() }
}

/// Leaves of free space what the geometry says: two files take it in turns, one goes.
fn prepare(volume: &Volume, geometry: &Geometry) {
    if geometry.space == Space::Ample {
        return;
    }
    let block = u64::from(geometry.block_size);
    let keep = volume.create_file("/keep", NewFile::default()).unwrap();
    let gaps = volume.create_file("/gaps", NewFile::default()).unwrap();
    let wanted = match geometry.space {
        Space::Scarce => geometry.longest / 2,
        _ => 8 * geometry.longest,
    };
    for at in 0..wanted {
        gaps.write_atomic(at * block, &vec![1; block as usize], Sync::Visible).unwrap();
        keep.write_atomic(at * block, &vec![2; block as usize], Sync::Visible).unwrap();
    }
    let rest = volume.create_file("/rest", NewFile::default()).unwrap();
    let mut length = volume.space().unwrap().available / 2;
    let mut end = 0;
    while length > 0 {
        let bytes = vec![3; (length.min(256) * block) as usize];
        match rest.append_atomic(&bytes, Sync::Visible) {
            Ok(at) => end = at + bytes.len() as u64,
            Err(Error::NoSpace { .. }) => length /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(end > 0);
    drop(gaps);
    volume.remove("/gaps").unwrap();
    volume.sync().unwrap();
}

/// How a write is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Plain,
    Cached,
    Atomic,
}

/// What an operation that ran out of space may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Partial {
    /// Nothing of it.
    Nothing,
    /// Some of its blocks.
    Blocks,
    /// Some of its bytes.
    Bytes,
}
