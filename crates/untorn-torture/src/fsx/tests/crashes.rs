//! The judge of power cuts.

use super::*;
use crate::fsx::since::{Since, Verdict};

#[test]
fn a_torn_atomic_write_is_found() {
    let mut plan = plan(1, 2000);
    plan.settings.crash_in = Some(20);
    let failure = failure_of(Fault::TornByCut, &plan).expect("found");
    assert!(matches!(failure.wrong, Wrong::Lost(_)), "{failure:?}");
}

#[test]
fn a_lost_sync_is_found() {
    let mut plan = plan(1, 2000);
    plan.settings.crash_in = Some(20);
    let failure = failure_of(Fault::LostByCut, &plan).expect("found");
    assert!(matches!(failure.wrong, Wrong::Lost(_)), "{failure:?}");
}

#[test]
fn losing_everything_unsynced_or_nothing_is_allowed() {
    for fault in [Fault::None, Fault::NothingLost] {
        let mut plan = plan(1, 2000);
        plan.settings.crash_in = Some(20);
        let ended = run(&plan, Fake::new(fault), &[], &mut |_| GoOn::Yes);
        assert_eq!(ended.failure, None);
        let tally = ended.exerciser.tally();
        assert!(tally.cuts_whole > 50 && tally.cuts_mixed == 0, "{tally:?}");
    }
}

/// Judges `found` after these operations on sixteen dots.
fn judge(ops: &[Op], found: &[u8]) -> Result<Verdict, String> {
    let pattern = Pattern::new(64, 1, Some(b'x'));
    let mut since = Since::new(64);
    since.rebase(b"................");
    for (number, op) in (1..).zip(ops) {
        since.push(number, *op);
    }
    since.judge(found, &pattern)
}

#[test]
fn atomic_writes_are_there_in_order_and_whole() {
    let ops = [Op::new(Kind::WriteAtomic, 0, 4), Op::new(Kind::WriteAtomic, 8, 4)];
    assert_eq!(judge(&ops, b"................"), Ok(Verdict::After(0)));
    assert_eq!(judge(&ops, b"xxxx............"), Ok(Verdict::After(1)));
    assert_eq!(judge(&ops, b"xxxx....xxxx...."), Ok(Verdict::After(2)));
    for torn in [b"xx..............", b"........xxxx....", b"xxxx....xx......"] {
        assert!(judge(&ops, torn).is_err_and(|why| why.contains("no state")));
    }
}

#[test]
fn plain_writes_may_be_torn_but_invent_nothing() {
    let ops = [Op::new(Kind::Write, 0, 4), Op::new(Kind::Write, 8, 4)];
    assert_eq!(judge(&ops, b".xx.....x..x...."), Ok(Verdict::Mixed));
    assert!(judge(&ops, b".xy.....x..x....").is_err_and(|why| why.contains("byte 0x2 ")));
    assert!(judge(&ops, b".xx...x.x..x....").is_err_and(|why| why.contains("byte 0x6 ")));
    assert!(judge(&ops, b".xx.....x..x...").is_err_and(|why| why.contains("15 bytes")));
}

#[test]
fn atomic_writes_are_whole_among_plain_ones() {
    let ops =
        [Op::new(Kind::Write, 0, 6), Op::new(Kind::WriteAtomic, 4, 6), Op::new(Kind::Write, 12, 4)];
    assert_eq!(judge(&ops, b"x.x.xxxxxx..x..x"), Ok(Verdict::Mixed));
    assert_eq!(judge(&ops, b"x.x.xx......x..x"), Ok(Verdict::Mixed));
    assert!(judge(&ops, b"x.x.xxx.....x..x").is_err_and(|why| why.contains("in part")));
}

#[test]
fn plain_writes_grow_the_file_step_by_step() {
    let ops = [Op::new(Kind::Write, 14, 6), Op::new(Kind::Fsync, 0, 0)];
    assert_eq!(judge(&ops, b"..............xxxx"), Ok(Verdict::Mixed));
    assert!(judge(&ops, b"..............xxxxxxx").is_err());
}

#[test]
fn where_bytes_moved_only_the_size_is_compared() {
    let ops = [Op::new(Kind::CollapseRange, 0, 4), Op::new(Kind::Write, 0, 2)];
    assert_eq!(judge(&ops, b"....xx.........."), Ok(Verdict::SizeOnly));
    assert_eq!(judge(&ops, b"....xx......"), Ok(Verdict::SizeOnly));
    assert!(judge(&ops, b"....xx........").is_err_and(|why| why.contains("14 bytes")));
}
