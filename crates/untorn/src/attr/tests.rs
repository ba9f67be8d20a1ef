//! Attribute indexes that do not fit together: readers end, with a fault. What Linux says of them
//! is in `da::tests`.

use super::{Attributes, Listed};
use crate::da::tests::made::MadeFork;
use untorn_format::BlockKind::DaNode;
use untorn_format::Fault;
use untorn_format::attr::Namespace;
use untorn_format::da::hash_name;

fn list(fork: &mut MadeFork) -> Result<Vec<Listed>, Fault> {
    Attributes { inline: None, blocks: fork }.list()
}

fn field<T: std::fmt::Debug>(fault: Result<T, Fault>) -> &'static str {
    match fault {
        Err(Fault::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fork_without_blocks_has_no_attributes() {
    let mut fork = MadeFork::new();
    assert_eq!(list(&mut fork), Ok(Vec::new()));
    let mut attributes = Attributes { inline: None, blocks: fork };
    assert_eq!(attributes.value(Namespace::User, b"name"), Ok(None));
}

#[test]
fn a_leaf_may_be_empty() {
    let mut fork = MadeFork::new();
    fork.attr_leaf(0, (0, 0), &[]);
    assert_eq!(list(&mut fork), Ok(Vec::new()));
}

#[test]
fn equal_hashes_are_followed_from_leaf_to_leaf() {
    let mut fork = MadeFork::new();
    let hash = hash_name(b"name");
    fork.index(0, DaNode, (0, 0), 1, &[(hash, 1), (hash, 2)]);
    fork.attr_leaf(1, (0, 2), &[(hash, b"no"), (hash, b"neither")]);
    fork.attr_leaf(2, (1, 0), &[(hash, b"nor this"), (hash, b"name")]);
    let mut attributes = Attributes { inline: None, blocks: &mut fork };
    assert_eq!(attributes.value(Namespace::User, b"name"), Ok(Some(b"v".to_vec())));
    assert_eq!(attributes.value(Namespace::Security, b"name"), Ok(None));
    assert_eq!(list(&mut fork).map(|listed| listed.len()), Ok(4));
}

#[test]
fn leaves_in_a_ring_are_a_fault() {
    let mut fork = MadeFork::new();
    let hash = hash_name(b"name");
    fork.index(0, DaNode, (0, 0), 1, &[(u32::MAX, 1)]);
    fork.attr_leaf(1, (2, 2), &[(hash, b"one")]);
    fork.attr_leaf(2, (1, 1), &[(hash, b"two")]);
    assert_eq!(field(list(&mut fork)), "forw");
    let mut attributes = Attributes { inline: None, blocks: fork };
    assert_eq!(field(attributes.value(Namespace::User, b"name")), "forw");
}
