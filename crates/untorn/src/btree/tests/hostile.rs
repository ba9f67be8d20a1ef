//! Bytes that no tree ever wrote: operations end, with a fault or without, and never panic.

use super::memory::{Memory, RootBytes, TestError};
use super::samples::Sample;
use crate::btree::*;
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::btree::{Header, root};
use untorn_format::records::AllocRec;
use untorn_format::{AgBlock, Fault};

fn filled<K: Sample>(count: u32) -> Memory {
    let mut memory = match K::FORK {
        Some(fork) => Memory::fork(256, fork),
        None => Memory::block(K::KIND, 256),
    };
    memory.blocks.clear();
    let records = (0..count).map(|at| K::record(at, at));
    Tree::new(K::kind(), &mut memory).build(256, Fill::Loose, count.into(), records).unwrap();
    memory.tolerant = true;
    memory
}

/// A change of bytes: in which block, where, to what.
#[derive(Clone, Debug)]
struct Harm {
    block: prop::sample::Index,
    at: prop::sample::Index,
    value: u8,
}

fn harms() -> impl Strategy<Value = Vec<Harm>> {
    let harm = (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>())
        .prop_map(|(block, at, value)| Harm { block, at, value });
    prop::collection::vec(harm, 1..6)
}

fn apply(memory: &mut Memory, harms: &[Harm]) {
    let ptrs: Vec<u64> = memory.blocks.keys().copied().collect();
    for harm in harms {
        // Headers are where a small change does most.
        let place = harm.at.index(512);
        let place = if place >= 256 { place % 24 } else { place };
        if let RootBytes::Fork(bytes) = &mut memory.root
            && place % 8 == 0
        {
            let at = harm.at.index(bytes.len());
            bytes[at] = harm.value;
            continue;
        }
        let image = memory.blocks.get_mut(harm.block.get(&ptrs)).unwrap();
        Arc::make_mut(image)[place] = harm.value;
    }
}

/// Every operation, one after the other, on a copy of the harmed tree.
fn survive<K: Sample>(memory: &Memory) {
    let bound = memory.blocks.len() * 64 + 64;
    let mut copy = memory.clone();
    let mut tree = Tree::new(K::kind(), &mut copy);
    let _ = tree.count_blocks();
    let _ = tree.dissolve(1000);
    let mut copy = memory.clone();
    let mut tree = Tree::new(K::kind(), &mut copy);
    let walked = tree.records_from(K::rank(&K::record(0, 0))).count();
    assert!(walked <= bound, "{walked} records");
    let (mut steps, mut found) = (0, tree.last());
    while let Ok(Some(_)) = found {
        steps += 1;
        assert!(steps <= bound, "{steps} steps back");
        found = tree.prev();
    }
    for at in (0..600).step_by(7) {
        let _ = Tree::new(K::kind(), &mut memory.clone()).insert(&K::record(at, 1));
        let mut copy = memory.clone();
        let mut tree = Tree::new(K::kind(), &mut copy);
        if let Ok(Some(_)) = tree.seek(Find::AtLeast, K::rank(&K::record(at, at))) {
            let _ = tree.replace(&K::record(at, 2));
        }
        let mut tree = Tree::new(K::kind(), &mut copy);
        if let Ok(Some(_)) = tree.seek(Find::AtMost, K::rank(&K::record(at, at))) {
            while tree.remove().is_ok() && matches!(tree.next(), Ok(Some(_))) {}
        }
    }
}

fn survive_overlap(memory: &Memory) {
    let (low, high) = (Rmaps::record(0, 0).low_key(), Rmaps::record(900, 0).high_key());
    let mut copy = memory.clone();
    let mut seen = 0;
    let _ = Tree::new(Rmaps, &mut copy).overlapping(low, high, |_| {
        seen += 1;
        ControlFlow::<()>::Continue(())
    });
    assert!(seen <= memory.blocks.len() * 64 + 64, "{seen} records");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: super::model::cases(48),
        ..ProptestConfig::default()
    })]

    #[test]
    fn harmed_free_space_neither_panics_nor_loops(harms in harms()) {
        let mut memory = filled::<ByBlock>(600);
        apply(&mut memory, &harms);
        survive::<ByBlock>(&memory);
    }
    #[test]
    fn harmed_reverse_mappings_neither_panic_nor_loop(harms in harms()) {
        let mut memory = filled::<Rmaps>(600);
        apply(&mut memory, &harms);
        survive::<Rmaps>(&memory);
        survive_overlap(&memory);
    }
    #[test]
    fn harmed_file_extents_neither_panic_nor_loop(harms in harms()) {
        let mut memory = filled::<Extents>(600);
        apply(&mut memory, &harms);
        survive::<Extents>(&memory);
    }
}

fn edit(memory: &mut Memory, ptr: u64, change: impl FnOnce(&mut [u8])) {
    change(Arc::make_mut(memory.blocks.get_mut(&ptr).unwrap()));
}

fn root_of(memory: &Memory) -> u64 {
    let RootBytes::Block { ptr, .. } = memory.root else { panic!() };
    ptr
}

#[test]
fn a_node_on_the_wrong_level_is_a_fault() {
    let mut memory = filled::<ByBlock>(600);
    let root = root_of(&memory);
    let child = memory.kind.pointer_offset(256, 0);
    // The first child becomes the root itself.
    edit(&mut memory, root, |bytes| {
        bytes[child..child + 4].copy_from_slice(&(root as u32).to_be_bytes())
    });
    let found = Tree::new(ByBlock, &mut memory).first();
    assert!(matches!(
        found,
        Err(TestError::Corrupt(Some(ptr), Fault::Field { field: "bb_level", .. }))
            if ptr == root
    ));
}

#[test]
fn two_pointers_to_one_child_are_a_fault_of_the_walk() {
    let mut memory = filled::<ByBlock>(600);
    let (root, kind) = (root_of(&memory), memory.kind);
    let (first, second) = (kind.pointer_offset(256, 0), kind.pointer_offset(256, 1));
    edit(&mut memory, root, |bytes| bytes.copy_within(first..first + 4, second));
    let mut tree = Tree::new(ByBlock, &mut memory);
    let last = tree.records_from(AgBlock(0)).last().unwrap();
    assert!(matches!(last, Err(TestError::Corrupt(_, Fault::Order { .. }))), "{last:?}");
    assert!(matches!(tree.count_blocks(), Err(TestError::Corrupt(_, Fault::Order { .. }))));
}

#[test]
fn neighbours_that_do_not_name_each_other_are_a_fault_of_a_split() {
    let mut memory = filled::<ByBlock>(600);
    let mut tree = Tree::new(ByBlock, &mut memory);
    tree.first().unwrap();
    let leaf = tree.let_go(0);
    edit(&mut memory, leaf, |bytes| {
        let mut header = Header::decode(ByBlock::KIND, bytes).unwrap();
        // Block `leaf + 1` is the first node, `leaf + 2` the true neighbour.
        header.links.right = Some(leaf + 3);
        header.store(ByBlock::KIND, bytes);
    });
    let mut tree = Tree::new(ByBlock, &mut memory);
    let records = (1..64).rev().map(|start| AllocRec { start: AgBlock(start), length: 1 });
    let failed = records.map(|record| tree.insert(&record)).find_map(Result::err);
    let rule = "neighbours must name each other";
    assert!(matches!(
        failed,
        Some(TestError::Corrupt(_, Fault::Order { rule: found, .. })) if found == rule
    ));
}

#[test]
fn a_root_level_that_cannot_be_is_a_fault() {
    let mut memory = filled::<ByBlock>(600);
    for levels in [0, 17, u32::MAX] {
        let ptr = root_of(&memory);
        memory.root = RootBytes::Block { ptr, levels };
        assert!(Tree::new(ByBlock, &mut memory).first().is_err(), "{levels}");
    }
    let mut memory = filled::<Extents>(600);
    for (level, count) in [(0, 1), (1, 0), (16, 1), (u16::MAX, 1), (1, 6)] {
        let RootBytes::Fork(bytes) = &mut memory.root else { panic!() };
        root::set_shape(bytes, level, count);
        assert!(Tree::new(Extents, &mut memory).first().is_err(), "{level} {count}");
    }
}
