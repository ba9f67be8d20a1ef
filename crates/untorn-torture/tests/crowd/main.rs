//! Threads that commit batches of atomic writes on one nearly full volume while others make, clone,
//! cut and remove files there; then the power goes at random. Whatever is left is what each thread
//! had committed up to some batch, all of it and nothing more, and at least what it had made
//! durable.
//!
//! `UNTORN_CROWD_ROUNDS` volumes, `UNTORN_CROWD_STEPS` batches a thread and `UNTORN_CROWD_CUTS`
//! power cuts make a soak of it, `UNTORN_CROWD_SEED` another one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod noise;
mod world;
mod writer;

use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_torture::dice::Dice;
use untorn_torture::disk::{Policy, SimDisk};
use untorn_torture::kernel::{Mounted, Scratch, demand, xfs_repair_n};
use world::{Geometry, World};

fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// What a power cut leaves, at a random moment.
fn cut(disk: &SimDisk, dice: &mut Dice) -> (usize, MemoryDevice) {
    let at = dice.below(disk.event_count() as u64 + 1) as usize;
    let policy = *dice.pick(&[Policy::Prefix, Policy::FlushedOnly, Policy::Dropped]);
    (at, disk.durable_after(at, policy, dice.roll()))
}

/// Lets a crowd loose on a volume of this shape; the disk below and what was done.
fn crowd(geometry: &Geometry, dice: &mut Dice) -> (Arc<SimDisk>, World) {
    println!("{geometry:?}");
    let world = World::made(geometry, dice);
    let steps = budget("UNTORN_CROWD_STEPS", 120);
    std::thread::scope(|scope| {
        for writer in &world.writers {
            let dice = Dice::new(dice.roll());
            scope.spawn(|| writer.run(&world, steps, dice));
        }
        let dice = Dice::new(dice.roll());
        scope.spawn(|| noise::run(&world, steps, dice));
    });
    (Arc::clone(&world.disk), world)
}

#[test]
fn batches_of_a_crowd_on_a_nearly_full_volume_survive_power_cuts_check() {
    let (seed, rounds) = (budget("UNTORN_CROWD_SEED", 1), budget("UNTORN_CROWD_ROUNDS", 3));
    for seed in seed..seed + rounds {
        let mut dice = Dice::new(seed);
        let (disk, world) = crowd(&Geometry::by_chance(&mut dice), &mut dice);
        let events = disk.event_count();
        let log = world.close();
        log.judge(disk.content(), disk.event_count(), "closed");
        for _ in 0..budget("UNTORN_CROWD_CUTS", 12) {
            let (at, image) = cut(&disk, &mut dice);
            log.judge(image, at, &format!("seed {seed}, cut after {at} of {events} requests"));
        }
        log.assert_worth();
    }
}

#[test]
fn batches_of_a_crowd_are_recovered_by_linux_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("crowd");
    let mut dice = Dice::new(budget("UNTORN_CROWD_SEED", 1) + 1000);
    for number in 0..budget("UNTORN_CROWD_ROUNDS", 2) {
        let (disk, world) = crowd(&Geometry::by_chance(&mut dice), &mut dice);
        let log = world.close();
        disk.content().store(&image).unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
        for _ in 0..2 {
            let (at, left) = cut(&disk, &mut dice);
            left.store(&image).unwrap();
            let mounted = Mounted::new(&image).unwrap();
            log.judge_mounted(&mounted.root(), at, &format!("volume {number}, cut after {at}"));
            mounted.unmount().unwrap();
            xfs_repair_n(&image).unwrap().assert_clean();
        }
    }
}
