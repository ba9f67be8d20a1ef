//! Linux agrees with the model, and reads what untorn made of it.

use super::number;
use std::path::Path;
use std::sync::Arc;
use untorn::{OpenOptions, Volume};
use untorn_device::{Access, FileDevice};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    Extra, MkfsOptions, Mounted, Scratch, demand, make_volume, xfs_repair_n,
};
use untorn_torture::names::{Linux, Model, Op, World};

fn open(image: &Path) -> Volume {
    let device = FileDevice::open(image, Access::ReadWrite).unwrap();
    Volume::open(Arc::new(device), OpenOptions::default()).unwrap()
}

fn turn_of_linux(image: &Path, model: &mut Model, ops: &[Op]) {
    let mounted = Mounted::new(image).unwrap();
    let mut linux = Linux::new(&mounted.root(), model);
    linux.compare();
    ops.iter().for_each(|op| linux.step(*op));
    linux.let_go();
    linux.compare();
    drop(linux);
    mounted.unmount().unwrap();
}

fn turn_of_untorn(image: &Path, model: Model, ops: &[Op]) -> Model {
    let volume = open(image);
    let mut world = World::of(&volume, model);
    world.compare(&volume);
    ops.iter().for_each(|op| world.step(&volume, *op));
    world.let_go();
    world.compare(&volume);
    volume.close().unwrap();
    world.model
}

/// Turns on one volume; each finds what the other left.
fn take_turns(options: &MkfsOptions, seed: u64) {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("turns.img");
    make_volume(&image, 64 << 20, options).unwrap();
    let mut model = Model::new(0o755);
    let mut dice = Dice::new(seed);
    let mut ops = || -> Vec<Op> {
        let count = number("UNTORN_NAMES_OPS", 250);
        (0..count).map(|_| Op::of(dice.roll().to_le_bytes())).collect()
    };
    for turn in 0..4 {
        model = turn_of_untorn(&image, model, &ops());
        judge(&image, options, &format!("seed {seed}, turn {turn} of untorn"));
        turn_of_linux(&image, &mut model, &ops());
        judge(&image, options, &format!("seed {seed}, turn {turn} of Linux"));
    }
}

/// xfs_repair of xfsprogs 6.1 knows no parent pointers.
fn judge(image: &Path, options: &MkfsOptions, what: &str) {
    if options.extra.is_empty() {
        xfs_repair_n(image).unwrap().assert_clean();
    }
    let device = FileDevice::open(image, Access::ReadOnly).unwrap();
    super::assert_sound(&device, what);
}

#[test]
fn linux_and_untorn_change_names_by_turns_kernel() {
    if !demand() {
        return;
    }
    for seed in 0..number("UNTORN_SEEDS", 1) {
        take_turns(&MkfsOptions::default(), seed);
        let inode_size = 1024;
        take_turns(&MkfsOptions { rmapbt: true, inode_size, ..Default::default() }, 50 + seed);
    }
}

#[test]
fn linux_and_untorn_keep_parent_pointers_by_turns_kernel() {
    if !demand() {
        return;
    }
    for seed in 0..number("UNTORN_SEEDS", 1) {
        let extra = vec![Extra::ParentPointers, Extra::ExchangeRange];
        take_turns(&MkfsOptions { extra, nrext64: true, ..Default::default() }, 100 + seed);
    }
}
