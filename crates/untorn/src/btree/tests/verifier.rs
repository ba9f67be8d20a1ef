//! Every invariant of a tree, checked from the format's offsets and not with the tree's own eyes.

use super::memory::{Memory, RootBytes};
use crate::btree::TreeKind;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use untorn_format::btree::{BtreeKind, Header, Links, root};

struct Seen {
    /// Blocks of each level from left to right.
    levels: Vec<Vec<u64>>,
    records: Vec<Vec<u8>>,
}

/// Checks `memory` and gives the records of its tree in order.
pub(crate) fn check<K: TreeKind>(kind: K, memory: &Memory) -> Vec<K::Record> {
    let mut seen = Seen { levels: vec![Vec::new(); memory.levels() as usize], records: Vec::new() };
    match &memory.root {
        RootBytes::Block { ptr, levels } => {
            block(memory, *ptr, *levels as u16 - 1, Role::Root, &mut seen);
        }
        RootBytes::Fork(bytes) => fork(memory, bytes, &mut seen),
    }
    check_links(memory, &seen);
    let reached: BTreeSet<u64> = seen.levels.iter().flatten().copied().collect();
    let held: BTreeSet<u64> = memory.blocks.keys().copied().collect();
    assert_eq!(
        reached.len(),
        seen.levels.iter().map(Vec::len).sum::<usize>(),
        "a block is reached twice"
    );
    assert_eq!(reached, held, "blocks reached and blocks held");
    for pair in seen.records.windows(2) {
        let order =
            memory.kind.compare_keys(&low(memory.kind, &pair[0]), &low(memory.kind, &pair[1]));
        assert_eq!(order, Ordering::Less, "records must ascend");
    }
    seen.records.iter().map(|bytes| kind.decode(bytes).unwrap()).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Root,
    OnlyChildOfFork,
    Node,
}

fn low(kind: BtreeKind, record: &[u8]) -> Vec<u8> {
    let mut key = vec![0; kind.key_size()];
    kind.key_of(record, &mut key);
    key
}

fn high(kind: BtreeKind, record: &[u8]) -> Vec<u8> {
    let mut key = vec![0; kind.key_size()];
    kind.high_key_of(record, &mut key);
    key
}

/// Checks the subtree of block `ptr`: its lowest and highest key.
fn block(memory: &Memory, ptr: u64, level: u16, role: Role, seen: &mut Seen) -> (Vec<u8>, Vec<u8>) {
    let (kind, bytes) = (memory.kind, &memory.blocks[&ptr]);
    let header = Header::decode(kind, bytes).unwrap();
    let count = usize::from(header.numrecs);
    assert_eq!(header.level, level, "level of block {ptr}");
    assert!(count <= kind.max_records(memory.size, level), "block {ptr} is too full");
    if role == Role::Node {
        assert!(count >= kind.min_records(memory.size, level), "block {ptr} has {count} entries");
    }
    assert!(count > 0 || role != Role::Node && level == 0);
    assert!(role != Role::Root || level == 0 || count > 1, "a root with a single child");
    seen.levels[usize::from(level)].push(ptr);
    let spreads: Vec<_> = (0..count)
        .map(|index| match level {
            0 => {
                let at = kind.record_offset(index);
                let record = bytes[at..at + kind.record_size()].to_vec();
                let low = low(kind, &record);
                let high = if kind.has_high_keys() { high(kind, &record) } else { low.clone() };
                seen.records.push(record);
                (low, high)
            }
            _ => {
                let at = kind.pointer_offset(memory.size, index);
                let child = pointer(&bytes[at..at + kind.pointer_size()]);
                let spread = block(memory, child, level - 1, Role::Node, seen);
                let at = kind.key_offset(index);
                assert_eq!(bytes[at..at + kind.key_size()], spread.0, "key {index} of block {ptr}");
                if kind.has_high_keys() {
                    let at = kind.high_key_offset(index);
                    assert_eq!(
                        bytes[at..at + kind.key_size()],
                        spread.1,
                        "highest key {index} of block {ptr}"
                    );
                }
                spread
            }
        })
        .collect();
    let low = spreads.first().map(|spread| spread.0.clone()).unwrap_or_default();
    let high = spreads.into_iter().map(|spread| spread.1);
    (low, high.max_by(|a, b| kind.compare_keys(a, b)).unwrap_or_default())
}

fn pointer(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn fork(memory: &Memory, bytes: &[u8], seen: &mut Seen) {
    let decoded = root::Root::decode(bytes).unwrap();
    seen.levels.truncate(usize::from(decoded.level));
    let role = if decoded.children.len() == 1 { Role::OnlyChildOfFork } else { Role::Node };
    for (key, child) in &decoded.children {
        let records = seen.records.len();
        let spread = block(memory, child.0, decoded.level - 1, role, seen);
        if seen.records.len() > records {
            assert_eq!(key.0.to_be_bytes()[..], spread.0, "key of the fork");
        }
    }
    if role == Role::OnlyChildOfFork && decoded.level > 1 {
        let only = Header::decode(memory.kind, &memory.blocks[&decoded.children[0].1.0]).unwrap();
        assert!(
            usize::from(only.numrecs) > root::max_records(bytes.len())
                || usize::from(only.numrecs) >= memory.kind.min_records(memory.size, only.level),
            "the fork could hold the few entries of its only child"
        );
    }
}

fn check_links(memory: &Memory, seen: &Seen) {
    for level in &seen.levels {
        for (index, ptr) in level.iter().enumerate() {
            let links = Links {
                left: index.checked_sub(1).map(|left| level[left]),
                right: level.get(index + 1).copied(),
            };
            let header = Header::decode(memory.kind, &memory.blocks[ptr]).unwrap();
            assert_eq!(header.links, links, "neighbours of block {ptr}");
        }
    }
}
