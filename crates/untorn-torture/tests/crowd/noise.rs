//! One who makes, clones, cuts and removes files for whose contents nobody answers.

use super::world::{NOISE, World, is_full};
use untorn::{Error, NewFile, SizeRule, Sync};
use untorn_torture::dice::Dice;

const FILES: u64 = 4;

/// Does so many things.
pub fn run(world: &World, steps: u64, mut dice: Dice) {
    for _ in 0..steps {
        let path = format!("{NOISE}/{}", dice.below(FILES));
        match one(world, &path, &mut dice) {
            Err(error) if !is_full(&error) && !is_a_race(&error) => panic!("{path}: {error}"),
            _ => {}
        }
    }
}

/// Nothing is where it was, or something is already.
fn is_a_race(error: &Error) -> bool {
    matches!(error, Error::NotFound(_) | Error::Exists(_))
}

fn one(world: &World, path: &str, dice: &mut Dice) -> untorn::Result<()> {
    let (volume, block) = (&world.volume, world.block);
    let at = dice.below(100) * block;
    let open = || match volume.open_file(path) {
        Err(Error::NotFound(_)) => volume.create_file(path, NewFile::default()),
        other => other,
    };
    match dice.below(10) {
        0 | 1 => open()?.write_cached(at, &dice.bytes(3 * block as usize / 2), Sync::Visible),
        2 => open()?.write_atomic(at, &dice.bytes(5 * block as usize), Sync::Visible),
        3 => open()?.punch_hole(at..at + 8 * block),
        4 => open()?.allocate(at..at + 8 * block, SizeRule::Grow),
        5 | 6 => {
            let from = format!("/writer-{}-0", dice.below(world.writers.len() as u64));
            volume.clone_file(from, path).map(drop)
        }
        7 => volume.sync(),
        8 => volume.space().map(drop),
        _ => volume.remove(path),
    }
}
