//! Linux and untorn change the attributes of one volume by turns, and each reads what the other
//! wrote.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustix::fs::{XattrFlags, lremovexattr, lsetxattr};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use untorn::attr::SetMode;
use untorn::{OpenOptions, Volume};
use untorn_device::{Access, FileDevice};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    MkfsOptions, Mounted, Recipe, Scratch, demand, fill, make_volume, tree, xfs_repair_n,
};
use untorn_torture::tree::{Entry, Kind, Tree, diff};
use untorn_torture::volume_tree::{as_stored, image_tree, volume_tree};

fn open(image: &Path) -> Volume {
    let device = FileDevice::open(image, Access::ReadWrite).unwrap();
    Volume::open(Arc::new(device), OpenOptions::default()).unwrap()
}

fn linux_tree(image: &Path) -> Tree {
    let mounted = Mounted::new(image).unwrap();
    let walked = as_stored(tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    walked
}

/// Namespaces that Linux lets a file of this kind have; `user` is for files and directories.
fn space(entry: &Entry, dice: &mut Dice) -> (Namespace, &'static str) {
    let user = matches!(entry.kind, Kind::Regular | Kind::Directory);
    match dice.below(3) {
        0 => (Namespace::Security, "security."),
        1 if user => (Namespace::User, "user."),
        _ => (Namespace::Trusted, "trusted."),
    }
}

/// What is done to one file: a name without and with its prefix, and a value, or none.
struct Change {
    namespace: Namespace,
    name: Vec<u8>,
    full: Vec<u8>,
    value: Option<Vec<u8>>,
}

fn split(full: &[u8]) -> Option<(Namespace, &[u8])> {
    let spaces = [
        (Namespace::User, &b"user."[..]),
        (Namespace::Trusted, b"trusted."),
        (Namespace::Security, b"security."),
    ];
    spaces.iter().find_map(|(space, prefix)| Some((*space, full.strip_prefix(*prefix)?)))
}

/// Changes of one file: most of many attributes go, some come, of every length.
fn changes(entry: &Entry, dice: &mut Dice, block: usize) -> Vec<Change> {
    let mut list = Vec::new();
    let keeps = dice.below(4);
    for full in entry.xattrs.keys() {
        let acl = full.starts_with(b"trusted.SGI_ACL");
        let Some((namespace, name)) = split(full).filter(|_| !acl) else { continue };
        if dice.below(4) >= keeps {
            let (name, full) = (name.to_vec(), full.clone());
            list.push(Change { namespace, name, full, value: None });
        }
    }
    for _ in 0..dice.below(12) {
        let (namespace, prefix) = space(entry, dice);
        // Each name once: xfs_repair takes equal hashes in two leaves for damage.
        let name = format!("{prefix}made-{}", dice.below(40)).into_bytes();
        let most = *dice.pick(&[20, 260, block, 10_000, 65_537]) as u64;
        let value = dice.below(most) as usize;
        let full = [prefix.as_bytes(), &name].concat();
        let value = Some(dice.bytes(value));
        list.push(Change { namespace, name, full, value });
    }
    list
}

/// Every file that has attributes and some of those that have none, by one of its names.
fn once_each(found: &Tree) -> impl Iterator<Item = (&PathBuf, &Entry)> {
    let mut met = HashSet::new();
    let some = |(at, (_, entry)): &(usize, (_, &Entry))| at % 40 == 0 || !entry.xattrs.is_empty();
    let once = move |(_, entry): &(_, &Entry)| met.insert(entry.ino);
    found.iter().enumerate().filter(some).map(|(_, found)| found).filter(once)
}

fn change_here(volume: &Volume, found: &Tree, dice: &mut Dice) -> usize {
    let block = volume.space().unwrap().block_size as usize;
    let mut count = 0;
    for (path, entry) in once_each(found) {
        for change in changes(entry, dice, block) {
            let (ino, key) = (Ino(entry.ino.unwrap()), (change.namespace, change.name.as_slice()));
            let done = match &change.value {
                Some(value) => volume.set_attribute(ino, key, value, SetMode::Upsert),
                None => volume.remove_attribute(ino, key),
            };
            done.unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            count += 1;
        }
    }
    count
}

fn change_there(root: &Path, found: &Tree, dice: &mut Dice, block: usize) {
    // Linux brings a symbolic link whose last attribute goes into a state that xfs_repair refuses.
    for (path, entry) in once_each(found).filter(|(_, entry)| entry.kind != Kind::Symlink) {
        let at = root.join(path);
        for Change { full, value, .. } in changes(entry, dice, block) {
            let done = match &value {
                Some(value) => lsetxattr(&at, full.as_slice(), value, XattrFlags::empty()),
                None => lremovexattr(&at, full.as_slice()),
            };
            done.unwrap_or_else(|e| panic!("{} {}: {e}", path.display(), full.escape_ascii()));
        }
    }
}

#[track_caller]
fn assert_same(what: &str, left: &Tree, right: &Tree) {
    let differences = diff(left, right);
    assert!(differences.is_empty(), "{what}: {differences}");
}

fn check(image: &Path, what: &str) {
    let device = FileDevice::open(image, Access::ReadOnly).unwrap();
    let findings = untorn_check::check(&device, &Default::default()).unwrap().findings;
    assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(5)]);
    xfs_repair_n(image).unwrap().assert_clean();
}

fn by_turns(name: &str, options: &MkfsOptions, seed: u64) {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("attributes.img");
    make_volume(&image, 600 << 20, options).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fill(&mounted.root(), Recipe::EveryForm, seed).unwrap();
    mounted.unmount().unwrap();
    let mut dice = Dice::new(seed);
    for round in 0..2 {
        let before = linux_tree(&image);
        let volume = open(&image);
        let count = change_here(&volume, &before, &mut dice);
        let here = volume_tree(&volume).unwrap();
        volume.close().unwrap();
        check(&image, name);
        assert_same(&format!("{name}, {round}: written here"), &here, &linux_tree(&image));
        let mounted = Mounted::new(&image).unwrap();
        change_there(&mounted.root(), &here, &mut dice, options.block_size as usize);
        let there = as_stored(tree(&mounted.root()).unwrap());
        mounted.unmount().unwrap();
        let seen = image_tree(&image).unwrap();
        assert_same(&format!("{name}, {round}: written by Linux"), &there, &seen);
        println!("{name}, {round}: {count} changes here, {} files", here.len());
    }
    check(&image, name);
}

#[test]
fn attributes_change_by_turns_with_linux_kernel() {
    if !demand() {
        return;
    }
    by_turns("4k", &MkfsOptions { rmapbt: true, ..MkfsOptions::default() }, 1);
    by_turns("1k", &MkfsOptions { block_size: 1024, ..MkfsOptions::default() }, 2);
}
