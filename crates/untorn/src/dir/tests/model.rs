//! Directories that grow and shrink between the inode and a block, against a map.

use super::memory::{Contents, Failure, MemoryFork, geometry};
use crate::dir::{self, small::Added};
use proptest::prelude::*;
use std::collections::BTreeMap;
use untorn_format::Ino;
use untorn_format::dir::{Block, FileType, NewEntry, Short, entry_size};

type Model = BTreeMap<Vec<u8>, Ino>;

const PARENT: Ino = Ino(128);
/// An inode number that needs eight bytes.
const WIDE: u64 = (1 << 33) + 128;

fn new_fork(room: usize, dir_block_log: u8) -> MemoryFork {
    let contents = Contents::Nothing;
    let mut fork = MemoryFork { geometry: geometry(dir_block_log), ino: Ino(777), room, contents };
    dir::init(&mut fork, PARENT).unwrap();
    fork
}

fn entry(name: &[u8], ino: Ino) -> NewEntry<'_> {
    NewEntry { name, ino, file_type: FileType::Regular }
}

/// Names and inodes without `.` and `..`, which are checked.
fn listed(fork: &MemoryFork) -> Model {
    match &fork.contents {
        Contents::Nothing => panic!("a directory without contents"),
        Contents::Inline(bytes) => {
            let short = Short::parse(bytes).unwrap();
            assert_eq!(short.parent(), PARENT);
            let entries = short.entries().map(|entry| entry.unwrap());
            entries.map(|entry| (entry.name.to_vec(), entry.ino)).collect()
        }
        Contents::Block(bytes) => {
            let block = Block::parse(bytes).unwrap();
            let entries = block.entries().map(|entry| entry.unwrap());
            let mut found: Model = entries.map(|e| (e.name.to_vec(), e.ino)).collect();
            assert_eq!(found.remove(b".".as_slice()), Some(fork.ino));
            assert_eq!(found.remove(b"..".as_slice()), Some(PARENT));
            found
        }
    }
}

/// Bytes that a short form of the model takes.
fn short_size(model: &Model) -> usize {
    let wide = model.values().any(|ino| ino.0 > u64::from(u32::MAX));
    let ino = if wide { 8 } else { 4 };
    2 + ino + model.keys().map(|name| 3 + name.len() + 1 + ino).sum::<usize>()
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<u8>, Ino),
    Remove(usize),
    Replace(usize, Ino),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let ino = || prop_oneof![9 => 200u64..90_000, 1 => (1u64 << 33) + 64..1 << 34].prop_map(Ino);
    let name = proptest::collection::vec(b'a'..=b'z', 1..40);
    let add = (name, ino()).prop_map(|(name, ino)| Op::Add(name, ino));
    let remove = any::<usize>().prop_map(Op::Remove);
    let replace = (any::<usize>(), ino()).prop_map(|(index, ino)| Op::Replace(index, ino));
    proptest::collection::vec(prop_oneof![5 => add, 4 => remove, 1 => replace], 1..150)
}

fn pick(model: &Model, index: usize) -> Option<Vec<u8>> {
    model.keys().nth(index.checked_rem(model.len())?).cloned()
}

fn apply(fork: &mut MemoryFork, model: &mut Model, op: &Op) {
    match op {
        Op::Add(name, ino) if !model.contains_key(name) => {
            dir::small::try_add(fork, entry(name, *ino)).unwrap();
            model.insert(name.clone(), *ino);
        }
        Op::Add(..) => {}
        Op::Remove(index) => {
            let Some(name) = pick(model, *index) else { return };
            assert_eq!(dir::small::remove(fork, &name), Ok(model.remove(&name)));
            assert_eq!(dir::small::remove(fork, &name), Ok(None));
        }
        Op::Replace(index, ino) => {
            let Some(name) = pick(model, *index) else { return };
            let was = dir::small::replace(fork, &name, *ino, FileType::Fifo);
            assert_eq!(was, Ok(model.insert(name, *ino)));
        }
    }
}

proptest! {
    #[test]
    fn directories_hold_what_was_added_in_either_form_model(ops in ops(), room in 60usize..336) {
        let mut fork = new_fork(room, 1);
        let mut model = Model::new();
        for op in &ops {
            apply(&mut fork, &mut model, op);
            fork.verify();
            prop_assert_eq!(&listed(&fork), &model);
            prop_assert_eq!(dir::small::is_empty(&mut fork), Ok(model.is_empty()));
            if short_size(&model) > room {
                prop_assert!(matches!(fork.contents, Contents::Block(_)));
            } else if matches!(op, Op::Remove(_)) {
                prop_assert!(matches!(fork.contents, Contents::Inline(_)));
            }
        }
    }
}

#[test]
fn a_full_block_says_so_and_stays_as_it_is() {
    let mut fork = new_fork(200, 0);
    let name = |number: u32| format!("{number:0>100}").into_bytes();
    let per_entry = entry_size(100) + 8;
    let fits = (4096 - 64 - 8 - 2 * (16 + 8)) / per_entry;
    for number in 0..fits as u32 {
        dir::small::try_add(&mut fork, entry(&name(number), Ino(500))).unwrap();
    }
    let full = dir::small::try_add(&mut fork, entry(&name(9999), Ino(500)));
    assert_eq!(full, Ok(Added::NoRoom));
    fork.verify();
    assert_eq!(listed(&fork).len(), fits);
}

#[test]
fn the_entry_of_the_directory_above_changes_in_either_form() {
    let mut fork = new_fork(30, 0);
    let is_block = |fork: &MemoryFork| matches!(fork.contents, Contents::Block(_));
    let replace = |fork: &mut MemoryFork, ino| {
        dir::small::replace(fork, b"..", Ino(ino), FileType::Directory).unwrap()
    };
    dir::small::try_add(&mut fork, entry(b"sixteen-byte-nam", Ino(500))).unwrap();
    assert_eq!(replace(&mut fork, 129), Some(PARENT));
    assert!(!is_block(&fork));
    // Eight bytes for every inode number no longer fit.
    assert_eq!(replace(&mut fork, WIDE), Some(Ino(129)));
    assert!(is_block(&fork));
    fork.verify();
    assert_eq!(replace(&mut fork, PARENT.0), Some(Ino(WIDE)));
    assert_eq!(listed(&fork).len(), 1);
}

#[test]
fn damage_is_told_and_nothing_is_changed() {
    let mut fork = new_fork(300, 0);
    dir::small::try_add(&mut fork, entry(b"name", Ino(500))).unwrap();
    let Contents::Inline(bytes) = &mut fork.contents else { panic!("a short form") };
    bytes[1] = 3;
    let before = fork.contents.clone();
    let told = dir::small::try_add(&mut fork, entry(b"other", Ino(501)));
    assert!(matches!(told, Err(Failure::Corrupt(_))));
    assert!(matches!(dir::small::remove(&mut fork, b"name"), Err(Failure::Corrupt(_))));
    assert!(matches!(dir::small::is_empty(&mut fork), Err(Failure::Corrupt(_))));
    assert_eq!(fork.contents, before);
}
