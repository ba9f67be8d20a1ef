//! Linux and untorn add and remove names of large directories by turns.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use untorn::{NewFile, OpenOptions, Volume};
use untorn_device::{Access, FileDevice};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{MkfsOptions, Mounted, Scratch, demand, make_volume, xfs_repair_n};

const SIZE: u64 = 512 << 20;

fn open(image: &Path) -> Volume {
    let device = FileDevice::open(image, Access::ReadWrite).unwrap();
    Volume::open(Arc::new(device), OpenOptions::default()).unwrap()
}

/// Names of varied length; every third is one of 2^16 of one hash.
fn name(number: u64) -> String {
    match number % 3 {
        0 => colliding(number / 3),
        _ => format!("name-{number}-{}", "x".repeat((number * 13 % 60) as usize)),
    }
}

/// One of 2^16 names of one hash: what four bytes hash to is turned by four bits before the next
/// four come, so that a bit of a letter and a lower one of the letter four behind it meet.
fn colliding(number: u64) -> String {
    let mut name = [b'b'; 32];
    for bit in (0..16).filter(|bit| number & (1 << bit) != 0) {
        let at = bit / 4 * 8 + bit % 4;
        name[at] ^= 0x10;
        name[at + 4] ^= 0x01;
    }
    name.iter().map(|&byte| char::from(byte)).collect()
}

#[test]
fn every_third_name_has_one_hash() {
    let hash = |number| untorn_format::da::hash_name(colliding(number).as_bytes());
    assert!((0..1 << 16).all(|number| hash(number) == hash(0)));
}

/// Names that come and go: those in `names` afterwards.
fn changes(
    names: &mut BTreeSet<String>,
    dice: &mut Dice,
    (come, go): (u64, usize),
    mut make: impl FnMut(&str),
    mut drop: impl FnMut(&str),
) {
    let first = dice.below(1 << 40);
    for name in (first..first + come).map(name) {
        if names.insert(name.clone()) {
            make(&name);
        }
    }
    for _ in 0..go.min(names.len()) {
        let index = dice.below(names.len() as u64) as usize;
        let name = names.iter().nth(index).unwrap().clone();
        drop(&name);
        names.remove(&name);
    }
}

fn here(image: &Path, names: &mut BTreeSet<String>, dice: &mut Dice, amounts: (u64, usize)) {
    let volume = open(image);
    let listed = volume.read_dir("/d").unwrap().into_iter();
    let listed = listed.filter(|entry| entry.name != b"." && entry.name != b"..");
    let listed: BTreeSet<String> =
        listed.map(|entry| String::from_utf8(entry.name).unwrap()).collect();
    assert!(listed == *names, "untorn lists {} of {} names", listed.len(), names.len());
    changes(
        names,
        dice,
        amounts,
        |name| drop(volume.create_file(format!("/d/{name}"), NewFile::default()).unwrap()),
        |name| volume.remove(format!("/d/{name}")).unwrap(),
    );
    volume.close().unwrap();
    xfs_repair_n(image).unwrap();
}

fn linux(image: &Path, names: &mut BTreeSet<String>, dice: &mut Dice, amounts: (u64, usize)) {
    let mounted = Mounted::new(image).unwrap();
    let folder = mounted.at("d");
    let listed = std::fs::read_dir(&folder).unwrap();
    let listed: BTreeSet<String> =
        listed.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(listed == *names, "Linux lists {} of {} names", listed.len(), names.len());
    for name in names.iter() {
        assert!(folder.join(name).exists(), "Linux does not find {name}");
    }
    changes(
        names,
        dice,
        amounts,
        |name| drop(std::fs::File::create(folder.join(name)).unwrap()),
        |name| std::fs::remove_file(folder.join(name)).unwrap(),
    );
    mounted.unmount().unwrap();
    xfs_repair_n(image).unwrap();
}

#[test]
fn linux_and_untorn_change_large_directories_by_turns_kernel() {
    if !demand() {
        return;
    }
    let shapes = [
        (4096, None),
        (1024, None),
        (1024, Some(4096)),
        (4096, Some(65536)),
        (16384, None),
        (65536, None),
    ];
    for (block_size, directory_block_size) in shapes {
        let scratch = Scratch::new().unwrap();
        let image = scratch.path().join("volume.img");
        let options = MkfsOptions { block_size, directory_block_size, ..MkfsOptions::default() };
        make_volume(&image, SIZE, &options).unwrap();
        let (mut names, mut dice) = (BTreeSet::new(), Dice::new(block_size.into()));
        let volume = open(&image);
        volume.create_dir("/d", NewFile::default()).unwrap();
        volume.close().unwrap();
        let turns = [(3000, 100), (50, 900), (900, 900), (10, 2000), (300, 300), (0, 9000)];
        for (turn, amounts) in turns.into_iter().enumerate() {
            match turn % 2 {
                0 => here(&image, &mut names, &mut dice, amounts),
                _ => linux(&image, &mut names, &mut dice, amounts),
            }
        }
        // One leaf, made by either and changed by the other.
        here(&image, &mut names, &mut dice, (5, 0));
        linux(&image, &mut names, &mut dice, (200, 0));
        here(&image, &mut names, &mut dice, (60, 100));
        linux(&image, &mut names, &mut dice, (100, 100));
        here(&image, &mut names, &mut dice, (0, 9000));
        here(&image, &mut names, &mut dice, (240, 0));
        linux(&image, &mut names, &mut dice, (0, 180));
        here(&image, &mut names, &mut dice, (0, 50));
        linux(&image, &mut names, &mut dice, (0, 9000));
    }
}
