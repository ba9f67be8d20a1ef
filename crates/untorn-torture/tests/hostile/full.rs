//! Volumes that are 99 % full, their free blocks all alone.

use super::{MIB, budget, close, contents, create, made, open, smallest_log};
use untorn::{Error, File, SizeRule, Sync, Volume};
use untorn_torture::dice::Dice;

/// Blocks of the file that calls reach.
const REACH: u64 = 60;
/// Available blocks that do not suffice for all calls.
const SCARCE: u64 = 40;
/// Of so many blocks one is free.
const FREE_IN: u64 = 100;

/// Takes all space and gives single blocks back, at the same distance from each other.
fn shatter(volume: &Volume, block: u64) {
    let fill = create(volume, "/fill");
    let (mut size, mut step) = (0, 64 * MIB / block);
    while step > 0 {
        match fill.allocate(size * block..(size + step) * block, SizeRule::Grow) {
            Ok(()) => size += step,
            Err(Error::NoSpace { .. }) => step /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    // The first ones pay for the map of the file, which grows by two extents a hole.
    for at in (50..size).step_by(FREE_IN as usize) {
        fill.punch_hole(at * block..(at + 1) * block).unwrap();
    }
    volume.sync().unwrap();
}

/// Takes blocks until no more than `left` are available.
fn leave(volume: &Volume, block: u64, left: u64) {
    let last = create(volume, "/last");
    let mut size = 0;
    while volume.space().unwrap().available > left {
        last.allocate(size * block..(size + 1) * block, SizeRule::Grow).unwrap();
        size += 1;
    }
}

/// What a call came to.
#[derive(Default, Debug)]
struct Tally {
    done: u64,
    no_space: u64,
}

/// One call by chance on the file and, where it is done, on the model.
fn call(dice: &mut Dice, file: &File, model: &mut Vec<u8>, block: u64) -> untorn::Result<()> {
    let size = model.len() as u64;
    let at = dice.below(REACH * block - 1);
    let length = 1 + dice.below((REACH * block - at).min(20 * block));
    let byte = 1 + dice.below(250) as u8;
    let bytes = vec![byte; length as usize];
    let write = |model: &mut Vec<u8>| {
        model.resize(model.len().max((at + length) as usize), 0);
        model[at as usize..(at + length) as usize].fill(byte);
    };
    let first = at / block * block;
    match dice.below(10) {
        0..=3 => file.write_atomic(at, &bytes, Sync::Visible).map(|()| write(model)),
        4..=5 => file.write_cached(at, &bytes, Sync::Visible).map(|()| write(model)),
        6 => file.write_at(at, &bytes, Sync::Visible).map(|()| write(model)),
        7 => file.punch_hole(at..at + length).map(|()| {
            let end = (at + length).min(size) as usize;
            model[(at as usize).min(end)..end].fill(0);
        }),
        8 if first + 2 * block < size => {
            let done = file.collapse_range(first..first + block);
            done.map(|()| drop(model.drain(first as usize..(first + block) as usize)))
        }
        9 if first < size && size < REACH * block => {
            file.insert_range(first..first + 2 * block).map(|()| {
                let zeroes = vec![0; 2 * block as usize];
                drop(model.splice(first as usize..first as usize, zeroes));
            })
        }
        _ => file.sync(),
    }
}

fn play(size: u64, block_size: u32, rmapbt: bool, left: u64) {
    let device = made(size, |options| {
        options.block_size = block_size;
        options.features.rmapbt = rmapbt;
        options.log.size = Some(smallest_log(size, block_size));
    });
    let volume = open(&device);
    let block = u64::from(block_size);
    let file = create(&volume, "/file");
    let mut model = vec![1; (20 * block) as usize];
    file.write_atomic(0, &model, Sync::Visible).unwrap();
    shatter(&volume, block);
    leave(&volume, block, left);
    let space = volume.space().unwrap();
    let (mut dice, mut tally) = (Dice::new(u64::from(block_size)), Tally::default());
    let began = std::time::Instant::now();
    for number in 0..budget("UNTORN_HOSTILE_OPS", 120) {
        match call(&mut dice, &file, &mut model, block) {
            Ok(()) => tally.done += 1,
            Err(Error::NoSpace { .. }) => tally.no_space += 1,
            Err(error) => panic!("call {number}: {error}"),
        }
        assert_eq!(file.size().unwrap(), model.len() as u64, "call {number}");
        assert!(number % 8 != 0 || contents(&file) == model, "call {number}");
    }
    println!(
        "{block_size} bytes a block, {} of {} blocks free, {} available: {tally:?} in {:?}",
        space.free,
        space.blocks,
        space.available,
        began.elapsed()
    );
    assert!(tally.done > tally.no_space, "{tally:?}");
    assert!(left > SCARCE || tally.no_space > 0, "{tally:?}");
    assert!(contents(&file) == model);
    drop(file);
    close(&*device, volume);
}

#[test]
fn calls_on_a_full_volume_of_single_free_blocks_agree_with_the_model_check() {
    let mib = budget("UNTORN_HOSTILE_MIB", 96);
    for left in [SCARCE, u64::MAX] {
        play(mib * MIB, 4096, true, left);
        play(mib * MIB, 4096, false, left);
        play(mib * MIB, 1024, true, left);
        play((8 * mib).max(768) * MIB, 65536, true, left);
    }
}
