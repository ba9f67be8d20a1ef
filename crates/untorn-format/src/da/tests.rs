//! Name hashes against values that xfs_db computed, and nodes that lie.

use super::*;
use crate::bytes::{put, view_mut};
use zerocopy::IntoBytes;

#[test]
fn names_hash_as_xfs_db_hashes_them_xfsprogs() {
    let known: [(&[u8], u32); 9] = [
        (b"a", 0x61),
        (b"ab", 0x30e2),
        (b"abc", 0x187163),
        (b"abcd", 0xc38b1e4),
        (b".", 0x2e),
        (b"..", 0x172e),
        (b"lost+found", 0x21aa60c),
        (b"a-very-long-name-with-many-words", 0x825280ec),
        (b"ABCdef", 0x287930ea),
    ];
    for (name, hash) in known {
        assert_eq!(hash_name(name), hash, "{}", name.escape_ascii());
    }
}

#[test]
fn letters_fold_only_in_the_other_hash() {
    assert_eq!(hash_name_ascii_ci(b"\xc4bC"), hash_name_ascii_ci(b"\xe4Bc"));
    assert_eq!(hash_name_ascii_ci(b"abcdef"), hash_name(b"abcdef"));
    assert_ne!(hash_name(b"A"), hash_name(b"a"));
}

fn node(level: u16, count: u16, entries: &[(u32, u32)]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let header: &mut NodeHeader = view_mut("node", &mut bytes, 0).unwrap();
    header.info.magic.set(node::MAGIC);
    header.level.set(level);
    header.count.set(count);
    for (index, &(hash, before)) in entries.iter().enumerate() {
        let entry = NodeEntry { hash: hash.into(), before: before.into() };
        put("node", &mut bytes, 64 + 8 * index, entry.as_bytes()).unwrap();
    }
    bytes
}

#[test]
fn a_lookup_takes_the_first_child_that_may_hold_the_hash() {
    let bytes = node(1, 4, &[(10, 1), (20, 2), (20, 3), (30, 4)]);
    let node = Node::parse(&bytes).unwrap();
    for (hash, child) in [(0, 1), (10, 1), (11, 2), (20, 2), (21, 4), (30, 4)] {
        assert_eq!(node.child_for(hash), Some(DaBlock(child)), "hash {hash}");
    }
    assert_eq!(node.child_for(31), None);
}

#[test]
fn nodes_without_children_or_of_impossible_levels_are_faults() {
    assert!(Node::parse(&node(1, 0, &[])).is_err());
    assert!(Node::parse(&node(0, 1, &[])).is_err());
    assert!(Node::parse(&node(MAX_LEVEL + 1, 1, &[])).is_err());
    assert!(Node::parse(&node(1, 121, &[])).is_err());
    assert!(Node::parse(&node(1, 120, &[])).is_ok());
    assert!(Node::parse(&[]).is_err());
}
