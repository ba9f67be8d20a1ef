//! Directories of many names, and volumes without room for one more.

use super::{Bench, names};
use crate::{Error, NewFile, OpenOptions, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;

/// Names of one file: 20,000 as a smoke, a million with `UNTORN_NAMES=1000000`.
#[test]
fn a_directory_of_very_many_names_loses_them_in_another_order_model_check() {
    let count = names(20_000);
    let mut bench = Bench::new(4096, 4096);
    let file = bench.volume.create_file("/file", NewFile::default()).unwrap().ino();
    let name = |number: usize| format!("/d/a-name-of-some-length-{number}");
    let mut add = |numbers: &mut dyn Iterator<Item = usize>| {
        for number in numbers {
            bench.volume.link(file, &name(number)).unwrap();
            bench.model.insert(name(number).as_bytes()[3..].to_vec(), file);
        }
    };
    add(&mut (0..count));
    bench.judge("all names");
    // A step that has no divisor in common with the count goes through all names.
    let scattered = |from: usize, to: usize| (from..to).map(|n| n * 7919 % count);
    for (from, to) in [(0, count / 2), (count / 2, count - 1)] {
        for number in scattered(from, to) {
            bench.remove(&name(number).as_bytes()[3..]);
        }
        bench.judge(&format!("{} names left", bench.model.len()));
    }
    assert_eq!(bench.model.len(), 1);
}

/// Fills what is left of a volume.
fn fill(volume: &Volume) {
    let file = volume.create_file("/filler", NewFile::default()).unwrap();
    let block = u64::from(volume.space().unwrap().block_size);
    let mut at = 0;
    for blocks in [256, 16, 1] {
        while file
            .write_atomic(at, &vec![1; (blocks * block) as usize], crate::Sync::Visible)
            .is_ok()
        {
            at += blocks * block;
        }
    }
}

#[test]
fn a_full_volume_refuses_a_name_and_changes_nothing_check() {
    for dir_block_size in [4096, 65536] {
        let device = Arc::new(MemoryDevice::new(64 << 20));
        let options =
            mkfs::Options { dir_block_size: Some(dir_block_size), ..mkfs::Options::default() };
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        volume.create_dir("/d", NewFile::default()).unwrap();
        let file = volume.create_file("/file", NewFile::default()).unwrap().ino();
        fill(&volume);
        let mut count = 0;
        let name = |number: usize| format!("/d/{number:0>200}");
        let error = loop {
            match volume.link(file, &name(count)) {
                Ok(()) => count += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::NoSpace { .. }), "{error}");
        assert!(volume.lookup(name(count)).is_err());
        assert_eq!(volume.read_dir("/d").unwrap().len(), count);
        (0..count).for_each(|number| volume.remove(name(number)).unwrap());
        volume.link(file, &name(0)).unwrap();
        volume.close().unwrap();
        let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
        assert!(report.findings.is_empty(), "{:?}", report.findings);
    }
}
