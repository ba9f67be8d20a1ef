//! Files of more extents than one transaction can change, on the smallest log.

use super::super::parts::{Mark, Part, Size, commit};
use crate::tx::MOST_IN_TESTS;
use crate::{File, NewFile, OpenOptions, SizeRule, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::FileBlock;

/// A volume with the smallest log, and a file whose every other block is a hole.
struct Comb {
    device: Arc<MemoryDevice>,
    volume: Volume,
    file: File,
    block: u64,
    model: Vec<u8>,
    began: std::time::Instant,
}

impl Comb {
    fn new(block: u64, extents: usize) -> Self {
        let device = Arc::new(MemoryDevice::new(512 << 20));
        let options = mkfs::Options {
            contents: mkfs::Contents::Zeroed,
            block_size: block as u32,
            log: mkfs::Log { size: smallest_log(block), ..mkfs::Log::default() },
            ..mkfs::Options::default()
        };
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        let file = volume.create_file("/file", NewFile::default()).unwrap();
        let mut model = vec![0; 2 * extents * block as usize];
        let whole: Vec<u8> =
            (0..model.len()).map(|at| 1 + (at as u64 / block % 250) as u8).collect();
        file.write_atomic(0, &whole, Sync::Visible).unwrap();
        let hole = |index: u64| Part::hole(FileBlock(2 * index + 1)..FileBlock(2 * index + 2));
        let holes = (0..extents as u64).map(hole).collect();
        commit(volume.core(), file.inode(), holes, Size::Keep, Mark::Times).unwrap();
        for at in (0..model.len()).step_by(2 * block as usize) {
            model[at..at + block as usize].copy_from_slice(&whole[at..at + block as usize]);
        }
        let began = std::time::Instant::now();
        Self { device, volume, file, block, model, began }
    }

    fn extents(&self) -> u64 {
        self.file.inode().core().unwrap().extents
    }

    /// Transactions that changed the file so far.
    fn transactions(&self) -> u64 {
        self.file.inode().core().unwrap().change_count
    }

    /// The file holds what the model says.
    fn judge(&self, what: &str) {
        println!("{what}: {} transactions so far, {:?}", self.transactions(), self.began.elapsed());
        let mut bytes = vec![0; self.model.len() + 1];
        let count = self.file.read_at(0, &mut bytes).unwrap();
        bytes.truncate(count);
        assert!(bytes == self.model, "{what}: the file differs from the model");
    }

    fn close(self) {
        let Self { device, volume, file, .. } = self;
        drop(file);
        volume.close().unwrap();
        let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings.first());
    }
}

/// The smallest log that mkfs makes for a block size.
fn smallest_log(block: u64) -> Option<u64> {
    let refused = |size: u64| {
        let device = MemoryDevice::new(512 << 20);
        let options = mkfs::Options {
            contents: mkfs::Contents::Zeroed,
            block_size: block as u32,
            log: mkfs::Log { size: Some(size), ..mkfs::Log::default() },
            ..mkfs::Options::default()
        };
        mkfs::make(&device, &options).is_err()
    };
    (1..512).map(|mib| mib << 20).find(|&size| !refused(size))
}

/// Extents of the files: a smoke by default, more than any transaction carries by night.
fn extents() -> usize {
    std::env::var("UNTORN_SPACE_EXTENTS").ok().and_then(|n| n.parse().ok()).unwrap_or(4000)
}

/// Every call on a comb, each compared with the model.
fn change(mut comb: Comb) -> u64 {
    let first = comb.transactions();
    let (b, size) = (comb.block as usize, comb.model.len());

    comb.file.insert_range(3 * comb.block..5 * comb.block).unwrap();
    comb.model.splice(3 * b..3 * b, std::iter::repeat_n(0, 2 * b));
    comb.judge("insert");

    comb.file.collapse_range(0..2 * comb.block).unwrap();
    comb.model.drain(..2 * b);
    comb.judge("collapse");

    let zero = size / 2 + 100..size - 77;
    comb.file.zero_range(zero.start as u64..zero.end as u64, SizeRule::Keep).unwrap();
    comb.model[zero].fill(0);
    comb.judge("zero");

    comb.file.allocate(0..size as u64 / 3, SizeRule::Keep).unwrap();
    comb.judge("allocate");

    let hole = 100 + b..size - b - 50;
    comb.file.punch_hole(hole.start as u64..hole.end as u64).unwrap();
    comb.model[hole].fill(0);
    comb.judge("punch");
    let last = comb.transactions();
    comb.close();
    last - first
}

#[test]
fn thousands_of_extents_are_changed_in_one_transaction_each_model_check() {
    for block in [1024, 4096] {
        let comb = Comb::new(block, 4000);
        assert_eq!(comb.extents(), 4000);
        assert_eq!(change(comb), 5);
    }
}

#[test]
fn more_extents_than_one_transaction_carries_are_changed_in_several_model_check() {
    let few = [(1024, 4000, 700), (4096, 4000, 700), (65536, 240, 40)];
    // Without more extents than memory should hold here, transactions carry less.
    let cases = if extents() <= 4000 { few.as_slice() } else { &[(1024, extents(), u64::MAX)] };
    for &(block, extents, most) in cases {
        let comb = Comb::new(block, extents);
        MOST_IN_TESTS.set(most);
        let transactions = change(comb);
        MOST_IN_TESTS.set(u64::MAX);
        assert!(transactions > 5, "{transactions} transactions");
    }
}

#[test]
fn a_file_of_many_extents_is_cut_off_in_bounded_transactions_check() {
    let mut comb = Comb::new(1024, extents());
    MOST_IN_TESTS.set(100);
    comb.file.truncate(1025).unwrap();
    MOST_IN_TESTS.set(u64::MAX);
    comb.model.truncate(1025);
    comb.judge("truncate");
    assert!(comb.extents() <= 2, "blocks are left behind the end");
    assert!(comb.transactions() > 40);
    comb.close();
}

#[test]
fn a_file_of_many_extents_is_removed_in_transactions_that_its_journal_carries_check() {
    for block in [1024, 65536] {
        let comb = Comb::new(block, if block == 1024 { 4000 } else { 240 });
        let free = comb.volume.space().unwrap().free;
        let blocks = comb.extents();
        drop(comb.file);
        comb.volume.remove("/file").unwrap();
        comb.volume.sync().unwrap();
        assert!(comb.volume.space().unwrap().free >= free + blocks, "not all blocks came back");
        comb.volume.close().unwrap();
        let report = untorn_check::check(&*comb.device, &untorn_check::Options::default());
        assert!(report.unwrap().is_clean());
    }
}
