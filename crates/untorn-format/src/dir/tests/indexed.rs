//! The blocks of directories with an index, each against a map or a list, verified after each
//! change as when it is read.

use super::super::leaf::{self, NO_BLOCK, Role};
use super::super::{data_block, free_edit, leaf_edit};
use super::*;
use crate::kind::BlockKind;

const BLOCK: usize = 1024;

#[track_caller]
fn verify(kind: BlockKind, bytes: &mut [u8]) {
    let geometry = geometry(10, (bytes.len() / BLOCK).ilog2() as u8);
    kind::seal(kind, bytes, Lsn(0));
    kind::verify(kind, bytes, &identity(&geometry)).unwrap();
}

/// Entries of a data block by where they stand.
type Standing = BTreeMap<usize, (Vec<u8>, u64)>;

fn standing(bytes: &[u8]) -> Standing {
    let entries = Data::parse(bytes).unwrap().entries().map(|entry| entry.unwrap());
    entries.map(|e| (e.offset, (e.name.to_vec(), e.ino.0))).collect()
}

fn apply_to_data(bytes: &mut [u8], model: &mut Standing, op: &Op) {
    let pick =
        |model: &Standing, index: usize| model.keys().nth(index.checked_rem(model.len())?).copied();
    match op {
        Op::Add(name, ino, code) => {
            let best = usize::from(data_block::best(bytes).unwrap());
            let entry = NewEntry { name, ino: Ino(*ino), file_type: super::file_type(*code) };
            let place = data_block::add(bytes, &entry).unwrap();
            assert_eq!(place.is_some(), entry_size(name.len()) <= best);
            if let Some(offset) = place {
                assert_eq!(model.insert(offset, (name.clone(), *ino)), None);
            }
        }
        Op::Remove(index) => {
            let Some(offset) = pick(model, *index) else { return };
            let ino = data_block::remove(bytes, offset).unwrap();
            assert_eq!(model.remove(&offset).map(|(_, ino)| ino), Some(ino.0));
        }
        Op::Replace(index, ino, code) => {
            let Some(offset) = pick(model, *index) else { return };
            let was =
                data_block::replace(bytes, offset, Ino(*ino), super::file_type(*code)).unwrap();
            let entry = model.get_mut(&offset).unwrap();
            assert_eq!(std::mem::replace(&mut entry.1, *ino), was.0);
        }
    }
}

fn entry(hash: u32, ptr: u32) -> LeafEntry {
    LeafEntry::new(hash, DataPtr(ptr))
}

/// Makes every entry stale whose index `stale` says, as Linux does when it removes.
fn make_stale(bytes: &mut [u8], stale: &[bool]) {
    let leaf = Leaf::parse(Role::BelowNode, bytes).unwrap();
    let pairs: Vec<_> = leaf.entries().iter().zip(stale).enumerate().collect();
    let gone: Vec<usize> = pairs.iter().filter(|(_, (_, s))| **s).map(|(i, _)| *i).collect();
    for index in &gone {
        bytes[64 + index * 8 + 4..64 + index * 8 + 8].fill(0);
    }
    bytes[58..60].copy_from_slice(&(gone.len() as u16).to_be_bytes());
}

proptest! {
    #[test]
    fn data_blocks_hold_what_was_added_model(ops in ops(), log in 0u8..4) {
        let mut bytes = vec![0x5a; BLOCK << log];
        data_block::init(&mut bytes, &birth());
        let mut model = Standing::new();
        for op in &ops {
            apply_to_data(&mut bytes, &mut model, op);
            verify(BlockKind::DirData, &mut bytes);
            prop_assert_eq!(&standing(&bytes), &model);
            prop_assert_eq!(data_block::is_empty(&bytes), Ok(model.is_empty()));
        }
    }

    #[test]
    fn leaves_hold_what_was_added_model(
        ops in proptest::collection::vec((any::<bool>(), 0u32..40, any::<usize>()), 1..400),
        stale in proptest::collection::vec(any::<bool>(), 0..80),
        aged in 0usize..200,
    ) {
        let mut bytes = vec![0x5a; BLOCK];
        leaf_edit::init(&mut bytes, &birth(), &[]);
        let mut model: Vec<LeafEntry> = Vec::new();
        for (number, &(add, hash, index)) in ops.iter().enumerate() {
            if number == aged {
                make_stale(&mut bytes, &stale);
                model = leaf_edit::entries(&bytes).unwrap();
            }
            if add {
                let new = entry(hash, number as u32 + 1);
                let now = leaf_edit::insert(&mut bytes, new).unwrap();
                prop_assert_eq!(now.is_some(), model.len() < leaf_edit::capacity(BLOCK));
                if now.is_some() {
                    model.insert(model.partition_point(|e| e.hash() <= hash), new);
                }
            } else if let Some(index) = index.checked_rem(model.len()) {
                let gone = model.remove(index);
                let leaf = Leaf::parse(Role::BelowNode, &bytes).unwrap();
                let place = leaf.places(gone.hash()).find(|&(_, ptr)| ptr == gone.ptr());
                let now = leaf_edit::remove(&mut bytes, place.unwrap().0).unwrap();
                prop_assert_eq!(now.live, model.len());
            }
            verify(BlockKind::DirLeafN, &mut bytes);
            prop_assert_eq!(leaf_edit::entries(&bytes).unwrap(), model.clone());
        }
    }

    #[test]
    fn single_leaves_hold_index_and_bests_model(
        mut hashes in proptest::collection::vec(any::<u32>(), 0..110),
        bests in proptest::collection::vec(any::<u16>(), 0..60),
    ) {
        hashes.sort_unstable();
        let entries: Vec<_> = (1..).zip(&hashes).map(|(ptr, &hash)| entry(hash, ptr)).collect();
        prop_assume!(leaf_edit::fits_single(BLOCK, entries.len(), bests.len()));
        let mut bytes = vec![0x5a; BLOCK];
        leaf_edit::init_single(&mut bytes, &birth(), &entries, &bests);
        verify(BlockKind::DirLeaf1, &mut bytes);
        prop_assert_eq!(leaf_edit::single(&bytes).unwrap(), (entries.clone(), bests.clone()));
        // Fewer of both leave nothing of what was there.
        let (fewer, short) = (&entries[..entries.len() / 2], &bests[..bests.len() / 2]);
        leaf_edit::fill_single(&mut bytes, fewer, short).unwrap();
        verify(BlockKind::DirLeaf1, &mut bytes);
        let mut anew = vec![0; BLOCK];
        leaf_edit::init_single(&mut anew, &birth(), fewer, short);
        kind::seal(BlockKind::DirLeaf1, &mut anew, Lsn(0));
        prop_assert_eq!(bytes, anew);
    }

    #[test]
    fn free_indexes_hold_the_bests_that_they_were_told_model(
        ops in proptest::collection::vec((0usize..480, proptest::option::of(0u16..1000)), 1..200),
    ) {
        let mut bytes = vec![0x5a; BLOCK];
        free_edit::init(&mut bytes, &birth(), DirBlock(480 * 3), &[8]);
        let mut model = BTreeMap::from([(0usize, 8u16)]);
        for &(index, best) in &ops {
            match best {
                Some(best) => drop(model.insert(index, best)),
                None => drop(model.remove(&index)),
            }
            prop_assert_eq!(free_edit::set(&mut bytes, index, best), Ok(!model.is_empty()));
            verify(BlockKind::DirFree, &mut bytes);
            let free = Free::parse(&bytes).unwrap();
            let found: BTreeMap<usize, u16> =
                free.bests().enumerate().filter(|&(_, best)| best != NO_BLOCK).collect();
            prop_assert_eq!(&found, &model);
            let end = model.keys().last().map_or(0, |last| last + 1);
            prop_assert_eq!(free.bests().count(), end, "no bests of blocks behind the last");
        }
    }
}

#[test]
fn a_single_leaf_is_full_to_the_byte() {
    let most = (BLOCK - 64 - 4 - 2 * 6) / size_of::<leaf::LeafEntry>();
    assert!(leaf_edit::fits_single(BLOCK, most, 6));
    assert!(!leaf_edit::fits_single(BLOCK, most + 1, 6));
    assert!(!leaf_edit::fits_single(BLOCK, most, 11));
}
