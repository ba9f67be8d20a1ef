//! Searching a node: a guess where a rank lies never changes what is found.

use crate::btree::kinds::{Extents, TreeKind};
use crate::btree::node::{Edit, Entry, Home, Node};
use proptest::prelude::*;
use untorn_format::records::{Extent, ExtentState};
use untorn_format::{FileBlock, FsBlock};

/// A leaf of 4 KiB with `records`, in order.
fn leaf<K: TreeKind>(kind: K, records: &[K::Record]) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    let mut edit = Edit::<K>::open(Home::Block, &mut bytes).unwrap();
    for (index, record) in records.iter().enumerate() {
        edit.insert(index, &Entry::record(kind, record));
    }
    bytes
}

/// Ascending numbers whose distances differ by orders of magnitude.
fn uneven(most: usize) -> impl Strategy<Value = Vec<u64>> {
    let step = prop_oneof![1..4_u64, 1..1000_u64, 1..1_000_000_u64, 1..(1_u64 << 44)];
    prop::collection::vec(step, 0..most).prop_map(|steps| {
        let mut at = 0;
        steps.into_iter().map(|step| (at, at += step).0).collect()
    })
}

proptest! {
    #[test]
    fn a_guess_finds_what_halving_finds_model(
        files in uneven(250),
        (low, high) in (0..1_u64 << 52, 0..1_u64 << 52),
        wanted in prop::collection::vec((any::<prop::sample::Index>(), 0..3_u64), 1..50),
        anywhere in 0..1_u64 << 53,
    ) {
        let record = |file: &u64| Extent {
            file: FileBlock(*file),
            start: FsBlock(1),
            length: 1,
            state: ExtentState::Written,
        };
        let records: Vec<_> = files.iter().map(record).collect();
        let bytes = leaf(Extents, &records);
        let node = Node::<Extents>::open(Home::Block, &bytes).unwrap();
        let near = wanted.iter().map(|(index, by)| match files.len() {
            0 => *by,
            count => (files[index.index(count)] + by).saturating_sub(1),
        });
        // Spans that hold the ranks, hold some, are empty, upside down.
        let first = files.first().copied().unwrap_or(0);
        let last = files.last().copied().unwrap_or(0);
        let spans = [(first, last + 1), (first, last), (0, u64::MAX), (low, high), (low, low)];
        for rank in near.chain([anywhere]).map(FileBlock) {
            let found = node.partition(|other| other < rank);
            prop_assert_eq!(node.position(rank, None), found);
            for (low, high) in spans {
                let span = Some((FileBlock(low), FileBlock(high)));
                prop_assert_eq!(node.position(rank, span), found, "{:?} in {:?}", rank, span);
            }
        }
    }
}
