//! Linux and untorn change one volume by turns, and each turn ends with a crash: the other
//! recovers the journal, finds the tree after some of the operations, no fewer than were synced,
//! and goes on.

use super::{assert_sound, number};
use std::path::Path;
use std::sync::Arc;
use untorn::{OpenOptions, Volume};
use untorn_device::{Access, FileDevice};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    self, Extra, Flush, MkfsOptions, Mounted, Scratch, demand, make_volume, xfs_repair_n,
};
use untorn_torture::names::{Linux, Model, Op, World};
use untorn_torture::tree::{Tree, diff};
use untorn_torture::volume_tree::{as_stored, volume_tree};

/// What there may be after a crash: the tree after each operation since the last sync.
type States = Vec<Model>;

/// An operation whose effect is one commit: cached bytes go to the device when they like.
fn next(dice: &mut Dice) -> Op {
    loop {
        match Op::of(dice.roll().to_le_bytes()) {
            Op::Write { .. } | Op::ReplaceContents { .. } => {}
            op => return op,
        }
    }
}

/// The newest state that is what was found. Without a name nothing outlives a crash.
fn choose(states: &States, found: &Tree, what: &str) -> Model {
    let mut states: Vec<_> = states.clone();
    states.iter_mut().for_each(|state| {
        let _ = state.apply(Op::DropUnnamed);
    });
    let is = |model: &&Model| diff(found, &model.tree(found)).is_empty();
    let last = states.last().map(|last| diff(found, &last.tree(found)));
    match states.iter().rev().find(is) {
        Some(model) => model.clone(),
        None => panic!("{what}: none of {} states; from the last:\n{last:?}", states.len()),
    }
}

fn open(image: &Path) -> Volume {
    let device = FileDevice::open(image, Access::ReadWrite).unwrap();
    Volume::open(Arc::new(device), OpenOptions::default()).unwrap()
}

/// untorn recovers, changes, syncs, changes and stops at once.
fn turn_of_untorn(image: &Path, states: &States, dice: &mut Dice, what: &str) -> States {
    let volume = open(image);
    let found = volume_tree(&volume).unwrap();
    let model = choose(states, &found, what);
    let mut world = World::of(&volume, model);
    world.compare(&volume);
    let steps = number("UNTORN_NAMES_OPS", 120);
    (0..steps).for_each(|_| world.step(&volume, Op::of(dice.roll().to_le_bytes())));
    volume.sync().unwrap();
    let mut states = vec![world.model.clone()];
    for _ in 0..dice.below(steps) {
        world.step(&volume, next(dice));
        states.push(world.model.clone());
        if dice.below(20) == 0 {
            volume.sync().unwrap();
            states = vec![world.model.clone()];
        }
    }
    volume.abandon();
    world.let_go();
    states
}

/// Linux does the same, and is shut down.
fn turn_of_linux(image: &Path, states: &States, dice: &mut Dice, what: &str) -> States {
    let mounted = Mounted::new(image).unwrap();
    let found = as_stored(kernel::tree(&mounted.root()).unwrap());
    let mut model = choose(states, &found, what);
    let mut linux = Linux::new(&mounted.root(), &mut model);
    let steps = number("UNTORN_NAMES_OPS", 120);
    (0..steps).for_each(|_| linux.step(Op::of(dice.roll().to_le_bytes())));
    mounted.sync().unwrap();
    let mut states = vec![linux.model.clone()];
    for _ in 0..dice.below(steps) {
        linux.step(next(dice));
        states.push(linux.model.clone());
    }
    // What no sync asked for is lost, or all of it was written to the journal.
    let flush = if dice.below(2) == 0 { Flush::NoLog } else { Flush::Log };
    if flush == Flush::Log {
        states.drain(..states.len() - 1);
    }
    mounted.shutdown(flush).unwrap();
    linux.let_go();
    drop(linux);
    mounted.unmount().unwrap();
    states
}

/// Recovers a copy and judges that: the crash stays for the other.
fn judge(scratch: &Scratch, image: &Path, options: &MkfsOptions, what: &str) {
    let copy = scratch.image("copy.img");
    std::fs::copy(image, &copy).unwrap();
    open(&copy).close().unwrap();
    assert_sound(&FileDevice::open(&copy, Access::ReadOnly).unwrap(), what);
    // xfs_repair of xfsprogs 6.1 knows no parent pointers.
    if options.extra.is_empty() {
        xfs_repair_n(&copy).unwrap().assert_clean();
    }
}

fn rounds(options: &MkfsOptions, seed: u64) {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("rounds.img");
    make_volume(&image, 64 << 20, options).unwrap();
    let mut dice = Dice::new(seed);
    let mut states = vec![Model::new(0o755)];
    for round in 0..number("UNTORN_ROUNDS", 4) {
        let what = format!("seed {seed}, round {round}");
        states = turn_of_linux(&image, &states, &mut dice, &what);
        judge(&scratch, &image, options, &format!("{what}, crash of Linux"));
        states = turn_of_untorn(&image, &states, &mut dice, &what);
        judge(&scratch, &image, options, &format!("{what}, crash of untorn"));
    }
    let mounted = Mounted::new(&image).unwrap();
    let found = as_stored(kernel::tree(&mounted.root()).unwrap());
    choose(&states, &found, "the end");
    mounted.unmount().unwrap();
}

#[test]
fn linux_and_untorn_recover_each_other_in_many_rounds_of_names_kernel() {
    if !demand() {
        return;
    }
    for seed in 0..number("UNTORN_SEEDS", 1) {
        rounds(&MkfsOptions::default(), seed);
        rounds(&MkfsOptions { rmapbt: true, inode_size: 1024, ..Default::default() }, 70 + seed);
        let extra = vec![Extra::ParentPointers, Extra::ExchangeRange];
        rounds(&MkfsOptions { extra, nrext64: true, ..Default::default() }, 140 + seed);
    }
}
