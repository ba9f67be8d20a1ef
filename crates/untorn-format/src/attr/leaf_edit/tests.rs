//! Leaves against a sorted list, and leaves that lie.

use super::*;
use crate::{DiskAddr, Ino};
use proptest::prelude::*;

const BIRTH: Birth = Birth { uuid: [5; 16], addr: DiskAddr(64), owner: Ino(131) };

fn entry() -> impl Strategy<Value = Entry> {
    let name = proptest::collection::vec(any::<u8>(), 1..=255);
    let value = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(EntryValue::Local),
        (1..1000u32, 1..65536usize)
            .prop_map(|(block, length)| EntryValue::Remote { block: DaBlock(block), length }),
    ];
    (0..6u32, name, value, any::<bool>()).prop_map(|(hash, name, value, whole)| {
        let state = if whole { State::Complete } else { State::Incomplete };
        Entry { hash, namespace: Namespace::Security, state, name, value }
    })
}

/// What Linux and xfs_repair demand of the header.
fn check_header(bytes: &[u8], entries: &[Entry]) {
    super::super::leaf::account(bytes).unwrap();
    let header: &Header = crate::bytes::view(WHAT, bytes, 0).unwrap();
    let used: usize = entries.iter().map(Entry::name_size).sum();
    assert_eq!(usize::from(header.used_bytes.get()), used % 65536);
    let leaf = Leaf::parse(bytes).unwrap();
    let first = leaf.entries().iter().map(|e| usize::from(e.name_index.get())).min();
    assert_eq!(leaf.first_used(), first.unwrap_or(bytes.len()));
    assert_eq!(header.holes == 0, leaf.first_used() + used == bytes.len());
    let [run, ..] = header.free_map;
    let index_end = HEADER + entries.len() * INDEX;
    let gap = leaf.first_used() - index_end;
    assert_eq!(usize::from(run.size.get()), gap);
    assert_eq!(usize::from(run.base.get()), if gap == 0 { 0 } else { index_end });
}

proptest! {
    #[test]
    fn leaves_hold_what_was_added_model(
        steps in proptest::collection::vec((entry(), any::<u16>(), any::<bool>()), 1..60),
        size in prop_oneof![Just(1024usize), Just(4096), Just(65536)],
    ) {
        let mut bytes = vec![0; size];
        init(&mut bytes, &BIRTH);
        let mut model: Vec<Entry> = Vec::new();
        for (entry, pick, removes) in steps {
            if removes && !model.is_empty() {
                let index = usize::from(pick) % model.len();
                model.remove(index);
                remove(&mut bytes, index).unwrap();
            } else {
                let taken: usize = model.iter().map(Entry::size).sum();
                let fits = taken + entry.size() <= room(size);
                let before = bytes.clone();
                prop_assert_eq!(add(&mut bytes, &entry).unwrap() == Fit::Done, fits);
                if fits {
                    let at = model.partition_point(|other| other.hash <= entry.hash);
                    model.insert(at, entry);
                } else {
                    prop_assert_eq!(&before, &bytes);
                }
            }
            prop_assert_eq!(&entries(&bytes).unwrap(), &model);
            check_header(&bytes, &model);
        }
        prop_assert_eq!(fill(&mut bytes, &model).unwrap(), Fit::Done);
        prop_assert_eq!(&entries(&bytes).unwrap(), &model);
        check_header(&bytes, &model);
    }

    #[test]
    fn leaves_that_lie_are_refused_or_harmless(
        mut bytes in proptest::collection::vec(any::<u8>(), 1024..=1024),
        count in 0..40u16,
        first in any::<u16>(),
        new in entry(),
        index in 0..40usize,
    ) {
        bytes[8..10].copy_from_slice(&MAGIC.to_be_bytes());
        bytes[56..58].copy_from_slice(&count.to_be_bytes());
        bytes[60..62].copy_from_slice(&(first % 1024).to_be_bytes());
        let _ = entries(&bytes);
        let _ = add(&mut bytes.clone(), &new);
        if index < usize::from(count) {
            let _ = remove(&mut bytes, index);
        }
    }
}

#[test]
fn three_quarters_of_a_block_leave_the_leaf() {
    // 3 bytes of header, a name of 5: the whole, rounded up to 4, stays below 3072.
    assert!(is_local(5, 3060, 4096));
    assert!(!is_local(5, 3061, 4096));
    assert!(!is_local(255, 65536, 65536));
    assert!(is_local(255, 12, 1024));
}
