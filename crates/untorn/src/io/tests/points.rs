//! The eight points of the begin step, one test each, and what holds around them.

use super::super::Request;
use super::super::begin::Begun;
use super::{BLOCK, Bench};
use crate::inode::CowSpan;
use crate::{Error, Sync};
use std::cell::RefCell;
use std::sync::Once;
use tracing::field::{Field, Visit};
use untorn_format::FileBlock;

fn begin(bench: &Bench, blocks: std::ops::Range<u64>) -> Begun<'_> {
    let request =
        Request { offset: blocks.start * BLOCK, length: (blocks.end - blocks.start) * BLOCK };
    Begun::new(bench.core(), bench.inode(), request, vec![blocks]).unwrap()
}

#[test]
fn h2_point_a_a_larger_allocation_is_trimmed_before_it_is_marked() {
    let mut bench = Bench::new();
    bench.write(0, 64 * BLOCK, 1);
    let begun = begin(&bench, 40..42);
    let cow = bench.inode().cow.lock();
    assert!(matches!(cow.at(FileBlock(40), 64), CowSpan::InFlight { end: 42, .. }));
    // The hint claimed 32..64; what is not the write's stays idle.
    assert!(matches!(cow.at(FileBlock(39), 64), CowSpan::Idle { end: 40, .. }));
    assert!(matches!(cow.at(FileBlock(42), 64), CowSpan::Idle { end: 64, .. }));
    assert_eq!(cow.idle_blocks(), 30);
    drop(cow);
    drop(begun);
    bench.judge("point A");
}

#[test]
fn h3_point_b_exactly_the_smaller_mapping_is_marked_and_the_rest_gets_its_own() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.idle(3..4);
    let begun = begin(&bench, 2..6);
    let covered: u64 = begun.pieces.iter().map(|piece| piece.length).sum();
    assert_eq!(covered, 4);
    assert!(begun.pieces.len() >= 3, "the idle block stands alone: {:?}", begun.pieces);
    drop(begun);
    bench.judge("point B");
}

#[test]
fn h1_point_c_a_delayed_allocation_becomes_blocks_before_io() {
    let mut bench = Bench::new();
    bench.write(0, 16 * BLOCK, 1);
    bench.delalloc(2..10);
    let begun = begin(&bench, 4..6);
    assert_eq!(begun.pieces.iter().map(|piece| piece.length).sum::<u64>(), 2);
    let cow = bench.inode().cow.lock();
    assert_eq!(cow.at(FileBlock(3), 16), CowSpan::Delalloc { end: 4 });
    assert_eq!(cow.at(FileBlock(6), 16), CowSpan::Delalloc { end: 10 });
    drop(cow);
    drop(begun);
    bench.judge("point C");
}

#[test]
fn h10_point_d_a_hole_reaches_no_further_than_the_write() {
    let mut bench = Bench::new();
    bench.write(0, BLOCK, 1);
    // An idle piece far away: the hole up to it is huge, the write is one block.
    bench.idle(1 << 30..(1 << 30) + 1);
    let before = bench.core().free_for_data().unwrap();
    let begun = begin(&bench, 5..6);
    assert_eq!(before - bench.core().free_for_data().unwrap(), 1);
    drop(begun);
    assert_eq!(before, bench.core().free_for_data().unwrap());
    bench.judge("point D");
}

thread_local! {
    /// Events of this thread, while it listens.
    static HEARD: RefCell<Option<Vec<Seen>>> = const { RefCell::new(None) };
}

/// Hears the events of every thread, for as long as the tests run: a listener of one thread alone
/// misses events that another thread meets first.
struct Ear;

/// The events of `body`.
fn heard(body: impl FnOnce()) -> Vec<Seen> {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| tracing::subscriber::set_global_default(Ear).unwrap());
    tracing::callsite::rebuild_interest_cache();
    HEARD.set(Some(Vec::new()));
    body();
    HEARD.take().unwrap()
}

/// Name, offset and length of an event.
type Seen = (&'static str, u64, u64);

#[derive(Default)]
struct Fields {
    offset: u64,
    length: u64,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "offset" => self.offset = value,
            "length" => self.length = value,
            _ => {}
        }
    }
    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

impl tracing::Subscriber for Ear {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let name = event.metadata().name();
        let seen = (name, fields.offset, fields.length);
        HEARD.with_borrow_mut(|heard| heard.iter_mut().for_each(|heard| heard.push(seen)));
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[test]
fn h7_point_e_events_carry_the_callers_offset_and_length() {
    let mut bench = Bench::new();
    bench.write(0, 20 * BLOCK, 1);
    bench.idle(3..4);
    bench.delalloc(5..9);
    let (offset, length) = (2 * BLOCK + 11, 5 * BLOCK + 7);
    let seen = heard(|| {
        bench.file.write_atomic(offset, &vec![9; length as usize], Sync::Visible).unwrap();
        drop(begin(&bench, 1..2));
    });
    let names: Vec<_> = seen.iter().map(|event| event.0).collect();
    assert_eq!(names.first(), Some(&"atomic_write_begin"));
    assert!(names.contains(&"mapping_found") && names.contains(&"atomic_write_commit"));
    assert_eq!(names.last(), Some(&"atomic_write_abort"));
    let aborted = seen.iter().rposition(|event| event.0 == "atomic_write_begin").unwrap();
    assert!(seen[..aborted].iter().all(|event| (event.1, event.2) == (offset, length)), "{seen:?}");
    assert!(seen[aborted..].iter().all(|event| (event.1, event.2) == (BLOCK, BLOCK)), "{seen:?}");
}

#[test]
#[should_panic(expected = "cannot be taken for a write")]
fn h6_h34_point_f_what_is_not_idle_is_never_marked() {
    let bench = Bench::new();
    bench.delalloc(0..2);
    bench.inode().cow.lock().begin_write(0..2, crate::inode::WriteId(1));
}

#[test]
fn point_g_blocks_in_flight_end_with_their_write() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    let begun = begin(&bench, 2..4);
    assert!(matches!(bench.inode().cow.lock().at(FileBlock(2), 8), CowSpan::InFlight { .. }));
    drop(begun);
    assert!(!matches!(bench.inode().cow.lock().at(FileBlock(2), 8), CowSpan::InFlight { .. }));
    bench.judge("point G");
}

#[test]
fn point_h_a_write_past_the_largest_size_is_refused_whole() {
    let bench = Bench::new();
    let free = bench.core().free_for_data().unwrap();
    let limit = super::super::largest_file(bench.core());
    for offset in [limit - 3, limit, u64::MAX] {
        let refused = bench.file.write_atomic(offset, &[1; 4], Sync::Visible);
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    assert_eq!(bench.file.size().unwrap(), 0);
    assert_eq!(free, bench.core().free_for_data().unwrap());
    bench.judge("point H");
}

#[test]
fn h25_overlapping_writes_take_effect_one_after_the_other() {
    let mut bench = Bench::new();
    bench.write(0, 16 * BLOCK, 1);
    std::thread::scope(|scope| {
        for byte in 2..8u8 {
            let file = &bench.file;
            scope.spawn(move || {
                for round in 0..30 {
                    let offset = u64::from(byte % 3) * 2 * BLOCK + round % 2 * 100;
                    let bytes = vec![byte; (6 * BLOCK) as usize];
                    file.write_atomic(offset, &bytes, Sync::Visible).unwrap();
                    let mut seen = vec![0; BLOCK as usize];
                    file.read_at(8 * BLOCK, &mut seen).unwrap();
                    assert!(seen.windows(2).all(|w| w[0] == w[1]) || seen[0] != seen[4095]);
                }
            });
        }
    });
    bench.model = Bench::contents(&bench.file);
    bench.judge("overlap");
}

#[test]
fn a_full_volume_refuses_and_keeps_the_old_bytes() {
    let mut bench = Bench::new();
    bench.write(0, 10 * BLOCK, 1);
    let filler = bench.volume.create_file("/filler", crate::NewFile::default()).unwrap();
    let piece = vec![7; 1 << 20];
    let mut at = 0;
    while filler.write_atomic(at, &piece, Sync::Visible).is_ok() {
        at += piece.len() as u64;
    }
    let refused = bench.file.write_atomic(0, &vec![9; 4 << 20], Sync::Visible);
    assert!(matches!(refused, Err(Error::NoSpace { .. })), "{refused:?}");
    bench.volume.remove("/filler").unwrap();
    bench.write(5, 3 * BLOCK, 8);
    bench.judge("full");
}

#[test]
fn a_write_larger_than_the_journal_can_carry_is_refused_with_the_limit() {
    let mut bench = Bench::new();
    bench.write(0, BLOCK, 1);
    let limit = bench.core().store.largest_transaction();
    let refused = bench.core().store.begin(limit + 1).err();
    assert!(matches!(refused, Some(untorn_store::StoreError::TooLarge { .. })), "{refused:?}");
    bench.judge("too large");
}

#[test]
fn extent_maps_grow_into_a_tree_and_shrink_back() {
    let mut bench = Bench::new();
    for block in (0..800).step_by(2) {
        bench.write(block * BLOCK, BLOCK, block as u8);
    }
    assert!(bench.extents().len() > 300);
    bench.write(0, 800 * BLOCK, 42);
    assert!(bench.extents().len() < 20, "{}", bench.extents().len());
    bench.judge("grow and shrink");
}

#[test]
fn h5_writers_of_neighbouring_blocks_share_the_cow_fork() {
    let mut bench = Bench::new();
    bench.write(0, 64 * BLOCK, 1);
    std::thread::scope(|scope| {
        for writer in 0..4u64 {
            let file = &bench.file;
            scope.spawn(move || {
                for round in 0..150u64 {
                    let block = (round * 7 + writer) % 16 * 4 + writer;
                    let bytes = vec![(10 + writer) as u8; BLOCK as usize];
                    file.write_atomic(block * BLOCK, &bytes, Sync::Visible).unwrap();
                }
            });
        }
    });
    for block in 0..64 {
        bench.expect(block * BLOCK, &vec![(10 + block % 4) as u8; BLOCK as usize]);
    }
    bench.judge("neighbours");
}

#[test]
fn files_are_made_written_and_removed_by_many_threads() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    std::thread::scope(|scope| {
        for writer in 0..3u8 {
            let volume = bench.volume.clone();
            scope.spawn(move || {
                for round in 0..40 {
                    let name = format!("/{writer}-{}", round % 5);
                    let file = volume.create_file(&name, crate::NewFile::default()).unwrap();
                    file.write_atomic(100, &[writer + 1; 9000], Sync::Visible).unwrap();
                    let mut bytes = [0; 100];
                    file.read_at(5000, &mut bytes).unwrap();
                    assert_eq!(bytes, [writer + 1; 100]);
                    volume.remove(&name).unwrap();
                    assert!(file.write_atomic(0, &[9; 10], Sync::Visible).is_err());
                }
            });
        }
    });
    bench.judge("many threads");
}
