//! Directory editing against a map, and bytes that lie.

mod indexed;

use super::block_edit::Was;
use super::data::Item;
use super::short_edit::Room;
use super::*;
use crate::da::{Birth, Fit};
use crate::{DiskAddr, FileBlock, FsBlock, Geometry, Ino, Lsn, kind};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PARENT: Ino = Ino(131);
const OWNER: Ino = Ino(0x9000);

fn geometry(block_log: u8, dir_block_log: u8) -> Geometry {
    Geometry {
        block_log,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: block_log - 9,
        ag_block_log: 30,
        dir_block_log,
        ag_blocks: 1 << 30,
        ag_count: 16,
        data_blocks: 16 << 30,
        log_start: FsBlock(0),
        log_blocks: 0,
    }
}

fn birth() -> Birth {
    Birth { uuid: [7; 16], addr: DiskAddr(0x5000), owner: OWNER }
}

fn identity(geometry: &Geometry) -> kind::Identity<'_> {
    let Birth { uuid, addr, owner } = birth();
    kind::Identity { geometry, uuid, addr, owner: Some(owner.0), newest: None }
}

/// What a directory holds: names, inodes, types.
type Model = BTreeMap<Vec<u8>, (u64, FileType)>;

fn new<'a>(name: &'a [u8], &(ino, file_type): &(u64, FileType)) -> NewEntry<'a> {
    NewEntry { name, ino: Ino(ino), file_type }
}

fn model_of<'a>(entries: impl Iterator<Item = Result<Entry<'a>, crate::Fault>>) -> Model {
    let entries = entries.map(|entry| entry.unwrap());
    entries.map(|e| (e.name.to_vec(), (e.ino.0, e.file_type))).collect()
}

/// Checks a block-form directory as when it is read, and that it holds `model`.
#[track_caller]
fn agree(bytes: &mut [u8], geometry: &Geometry, model: &Model) {
    kind::seal(kind::BlockKind::DirBlock, bytes, Lsn(0));
    kind::verify(kind::BlockKind::DirBlock, bytes, &identity(geometry)).unwrap();
    let block = Block::parse(bytes).unwrap();
    let mut found = model_of(block.entries());
    assert_eq!(found.remove(&b"."[..]), Some((OWNER.0, FileType::Directory)));
    assert_eq!(found.remove(&b".."[..]).map(|(ino, _)| ino), Some(PARENT.0));
    assert_eq!(found, *model);
    for (name, (ino, _)) in model {
        assert_eq!(block.find(name).unwrap().map(|entry| entry.ino), Some(Ino(*ino)));
    }
}

#[derive(Clone, Debug)]
enum Op {
    Add(Vec<u8>, u64, u8),
    Remove(usize),
    Replace(usize, u64, u8),
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let byte = (1u8..=255).prop_map(|byte| if byte == b'/' { b'_' } else { byte });
    let length = prop_oneof![1usize..12, 12usize..60, 250usize..=255];
    length.prop_flat_map(move |length| proptest::collection::vec(byte.clone(), length))
}

fn ino() -> impl Strategy<Value = u64> {
    prop_oneof![128u64..100_000, (1u64 << 32) + 64..1 << 35]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let add = (name(), ino(), 0u8..9).prop_map(|(name, ino, code)| Op::Add(name, ino, code));
    let remove = any::<usize>().prop_map(Op::Remove);
    let replace =
        (any::<usize>(), ino(), 0u8..9).prop_map(|(i, ino, code)| Op::Replace(i, ino, code));
    proptest::collection::vec(prop_oneof![4 => add, 2 => remove, 1 => replace], 1..200)
}

fn pick(model: &Model, index: usize) -> Option<Vec<u8>> {
    let count = model.len();
    (count > 0).then(|| model.keys().nth(index % count).cloned())?
}

fn file_type(code: u8) -> FileType {
    FileType::of(code).unwrap()
}

fn apply_to_block(bytes: &mut [u8], model: &mut Model, op: &Op) {
    match op {
        Op::Add(name, ino, code) => {
            if model.contains_key(name) || name == b"." || name == b".." {
                return;
            }
            let value = (*ino, file_type(*code));
            let before = bytes.to_vec();
            match block_edit::add(bytes, new(name, &value)).unwrap() {
                Some(ptr) => {
                    assert_eq!(
                        Block::parse(bytes).unwrap().find(name).unwrap().unwrap().offset as u64,
                        ptr.byte()
                    );
                    model.insert(name.clone(), value);
                }
                None => {
                    assert_eq!(before, bytes);
                    assert!(room(bytes) < entry_size(name.len()) + 8, "there was room");
                }
            }
        }
        Op::Remove(index) => {
            let Some(name) = pick(model, *index) else { return };
            let was: Was = block_edit::remove(bytes, &name).unwrap().unwrap();
            assert_eq!(Some(was.ino.0), model.remove(&name).map(|(ino, _)| ino));
            assert_eq!(block_edit::remove(bytes, &name).unwrap(), None);
        }
        Op::Replace(index, ino, code) => {
            let Some(name) = pick(model, *index) else { return };
            block_edit::replace(bytes, &name, Ino(*ino), file_type(*code)).unwrap().unwrap();
            model.insert(name, (*ino, file_type(*code)));
        }
    }
}

/// Bytes that the longest entry may take, its index entry included, whatever is compacted.
fn room(bytes: &[u8]) -> usize {
    let block = Block::parse(bytes).unwrap();
    let free = block.items().filter_map(|item| match item.unwrap() {
        Item::Free { offset, length } => Some((offset + length, length)),
        Item::Entry(_) => None,
    });
    let stale = 8 * block.stale() as usize;
    let regions: Vec<_> = free.collect();
    let last = regions.iter().find(|(end, _)| *end == block.end()).map_or(0, |(_, length)| *length);
    let inner = regions.iter().filter(|(end, _)| *end != block.end()).map(|(_, length)| *length);
    let index_can_grow = last + stale >= 8;
    let inner = if index_can_grow { inner.max().unwrap_or(0) + 8 } else { 0 };
    inner.max(last + stale)
}

proptest! {
    #[test]
    fn block_directories_hold_what_was_added_model(ops in ops(), dir_block_log in 0u8..3) {
        let geometry = geometry(10, dir_block_log);
        let mut bytes = vec![0xa5; geometry.dir_block_size()];
        block_edit::init(&mut bytes, &birth(), PARENT);
        let mut model = Model::new();
        agree(&mut bytes, &geometry, &model);
        for op in &ops {
            apply_to_block(&mut bytes, &mut model, op);
            agree(&mut bytes, &geometry, &model);
        }
    }

    #[test]
    fn short_directories_hold_what_was_added_model(ops in ops(), inline in 100usize..800) {
        let geometry = geometry(10, 0);
        let room = Room { inline, dir_block_size: geometry.dir_block_size() };
        let mut bytes = short_edit::init(PARENT);
        let mut model = Model::new();
        for op in &ops {
            apply_to_short(&mut bytes, &mut model, op, room);
            short::verify(&bytes, &geometry).unwrap();
            prop_assert!(bytes.len() <= inline);
            prop_assert_eq!(&model_of(Short::parse(&bytes).unwrap().entries()), &model);
            let mut block = vec![0; geometry.dir_block_size()];
            block_edit::from_short(&mut block, &birth(), &bytes, &geometry).unwrap();
            agree(&mut block, &geometry, &model);
            let short = block_edit::to_short(&block, inline).unwrap();
            prop_assert_eq!(short.as_deref(), Some(&bytes[..]));
        }
    }

    #[test]
    fn damaged_blocks_are_refused_or_harmless(
        ops in ops(),
        damage in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..6),
        ends in any::<bool>(),
    ) {
        let geometry = geometry(10, 0);
        let mut bytes = vec![0; geometry.dir_block_size()];
        block_edit::init(&mut bytes, &birth(), PARENT);
        let mut model = Model::new();
        ops.iter().for_each(|op| apply_to_block(&mut bytes, &mut model, op));
        for (at, value) in damage {
            let at = if ends { bytes.len() - 1 - at % 24 } else { at % bytes.len() };
            bytes[at] = value;
        }
        kind::seal(kind::BlockKind::DirBlock, &mut bytes, Lsn(0));
        let trusted = kind::verify(kind::BlockKind::DirBlock, &bytes, &identity(&geometry)).is_ok();
        read_everything(&bytes);
        if trusted {
            edit_everything(&mut bytes.clone());
        }
    }

    #[test]
    fn random_bytes_are_refused_or_harmless(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        read_everything(&bytes);
        let geometry = geometry(9, 0);
        let room = Room { inline: 300, dir_block_size: 512 };
        if short::verify(&bytes, &geometry).is_ok() {
            let mut short = bytes.clone();
            short_edit::add(&mut short, new(b"x", &(5, FileType::Fifo)), room).unwrap();
            let mut block = vec![0; 512];
            let _ = block_edit::from_short(&mut block, &birth(), &bytes, &geometry);
        }
        for magic in [&b"XDB3"[..], b"XDD3", b"XDF3"] {
            if bytes.len() >= 4 {
                bytes[..4].copy_from_slice(magic);
                read_everything(&bytes);
            }
        }
        for magic in [LEAF1_MAGIC, LEAFN_MAGIC] {
            if bytes.len() >= 10 {
                bytes[8..10].copy_from_slice(&magic.to_be_bytes());
                read_everything(&bytes);
            }
        }
    }

    #[test]
    fn small_random_short_directories_are_refused_or_harmless(
        mut bytes in proptest::collection::vec(0u8..4, 6..60),
    ) {
        read_everything(&bytes);
        bytes[1] = 0;
        let geometry = geometry(9, 0);
        let _ = short::verify(&bytes, &geometry);
        let mut block = vec![0; 512];
        let _ = block_edit::from_short(&mut block, &birth(), &bytes, &geometry);
    }
}

fn apply_to_short(bytes: &mut Vec<u8>, model: &mut Model, op: &Op, room: Room) {
    let before = bytes.clone();
    match op {
        Op::Add(name, ino, code) => {
            if model.contains_key(name) || name == b"." || name == b".." {
                return;
            }
            let value = (*ino, file_type(*code));
            match short_edit::add(bytes, new(name, &value), room).unwrap() {
                Fit::Done => assert_eq!(model.insert(name.clone(), value), None),
                Fit::NoRoom => assert_eq!(before, *bytes),
            }
        }
        Op::Remove(index) => {
            let Some(name) = pick(model, *index) else { return };
            let was = short_edit::remove(bytes, &name).unwrap();
            assert_eq!(was.map(|ino| ino.0), model.remove(&name).map(|(ino, _)| ino));
        }
        Op::Replace(index, ino, code) => {
            let Some(name) = pick(model, *index) else { return };
            match short_edit::replace(bytes, &name, Ino(*ino), file_type(*code), room)
                .unwrap()
                .unwrap()
            {
                Fit::Done => drop(model.insert(name, (*ino, file_type(*code)))),
                Fit::NoRoom => assert_eq!(before, *bytes),
            }
        }
    }
}

fn read_everything(bytes: &[u8]) {
    if let Ok(block) = Block::parse(bytes) {
        block.items().count();
        let _ = block.find(b"x");
        for entry in block.index().iter().take(50) {
            let _ = Data::parse(bytes).map(|data| data.entry(entry.ptr().byte() as usize));
        }
        let _ = block_edit::to_short(bytes, 400);
    }
    if let Ok(data) = Data::parse(bytes) {
        data.items().count();
    }
    if let Ok(short) = Short::parse(bytes) {
        short.entries().count();
        let _ = short.find(b"x");
    }
    for role in [leaf::Role::Single, leaf::Role::BelowNode] {
        if let Ok(leaf) = Leaf::parse(role, bytes) {
            leaf.positions(7).count();
            leaf.bests().count();
        }
    }
    if let Ok(free) = Free::parse(bytes) {
        free.bests().count();
    }
}

fn edit_everything(bytes: &mut [u8]) {
    block_edit::add(bytes, new(b"an added name", &(500, FileType::Regular))).unwrap();
    let names: Vec<_> = model_of(Block::parse(bytes).unwrap().entries()).into_keys().collect();
    for name in names {
        block_edit::remove(bytes, &name).unwrap().unwrap();
    }
}

#[test]
fn a_full_block_reuses_what_removals_left() {
    let geometry = geometry(10, 0);
    let mut bytes = vec![0; geometry.dir_block_size()];
    block_edit::init(&mut bytes, &birth(), PARENT);
    let names: Vec<_> = (0..100).map(|i| format!("name{i:04}").into_bytes()).collect();
    let value = (200, FileType::Regular);
    let fits = names
        .iter()
        .take_while(|name| block_edit::add(&mut bytes, new(name, &value)).unwrap().is_some());
    let count = fits.count();
    assert_eq!(count, (1024 - 64 - 8 - 2 * (16 + 8)) / (24 + 8));
    for _ in 0..20 {
        for name in &names[..count] {
            block_edit::remove(&mut bytes, name).unwrap().unwrap();
        }
        for name in &names[..count] {
            block_edit::add(&mut bytes, new(name, &value)).unwrap().unwrap();
        }
    }
    let model = names[..count].iter().map(|name| (name.clone(), value)).collect();
    agree(&mut bytes, &geometry, &model);
}

#[test]
fn stale_index_entries_make_room_for_a_long_name() {
    let geometry = geometry(10, 0);
    let mut bytes = vec![0; geometry.dir_block_size()];
    block_edit::init(&mut bytes, &birth(), PARENT);
    let value = (200, FileType::Regular);
    let names: Vec<_> = (0..40).map(|i| format!("{i:02}").into_bytes()).collect();
    for name in &names {
        block_edit::add(&mut bytes, new(name, &value)).unwrap();
    }
    let held = Block::parse(&bytes).unwrap().index().len() - 2;
    let kept = held - 12;
    for name in &names[kept..held] {
        block_edit::remove(&mut bytes, name).unwrap().unwrap();
    }
    // Longer than the 12 * 16 bytes that the removals left: only a smaller index makes it fit.
    let long = vec![b'x'; 230];
    block_edit::add(&mut bytes, new(&long, &value)).unwrap().unwrap();
    assert_eq!(Block::parse(&bytes).unwrap().stale(), 0);
    let mut model: Model = names[..kept].iter().map(|name| (name.clone(), value)).collect();
    model.insert(long, value);
    agree(&mut bytes, &geometry, &model);
}

#[test]
fn a_block_says_whose_it_is() {
    let geometry = geometry(10, 0);
    let mut bytes = vec![0; geometry.dir_block_size()];
    block_edit::init(&mut bytes, &birth(), PARENT);
    kind::seal(kind::BlockKind::DirBlock, &mut bytes, Lsn::new(3, 7));
    let right = identity(&geometry);
    let check = |identity| kind::verify(kind::BlockKind::DirBlock, &bytes, &identity);
    assert_eq!(check(right), Ok(()));
    let what = "block directory";
    let wrong = kind::Identity { uuid: [8; 16], ..right };
    assert_eq!(check(wrong), Err(crate::Fault::Uuid { what }));
    let wrong = kind::Identity { addr: DiskAddr(1), ..right };
    assert_eq!(check(wrong), Err(crate::Fault::Position { what, found: 0x5000 }));
    let wrong = kind::Identity { owner: Some(5), ..right };
    assert_eq!(check(wrong), Err(crate::Fault::Owner { what, found: OWNER.0, expected: 5 }));
    let wrong = kind::Identity { newest: Some(Lsn::new(3, 6)), ..right };
    assert_eq!(check(wrong), Err(crate::Fault::Ahead { what, lsn: Lsn::new(3, 7) }));
    let smaller = bytes.get(..1016).unwrap_or_default();
    assert!(kind::verify(kind::BlockKind::DirBlock, smaller, &right).is_err());
}

#[test]
fn the_three_spaces_lie_32_gib_apart() {
    let geometry = geometry(12, 2);
    assert_eq!(geometry.dir_space(Space::Leaf), FileBlock(8 << 20));
    assert_eq!(geometry.dir_space(Space::Free), FileBlock(16 << 20));
    let second = geometry.dir_file_block(Space::Leaf, DirBlock(1));
    assert_eq!(second, FileBlock((8 << 20) + 4));
    assert_eq!(geometry.dir_block_of(second), Some((Space::Leaf, DirBlock(1))));
    assert_eq!(geometry.dir_block_of(FileBlock(7)), Some((Space::Data, DirBlock(1))));
    assert_eq!(geometry.dir_block_of(FileBlock(16 << 20)), Some((Space::Free, DirBlock(0))));
    assert_eq!(geometry.dir_block_of(FileBlock(24 << 20)), None);
}

#[test]
fn positions_count_eight_bytes() {
    let geometry = geometry(12, 1);
    let ptr = geometry.dir_ptr(DirBlock(3), 64).unwrap();
    assert_eq!(ptr, DataPtr(3 * 1024 + 8));
    assert_eq!(geometry.dir_place(ptr), (DirBlock(3), 64));
    let last = DataPtr(u32::MAX);
    assert_eq!(geometry.dir_place(last), (DirBlock((32u64 << 30 >> 13) as u32 - 1), 8184));
    assert_eq!(geometry.dir_ptr(DirBlock(1 << 22), 0), None);
}

#[test]
fn widths_follow_the_largest_inode_number() {
    let mut bytes = short_edit::init(PARENT);
    let room = Room { inline: 300, dir_block_size: 4096 };
    let wide = (1 << 33, FileType::Regular);
    short_edit::add(&mut bytes, new(b"narrow", &(150, FileType::Symlink)), room).unwrap();
    assert_eq!(bytes.len(), 6 + 3 + 6 + 1 + 4);
    short_edit::add(&mut bytes, new(b"wide", &wide), room).unwrap();
    assert_eq!(bytes.len(), 10 + (3 + 6 + 1 + 8) + (3 + 4 + 1 + 8));
    short_edit::remove(&mut bytes, b"wide").unwrap();
    assert_eq!(bytes.len(), 6 + 3 + 6 + 1 + 4);
    assert_eq!(short_edit::set_parent(&mut bytes, Ino(1 << 40), room), Ok(Fit::Done));
    assert_eq!(Short::parse(&bytes).unwrap().parent(), Ino(1 << 40));
    assert_eq!(bytes.len(), 10 + 3 + 6 + 1 + 8);
    let tight = Room { inline: 20, dir_block_size: 4096 };
    assert_eq!(short_edit::set_parent(&mut bytes, PARENT, tight), Ok(Fit::Done));
    assert_eq!(short_edit::set_parent(&mut bytes, Ino(1 << 40), tight), Ok(Fit::NoRoom));
}

/// A block with the entries `.`, `..` at 64 and 80, `aa`, `bb`, `cc` at 96, 112, 128, and what
/// `damage` does to it, checked as when it is read.
fn fault_after(damage: impl FnOnce(&mut [u8])) -> Option<crate::Fault> {
    let geometry = geometry(10, 0);
    let mut bytes = vec![0; 1024];
    block_edit::init(&mut bytes, &birth(), PARENT);
    for name in [b"aa", b"bb", b"cc"] {
        block_edit::add(&mut bytes, new(name, &(200, FileType::Regular))).unwrap().unwrap();
    }
    damage(&mut bytes);
    kind::seal(kind::BlockKind::DirBlock, &mut bytes, Lsn(0));
    kind::verify(kind::BlockKind::DirBlock, &bytes, &identity(&geometry)).err()
}

#[test]
fn every_rule_of_a_block_has_its_fault() {
    let set = |at: usize, value: &[u8]| {
        let value = value.to_vec();
        move |bytes: &mut [u8]| bytes[at..at + value.len()].copy_from_slice(&value)
    };
    let field = |fault| match fault {
        Some(crate::Fault::Field { field, .. }) => field,
        Some(crate::Fault::Order { rule, .. }) => rule,
        Some(crate::Fault::Magic { .. }) => "magic",
        other => panic!("{other:?}"),
    };
    assert_eq!(fault_after(|_| ()), None);
    assert_eq!(field(fault_after(set(0, b"XDD3"))), "magic");
    assert_eq!(field(fault_after(set(96, &[0x70; 8]))), "inumber");
    assert_eq!(field(fault_after(set(96, &[0; 8]))), "inumber");
    assert_eq!(field(fault_after(set(104, &[0]))), "namelen");
    assert_eq!(field(fault_after(set(105, b"/"))), "name");
    assert_eq!(field(fault_after(set(107, &[9]))), "filetype");
    assert_eq!(field(fault_after(set(110, &[0, 97]))), "tag");
    assert_eq!(field(fault_after(set(146, &[0, 9]))), "length");
    assert_eq!(field(fault_after(set(48, &[0, 0, 0, 0]))), "bestfree");
    assert_eq!(field(fault_after(set(52, &[0, 144, 0, 8]))), "bestfree");
    assert_eq!(field(fault_after(set(1020, &[0, 0, 0, 1]))), "stale");
    assert_eq!(field(fault_after(set(1016, &[0xff; 4]))), "count");
    assert_eq!(field(fault_after(set(1012, &[0, 0, 0, 99]))), "index and entries disagree");
    assert_eq!(field(fault_after(set(1008, &[0, 0, 0, 1]))), "hashes fall");
}

#[test]
fn free_regions_that_touch_are_a_fault() {
    let fault = fault_after(|bytes| {
        block_edit::remove(bytes, b"cc").unwrap().unwrap();
        let last = 1024 - 8 - 5 * 8 - 144;
        let put = |bytes: &mut [u8], at: usize, value: usize| {
            bytes[at..at + 2].copy_from_slice(&(value as u16).to_be_bytes());
        };
        // The region at 128 cut in two, with both in the list of the longest.
        for (at, value) in
            [(130, 16), (142, 128), (144, 0xffff), (146, last), (144 + last - 2, 144)]
        {
            put(bytes, at, value);
        }
        for (at, value) in [(48, 144), (50, last), (52, 128), (54, 16)] {
            put(bytes, at, value);
        }
    });
    let rule = "free regions touch";
    assert_eq!(fault, Some(crate::Fault::Order { what: "block directory", rule, index: 5 }));
}
