//! Attributes of every kind of inode against a map, on volumes of every block size; the checker and
//! the block accounting at the end.

mod hostile;
mod intents;
mod reuse;

use crate::attr::SetMode;
use crate::mkfs;
use crate::{Error, NewFile, OpenOptions, Sync, Volume};
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Ino;
use untorn_format::attr::Namespace;

type Model = BTreeMap<(Namespace, Vec<u8>), Vec<u8>>;

/// A plain generator: the same numbers on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) % end
    }
    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let seed = self.below(251) as usize;
        (0..length).map(|i| (seed + i * 7 + i / 256) as u8).collect()
    }
}

struct Bench {
    device: Arc<MemoryDevice>,
    volume: Volume,
    ino: Ino,
    model: Model,
}

fn options(block_size: u32, inode_size: u32) -> mkfs::Options {
    mkfs::Options {
        block_size,
        inode_size,
        contents: mkfs::Contents::Zeroed,
        uuid: Some([3; 16]),
        ..mkfs::Options::default()
    }
}

impl Bench {
    fn new(options: &mkfs::Options) -> Self {
        let size = if options.block_size > 4096 { 512 << 20 } else { 64 << 20 };
        let device = Arc::new(MemoryDevice::new(size));
        mkfs::make(&*device, options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        let ino = volume.create_file("/file", NewFile::default()).unwrap().ino();
        Self { device, volume, ino, model: Model::new() }
    }

    fn set(&mut self, name: &[u8], value: &[u8]) {
        let key = (Namespace::User, name);
        self.volume.set_attribute(self.ino, key, value, SetMode::Upsert).unwrap();
        self.model.insert((key.0, name.to_vec()), value.to_vec());
    }

    fn remove(&mut self, name: &[u8]) {
        let key = (Namespace::User, name);
        self.volume.remove_attribute(self.ino, key).unwrap();
        self.model.remove(&(key.0, name.to_vec())).unwrap();
    }

    fn compare(&self, what: &str) {
        let listed = self.volume.attributes(self.ino).unwrap();
        let count = listed.len();
        let found: Model =
            listed.into_iter().map(|attr| ((attr.namespace, attr.name), attr.value)).collect();
        assert_eq!(count, found.len(), "{what}: a name twice");
        assert!(found == self.model, "{what}: {} found, {} set", found.len(), self.model.len());
    }

    fn check(&self, what: &str) {
        let report = untorn_check::check(&*self.device, &Default::default()).unwrap();
        let findings = report.findings;
        assert!(findings.is_empty(), "{what}: {:#?}", &findings[..findings.len().min(4)]);
    }

    /// Closes, checks and opens the volume again.
    fn turn(self, what: &str) -> Self {
        self.compare(what);
        let Self { device, volume, ino, model } = self;
        volume.close().unwrap();
        let opened: Arc<dyn BlockDevice> = device.clone();
        let volume = Volume::open(opened, OpenOptions::default()).unwrap();
        let bench = Self { device, volume, ino, model };
        bench.check(what);
        bench.compare(what);
        bench
    }

    /// Blocks of the inode and free blocks of the volume.
    fn blocks(&self) -> (u64, u64) {
        let inode = self.volume.metadata_of(self.ino).unwrap().inode;
        (inode.blocks, self.volume.space().unwrap().free)
    }

    fn fork(&self) -> (u8, u32) {
        let inode = self.volume.metadata_of(self.ino).unwrap().inode;
        (inode.fork_offset, inode.attr_extents)
    }
}

fn namespace(dice: &mut Dice) -> Namespace {
    [Namespace::User, Namespace::Trusted, Namespace::Security][dice.below(3) as usize]
}

fn name(dice: &mut Dice, names: u64) -> Vec<u8> {
    let number = dice.below(names);
    let length = [1, 12, 40, 255][(number % 4) as usize].max(3);
    let mut name = format!("{number:03}").into_bytes();
    name.resize(length, b'n');
    name
}

/// Lengths around every border: of the short form, of a leaf, of a block, of a value.
fn value(dice: &mut Dice, block: usize) -> Vec<u8> {
    let length = match dice.below(20) {
        0 => 0,
        1..8 => dice.below(40) as usize,
        8..12 => dice.below(300) as usize,
        12..14 => 252 + dice.below(6) as usize,
        14..17 => block * 3 / 4 - 280 + dice.below(300) as usize,
        17 => block + dice.below(200) as usize - 100,
        18 => dice.below(20_000) as usize,
        _ => 65_536 - dice.below(2) as usize * 1000,
    };
    dice.bytes(length.min(65_536))
}

fn step(bench: &mut Bench, dice: &mut Dice, names: u64, removing: u64) {
    let block = bench.volume.space().unwrap().block_size as usize;
    let (space, name) = (namespace(dice), name(dice, names));
    let known = bench.model.contains_key(&(space, name.clone()));
    let key = (space, name.as_slice());
    if dice.below(10) < removing {
        let removed = bench.volume.remove_attribute(bench.ino, key);
        match bench.model.remove(&(space, name.clone())) {
            Some(_) => removed.unwrap(),
            None => assert!(matches!(removed, Err(Error::NoAttribute(_)))),
        }
        return;
    }
    let mode = [SetMode::Upsert, SetMode::Create, SetMode::Replace][dice.below(3) as usize];
    let value = value(dice, block);
    let done = bench.volume.set_attribute(bench.ino, key, &value, mode);
    match (mode, known) {
        (SetMode::Create, true) => assert!(matches!(done, Err(Error::Exists(_)))),
        (SetMode::Replace, false) => assert!(matches!(done, Err(Error::NoAttribute(_)))),
        _ => {
            done.unwrap();
            bench.model.insert((space, name), value);
        }
    }
}

fn live(options: &mkfs::Options, seed: u64, names: u64) {
    let mut dice = Dice(seed);
    let mut bench = Bench::new(options);
    let fresh = bench.blocks();
    let told = |phase: u64| format!("{} byte blocks, {phase}", options.block_size);
    for phase in 0..4u64 {
        for _ in 0..120 {
            step(&mut bench, &mut dice, names, [1, 3, 6, 9][phase as usize]);
        }
        bench = bench.turn(&told(phase));
    }
    for (space, name) in bench.model.clone().into_keys() {
        bench.volume.remove_attribute(bench.ino, (space, &name)).unwrap();
        bench.model.remove(&(space, name));
    }
    bench = bench.turn(&told(9));
    assert_eq!(bench.fork(), (0, 0), "the fork is gone");
    assert_eq!(bench.blocks(), fresh, "no block is lost");
}

#[test]
fn few_attributes_follow_a_map_model() {
    for seed in 0..6 {
        live(&options(4096, 512), seed, 6);
        live(&options(1024, 512), seed + 100, 6);
    }
}

#[test]
fn many_attributes_follow_a_map_model() {
    for seed in 0..2 {
        live(&options(4096, 512), seed, 100);
        live(&options(1024, 512), seed + 10, 100);
        live(&options(2048, 1024), seed + 20, 60);
    }
}

#[test]
fn attributes_on_large_blocks_follow_a_map_model() {
    live(&options(65536, 512), 1, 20);
    live(&options(65536, 512), 2, 80);
}

#[test]
fn attributes_without_reverse_mappings_follow_a_map_model() {
    let features = mkfs::FeatureSet { rmapbt: false, ..mkfs::FeatureSet::default() };
    live(&mkfs::Options { features, ..options(1024, 512) }, 5, 60);
}

#[test]
fn a_tree_of_nodes_grows_and_goes_model() {
    let mut bench = Bench::new(&options(1024, 512));
    let fresh = bench.blocks();
    let name = |number: u64| format!("attribute-{:05}", number * 7919 % 3001).into_bytes();
    for number in 0..3000 {
        bench.set(&name(number), &number.to_le_bytes());
    }
    assert!(bench.blocks().0 > 120, "two levels of nodes: {}", bench.blocks().0);
    bench = bench.turn("full");
    for number in (0..3000).filter(|number| number % 5 != 0) {
        bench.remove(&name(number));
    }
    bench = bench.turn("a fifth left");
    for number in (0..3000).step_by(5) {
        bench.remove(&name(number));
    }
    bench = bench.turn("empty");
    assert_eq!((bench.fork(), bench.blocks()), ((0, 0), fresh));
}

#[test]
fn a_file_of_many_extents_makes_way_check() {
    // Lists of every length around the borders, and B+trees with roots up to full.
    for extents in [1u64, 9, 12, 13, 18, 19, 20, 21, 22, 60, 700, 1000, 1130, 1170, 1500] {
        let mut bench = Bench::new(&options(1024, 512));
        let file = bench.volume.open_file("/file").unwrap();
        for index in 0..extents {
            file.write_atomic(index * 2048, &[7; 1024], Sync::Visible).unwrap();
        }
        bench.set(b"small", b"value");
        bench.set(b"large", &[1; 200]);
        bench.set(b"remote", &[2; 3000]);
        let what = format!("{extents} extents");
        bench = bench.turn(&what);
        for name in [&b"remote"[..], b"large", b"small"] {
            bench.remove(name);
        }
        bench = bench.turn(&what);
        let file = bench.volume.open_file("/file").unwrap();
        let mut block = [0; 1024];
        for index in 0..extents {
            assert_eq!(file.read_at(index * 2048, &mut block).unwrap(), 1024, "{what}");
            assert_eq!(block, [7; 1024], "{what}");
        }
    }
}

#[test]
fn a_directory_makes_way_check() {
    for entries in [0, 3, 8, 12, 40] {
        let mut bench = Bench::new(&options(4096, 512));
        bench.ino = bench.volume.create_dir("/dir", NewFile::default()).unwrap();
        for number in 0..entries {
            let path = format!("/dir/entry-{number:010}");
            bench.volume.create_file(path, NewFile::default()).unwrap();
        }
        bench.set(b"large", &[1; 250]);
        bench.set(b"small", b"2");
        bench.volume.create_file("/dir/more", NewFile::default()).unwrap();
        let bench = bench.turn("directory");
        assert_eq!(bench.volume.read_dir("/dir").unwrap().len(), entries + 1);
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let bench = Bench::new(&options(4096, 512));
    let set = |space, name: &[u8], value: &[u8]| {
        bench.volume.set_attribute(bench.ino, (space, name), value, SetMode::Upsert)
    };
    assert!(matches!(set(Namespace::User, b"", b""), Err(Error::Invalid(_))));
    assert!(matches!(set(Namespace::User, &[b'n'; 256], b""), Err(Error::Invalid(_))));
    assert!(matches!(set(Namespace::User, b"n", &[0; 65537]), Err(Error::Invalid(_))));
    assert!(matches!(set(Namespace::Parent, b"n", &[0; 12]), Err(Error::Invalid(_))));
    bench.compare("nothing was set");
}
