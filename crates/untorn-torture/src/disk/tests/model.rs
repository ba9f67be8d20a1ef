//! What a cut leaves, against a model that keeps a list of all versions of every sector.

use std::sync::Arc;

use proptest::prelude::*;
use untorn_device::{BlockDevice, MemoryDevice};

use super::{
    super::{Event, Family, Policy, SimDisk},
    whole,
};

const SECTORS: u64 = 24;

#[derive(Clone, Debug)]
enum Step {
    Write(u64, u64),
    Discard(u64, u64),
    Flush,
    Mark,
}

fn step() -> impl Strategy<Value = Step> {
    let place = (0..SECTORS).prop_flat_map(|at| (Just(at), 1..=(SECTORS - at).min(6)));
    prop_oneof![
        6 => place.clone().prop_map(|(at, sectors)| Step::Write(at, sectors)),
        1 => place.prop_map(|(at, sectors)| Step::Discard(at, sectors)),
        2 => Just(Step::Flush),
        1 => Just(Step::Mark),
    ]
}

fn steps() -> impl Strategy<Value = (u32, Vec<Step>)> {
    (prop_oneof![Just(512), Just(4096)], proptest::collection::vec(step(), 0..100))
}

/// Contents of single sectors are told by one byte, the same all over the sector.
type Content = Vec<u8>;

/// The slow and simple disk.
struct Model {
    /// For every event the sectors that it changes and to what; none for a flush or a mark.
    events: Vec<Option<Vec<(u64, u8)>>>,
    flushes: Vec<usize>,
}

impl Model {
    fn of(steps: &[Step]) -> Self {
        let changes =
            |at: u64, sectors, byte| Some((at..at + sectors).map(|s| (s, byte)).collect());
        let events = (1..).zip(steps).map(|(byte, step)| match *step {
            Step::Write(at, sectors) => changes(at, sectors, byte),
            Step::Discard(at, sectors) => changes(at, sectors, 0xDB),
            Step::Flush | Step::Mark => None,
        });
        let flush = |(at, step): (usize, &Step)| matches!(step, Step::Flush).then_some(at);
        let flushes = steps.iter().enumerate().filter_map(flush).collect();
        Self { events: events.collect(), flushes }
    }

    fn prefix(&self, at: usize) -> Content {
        let mut content = vec![0; SECTORS as usize];
        for (sector, byte) in self.events[..at].iter().flatten().flatten() {
            content[*sector as usize] = *byte;
        }
        content
    }

    fn flushed(&self, at: usize) -> usize {
        self.flushes.iter().filter(|&&flush| flush < at).max().map_or(0, |flush| flush + 1)
    }

    /// Whether the policy may leave this content.
    fn allows(&self, at: usize, policy: Policy, content: &Content) -> bool {
        let durable = self.flushed(at);
        let next = self.events.get(at).cloned().flatten().unwrap_or_default();
        match policy {
            Policy::Prefix => *content == self.prefix(at),
            Policy::FlushedOnly => *content == self.prefix(durable),
            Policy::Torn { sectors } => {
                let mut expected = self.prefix(at);
                for (sector, byte) in next.into_iter().take(sectors as usize) {
                    expected[sector as usize] = byte;
                }
                *content == expected
            }
            Policy::TornMiddle => allowed(content, &self.prefix(at), &next),
            Policy::Dropped => {
                let lost: Vec<_> = self.events[durable..at].iter().flatten().flatten().collect();
                let lost: Vec<_> = lost.into_iter().copied().collect();
                allowed(content, &self.prefix(durable), &lost)
            }
        }
    }
}

/// Whether every sector is as before or as one of the changes made it.
fn allowed(content: &Content, before: &Content, changes: &[(u64, u8)]) -> bool {
    (0..SECTORS)
        .zip(content.iter().zip(before))
        .all(|(sector, (now, before))| now == before || changes.contains(&(sector, *now)))
}

/// The content by sector; every sector must be of one piece.
fn content(device: &MemoryDevice) -> Content {
    let bytes = whole(device);
    let sectors = bytes.chunks(device.geometry().sector_size as usize);
    let one = |sector: &[u8]| {
        assert!(sector.iter().all(|byte| *byte == sector[0]), "a torn sector");
        sector[0]
    };
    sectors.map(one).collect()
}

fn play(sector_size: u32, steps: &[Step]) -> Arc<SimDisk> {
    let size = u64::from(sector_size);
    let disk = SimDisk::new(MemoryDevice::with_sector_size(SECTORS * size, sector_size));
    for (byte, step) in (1..).zip(steps) {
        match *step {
            Step::Write(at, sectors) => {
                disk.write_at(at * size, &vec![byte; (sectors * size) as usize]).unwrap();
            }
            Step::Discard(at, sectors) => {
                disk.discard(at * size, sectors * size).unwrap();
            }
            Step::Flush => disk.flush().unwrap(),
            Step::Mark => disk.mark(u64::from(byte)),
        }
    }
    disk
}

/// `PROPTEST_CASES` makes a soak of it.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(48),
    }
}

proptest! {
    #![proptest_config(cases())]
    #[test]
    fn every_cut_leaves_what_its_policy_allows_model((sector_size, steps) in steps()) {
        let disk = play(sector_size, &steps);
        let model = Model::of(&steps);
        let mut cuts = 0;
        for cut in disk.cuts().seeds(3) {
            let found = content(&cut.image);
            prop_assert!(model.allows(cut.at, cut.policy, &found), "{cut}: {found:?}");
            cuts += 1;
        }
        prop_assert!(cuts > steps.len());
    }

    #[test]
    fn a_cut_can_be_made_again_from_its_place_policy_and_seed((sector_size, steps) in steps()) {
        let disk = play(sector_size, &steps);
        for cut in disk.cuts().seeds(2) {
            let again = disk.durable_after(cut.at, cut.policy, cut.seed);
            prop_assert!(whole(&again) == whole(&cut.image), "{cut}");
        }
    }

    #[test]
    fn reads_see_everything_that_was_written_model((sector_size, steps) in steps()) {
        let disk = play(sector_size, &steps);
        let model = Model::of(&steps);
        prop_assert_eq!(content(&disk.content()), model.prefix(steps.len()));
        prop_assert!(whole(&*disk) == whole(&disk.content()));
        prop_assert_eq!(disk.event_count(), steps.len());
        let lost = model.events[model.flushed(steps.len())..].iter().flatten().count();
        prop_assert_eq!(disk.unflushed(), lost);
    }

    #[test]
    fn a_settled_disk_begins_again_with_its_content_durable(
        (sector_size, steps) in steps(), at in any::<prop::sample::Index>()
    ) {
        let at = at.index(steps.len() + 1);
        let disk = play(sector_size, &steps[..at]);
        disk.settle();
        prop_assert_eq!((disk.event_count(), disk.unflushed()), (0, 0));
        let held = whole(&disk.content());
        prop_assert!(whole(&disk.durable_after(0, Policy::FlushedOnly, 0)) == held);
        disk.write_at(0, &vec![9; sector_size as usize]).unwrap();
        prop_assert!(whole(&disk.durable_after(1, Policy::FlushedOnly, 0)) == held);
    }

    #[test]
    fn a_plan_that_begins_in_the_middle_gives_the_same_cuts_from_there(
        (sector_size, steps) in steps(), first in any::<prop::sample::Index>()
    ) {
        let first = first.index(steps.len() + 1);
        let disk = play(sector_size, &steps);
        let told = |cut: super::super::Cut| (cut.to_string(), cut.mark, cut.image.content_hash());
        let late: Vec<_> = disk.cuts().between(first, usize::MAX).map(told).collect();
        let all: Vec<_> = disk.cuts().filter(|cut| cut.at >= first).map(told).collect();
        prop_assert_eq!(late, all);
    }

    #[test]
    fn distinct_cuts_lose_no_image_of_any_mark((sector_size, steps) in steps()) {
        let disk = play(sector_size, &steps);
        let key = |cut: super::super::Cut| (whole(&cut.image), cut.mark);
        let mut all: Vec<_> = disk.cuts().seeds(2).map(key).collect();
        all.sort_unstable();
        all.dedup();
        let mut distinct: Vec<_> = disk.cuts().seeds(2).distinct().map(key).collect();
        distinct.sort_unstable();
        prop_assert!(all == distinct);
    }

    #[test]
    fn flushed_events_survive_every_cut_after_them((sector_size, steps) in steps()) {
        let disk = play(sector_size, &steps);
        let model = Model::of(&steps);
        let history = disk.history();
        for cut in disk.cuts().families(&[Family::Dropped, Family::FlushedOnly]).seeds(2) {
            let durable = history.flushed_at(cut.at);
            prop_assert_eq!(durable, model.flushed(cut.at));
            // Sectors that nothing unflushed touches hold what was flushed.
            let expected = model.prefix(durable);
            let touched: Vec<_> =
                model.events[durable..cut.at].iter().flatten().flatten().map(|c| c.0).collect();
            let found = content(&cut.image);
            for sector in (0..SECTORS).filter(|sector| !touched.contains(sector)) {
                prop_assert_eq!(found[sector as usize], expected[sector as usize]);
            }
        }
    }
}

#[test]
fn events_are_recorded_as_they_were_asked() {
    let disk = SimDisk::new(MemoryDevice::new(8192));
    disk.write_at(512, &[1; 512]).unwrap();
    disk.mark(77);
    disk.discard(1024, 512).unwrap();
    disk.flush().unwrap();
    let expected = [
        Event::Write { offset: 512, bytes: [1; 512].into() },
        Event::Mark(77),
        Event::Discard { offset: 1024, length: 512 },
        Event::Flush,
    ];
    assert_eq!(disk.events(), expected);
    assert_eq!(disk.cut_points(), 0..=4);
}

#[test]
fn writes_of_many_threads_that_were_flushed_are_durable() {
    let disk = SimDisk::new(MemoryDevice::new(64 * 512));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let disk = &disk;
            scope.spawn(move || {
                for round in 1..=20_u8 {
                    disk.write_at(thread * 8 * 512, &[round; 8 * 512]).unwrap();
                    disk.flush().unwrap();
                    disk.mark(thread << 8 | u64::from(round));
                }
            });
        }
    });
    let history = disk.history();
    let mut flushed = [0; 8];
    for at in 0..=history.events().len() {
        if let Some(Event::Mark(mark)) = at.checked_sub(1).map(|last| &history.events()[last]) {
            flushed[(mark >> 8) as usize] = *mark as u8;
        }
        let image = super::firsts(&history.image(at, Policy::FlushedOnly, 0));
        for (thread, round) in flushed.iter().enumerate() {
            assert!(image[thread * 8] >= *round, "thread {thread} lost round {round}");
        }
    }
}
