//! A full volume: what has no room changes nothing.

use super::{PLAIN, assert_sound, made, number, open};
use untorn::{Error, NewFile, Sync, Volume};
use untorn_torture::dice::Dice;
use untorn_torture::names::{Model, Op, World};
use untorn_torture::tree::Tree;
use untorn_torture::volume_tree::volume_tree;

/// Fills all space, to the last block.
fn fill(volume: &Volume) {
    let file = volume.create_file("/filling", NewFile::default()).unwrap();
    let (mut at, mut length) = (0, 1 << 20);
    while length >= 4096 {
        match file.write_at(at, &vec![7; length], Sync::Visible) {
            Ok(()) => at += length as u64,
            Err(Error::NoSpace { .. }) => length /= 2,
            Err(error) => panic!("{error}"),
        }
    }
}

/// All but the file that takes the space.
fn rest(volume: &Volume) -> Tree {
    let mut tree = volume_tree(volume).unwrap();
    tree.retain(|path, _| path.as_os_str() != "filling");
    tree
}

/// Makes room for some operations more: a few blocks.
fn give_way(volume: &Volume, dice: &mut Dice) {
    let file = volume.open_file("/filling").unwrap();
    let blocks = 1 + dice.below(3);
    file.truncate(file.size().unwrap().saturating_sub(blocks * 4096)).unwrap();
}

#[test]
fn an_operation_that_finds_no_room_leaves_all_names_as_they_were_model() {
    for seed in 0..number("UNTORN_SEEDS", 1) {
        let device = made(PLAIN);
        let volume = open(&device);
        let mut dice = Dice::new(900 + seed);
        let mut world = World::new(&volume);
        // Names that are there already.
        (0..60).for_each(|_| world.step(&volume, Op::of(dice.roll().to_le_bytes())));
        fill(&volume);
        let (mut refused, mut done) = (0, 0);
        let mut before = rest(&volume);
        for _ in 0..number("UNTORN_NAMES_OPS", 600) {
            let op = Op::of(dice.roll().to_le_bytes());
            match world.try_step(&volume, op) {
                Some(Error::NoSpace { .. }) => {
                    refused += 1;
                    assert!(rest(&volume) == before, "seed {seed}: {op:?} was refused half-way");
                    if dice.below(4) == 0 {
                        give_way(&volume, &mut dice);
                    }
                }
                Some(error) => panic!("{op:?}: {error}"),
                None => {
                    done += 1;
                    before = rest(&volume);
                }
            }
        }
        println!("seed {seed}: {done} done, {refused} refused");
        assert!(refused > 20 && done > 20, "{done} done, {refused} refused");
        world.let_go();
        volume.close().unwrap();
        assert_sound(&*device, &format!("seed {seed}"));
    }
}

#[test]
fn the_world_knows_what_a_refusal_is_model() {
    // Otherwise the test above would take every failure for want of room.
    let volume = open(&made(PLAIN));
    let mut world = World::new(&volume);
    let mut dice = Dice::new(4);
    for _ in 0..80 {
        assert!(world.try_step(&volume, Op::of(dice.roll().to_le_bytes())).is_none());
    }
    assert!(world.model.ids().len() > 1 && Model::new(0o755).ids().len() == 1);
    world.compare(&volume);
}
