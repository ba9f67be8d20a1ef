//! The harness itself: does it find what is wrong, say it as fsx does, and cut it down?

mod crashes;
mod fake;
mod lists;
mod model;
mod text;
mod volumes;

use super::*;
use fake::{Fake, Fault, LIMIT};
use std::time::Duration;

/// A run of the fake target.
fn plan(seed: u64, operations: u64) -> Plan {
    let settings = Settings { file_limit: LIMIT, op_limit: 16 << 10, seed, ..Settings::default() };
    Plan { settings, source: Source::Random, operations }
}

fn failure_of(fault: Fault, plan: &Plan) -> Option<Box<Failure>> {
    run(plan, Fake::new(fault), &[], &mut |_| GoOn::Yes).failure
}

/// The first seed whose run shows the fault, and the operations up to there.
fn shown(fault: Fault) -> (Plan, Vec<Recorded>, Box<Failure>) {
    for seed in 1..100 {
        let plan = plan(seed, 400);
        let ended = run(&plan, Fake::new(fault), &[], &mut |_| GoOn::Yes);
        if let Some(failure) = ended.failure {
            let ops = again(&plan, failure.number, 0, &ended.unforeseen);
            return (plan, ops, failure);
        }
    }
    panic!("{fault:?} was never found");
}

fn shortest(fault: Fault) -> Vec<Recorded> {
    let (plan, ops, failure) = shown(fault);
    let mut fails = |ops: &[Recorded]| {
        let found = fails_with(&plan.settings, ops, Fake::new(fault));
        found.is_some_and(|found| found.wrong.is_like(&failure.wrong))
    };
    assert!(fails(&ops), "{fault:?}: the run fails again");
    minimise(ops, Duration::from_secs(60), &mut fails).ops
}

fn kinds(ops: &[Recorded]) -> Vec<Kind> {
    let kind = |op: &Recorded| match op {
        Recorded::Op(op) => op.kind,
        Recorded::Skipped => panic!("a skipped operation was left"),
    };
    ops.iter().map(kind).collect()
}

#[test]
fn a_sound_target_passes_whatever_the_settings() {
    let base = plan(1, 600).settings;
    let all = [
        base.clone(),
        Settings { io: Io::Direct, read_boundary: 512, write_boundary: 4096, ..base.clone() },
        Settings { lengths: Lengths::Full, truncates: Truncates::Small, ..base.clone() },
        Settings {
            growth: Growth::Fixed,
            kinds: Settings::FIXED.into_iter().collect(),
            ..base.clone()
        },
        Settings { fill: Some(b'x'), sync: When::Always, reopen_in: Some(3), ..base.clone() },
        Settings { flush: When::Always, content_checks: When::Always, ..base.clone() },
        Settings { pollute: When::Always, preallocate: When::Always, ..base.clone() },
        Settings { remount_in: Some(10), crash_in: Some(10), check_every: 0, ..base.clone() },
        Settings { pollute: When::Always, crash_in: Some(5), ..base.clone() },
        Settings { begin: 200, truncate_boundary: 4096, ..base },
    ];
    for settings in all {
        for seed in 1..5 {
            let settings = Settings { seed, ..settings.clone() };
            let plan = Plan { settings, source: Source::Random, operations: 600 };
            let ended = run(&plan, Fake::new(Fault::None), &[], &mut |_| GoOn::Yes);
            assert_eq!(ended.failure, None, "{:?}", plan.settings);
            assert_eq!(ended.exerciser.number(), 600);
        }
    }
}

#[test]
fn one_wrong_byte_is_found_and_told_as_fsx_does() {
    let mut plan = plan(1, 400);
    plan.settings.kinds = [Kind::Read, Kind::Write].into_iter().collect();
    let failure = failure_of(Fault::Flip(40), &plan).expect("found");
    assert!(matches!(failure.wrong, Wrong::Data(_)), "{failure:?}");
    let told = failure.to_string();
    assert!(told.starts_with("READ BAD DATA: offset = 0x"), "{told}");
    assert!(told.contains("\nOFFSET      GOOD    BAD     RANGE\n0x"), "{told}");
    assert!(told.contains("operation# (mod 256) for the bad data may be "), "{told}");
}

#[test]
fn one_wrong_byte_is_cut_down_to_one_operation() {
    let kinds = kinds(&shortest(Fault::Flip(1)));
    assert_eq!(kinds.len(), 1, "{kinds:?}");
}

#[test]
fn a_write_that_reaches_a_sharer_is_cut_down_to_three_operations() {
    let kinds = kinds(&shortest(Fault::Sharing));
    assert_eq!(kinds.len(), 3, "{kinds:?}");
    assert_eq!(kinds[1], Kind::CloneRange, "{kinds:?}");
}

#[test]
fn of_a_shortest_run_no_operation_can_go() {
    let fault = Fault::Stale;
    let ops = shortest(fault);
    assert!((3..=4).contains(&ops.len()), "{ops:?}");
    for index in 0..ops.len() {
        let mut shorter = ops.clone();
        shorter.remove(index);
        let settings = plan(1, 1).settings;
        assert_eq!(fails_with(&settings, &shorter, Fake::new(fault)), None, "without {index}");
    }
}

#[test]
fn a_wrong_size_is_found_at_once() {
    let (_, ops, failure) = shown(Fault::Size);
    assert!(matches!(failure.wrong, Wrong::Size { .. }), "{failure:?}");
    assert_eq!(kinds(&ops[ops.len() - 1..]), [Kind::PunchHole]);
    assert_eq!(kinds(&shortest(Fault::Size)).len(), 2);
}

#[test]
fn a_panic_is_a_failure_like_others() {
    let (_, ops, failure) = shown(Fault::Panic(30));
    assert_eq!(failure.wrong, Wrong::Panic("planted".to_owned()));
    assert_eq!(ops.len() as u64, failure.number);
}

#[test]
fn half_a_batch_is_found() {
    let (_, _, failure) = shown(Fault::HalfBatch);
    assert!(matches!(failure.wrong, Wrong::Data(_) | Wrong::Size { .. }), "{failure:?}");
}

#[test]
fn what_is_refused_and_changes_nothing_is_no_failure() {
    let plan = plan(3, 500);
    let ended = run(&plan, Fake::new(Fault::Refusing), &[], &mut |_| GoOn::Yes);
    assert_eq!(ended.failure, None);
    assert!(ended.exerciser.tally().refused > 50);
    let ops = again(&plan, 500, 0, &ended.unforeseen);
    let done: Vec<_> = ended.exerciser.log().entries().collect();
    for (op, entry) in ops.iter().zip(done).filter(|(_, entry)| entry.fate != Fate::Skipped) {
        assert_eq!(*op, Recorded::Op(entry.op), "{}", entry.shown(None));
    }
}

#[test]
fn a_run_stops_when_it_is_told_to_and_compares_all() {
    let plan = plan(1, u64::MAX);
    let mut watch = |run: &Exerciser<'_, Fake>| match run.number() {
        50 => GoOn::Stop,
        _ => GoOn::Yes,
    };
    let ended = run(&plan, Fake::new(Fault::None), &[], &mut watch);
    assert_eq!((ended.failure, ended.exerciser.number()), (None, 50));
    assert_eq!(ended.exerciser.tally().checks, 1);
}
