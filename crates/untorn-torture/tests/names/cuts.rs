//! The power is cut at every request of a namespace workload: what recovery finds is the tree after
//! some of the operations, whole, and no fewer than were synced.

use super::{PLAIN, assert_sound, made, number, open};
use std::sync::Arc;
use untorn::{OpenOptions, Volume};
use untorn_device::BlockDevice;
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Cut, Family, SimDisk};
use untorn_torture::kernel::{self, Extra, MkfsOptions, Mounted, Scratch, make_volume};
use untorn_torture::names::{Model, Op, World};
use untorn_torture::tree::{Tree, diff};
use untorn_torture::volume_tree::{as_stored, volume_tree};

struct Run {
    disk: Arc<SimDisk>,
    /// What there is after 0, 1, 2 ... operations.
    states: Vec<Model>,
}

/// Cached writes promise nothing before a sync.
fn next(dice: &mut Dice) -> Op {
    loop {
        match Op::of(dice.roll().to_le_bytes()) {
            Op::Write { byte, .. } if byte % 2 == 0 => {}
            op => return op,
        }
    }
}

fn mark(disk: &SimDisk, durable: usize, begun: usize) {
    disk.mark((durable as u64) << 32 | begun as u64);
}

fn run(medium: untorn_device::MemoryDevice, ops: u64, seed: u64) -> Run {
    let disk = SimDisk::new(medium);
    let volume = open(&disk);
    let mut world = World::new(&volume);
    let mut dice = Dice::new(seed);
    let mut states = vec![world.model.clone()];
    let mut durable = 0;
    for step in 0..ops {
        mark(&disk, durable, states.len());
        world.step(&volume, next(&mut dice));
        states.push(world.model.clone());
        if step % 9 == 0 {
            volume.sync().unwrap();
            durable = states.len() - 1;
            mark(&disk, durable, durable);
        }
    }
    world.let_go();
    volume.close().unwrap();
    mark(&disk, states.len() - 1, states.len() - 1);
    Run { disk, states }
}

/// Times are those of the run, which the model does not know.
fn untimed(mut tree: Tree) -> Tree {
    let never = untorn_torture::tree::Timestamp { seconds: 0, nanoseconds: 0 };
    tree.values_mut().for_each(|entry| entry.mtime = never);
    tree
}

fn assert_one_of(run: &Run, cut: &Cut, found: &Tree) {
    let mark = cut.mark.unwrap_or(0);
    let (least, most) = ((mark >> 32) as usize, (mark & 0xffff_ffff) as usize);
    let most = most.min(run.states.len() - 1);
    let is = |model: &Model| diff(found, &untimed(model.tree(found))).is_empty();
    let nearest = || diff(found, &untimed(run.states[most].tree(found)));
    let fits = run.states[least..=most].iter().any(is);
    assert!(fits, "{cut}: no state of {least} to {most}; from the last:\n{}", nearest());
}

fn survive(run: &Run) {
    let (mut cuts, mut replayed, mut freed) = (0, 0, 0);
    for cut in run.disk.cuts().families(&Family::ALL).distinct() {
        let image: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let volume = Volume::open(image.clone(), OpenOptions::default())
            .unwrap_or_else(|e| panic!("{cut}: {e}"));
        replayed += usize::from(!volume.recovery().was_clean);
        freed += volume.recovery().unlinked;
        assert_one_of(run, &cut, &untimed(volume_tree(&volume).unwrap()));
        volume.close().unwrap();
        assert_sound(&*image, &cut.to_string());
        cuts += 1;
    }
    println!("{cuts} cuts, {replayed} replayed, {freed} files without a name freed");
    assert!(cuts > 50 && replayed > 10 && freed > 0, "the cuts met nothing worth meeting");
}

#[test]
fn names_survive_power_cuts_check() {
    for seed in 0..number("UNTORN_SEEDS", 1) {
        survive(&run(made(PLAIN).snapshot(), number("UNTORN_CUT_WRITES", 70), seed));
    }
}

fn with_parent_pointers() -> untorn_device::MemoryDevice {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("parents.img");
    let extra = vec![Extra::ParentPointers, Extra::ExchangeRange];
    // Linux wants a longer log for them than an old mkfs.xfs makes.
    let options = MkfsOptions { extra, log_size: Some(8 << 20), ..Default::default() };
    make_volume(&image, 64 << 20, &options).unwrap();
    untorn_device::MemoryDevice::load(&image).unwrap()
}

fn linux_recovers(run: &Run) {
    let scratch = Scratch::new().unwrap();
    let mut cuts = 0;
    let families = [Family::Prefix, Family::FlushedOnly];
    for cut in run.disk.cuts().families(&families).distinct().step_by(9) {
        let image = scratch.image("cut.img");
        cut.image.store(&image).unwrap();
        let mounted = Mounted::new(&image).unwrap();
        let found = kernel::tree(&mounted.root()).unwrap();
        mounted.unmount().unwrap();
        assert_one_of(run, &cut, &untimed(as_stored(found)));
        let device = untorn_device::FileDevice::open(&image, untorn_device::Access::ReadOnly);
        assert_sound(&device.unwrap(), &cut.to_string());
        cuts += 1;
    }
    println!("Linux recovered {cuts} cuts");
    assert!(cuts > 5);
}

#[test]
fn linux_recovers_power_cuts_over_names_kernel() {
    if !kernel::demand() {
        return;
    }
    let ops = number("UNTORN_CUT_WRITES", 70);
    linux_recovers(&run(made(PLAIN).snapshot(), ops, 7));
    let run = run(with_parent_pointers(), ops, 8);
    linux_recovers(&run);
    survive(&run);
}
