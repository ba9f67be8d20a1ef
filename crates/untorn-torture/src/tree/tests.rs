//! Comparing trees and contents.

use super::*;

fn file(bytes: &[u8]) -> Entry {
    Entry {
        kind: Kind::Regular,
        mode: 0o644,
        uid: 0,
        gid: 0,
        nlink: 1,
        ino: Some(131),
        size: bytes.len() as u64,
        rdev: None,
        target: None,
        xattrs: BTreeMap::new(),
        content: Some(Content::of(bytes)),
        mtime: Timestamp { seconds: 1, nanoseconds: 2 },
    }
}

fn tree(entries: &[(&str, Entry)]) -> Tree {
    entries.iter().map(|(path, entry)| (PathBuf::from(path), entry.clone())).collect()
}

#[test]
fn equal_trees_have_no_differences() {
    let one = tree(&[("a", file(b"x")), ("b", file(b"y"))]);
    assert!(diff(&one, &one.clone()).is_empty());
}

#[test]
fn a_name_on_one_side_is_named_with_its_side() {
    let left = tree(&[("a", file(b"x"))]);
    let right = tree(&[("b", file(b"x"))]);
    let told = diff(&left, &right).to_string();
    assert_eq!(told, "/a: only in left (Regular, 1 bytes)\n/b: only in right (Regular, 1 bytes)\n");
}

#[test]
fn every_field_of_an_entry_is_compared() {
    let changes: [fn(&mut Entry); 12] = [
        |e| e.kind = Kind::Fifo,
        |e| e.mode = 0o4755,
        |e| e.uid = 7,
        |e| e.gid = 7,
        |e| e.nlink = 2,
        |e| e.ino = Some(132),
        |e| e.size = 9,
        |e| e.rdev = Some(DeviceNumber { major: 1, minor: 3 }),
        |e| e.target = Some(b"there".to_vec()),
        |e| e.mtime.nanoseconds = 3,
        |e| e.xattrs = BTreeMap::from([(b"user.a".to_vec(), b"1".to_vec())]),
        |e| e.content = Some(Content::of(b"z")),
    ];
    for (index, change) in changes.into_iter().enumerate() {
        let mut other = file(b"x");
        change(&mut other);
        assert_eq!(compare(&file(b"x"), &other).len(), 1, "change {index}");
    }
}

#[test]
fn inode_numbers_are_compared_only_where_both_sides_know_them() {
    let unknown = Entry { ino: None, ..file(b"x") };
    assert!(compare(&file(b"x"), &unknown).is_empty());
}

#[test]
fn content_differs_at_the_first_piece_that_differs() {
    let mut bytes = vec![1u8; 3 * PIECE as usize];
    let before = Content::of(&bytes);
    bytes[PIECE as usize + 5] = 2;
    bytes[2 * PIECE as usize] = 2;
    assert_eq!(before.first_difference(&Content::of(&bytes)), Some(PIECE));
}

#[test]
fn zero_pieces_count_as_holes() {
    let mut bytes = vec![0u8; 3 * PIECE as usize];
    bytes[2 * PIECE as usize] = 1;
    let mut sparse = Content::new();
    sparse.add_piece(2, &bytes[2 * PIECE as usize..]);
    assert_eq!(Content::of(&bytes), sparse);
}

#[test]
fn each_single_byte_changes_the_content() {
    let bytes = vec![7u8; 200];
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 0x80;
        assert_ne!(Content::of(&bytes), Content::of(&other), "byte {at}");
    }
}
