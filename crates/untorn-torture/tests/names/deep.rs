//! Trees of thousands of levels: whatever walks them needs no stack for it.

use super::{PLAIN, assert_sound, made, number, open};
use untorn::{Error, Make, Name, NewFile, Removal, Rename};

#[test]
fn a_tree_of_thousands_of_levels_is_made_listed_moved_and_removed_check() {
    let levels = number("UNTORN_LEVELS", 3_000);
    let device = made(PLAIN);
    let volume = open(&device);
    let mut dirs = vec![volume.root()];
    for _ in 0..levels {
        let above = dirs[dirs.len() - 1];
        dirs.push(volume.make(Name::In(above, b"d"), Make::Directory, NewFile::default()).unwrap());
    }
    let deepest = dirs[dirs.len() - 1];
    volume.make(Name::In(deepest, b"file"), Make::File, NewFile::default()).unwrap();
    let path = [vec!["d"; levels as usize].join("/"), "file".to_owned()].join("/");
    assert!(volume.metadata(&path).is_ok(), "a path of {} bytes", path.len());
    // The top cannot move below what lies at the bottom; the bottom can move to the top.
    let looped = volume.rename("/d", Name::In(deepest, b"top"), Rename::Replace);
    assert!(matches!(looped, Err(Error::Invalid(_))));
    let bottom = Name::In(dirs[dirs.len() - 2], b"d");
    volume.rename(bottom, "/bottom", Rename::Replace).unwrap();
    volume.rename("/bottom", bottom, Rename::Replace).unwrap();
    let tree = untorn_torture::volume_tree::volume_tree(&volume).unwrap();
    assert_eq!(tree.len() as u64, levels + 2);
    volume.close().unwrap();
    assert_sound(&*device, "deep");
    let volume = open(&device);
    drop(volume.detach(Name::In(deepest, b"file"), Removal::Any).unwrap());
    for pair in dirs.windows(2).rev() {
        drop(volume.detach(Name::In(pair[0], b"d"), Removal::Directory).unwrap());
    }
    assert!(volume.read_dir("/").unwrap().is_empty());
    volume.close().unwrap();
    assert_sound(&*device, "removed");
}
