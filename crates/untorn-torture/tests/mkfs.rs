//! Volumes made by untorn, judged by the checker, also after a power cut while they were made.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use untorn::mkfs::{self, Contents, FeatureSet, Groups, Log, Options, Overwrite};
use untorn_check::Options as CheckOptions;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Superblock;
use untorn_torture::disk::SimDisk;

const MIB: u64 = 1 << 20;

fn feature_sets() -> impl Iterator<Item = FeatureSet> {
    (0..512u32).filter(|bits| bits >> 7 == 0 || bits & 127 == 127).map(|bits| {
        let has = |bit: u32| bits >> bit & 1 == 1;
        FeatureSet {
            finobt: has(0),
            rmapbt: has(1),
            reflink: has(2),
            sparse: has(3),
            bigtime: has(4),
            inobtcount: has(0) && has(5),
            nrext64: has(6),
            exchange: has(7),
            parent: has(8),
        }
    })
}

fn check(device: &MemoryDevice, what: &str) {
    let report = untorn_check::check(device, &CheckOptions::default());
    let report = report.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.is_clean(), "{what}: {report}");
}

#[test]
fn volumes_of_every_block_size_and_every_set_of_features_are_clean_check() {
    for block_size in [1024, 2048, 4096, 8192, 16384, 32768, 65536] {
        for features in feature_sets() {
            let device = MemoryDevice::new(300 * MIB);
            let contents = Contents::Zeroed;
            let options = Options { block_size, features, contents, ..Options::default() };
            mkfs::make(&device, &options).unwrap();
            check(&device, &format!("{options:?}"));
        }
    }
}

#[test]
fn odd_volumes_are_clean_check() {
    let base = Options { contents: Contents::Zeroed, ..Options::default() };
    let log = Log::default();
    let cases = [
        (16, base.clone()),
        (10 << 20, base.clone()),
        (10 << 20, Options { block_size: 1024, ..base.clone() }),
        (1041, Options { groups: Groups::Size(128 * MIB), ..base.clone() }),
        (1029, Options { groups: Groups::Size(128 * MIB), ..base.clone() }),
        (300, Options { groups: Groups::Count(1), ..base.clone() }),
        (1100, Options { groups: Groups::Count(64), block_size: 1024, ..base.clone() }),
        (300, Options { log: Log { group: Some(0), ..log }, ..base.clone() }),
        (300, Options { log: Log { stripe_unit: Some(256 << 10), ..log }, ..base.clone() }),
        (300, Options { inode_size: 2048, ..base.clone() }),
        (300, Options { dir_block_size: Some(65536), block_size: 1024, ..base.clone() }),
        (300, Options { sector_size: Some(4096), ..base.clone() }),
        (1024, Options { sector_size: Some(32768), block_size: 65536, ..base }),
    ];
    for (mib, options) in cases {
        let device = MemoryDevice::new(mib * MIB);
        mkfs::make(&device, &options).unwrap();
        check(&device, &format!("{mib} MiB, {options:?}"));
    }
}

#[test]
fn a_power_cut_leaves_the_old_volume_the_new_one_or_none_check() {
    let memory = MemoryDevice::new(64 * MIB);
    memory.fill(0, 64 * MIB, 0xe7).unwrap();
    let old = Options { groups: Groups::Count(2), ..Options::default() };
    let old = mkfs::make(&memory, &old).unwrap().superblock;
    let disk = SimDisk::new(memory);
    let options = Options { overwrite: Overwrite::Force, ..Options::default() };
    let new = mkfs::make(&*disk, &options).unwrap().superblock;
    let mut seen = [0; 3];
    for cut in disk.cuts().seeds(8) {
        let mut sector = vec![0; 512];
        cut.image.read_at(0, &mut sector).unwrap();
        match Superblock::decode(&sector) {
            Err(_) => seen[0] += 1,
            Ok(found) => {
                seen[if found == old { 1 } else { 2 }] += 1;
                assert!(found == old || found == new, "{cut}");
                check(&cut.image, &cut.to_string());
            }
        }
    }
    assert!(seen.iter().all(|&times| times > 0), "none, old, new: {seen:?}");
}
