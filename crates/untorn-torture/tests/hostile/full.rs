//! Volumes that are 99 % full, their free blocks all alone.

use super::{MIB, budget, close, contents, create, made, open, smallest_log};
use untorn::{Error, File, SizeRule, Sync, Volume, mkfs};
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
    let before = model.clone();
    match dice.below(10) {
        0..=3 => file.write_atomic(at, &bytes, Sync::Visible).map(|()| write(model)),
        4..=5 => file.write_cached(at, &bytes, Sync::Visible).map(|()| write(model)),
        6 => file.write_at(at, &bytes, Sync::Visible).map(|()| write(model)).inspect_err(|_| {
            // Not atomic: what has blocks of its own may be there.
            let found = contents(file);
            write(model);
            assert_eq!(found.len(), size as usize, "it was refused and the file grew");
            let part = at as usize..(at + length).min(size) as usize;
            model.truncate(size as usize);
            for at in part.filter(|&at| found[at] != byte) {
                model[at] = before[at];
            }
        }),
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
            Err(Error::NoSpace { .. }) => {
                tally.no_space += 1;
                assert!(contents(&file) == model, "call {number} was refused and changed bytes");
            }
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

#[test]
fn sharing_stops_before_a_group_has_no_room_to_change_its_counts_check() {
    let block = 1024;
    let device = made(64 * MIB, |options| {
        options.block_size = block as u32;
        options.groups = mkfs::Groups::Count(4);
        options.log.size = Some(smallest_log(64 * MIB, block as u32));
    });
    let volume = open(&device);
    let (file, between) = (create(&volume, "/file"), create(&volume, "/between"));
    let blocks = budget("UNTORN_HOSTILE_SHARED", 3000);
    // Every block alone: each is a record of its own in every tree of its group.
    for at in 0..blocks {
        for file in [&file, &between] {
            file.write_atomic(at * block, &[(at % 250) as u8; 1024], Sync::Visible).unwrap();
        }
    }
    let group = volume.extents_of(file.ino()).unwrap()[0].at.unwrap().1;
    // One piece in the same group, shared once: parting it makes many records of few.
    let whole = create(&volume, "/whole");
    whole.write_atomic(0, &vec![7; (blocks * block) as usize], Sync::Visible).unwrap();
    drop(volume.clone_file("/whole", "/whole-clone").unwrap());
    assert_eq!(volume.extents_of(whole.ino()).unwrap()[0].at.unwrap().1, group);
    // The group has no more than what is kept back for its trees; the others have room.
    let fill = create(&volume, "/fill");
    leave_group(&volume, &fill, block, group);
    let mut clones = 0;
    let refused = loop {
        match volume.clone_file("/file", format!("/clone-{clones}")) {
            Ok(_) => clones += 1,
            Err(error) => break error,
        }
        assert!(clones < 200, "there is no end to it");
    };
    println!("{clones} clones, then {refused}");
    // What is refused is refused at the call; nothing that was taken fails later.
    let mut done = 0;
    for at in 0..blocks {
        let file = if at % 2 == 0 { &whole } else { &file };
        match file.write_cached(at * block + 5, &[255; 100], Sync::Visible) {
            Ok(()) => done += 1,
            Err(Error::NoSpace { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    whole.sync().unwrap();
    file.sync().unwrap();
    assert_eq!(done, blocks, "there is room elsewhere");
    drop((whole, file, between, fill));
    close(&*device, volume);
}

/// Takes all free blocks of a group.
fn leave_group(volume: &Volume, fill: &File, block: u64, group: u32) {
    let (mut size, mut step) = (0, 1024);
    while step > 0 {
        match fill.allocate(size * block..(size + step) * block, SizeRule::Grow) {
            Ok(()) => size += step,
            Err(Error::NoSpace { .. }) => step /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    let extents = volume.extents_of(fill.ino()).unwrap();
    for extent in extents.iter().filter(|extent| extent.at.is_some_and(|at| at.1 != group)) {
        fill.punch_hole(extent.offset..extent.offset + extent.length).unwrap();
    }
    volume.sync().unwrap();
}
