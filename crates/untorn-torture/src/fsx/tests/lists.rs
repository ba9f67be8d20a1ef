//! Operations: from seeds, made to fit, and from lists.

use super::*;

fn ops(plan: &Plan) -> Vec<Recorded> {
    again(plan, plan.operations, 0, &Unforeseen::default())
}

#[test]
fn one_seed_gives_one_run() {
    assert_eq!(ops(&plan(7, 500)), ops(&plan(7, 500)));
    assert_ne!(ops(&plan(7, 500)), ops(&plan(8, 500)));
}

#[test]
fn a_run_made_again_is_what_was_done() {
    let plan = plan(5, 500);
    let ended = run(&plan, Fake::new(Fault::None), &[], &mut |_| GoOn::Yes);
    let again = ops(&plan);
    assert_eq!(ended.exerciser.log().entries().count(), 500);
    for (op, entry) in again.iter().zip(ended.exerciser.log().entries()) {
        match entry.fate {
            Fate::Skipped => assert_eq!(*op, Recorded::Skipped),
            _ => assert_eq!(*op, Recorded::Op(entry.op)),
        }
    }
}

#[test]
fn every_kind_comes_up() {
    let mut plan = plan(1, 3000);
    plan.settings.crash_in = Some(100);
    plan.settings.remount_in = Some(100);
    let ended = run(&plan, Fake::new(Fault::None), &[], &mut |_| GoOn::Yes);
    assert_eq!(ended.failure, None);
    for kind in Kind::all() {
        let count = ended.exerciser.tally().ran[kind as usize];
        assert!(count > 10, "{kind:?} came up {count} times");
    }
}

#[test]
fn what_fits_is_left_as_it_is() {
    for io in [Io::Cached, Io::Direct] {
        let mut plan = plan(9, 3000);
        plan.settings = Settings {
            io,
            read_boundary: 1024,
            write_boundary: 512,
            truncate_boundary: 128,
            ..plan.settings
        };
        let mut size = 0;
        for op in ops(&plan) {
            if let Recorded::Op(op) = op {
                assert_eq!(fit(op, size, &plan.settings), Some(op), "{size} bytes");
                size = op.size_after(size);
                assert!(size <= LIMIT && op.reach() <= LIMIT, "{op:?}");
            }
        }
    }
}

#[test]
fn any_part_of_a_run_is_a_run() {
    let mut plan = plan(11, 400);
    plan.settings.crash_in = Some(20);
    let all = ops(&plan);
    for step in [2, 3, 7] {
        let some: Vec<_> = all.iter().copied().step_by(step).collect();
        assert_eq!(fails_with(&plan.settings, &some, Fake::new(Fault::None)), None);
    }
}

#[test]
fn a_file_of_fixed_size_keeps_it() {
    let mut plan = plan(2, 500);
    plan.settings.growth = Growth::Fixed;
    let ended = run(&plan, Fake::new(Fault::None), &[], &mut |run| {
        assert_eq!(run.size(), LIMIT);
        GoOn::Yes
    });
    assert_eq!(ended.failure, None);
}

#[test]
fn operations_past_all_bounds_are_made_to_fit_or_skipped() {
    let far = i64::MAX as u64 / 2;
    for kind in Kind::all() {
        for (offset, length, other) in [(far, far, far), (0, far, 1), (1, 0, 0), (far, 1, far)] {
            for size in [0, 1, 5000, LIMIT] {
                let op = Op { count: 255, ..Op::new(kind, offset, length).with_other(other) };
                let ops = [Recorded::Op(Op::new(Kind::Truncate, 0, size)), Recorded::Op(op)];
                let settings = plan(1, 2).settings;
                assert_eq!(fails_with(&settings, &ops, Fake::new(Fault::None)), None, "{op:?}");
            }
        }
    }
}

#[test]
fn numbers_before_the_beginning_only_change_the_model() {
    let mut plan = plan(4, 300);
    plan.settings.begin = 250;
    let ended = run(&plan, Fake::new(Fault::Panic(1)), &[], &mut |_| GoOn::Yes);
    assert!(ended.failure.is_some_and(|failure| failure.number == 249));
    for begin in 1..300 {
        plan.settings.begin = begin;
        assert_eq!(failure_of(Fault::None, &plan), None, "from {begin}");
    }
}
