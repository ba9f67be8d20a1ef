//! Sizes: comfortable, smallest, too small.

use super::built;
use std::sync::Arc;
use untorn::mkfs::{Contents, Options};
use untorn_device::MemoryDevice;
use untorn_image::{Error, Tree, build, minimum, room_for};

/// A tree of files of many sizes, about `mib` MiB.
fn tree(folder: &std::path::Path, mib: usize) -> Tree {
    for number in 0..mib * 4 {
        let name = folder.join(format!("{number}"));
        std::fs::write(name, vec![number as u8 | 1; number * 7919 % (512 << 10)]).unwrap();
    }
    let mut tree = Tree::new();
    tree.add_directory(b"", folder).unwrap();
    tree
}

#[test]
fn the_size_that_is_chosen_leaves_room_check() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), 10);
    let options = Options::default();
    assert_eq!(room_for(&tree, &options), 300 << 20);
    let (_, built) = built(&tree, &options);
    assert!(built.space.available * 4096 > 200 << 20);
}

#[test]
fn the_smallest_volume_holds_the_tree_and_little_more_check() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), 100);
    let smallest = minimum(&tree, &Options::default(), folder.path(), &mut |_| {}).unwrap();
    let (_, built) = built(&tree, &smallest.options);
    let over = smallest.size as f64 / built.summary.bytes as f64;
    assert!(over < 1.25, "{over}");
    let left = built.space.available * 4096;
    assert!(left < smallest.size / 25, "{left} of {} are left", smallest.size);
    let smaller = Options { size: Some(smallest.size / 8 * 7), ..smallest.options };
    let device = Arc::new(MemoryDevice::new(smallest.size));
    assert!(build(device, &smaller, &tree, &mut |_| {}).is_err());
}

#[test]
fn a_volume_that_is_too_small_says_how_large_it_must_be_check() {
    let folder = tempfile::tempdir().unwrap();
    let tree = tree(folder.path(), 60);
    let options =
        Options { size: Some(40 << 20), contents: Contents::Zeroed, ..Options::default() };
    let device = Arc::new(MemoryDevice::new(40 << 20));
    let error = build(device.clone(), &options, &tree, &mut |_| {}).unwrap_err();
    let Error::NoRoom { size, needed, .. } = error else { panic!("{error}") };
    assert_eq!(size, 40 << 20);
    let options = Options { size: Some(needed), ..options };
    built(&tree, &options);
}
