//! Pages of a file against a map of single pages.

use super::*;
use proptest::prelude::*;

fn page(byte: u8) -> PageBytes {
    Arc::new(BufferPool::new(512, 8).copy_of(&[byte; 512]))
}

#[test]
fn memory_is_charged_for_pages_and_returned_with_them() {
    let memory = Arc::new(PageMemory::new(1 << 20, 512, 8));
    let mut pages = Pages::default();
    pages.charge_to(&memory);
    (0..8).for_each(|block| pages.insert(block, page(1)));
    pages.insert(3, page(9));
    pages.change(2).unwrap()[0] = 7;
    assert_eq!((memory.used(), memory.dirty()), (8 * 512, 512));
    pages.forget(2..4);
    assert_eq!((memory.used(), memory.dirty()), (6 * 512, 0));
    drop(pages);
    assert_eq!(memory.used(), 0);
}

#[test]
fn dirty_pages_and_pages_in_use_survive_a_sweep() {
    let memory = Arc::new(PageMemory::new(1 << 20, 512, 8));
    let mut pages = Pages::default();
    pages.charge_to(&memory);
    (0..6).for_each(|block| pages.insert(block, page(1)));
    pages.change(1);
    pages.get(2);
    assert_eq!(pages.evict(16), 4);
    assert!(pages.has(1) && pages.has(2));
    assert_eq!(pages.evict(16), 1, "what was spared once is not spared again");
    assert!(pages.has(1) && !pages.has(2));
}

#[test]
fn a_page_that_is_being_written_back_keeps_its_bytes() {
    let mut pages = Pages::default();
    pages.charge_to(&Arc::new(PageMemory::new(1 << 20, 512, 8)));
    pages.insert(5, page(1));
    pages.change(5).unwrap()[0] = 2;
    let runs = pages.dirty_runs(0..10, 10);
    pages.change(5).unwrap()[0] = 3;
    assert_eq!((runs[0].first, runs[0].pages[0][0]), (5, 2));
    assert_eq!(pages.get(5).unwrap()[0], 3);
}

/// A page at a time.
#[derive(Default)]
struct Twin(BTreeMap<u64, (u8, bool)>);

impl Twin {
    fn runs(&self, blocks: Range<u64>, most: usize) -> Vec<(u64, Vec<u8>)> {
        let mut runs: Vec<(u64, Vec<u8>)> = Vec::new();
        let dirty = self.0.range(blocks).filter(|(_, (_, dirty))| *dirty);
        for (&block, &(byte, _)) in dirty.take(most) {
            match runs.last_mut().filter(|(first, bytes)| first + bytes.len() as u64 == block) {
                Some((_, bytes)) => bytes.push(byte),
                None => runs.push((block, vec![byte])),
            }
        }
        runs
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u64, u8),
    Change(u64, u8),
    Clean(Range<u64>),
    Forget(Range<u64>),
    Evict(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let range = || (0..300_u64, 0..200_u64).prop_map(|(first, length)| first..first + length);
    prop_oneof![
        4 => (0..300_u64, any::<u8>()).prop_map(|(block, byte)| Step::Insert(block, byte)),
        4 => (0..300_u64, any::<u8>()).prop_map(|(block, byte)| Step::Change(block, byte)),
        1 => range().prop_map(Step::Clean),
        1 => range().prop_map(Step::Forget),
        1 => (1..100_usize).prop_map(Step::Evict),
    ]
}

fn apply(pages: &mut Pages, twin: &mut Twin, step: &Step) {
    match step {
        Step::Insert(block, byte) => {
            pages.insert(*block, page(*byte));
            twin.0.entry(*block).or_insert((*byte, false));
        }
        Step::Change(block, byte) => {
            let changed = pages.change(*block).map(|bytes| bytes[0] = *byte).is_some();
            assert_eq!(changed, twin.0.contains_key(block));
            twin.0.entry(*block).and_modify(|page| *page = (*byte, true));
        }
        Step::Clean(blocks) => {
            pages.clean(blocks.clone());
            twin.0.range_mut(blocks.clone()).for_each(|(_, page)| page.1 = false);
        }
        Step::Forget(blocks) => {
            pages.forget(blocks.clone());
            twin.0.retain(|block, _| !blocks.contains(block));
        }
        Step::Evict(most) => {
            let before = twin.0.len();
            let gone = pages.evict(*most);
            // Which ones is the sweep's affair; dirty pages never.
            twin.0.retain(|&block, (_, dirty)| *dirty || pages.has(block));
            assert_eq!(before - twin.0.len(), gone);
        }
    }
}

proptest! {
    #[test]
    fn pages_agree_with_single_ones_model(
        steps in proptest::collection::vec(step(), 1..120),
        first in 0..300_u64,
        length in 0..250_u64,
        most in 1..80_usize,
    ) {
        let memory = Arc::new(PageMemory::new(1 << 20, 512, 8));
        let (mut pages, mut twin) = (Pages::default(), Twin::default());
        pages.charge_to(&memory);
        for step in &steps {
            apply(&mut pages, &mut twin, step);
        }
        let asked = first..first + length;
        let dirty = twin.0.values().filter(|(_, dirty)| *dirty).count();
        prop_assert_eq!((memory.used(), memory.dirty()), (twin.0.len() * 512, dirty * 512));
        prop_assert_eq!((pages.dirty_bytes(), pages.all_clean()), (dirty * 512, dirty == 0));
        let runs: Vec<(u64, Vec<u8>)> = pages
            .dirty_runs(asked.clone(), most)
            .iter()
            .map(|run| (run.first, run.pages.iter().map(|page| page[0]).collect()))
            .collect();
        prop_assert_eq!(runs, twin.runs(asked.clone(), most));
        prop_assert_eq!(pages.any_dirty(asked.clone()), !twin.runs(asked.clone(), 1).is_empty());
        let found: Vec<_> =
            pages.find_all(asked.clone()).iter().map(|page| page.as_ref().map(|p| p[0])).collect();
        let expected: Vec<_> =
            asked.clone().map(|block| twin.0.get(&block).map(|page| page.0)).collect();
        prop_assert_eq!(found, expected);
        let missing: Vec<u64> = asked.clone().filter(|block| !twin.0.contains_key(block)).collect();
        prop_assert_eq!(pages.missing(asked.clone()), missing);
        let clean: Vec<u64> = pages.clean_runs(asked.clone()).into_iter().flatten().collect();
        let is_dirty = |block: &u64| twin.0.get(block).is_some_and(|page| page.1);
        let expected: Vec<u64> = asked.filter(|block| !is_dirty(block)).collect();
        prop_assert_eq!(clean, expected);
    }
}

#[test]
fn reads_that_follow_each_other_inside_blocks_are_read_ahead_of() {
    for length in [1000_u64, 4096, 5000, 12_345] {
        let mut course = Course::default();
        for at in (0..100).map(|read| read * length) {
            course.advance(&(at / 4096..(at + length).div_ceil(4096)), 512);
        }
        assert!(course.window >= 64, "{length}: {course:?}");
    }
    let mut course = Course::default();
    [5..6, 9..10, 3..4].iter().for_each(|read| course.advance(read, 512));
    assert_eq!(course.window, 0);
}
