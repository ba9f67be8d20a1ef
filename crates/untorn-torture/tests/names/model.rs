//! Every sequence of operations leaves what the model says, in memory and on the device.

use super::{PLAIN, Shape, assert_sound, made, number, open};
use proptest::prelude::*;
use untorn_torture::dice::Dice;
use untorn_torture::names::{Op, World};

fn play(shape: Shape, ops: &[Op]) {
    let device = made(shape);
    let volume = open(&device);
    let mut world = World::new(&volume);
    for op in ops {
        world.step(&volume, *op);
    }
    world.compare(&volume);
    world.let_go();
    volume.close().unwrap();
    assert_sound(&*device, "after the workload");
    let volume = open(&device);
    assert!(volume.recovery().was_clean);
    world.compare(&volume);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: number("UNTORN_NAMES_CASES", 24) as u32,
        max_shrink_iters: 4000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn short_workloads_do_what_the_model_says_model_check(
        ops in proptest::collection::vec(any::<[u8; 8]>().prop_map(Op::of), 1..120),
    ) {
        play(PLAIN, &ops);
    }
}

fn long(shape: Shape, seed: u64) {
    let mut dice = Dice::new(seed);
    let count = number("UNTORN_NAMES_OPS", 1500);
    let ops: Vec<Op> = (0..count).map(|_| Op::of(dice.roll().to_le_bytes())).collect();
    play(shape, &ops);
}

#[test]
fn long_workloads_do_what_the_model_says_model_check() {
    for seed in 0..number("UNTORN_SEEDS", 2) {
        long(PLAIN, seed);
        long(Shape { inode_size: 2048, ..PLAIN }, 1000 + seed);
    }
}
