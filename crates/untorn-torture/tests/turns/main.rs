//! fsx on one file of one volume that Linux and untorn keep by turns: one model, one history.
//!
//! Linux does operations by system calls on its own mount; then the volume is unmounted, or shut
//! down in the midst of them, and untorn recovers it and goes on with the same model; and so
//! forth. xfs_repair -n and the checker look at every change of hands. `UNTORN_TURNS_OPS` makes
//! the runs longer, `UNTORN_TURNS_SEEDS` makes more of them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod target;

use std::sync::Mutex;
use target::Turns;
use untorn_torture::fsx::{GoOn, Io, Kind, Plan, Power, Settings, Source, possible, run};
use untorn_torture::kernel::{MkfsOptions, Scratch, demand, make_volume};

fn budget(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// How a volume is made, and how plain reads and writes go.
struct Case {
    block_size: u32,
    rmapbt: bool,
    io: Io,
}

const CASES: [Case; 4] = [
    Case { block_size: 4096, rmapbt: true, io: Io::Cached },
    Case { block_size: 1024, rmapbt: false, io: Io::Cached },
    Case { block_size: 4096, rmapbt: false, io: Io::Direct },
    Case { block_size: 1024, rmapbt: true, io: Io::Direct },
];

fn settings(case: &Case, seed: u64) -> Settings {
    let boundary = match case.io {
        Io::Cached => 1,
        Io::Direct => 4096,
    };
    Settings {
        seed,
        block_size: case.block_size.into(),
        io: case.io,
        read_boundary: boundary,
        write_boundary: boundary,
        // The target asks the judges at every change of hands.
        check_every: 0,
        ..Settings::default()
    }
}

/// Runs fsx with a change of hands after one operation in `hand_over_in`; how many there were.
fn exercise(case: &Case, mut settings: Settings) -> u64 {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("turns.img");
    let options =
        MkfsOptions { block_size: case.block_size, rmapbt: case.rmapbt, ..MkfsOptions::default() };
    make_volume(&image, 320 << 20, &options).unwrap();
    let target = Turns::begin(&image, settings.op_limit.max(settings.file_limit));
    settings.kinds = possible(settings.kinds, &target);
    let operations = budget("UNTORN_TURNS_OPS", 250);
    let plan = Plan { settings, source: Source::Random, operations };
    let ended = run(&plan, target, &[], &mut |_| GoOn::Yes);
    if let Some(failure) = ended.failure {
        let bad = failure.wrong.bad_byte();
        panic!("{failure}\n{}{:?}", ended.exerciser.log().dump(bad), plan.settings);
    }
    let ran = ended.exerciser.tally().ran;
    let cut = if plan.power() == Power::Cut { ran[Kind::Crash as usize] } else { 0 };
    ran[Kind::Remount as usize] + cut
}

/// One at a time: a child that another test has just begun holds what this process has open until
/// it runs its own program, and so the lock on an image.
static ALONE: Mutex<()> = Mutex::new(());

fn every_case(choose: impl Fn(&mut Settings)) {
    if !demand() {
        return;
    }
    let _alone = ALONE.lock();
    for seed in 1..=budget("UNTORN_TURNS_SEEDS", 1) {
        for case in &CASES {
            let mut settings = settings(case, seed);
            choose(&mut settings);
            let turns = exercise(case, settings);
            println!("{} bytes a block, {:?}: {turns} changes of hands", case.block_size, case.io);
            assert!(turns >= 3, "seed {seed}: nobody took turns");
        }
    }
}

#[test]
fn fsx_goes_on_where_the_other_unmounted_kernel() {
    every_case(|settings| settings.remount_in = Some(30));
}

#[test]
fn fsx_goes_on_where_the_other_was_cut_off_kernel() {
    every_case(|settings| {
        settings.crash_in = Some(30);
        settings.remount_in = Some(150);
    });
}
