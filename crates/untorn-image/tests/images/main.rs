//! Images in memory from directories and archives: what is in them, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod archive;
mod archives;
mod failures;
mod hostile;
mod sizes;
mod trees;

use std::fs::File;
use std::io::{Seek, Write};
use std::sync::Arc;
use untorn::mkfs::{Contents, Options};
use untorn::{Access, OpenOptions, Volume};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_image::{Built, Error, Tree, build, room_for};

/// An archive of these bytes.
pub(crate) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.rewind().unwrap();
    file
}

/// The tree of an archive.
pub(crate) fn tree_of(archive: &[u8]) -> Result<Tree, Error> {
    let mut tree = Tree::new();
    tree.add_tar(file(archive), "archive.tar")?;
    Ok(tree)
}

/// A volume of the tree in memory, checked.
pub(crate) fn built(tree: &Tree, options: &Options) -> (Arc<MemoryDevice>, Built) {
    let size = options.size.unwrap_or_else(|| room_for(tree, options));
    let device = Arc::new(MemoryDevice::new(size));
    let options = Options { contents: Contents::Zeroed, ..options.clone() };
    let built = build(device.clone(), &options, tree, &mut |_| {}).unwrap();
    assert_sound(&*device);
    (device, built)
}

pub(crate) fn assert_sound(device: &dyn BlockDevice) {
    let findings = untorn_check::check(device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{:?}", &findings[..findings.len().min(4)]);
}

pub(crate) fn open(device: &Arc<MemoryDevice>) -> Volume {
    let options = OpenOptions { access: Access::ReadOnly, ..OpenOptions::default() };
    Volume::open(device.clone(), options).unwrap()
}

/// What a file holds.
pub(crate) fn read(volume: &Volume, path: &str) -> Vec<u8> {
    let file = volume.open_file(path).unwrap();
    let mut bytes = vec![0; file.size().unwrap() as usize];
    let count = file.read_at(0, &mut bytes).unwrap();
    assert_eq!(count, bytes.len());
    bytes
}
