//! Power cuts at every request of space calls: each call is old or new, the volume is sound.

use super::play::{Align, Call, Layout, Place, Play, ROOMY, Setting, calls, contents};
use crate::tx::MOST_IN_TESTS;
use crate::{OpenOptions, SizeRule, Volume};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_torture::disk::{Cut, Family, SimDisk};

/// A run of calls on a disk that keeps all it was asked, and what the file was after each.
struct Run {
    disk: Arc<SimDisk>,
    states: Vec<Vec<u8>>,
    sharer: Option<Vec<u8>>,
}

/// Calls that are atomic: what else there is may leave a part.
fn atomic(seed: u64, count: usize) -> Vec<Call> {
    let fits = |call: &Call| {
        let whole = matches!(call, Call::Write(_) | Call::Cached(_) | Call::Share | Call::Reopen);
        !whole && *call != Call::Seek
    };
    calls(seed, 4 * count).into_iter().filter(fits).take(count).collect()
}

/// Calls before the first that is cut: a few blocks in one piece, some set aside, all shared.
fn before(setting: Setting) -> Vec<Call> {
    let length = setting.reach * u64::from(setting.block) / 3;
    let aside = Place { at: 9999, length: 77_777, align: Align::Block };
    vec![
        Call::Atomic(Place { at: 0, length, align: Align::Byte }),
        Call::Allocate(aside, SizeRule::Grow),
        Call::Share,
    ]
}

fn mark(durable: usize, begun: usize) -> u64 {
    (durable as u64) << 32 | begun as u64
}

impl Run {
    /// Makes `calls`; every third is made durable.
    fn new(setting: Setting, before: &[Call], calls: &[Call]) -> Self {
        let medium = Arc::new(MemoryDevice::new(setting.volume));
        let mut play = Play::on(setting, medium.clone());
        before.iter().for_each(|call| play.make(call).unwrap());
        play.volume.clone().close().unwrap();
        let disk = SimDisk::new(medium.snapshot());
        play.open(disk.clone());
        let mut states = vec![play.model.clone()];
        let mut durable = 0;
        for (index, call) in calls.iter().enumerate() {
            disk.mark(mark(durable, index + 1));
            play.make(call).unwrap();
            states.push(play.model.clone());
            if index % 3 == 2 {
                play.file.sync().unwrap();
                durable = index + 1;
                disk.mark(mark(durable, index + 1));
            }
        }
        let sharer = play.sharer.as_ref().map(|(_, model)| model.clone());
        play.close_only();
        disk.mark(mark(calls.len(), calls.len()));
        Self { disk, states, sharer }
    }

    /// What recovery finds after a cut; the volume must be sound. The states that it may be.
    fn recover(&self, cut: &Cut) -> (Vec<u8>, std::ops::RangeInclusive<usize>) {
        let device: Arc<dyn BlockDevice> = Arc::new(cut.image.snapshot());
        let volume = Volume::open(device.clone(), OpenOptions::default())
            .unwrap_or_else(|error| panic!("{cut}: {error}"));
        let found = contents(&volume.open_file("/file").unwrap()).unwrap();
        if let Some(model) = &self.sharer {
            let sharer = contents(&volume.open_file("/sharer").unwrap()).unwrap();
            assert!(sharer == *model, "{cut}: the sharer changed");
        }
        volume.close().unwrap();
        let report = untorn_check::check(&*device, &untorn_check::Options::default()).unwrap();
        assert!(report.findings.is_empty(), "{cut}: {:?}", report.findings.first());
        let mark = cut.mark.unwrap_or(0);
        (found, (mark >> 32) as usize..=(mark & 0xffff_ffff) as usize)
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn survive(setting: Setting) {
    let count = number("UNTORN_SPACE_CUT_CALLS", 16) as usize;
    let first = number("UNTORN_SPACE_SEED", 1);
    for seed in first..first + number("UNTORN_SPACE_SEEDS", 2) {
        let calls = atomic(seed, count);
        let run = Run::new(setting, &before(setting), &calls);
        let (mut cuts, mut old) = (0, 0);
        for cut in run.disk.cuts().families(&Family::ALL).distinct() {
            let (found, may_be) = run.recover(&cut);
            let state = may_be.clone().rev().find(|&state| run.states[state] == found);
            let Some(state) = state else {
                let near: Vec<_> = may_be.clone().map(|n| run.states[n].len()).collect();
                let last = may_be.end().checked_sub(1).map(|last| &calls[last]);
                panic!(
                    "{}, seed {seed}, {cut}: neither of {may_be:?} ({near:?} bytes) but {} \
                     bytes; the last call was {last:?}",
                    setting.name,
                    found.len()
                );
            };
            cuts += 1;
            old += usize::from(state < *may_be.end());
        }
        println!("{}, seed {seed}: {cuts} cuts, {old} without the last call", setting.name);
        assert!(cuts > 50 && old > 0, "the cuts met nothing worth meeting");
    }
}

#[test]
fn calls_on_a_roomy_volume_are_old_or_new_after_power_cuts_check() {
    survive(Setting { reach: 30, ..ROOMY });
}

#[test]
fn calls_on_a_shattered_file_are_old_or_new_after_power_cuts_check() {
    let layout = Layout::Shattered;
    survive(Setting { name: "shattered", block: 1024, layout, reach: 60, ..ROOMY });
}

#[test]
fn calls_without_sharing_are_old_or_new_after_power_cuts_check() {
    survive(Setting { name: "plain", rmapbt: false, reflink: false, reach: 30, ..ROOMY });
}

/// What a call in several transactions may leave: `before` with a hole as long as the range that
/// has moved up to some block behind it.
fn half_moved(before: &[u8], gap: &std::ops::Range<usize>, found: &[u8], block: usize) -> bool {
    let length = gap.end - gap.start;
    let hole = vec![0; length];
    (gap.end..=before.len().next_multiple_of(block)).step_by(block).any(|at| {
        let at = at.min(before.len());
        let parts = [&before[..gap.start], &before[gap.end..at], &hole, &before[at..]];
        parts.concat() == found
    })
}

/// Some blocks of the range are zeroes already.
fn half_punched(before: &[u8], gap: &std::ops::Range<usize>, found: &[u8]) -> bool {
    let outside = |bytes: &[u8]| [&bytes[..gap.start], &bytes[gap.end..]].concat();
    let inside = gap.clone().all(|at| found[at] == before[at] || found[at] == 0);
    found.len() == before.len() && outside(found) == outside(before) && inside
}

/// The call whose last half is cut, alone, in transactions of two extents each.
fn in_steps(call: Call, half: impl Fn(&[u8], &std::ops::Range<usize>, &[u8], usize) -> bool) {
    let layout = Layout::Shattered;
    let setting = Setting { name: "steps", layout, reach: 24, ..ROOMY };
    MOST_IN_TESTS.set(2);
    let run = Run::new(setting, &[Call::Share], std::slice::from_ref(&call));
    MOST_IN_TESTS.set(u64::MAX);
    let (Call::Collapse(place) | Call::Insert(place) | Call::Punch(place)) = &call else {
        panic!("not a call of many transactions");
    };
    let block = setting.block as usize;
    let gap = place.at as usize..(place.at + 1 + place.length) as usize;
    let (mut halves, mut cuts) = (0, 0);
    for cut in run.disk.cuts().families(&Family::ALL).distinct() {
        let (found, _) = run.recover(&cut);
        cuts += 1;
        if found != run.states[0] && found != run.states[1] {
            halves += 1;
            assert!(half(&run.states[0], &gap, &found, block), "{cut}: no half of {call:?}");
        }
    }
    println!("{call:?}: {cuts} cuts, {halves} of them half-way");
    assert!(halves > 3, "the cuts met no step");
}

/// Blocks 4 to 9.
const GAP: Place = Place { at: 4 * 4096, length: 5 * 4096 - 1, align: Align::Block };

#[test]
fn a_collapse_in_steps_leaves_all_bytes_and_one_hole_after_power_cuts_check() {
    in_steps(Call::Collapse(GAP), |before, gap, found, block| {
        half_punched(before, gap, found) || half_moved(before, gap, found, block)
    });
}

#[test]
fn h76_an_insert_in_steps_leaves_all_bytes_and_one_hole_after_power_cuts_check() {
    in_steps(Call::Insert(GAP), |before, gap, found, block| {
        (gap.start..=before.len().next_multiple_of(block)).step_by(block).any(|at| {
            let at = at.min(before.len());
            let hole = vec![0; gap.end - gap.start];
            [&before[..at], &hole, &before[at..]].concat() == found
        })
    });
}

#[test]
fn a_punch_in_steps_leaves_old_bytes_or_zeroes_after_power_cuts_check() {
    in_steps(Call::Punch(GAP), |before, gap, found, _| half_punched(before, gap, found));
}
