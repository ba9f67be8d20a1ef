//! Directories that grow through every form and shrink again, against a map.

mod forms;
mod listed;
mod many;

use crate::{NewFile, OpenOptions, Rename, Volume, mkfs};
use std::collections::BTreeMap;
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::Ino;

/// Names of each run: a smoke by default, a soak with `UNTORN_NAMES`.
fn names(usual: usize) -> usize {
    std::env::var("UNTORN_NAMES").ok().and_then(|n| n.parse().ok()).unwrap_or(usual)
}

pub(in crate::namespace) struct Bench {
    pub device: Arc<MemoryDevice>,
    pub volume: Volume,
    pub model: BTreeMap<Vec<u8>, Ino>,
    seed: u64,
}

impl Bench {
    pub fn new(block_size: u32, dir_block_size: u32) -> Self {
        Self::on(1 << 30, block_size, dir_block_size)
    }

    /// The same on a volume of `size` bytes.
    pub fn on(size: u64, block_size: u32, dir_block_size: u32) -> Self {
        let device = Arc::new(MemoryDevice::new(size));
        let options = mkfs::Options {
            contents: mkfs::Contents::Zeroed,
            block_size,
            dir_block_size: Some(dir_block_size),
            ..mkfs::Options::default()
        };
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        volume.create_dir("/d", NewFile::default()).unwrap();
        Self { device, volume, model: BTreeMap::new(), seed: 1 }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.seed >> 33) as usize % limit
    }

    pub fn add(&mut self, name: Vec<u8>) {
        let path = [b"/d/".as_slice(), &name].concat();
        let ino = self.volume.create_file(path, NewFile::default()).unwrap().ino();
        self.model.insert(name, ino);
    }

    fn any(&mut self) -> Vec<u8> {
        let index = self.below(self.model.len());
        self.model.keys().nth(index).unwrap().clone()
    }

    fn remove(&mut self, name: &[u8]) {
        self.volume.remove([b"/d/".as_slice(), name].concat()).unwrap();
        assert!(self.model.remove(name).is_some());
    }

    pub fn remove_any(&mut self) {
        let name = self.any();
        self.remove(&name);
    }

    /// A new inode takes the place of one that has a name already.
    pub fn replace_any(&mut self) {
        let name = self.any();
        let ino = self.volume.create_file("/new", NewFile::default()).unwrap().ino();
        let path = [b"/d/".as_slice(), &name].concat();
        self.volume.rename("/new", &path, Rename::Replace).unwrap();
        self.model.insert(name, ino);
    }

    /// The directory lists and finds what the model has, and the checker has nothing to say.
    pub fn judge(&self, what: &str) {
        let listed: BTreeMap<Vec<u8>, Ino> = self
            .volume
            .read_dir("/d")
            .unwrap()
            .into_iter()
            .filter(|entry| entry.name != b"." && entry.name != b"..")
            .map(|entry| (entry.name, entry.ino))
            .collect();
        assert!(listed == self.model, "{what}: {} of {} names", listed.len(), self.model.len());
        for (name, ino) in self.model.iter().step_by(7) {
            let found = self.volume.lookup([b"/d/".as_slice(), name].concat()).unwrap();
            assert_eq!(found, *ino, "{what}: {}", name.escape_ascii());
        }
        assert!(self.volume.lookup("/d/not there").is_err());
        self.volume.sync().unwrap();
        let device = Arc::new(self.device.snapshot());
        let copy = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        copy.close().unwrap();
        let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
        let findings = report.findings;
        assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
    }
}

/// A name of varied length.
pub(in crate::namespace) fn name(number: usize) -> Vec<u8> {
    let mut name = format!("name-{number}-").into_bytes();
    name.resize(name.len() + number * 13 % 60, b'x');
    name
}

fn grow_and_shrink(block_size: u32, dir_block_size: u32, count: usize) {
    let mut bench = Bench::new(block_size, dir_block_size);
    for number in 0..count {
        bench.add(name(number));
        if [60, 100, 300, count / 2].contains(&number) {
            bench.judge(&format!("{number} names"));
        }
        if number % 5 == 4 {
            bench.remove_any();
            bench.replace_any();
        }
    }
    bench.judge("all names");
    while bench.model.len() > 3 {
        bench.remove_any();
        if [count / 2, 300, 40, 4].contains(&bench.model.len()) {
            bench.judge(&format!("{} names left", bench.model.len()));
        }
    }
    for _ in 0..3 {
        bench.remove_any();
    }
    bench.judge("no name left");
    bench.volume.remove("/d").unwrap();
}

#[test]
fn a_directory_grows_and_shrinks_through_every_form_model_check() {
    grow_and_shrink(4096, 4096, names(2500));
}

#[test]
fn directories_of_small_and_of_large_blocks_grow_and_shrink_model_check() {
    grow_and_shrink(1024, 1024, names(1200));
    grow_and_shrink(1024, 8192, names(1200));
    grow_and_shrink(4096, 65536, names(1200));
    grow_and_shrink(16384, 16384, names(1200));
}
