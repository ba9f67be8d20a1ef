//! The library itself, exercised; the checker looks at the end. `UNTORN_FSX_OPS` makes the runs
//! longer.

use super::*;
use untorn::mkfs;

/// Operations of each run.
fn operations() -> u64 {
    let asked = std::env::var("UNTORN_FSX_OPS").ok().and_then(|count| count.parse().ok());
    asked.unwrap_or(400)
}

fn ground(block_size: u32, rmapbt: bool) -> Ground {
    let mut options = mkfs::Options { block_size, uuid: Some([7; 16]), ..mkfs::Options::default() };
    options.features.rmapbt = rmapbt;
    Ground::memory(if block_size > 16384 { 256 } else { 64 } << 20, &options, "/fsx").unwrap()
}

#[track_caller]
fn assert_passes(mut settings: Settings, ground: &Ground) {
    let target = ground.target("/fsx", Power::Stays).unwrap();
    settings.kinds = possible(settings.kinds, &target);
    let plan = Plan { settings, source: Source::Random, operations: operations() };
    let target = ground.target("/fsx", plan.power()).unwrap();
    let ended = run(&plan, target, &[], &mut |_| GoOn::Yes);
    if let Some(failure) = ended.failure {
        let bad = failure.wrong.bad_byte();
        panic!("{failure}\n{}{:?}", ended.exerciser.log().dump(bad), plan.settings);
    }
}

#[test]
fn every_profile_passes_check() {
    let ground = ground(4096, true);
    for name in PROFILES {
        for run in profile(name).unwrap() {
            assert_passes(run.settings, &ground);
        }
    }
}

#[test]
fn power_cuts_and_remounts_leave_what_was_promised_check() {
    for (block_size, rmapbt) in [(4096, true), (1024, false)] {
        let ground = ground(block_size, rmapbt);
        for seed in 1..4 {
            let settings = Settings {
                seed,
                block_size: block_size.into(),
                crash_in: Some(30),
                remount_in: Some(50),
                ..Settings::default()
            };
            assert_passes(settings.clone(), &ground);
            // Atomic operations alone: nothing but whole states is allowed.
            let atomic = [Kind::WriteAtomic, Kind::Batch, Kind::Read, Kind::Crash, Kind::Fsync];
            assert_passes(Settings { kinds: atomic.into_iter().collect(), ..settings }, &ground);
        }
    }
}

#[test]
fn block_sizes_from_1_to_64_kib_pass_check() {
    for block_size in [1024, 2048, 16384, 65536] {
        let settings = Settings { block_size: block_size.into(), ..Settings::default() };
        assert_passes(settings, &ground(block_size, true));
    }
}

#[test]
fn an_ops_file_replays_check() {
    let text = "\
        write 0x1a000 0x400 0x0\n\
        write_atomic 0xfff 0x2002 0x1a400 close_open\n\
        read 0x0 0x1a400 0x1a400\n\
        fsync 0x0 0x0 0x1a400\n\
        remount 0x0 0x0 0x1a400\n\
        read 0x800 0x4000 0x1a400\n";
    let ops = ops_file::parse(text).unwrap();
    let target = ground(4096, true).target("/fsx", Power::Stays).unwrap();
    assert_eq!(fails_with(&Settings::default(), &ops, target), None);
}

#[test]
fn there_is_no_profile_of_another_name() {
    assert_eq!(profile("generic/001"), None);
    assert!(profile("091").is_some_and(|runs| runs.len() == 6));
}
