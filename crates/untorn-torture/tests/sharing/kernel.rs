//! Linux beside what is done here: the same calls on both, and volumes that both take turns on.

use super::budget;
use super::power::{self, Run, State};
use super::world::{Geometry, Space, World, contents};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use untorn::{
    Dedupe, Error, ExchangeOptions, Exchanged, ExtentKind, File, NewFile, OpenOptions, Span, Sync,
    Volume,
};
use untorn_device::{Access, BlockDevice, FileDevice};
use untorn_format::Fork;
use untorn_torture::dice::Dice;
use untorn_torture::disk::Family;
use untorn_torture::kernel::{
    Extra, MkfsOptions, Mounted, Scratch, demand, make_volume, remove_exchange_range, xfs_bmap,
    xfs_repair_n,
};

const MIB: u64 = 1 << 20;
const NAMES: [&str; 3] = ["file-0", "file-1", "file-2"];

fn base() -> Geometry {
    Geometry {
        name: "4 KiB, rmapbt",
        size: 320 * MIB,
        block_size: 4096,
        rmapbt: true,
        groups: 4,
        nrext64: false,
        longest: 60,
        space: Space::Ample,
        journal: None,
    }
}

fn geometries() -> [Geometry; 4] {
    let base = base();
    [
        base,
        Geometry { name: "1 KiB", block_size: 1024, rmapbt: false, longest: 240, ..base },
        Geometry { name: "many groups", groups: 16, nrext64: true, ..base },
        Geometry {
            name: "1 KiB, rmapbt, shattered",
            block_size: 1024,
            longest: 240,
            space: Space::Shattered,
            ..base
        },
    ]
}

fn make(scratch: &Scratch, geometry: &Geometry, extra: &[Extra]) -> std::path::PathBuf {
    let image = scratch.image("volume.img");
    let options = MkfsOptions {
        block_size: geometry.block_size,
        rmapbt: geometry.rmapbt,
        nrext64: geometry.nrext64,
        ag_count: Some(geometry.groups),
        extra: extra.to_vec(),
        ..MkfsOptions::default()
    };
    make_volume(&image, geometry.size, &options).unwrap();
    image
}

fn device(image: &Path) -> Arc<dyn BlockDevice> {
    Arc::new(FileDevice::open(image, Access::ReadWrite).unwrap())
}

/// A map in rows: first unit, units, first unit on the volume; shared, unwritten.
type Row = (u64, u64, Option<u64>, bool, bool);

/// The rows of `xfs_bmap -vp`.
fn bmap_rows(path: &Path) -> Vec<Row> {
    let range = |text: &str| -> (u64, u64) {
        let text = text.trim_matches(|c: char| !c.is_ascii_digit());
        let (first, last) = text.split_once("..").unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    let printed = xfs_bmap(path).unwrap();
    let rows = printed.lines().filter(|line| line.contains(": ["));
    rows.map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let (first, last) = range(words[1]);
        let block = (words[2] != "hole").then(|| range(words[2]).0);
        let flags = words
            .last()
            .filter(|_| block.is_some())
            .map_or(0, |flags| u32::from_str_radix(flags, 8).unwrap());
        (first, last + 1 - first, block, flags & 0o100000 != 0, flags & 0o010000 != 0)
    })
    .collect()
}

/// The extents of FIEMAP, as `xfs_io` prints them.
fn fiemap_rows(path: &Path) -> Vec<Row> {
    let output = Command::new("xfs_io").args(["-r", "-c", "fiemap -v"]).arg(path).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let range = |text: &str| -> (u64, u64) {
        let (first, last) = text.trim_matches(['[', ']', ':']).split_once("..").unwrap();
        (first.parse().unwrap(), last.parse().unwrap())
    };
    let rows = printed.lines().filter(|line| line.contains(": ["));
    rows.filter(|line| !line.contains("hole"))
        .map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            let ((first, last), (block, _)) = (range(words[1]), range(words[2]));
            let flags = u32::from_str_radix(words[4].trim_start_matches("0x"), 16).unwrap();
            (first, last + 1 - first, Some(block), flags & 0x2000 != 0, flags & 0x800 != 0)
        })
        .collect()
}

fn rows(volume: &Volume, name: &str) -> Vec<Row> {
    let extents = volume.extents(name, Fork::Data).unwrap();
    let row = |e: &untorn::FileExtent| {
        let block = e.at.map(|(byte, ..)| byte / 512);
        (e.offset / 512, e.length / 512, block, e.shared, e.kind == ExtentKind::Unwritten)
    };
    let rows: Vec<_> = extents.iter().map(row).collect();
    // xfs_bmap lists nothing of a file without blocks.
    if rows.iter().all(|row| row.2.is_none()) { Vec::new() } else { rows }
}

/// Every file and its map, as untorn has them.
fn maps(image: &Path) -> Vec<(String, Vec<Row>)> {
    let options = OpenOptions { access: untorn::Access::ReadOnly, ..OpenOptions::default() };
    let volume = Volume::open(device(image), options).unwrap();
    let names = volume.read_dir("/").unwrap().into_iter().map(|entry| entry.name);
    let names = names.map(|name| String::from_utf8(name).unwrap());
    names.map(|name| (name.clone(), rows(&volume, &format!("/{name}")))).collect()
}

/// Linux lists the same extents of each file, with the same flags, both ways that it has.
fn assert_same_maps(geometry: &Geometry, mounted: &Mounted, maps: &[(String, Vec<Row>)]) {
    for (name, ours) in maps {
        let what = format!("{}, {name}", geometry.name);
        assert_eq!(&bmap_rows(&mounted.at(name)), ours, "{what}: xfs_bmap");
        let mapped: Vec<_> = ours.iter().filter(|row| row.2.is_some()).copied().collect();
        assert_eq!(fiemap_rows(&mounted.at(name)), mapped, "{what}: fiemap");
    }
}

fn shell(mounted: &Mounted, script: &str) {
    let mut command = Command::new("sh");
    let done = command.args(["-e", "-c", script]).current_dir(mounted.root()).status().unwrap();
    assert!(done.success(), "{script}");
}

#[test]
fn both_take_turns_on_volumes_whose_files_share_kernel() {
    if !demand() {
        return;
    }
    for geometry in geometries() {
        let scratch = Scratch::new().unwrap();
        let image = make(&scratch, &geometry, &[]);
        let mut world = World::on(device(&image), &geometry, 5);
        for turn in 0..budget("UNTORN_SHARING_TURNS", 2) {
            (0..budget("UNTORN_SHARING_STEPS", 120)).for_each(|_| world.step());
            let shadows = world.close();
            xfs_repair_n(&image).unwrap().assert_clean();
            let maps = maps(&image);
            let mounted = Mounted::new(&image).unwrap();
            for (name, bytes) in &shadows {
                let linux = std::fs::read(mounted.at(name.trim_start_matches('/'))).unwrap();
                assert!(&linux == bytes, "{}, turn {turn}: {name} differs", geometry.name);
            }
            assert_same_maps(&geometry, &mounted, &maps);
            shell(
                &mounted,
                "cp --reflink=always file-0 file-3.new && mv file-3.new file-3 || true
                 xfs_io -c 'reflink file-1 0 0 8k' file-2 >&2 || true
                 xfs_io -c 'pwrite -q 4k 9k' -c 'falloc 40k 20k' file-3 || true
                 xfs_io -c 'dedupe file-0 0 0 4k' file-3 >&2 || true
                 truncate -s 70k file-1",
            );
            let names: Vec<_> = shadows.iter().map(|(name, _)| name.clone()).collect();
            let read =
                |name: &String| std::fs::read(mounted.at(name.trim_start_matches('/'))).unwrap();
            let left: Vec<_> = names.iter().map(|name| (name.clone(), read(name))).collect();
            mounted.unmount().unwrap();
            world = World::resume(device(&image), &geometry, 70 + turn, left);
        }
        world.close();
        xfs_repair_n(&image).unwrap().assert_clean();
    }
}

#[test]
fn power_cuts_of_clones_and_exchanges_are_recovered_by_linux_kernel() {
    if !demand() {
        return;
    }
    for geometry in power::geometries() {
        let run = Run::record(geometry);
        let scratch = Scratch::new().unwrap();
        let mut cuts = 0;
        let stride = budget("UNTORN_CUT_STRIDE", 12) as usize;
        let families = [Family::Prefix, Family::FlushedOnly];
        for cut in run.cuts().families(&families).distinct().step_by(stride) {
            let image = scratch.image("cut.img");
            cut.image.store(&image).unwrap();
            let mounted = Mounted::new(&image).unwrap();
            let found: State = std::fs::read_dir(mounted.root())
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|entry| {
                    let bytes = std::fs::read(entry.path()).unwrap();
                    (entry.file_name().into_encoded_bytes(), bytes)
                })
                .collect();
            mounted.unmount().unwrap();
            run.judge(&cut, &found);
            xfs_repair_n(&image).unwrap().assert_clean();
            cuts += 1;
        }
        println!("{}: Linux recovered {cuts} power cuts", geometry.name);
        assert!(cuts > 3);
    }
}

/// Linux, doing what lines say in a folder.
struct Linux {
    child: Child,
    answers: BufReader<ChildStdout>,
}

impl Linux {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new("python3")
            .args(["-c", include_str!("calls.py")])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Self { child, answers }
    }

    /// The errno and the value of a call.
    fn call(&mut self, line: &str) -> (i32, i64) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let (errno, value) = answer.trim().split_once(' ').unwrap();
        (errno.parse().unwrap(), value.parse().unwrap())
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// A call on two files, or a write to one.
#[derive(Clone, Copy, Debug)]
struct Call {
    verb: &'static str,
    dest: usize,
    at: u64,
    source: usize,
    start: u64,
    length: u64,
}

impl Call {
    fn random(dice: &mut Dice, block: u64) -> Self {
        let verbs =
            ["write", "write", "clone", "clone", "dedupe", "copy", "exchange", "written", "ends"];
        let place = |dice: &mut Dice| match dice.below(5) {
            0 => dice.below(24 * block),
            _ => dice.below(24) * block,
        };
        let length = match dice.below(4) {
            0 => 1 + dice.below(12 * block),
            _ => (1 + dice.below(12)) * block,
        };
        let verb = *dice.pick(&verbs);
        let (dest, source) = (dice.below(3) as usize, dice.below(3) as usize);
        let at = place(dice);
        let same = match verb {
            // Linux exchanges the sizes as they are, which loses bytes where the places differ.
            "ends" => true,
            // The same place is where the same bytes are.
            "dedupe" => dice.chance(2, 3),
            _ => false,
        };
        let start = if same { at } else { place(dice) };
        Self { verb, dest, at, source, start, length }
    }

    /// What ends at the end of the source, now and then.
    fn fitted(mut self, dice: &mut Dice, size: u64) -> Self {
        if self.verb != "write" && self.start < size && dice.chance(1, 3) {
            self.length = size - self.start;
        }
        self
    }

    fn byte(&self) -> u8 {
        1 + (self.at / 512 + self.length) as u8 % 4
    }

    fn line(&self) -> String {
        let Self { verb, at, start, length, .. } = self;
        let (dest, source) = (NAMES[self.dest], NAMES[self.source]);
        match *verb {
            "write" => format!("write {dest} {at} {length} {}", self.byte()),
            _ => format!("{verb} {dest} {at} {source} {start} {length}"),
        }
    }

    /// The call here: what it says, in Linux's way.
    fn here(&self, files: &[File]) -> Result<i64, Error> {
        let (dest, source) = (&files[self.dest], &files[self.source]);
        let (at, start, range) = (self.at, self.start, self.start..self.start + self.length);
        let exchange = |span, blocks| {
            let options = ExchangeOptions { blocks, ..ExchangeOptions::default() };
            dest.exchange(at, source, start, span, options).map(|()| 0)
        };
        match self.verb {
            "write" => {
                let bytes = vec![self.byte(); self.length as usize];
                dest.write_cached(at, &bytes, Sync::Visible).map(|()| self.length as i64)
            }
            "clone" => dest.clone_range(at, source, range).map(|()| 0),
            "dedupe" => dest.dedupe_range(at, source, range).map(|found| match found {
                Dedupe::Same(bytes) => bytes as i64,
                Dedupe::Differs => -1,
            }),
            "copy" => dest.copy_range(at, source, range).map(|count| count as i64),
            "exchange" => exchange(Span::Bytes(self.length), Exchanged::All),
            "written" => exchange(Span::Bytes(self.length), Exchanged::WrittenInOther),
            _ => exchange(Span::ToEnd, Exchanged::All),
        }
    }
}

#[test]
fn calls_say_and_do_what_they_do_on_linux_kernel() {
    if !demand() {
        return;
    }
    for (index, geometry) in [base(), geometries()[1]].iter().enumerate() {
        let scratch = Scratch::new().unwrap();
        let image = make(&scratch, geometry, &[Extra::ExchangeRange]);
        let mounted = Mounted::new(&image).unwrap();
        let mut linux = Linux::start(&mounted.root());
        let own = Scratch::new().unwrap();
        let here = make(&own, geometry, &[]);
        let volume = Volume::open(device(&here), OpenOptions::default()).unwrap();
        let files = NAMES.map(|name| volume.create_file(name, NewFile::default()).unwrap());
        let mut dice = Dice::new(17 + index as u64);
        let (block, mut done, mut refused) = (u64::from(geometry.block_size), 0, 0);
        for dest in 0..3 {
            let first =
                Call { verb: "write", dest, at: 0, source: 0, start: 0, length: 20 * block + 9 };
            assert_eq!(linux.call(&first.line()).0, 0);
            first.here(&files).unwrap();
        }
        for number in 0..budget("UNTORN_SHARING_CALLS", 500) {
            let call = Call::random(&mut dice, block);
            let call = call.fitted(&mut dice, files[call.source].size().unwrap());
            let (errno, value) = linux.call(&call.line());
            let ours = call.here(&files);
            let what = format!("{}, call {number}, {}", geometry.name, call.line());
            assert_eq!(errno == 0, ours.is_ok(), "{what}: {errno}, {ours:?}");
            match ours {
                // Of a last block that it leaves out Linux does not tell.
                Ok(ours) if call.verb == "dedupe" && ours >= 0 => {
                    assert!(ours <= value && value < ours + block as i64, "{what}: {ours}, {value}")
                }
                Ok(ours) => assert_eq!(ours, value, "{what}"),
                Err(error) => assert!(matches!(error, Error::Invalid(_)), "{what}: {error}"),
            }
            (done, refused) = if errno == 0 { (done + 1, refused) } else { (done, refused + 1) };
            for which in [call.dest, call.source] {
                let linux = std::fs::read(mounted.at(NAMES[which])).unwrap();
                let ours = contents(&files[which]);
                let at = linux.iter().zip(&ours).position(|(a, b)| a != b);
                let sizes = (linux.len(), ours.len());
                assert!(linux == ours, "{what}: {} differs at {at:?} of {sizes:?}", NAMES[which]);
            }
        }
        println!("{}: {done} calls done, {refused} refused by both", geometry.name);
        assert!(done > 100 && refused > 50);
        linux.end();
        mounted.unmount().unwrap();
        drop(files);
        volume.close().unwrap();
        xfs_repair_n(&here).unwrap().assert_clean();
        remove_exchange_range(&image).unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
        let (maps, mounted) = (maps(&here), Mounted::new(&here).unwrap());
        assert_same_maps(geometry, &mounted, &maps);
        mounted.unmount().unwrap();
    }
}
