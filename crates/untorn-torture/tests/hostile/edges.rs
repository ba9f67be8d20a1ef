//! Borders: of groups, of logs, of sizes, of hints.

use super::{MIB, budget, close, contents, create, made, open, smallest_log};
use untorn::{Error, SizeRule, Sync, mkfs};
use untorn_torture::fsx::{GoOn, Ground, Plan, Power, Settings, Source, possible, run};

#[test]
fn a_file_over_the_borders_of_groups_is_written_cloned_and_moved_check() {
    let device = made(96 * MIB, |options| options.groups = mkfs::Groups::Count(6));
    let volume = open(&device);
    let file = create(&volume, "/file");
    let mut model: Vec<u8> = (0..40 * MIB).map(|at| 1 + (at / 4096 % 250) as u8).collect();
    for at in (0..model.len()).step_by(5 << 20) {
        let bytes = &model[at..at + (5 << 20)];
        file.write_atomic(at as u64, bytes, Sync::Visible).unwrap();
    }
    let extents = volume.extents_of(file.ino()).unwrap();
    let borders: Vec<u64> = extents
        .windows(2)
        .filter(|pair| pair[0].at.map(|at| at.1) != pair[1].at.map(|at| at.1))
        .map(|pair| pair[1].offset)
        .collect();
    assert!(borders.len() >= 2, "{extents:?}");
    let other = create(&volume, "/other");
    other.clone_from(&file).unwrap();
    let before = model.clone();
    for (number, border) in borders.into_iter().enumerate() {
        let byte = 251 + (number % 4) as u8;
        let (start, end) = (border as usize - 9000, border as usize + 9000);
        model[start..end].fill(byte);
        file.write_atomic(start as u64, &model[start..end], Sync::Visible).unwrap();
    }
    file.collapse_range(MIB..2 * MIB).unwrap();
    model.drain(MIB as usize..2 * MIB as usize);
    assert!(contents(&file) == model);
    assert!(contents(&other) == before);
    drop((file, other));
    close(&*device, volume);
}

/// The exerciser on a volume with the smallest log that it may have.
#[test]
fn fsx_runs_on_the_smallest_logs_check() {
    for (size, block_size, rmapbt) in [(64, 1024, true), (64, 4096, false), (512, 65536, true)] {
        let mut options = mkfs::Options { block_size, ..mkfs::Options::default() };
        options.features.rmapbt = rmapbt;
        options.log.size = Some(smallest_log(size * MIB, block_size));
        let ground = Ground::memory(size * MIB, &options, "/fsx").unwrap();
        let mut settings = Settings {
            block_size: block_size.into(),
            file_limit: (40 * u64::from(block_size)).max(256 << 10),
            crash_in: Some(40),
            ..Settings::default()
        };
        settings.op_limit = settings.file_limit / 4;
        let target = ground.target("/fsx", Power::Cut).unwrap();
        settings.kinds = possible(settings.kinds, &target);
        let operations = budget("UNTORN_HOSTILE_OPS", 120);
        let plan = Plan { settings, source: Source::Random, operations };
        let ended = run(&plan, target, &[], &mut |_| GoOn::Yes);
        if let Some(failure) = ended.failure {
            let bad = failure.wrong.bad_byte();
            panic!("{failure}\n{}{:?}", ended.exerciser.log().dump(bad), plan.settings);
        }
    }
}

#[test]
fn the_last_byte_that_a_file_can_have_is_written_and_none_behind_it_check() {
    const LAST: u64 = i64::MAX as u64 - 1;
    for block_size in [1024, 4096, 65536] {
        let size = if block_size == 65536 { 512 } else { 64 } * MIB;
        let device = made(size, |options| options.block_size = block_size);
        let volume = open(&device);
        let file = create(&volume, "/file");
        let refused = |done: untorn::Result<()>, what: &str| {
            assert!(matches!(done, Err(Error::Invalid(_))), "{what}: {done:?}");
        };
        for behind in [LAST, LAST + 1, u64::MAX] {
            refused(file.write_atomic(behind, b"xy", Sync::Visible), "atomic");
            refused(file.write_cached(behind, b"xy", Sync::Visible), "cached");
            refused(file.write_at(behind, b"xy", Sync::Visible), "plain");
        }
        refused(file.truncate(LAST + 2), "truncate");
        refused(file.allocate(LAST..LAST + 2, SizeRule::Grow), "allocate");
        refused(file.zero_range(LAST..LAST + 2, SizeRule::Grow), "zero");
        assert_eq!((file.size().unwrap(), volume.extents_of(file.ino()).unwrap().len()), (0, 0));

        file.write_cached(LAST - 5000, &[1; 4000], Sync::Visible).unwrap();
        file.write_atomic(LAST - 9, b"0123456789", Sync::Durable).unwrap();
        assert_eq!(file.size().unwrap(), LAST + 1);
        refused(file.append_atomic(b"x", Sync::Visible).map(drop), "append");
        let block = u64::from(block_size);
        refused(file.insert_range(0..block), "insert");
        let mut bytes = [9; 5010];
        assert_eq!(file.read_at(LAST - 5000, &mut bytes).unwrap(), 5001);
        assert_eq!((&bytes[..4000], &bytes[4991..5001]), (&[1; 4000][..], &b"0123456789"[..]));
        assert_eq!(file.seek_data(1).unwrap().map(|at| at / block), Some((LAST - 5000) / block));
        file.write_cached(LAST, b"z", Sync::Visible).unwrap();
        file.punch_hole(LAST - 4000..u64::MAX / 2).unwrap();
        file.sync().unwrap();
        file.write_at(LAST, b"!", Sync::Visible).unwrap();
        let mut last = [0; 3];
        assert_eq!(file.read_cached(LAST - 1, &mut last).unwrap(), 2);
        assert_eq!(last, [0, b'!', 0]);
        file.collapse_range(0..block).unwrap();
        assert_eq!(file.size().unwrap(), LAST + 1 - block);
        file.truncate(0).unwrap();
        drop(file);
        close(&*device, volume);
    }
}

#[test]
fn hints_as_long_as_no_free_run_are_no_hindrance_and_longer_ones_are_refused_check() {
    let device = made(64 * MIB, |options| options.groups = mkfs::Groups::Count(4));
    let volume = open(&device);
    let file = create(&volume, "/file");
    let group = 16 * MIB;
    for long in [group, group + 4096, 4 * group] {
        assert!(matches!(file.set_extent_size_hint(long), Err(Error::Invalid(_))));
        assert!(matches!(file.set_cow_extent_size_hint(long), Err(Error::Invalid(_))));
    }
    file.set_extent_size_hint(group / 2).unwrap();
    file.set_cow_extent_size_hint(group / 2).unwrap();
    // No group has a free run of half a group left.
    let between = create(&volume, "/between");
    let mut model = Vec::new();
    for round in 0..24u64 {
        between.allocate(round * MIB..(round + 1) * MIB, SizeRule::Grow).unwrap();
        let bytes = vec![round as u8 + 1; 100_000];
        let at = round * 90_000;
        file.write_atomic(at, &bytes, Sync::Visible).unwrap();
        model.resize((at + 100_000) as usize, 0);
        model[at as usize..].copy_from_slice(&bytes);
        file.write_cached(at + 5, &[200; 9], Sync::Visible).unwrap();
        model[at as usize + 5..at as usize + 14].fill(200);
    }
    assert!(contents(&file) == model);
    drop((file, between));
    close(&*device, volume);
}

#[test]
fn a_volume_of_a_tebibyte_is_used_to_its_last_group_check() {
    for groups in [mkfs::Groups::Default, mkfs::Groups::Count(500)] {
        let device = made(1 << 40, |options| options.groups = groups);
        let volume = open(&device);
        let geometry = volume.superblock().geometry.ag_count;
        // Space is taken so that what comes next lies far away.
        let fill = create(&volume, "/fill");
        let (mut at, step) = (0, 32u64 << 30);
        while volume.space().unwrap().available * 4096 > step + (1 << 30) {
            fill.allocate(at..at + step, SizeRule::Grow).unwrap();
            at += step;
        }
        let file = create(&volume, "/file");
        let bytes: Vec<u8> = (0..300_000).map(|at| (at % 251) as u8).collect();
        for offset in [0, 1 << 41, (1 << 41) + 300_001] {
            file.write_atomic(offset, &bytes, Sync::Visible).unwrap();
            file.write_cached(offset + 7, &bytes[..5000], Sync::Visible).unwrap();
        }
        file.sync().unwrap();
        let used: std::collections::BTreeSet<u32> =
            volume.extents_of(file.ino()).unwrap().iter().filter_map(|e| Some(e.at?.1)).collect();
        println!("{geometry} groups, the file lies in {used:?}");
        let mut found = vec![0; 300_000];
        file.read_at((1 << 41) + 300_001, &mut found).unwrap();
        assert_eq!((&found[..7], &found[7..5007]), (&bytes[..7], &bytes[..5000]));
        drop((fill, file));
        close(&*device, volume);
    }
}
