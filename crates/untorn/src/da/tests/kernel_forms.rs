//! Volumes that Linux filled with every form of directory, attribute fork and symlink, read whole
//! from the image and compared with what Linux lists.

use super::raw::{RawFork, RawInode, RawVolume, attributes, directory};
use crate::da::ForkBlocks;
use crate::dir::Cookie;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use untorn_format::attr::Namespace;
use untorn_format::da::{DaBlock, kind_of};
use untorn_format::dir::leaf::{NO_BLOCK, Role};
use untorn_format::dir::{Data, FileType, Free, Leaf, Space};
use untorn_format::inode::{FileKind, ForkFormat};
use untorn_format::records::Fork;
use untorn_format::{BlockKind, Ino};
use untorn_torture::kernel::{
    Extra, MkfsOptions, Mounted, Recipe, Scratch, demand, fill, make_volume, tree,
};
use untorn_torture::tree::{Entry as LinuxEntry, Kind, Tree};

/// Attributes of one file by the name that Linux gives them.
type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

type Names = BTreeMap<Vec<u8>, (Ino, FileType)>;

/// Lists a directory in pieces of `step` entries and looks every name up.
fn names(volume: &RawVolume, inode: &RawInode, step: usize) -> Names {
    let mut directory = directory(volume, inode);
    let mut found = Names::new();
    let mut from = Cookie::START;
    loop {
        let mut left = step;
        let before = from;
        let visit = |entry: crate::dir::Listed<'_>| {
            assert!(entry.next > from, "cookies rise");
            from = entry.next;
            let old = found.insert(entry.name.to_vec(), (entry.ino, entry.file_type));
            assert_eq!(old, None, "{} was listed twice", entry.name.escape_ascii());
            left -= 1;
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        directory.list(before, visit).unwrap();
        if from == before {
            break;
        }
    }
    for (name, (ino, file_type)) in &found {
        let looked_up = directory.lookup(name).unwrap();
        assert_eq!(looked_up.map(|f| (f.ino, f.file_type)), Some((*ino, *file_type)));
        let missing = [name, b"!".as_slice()].concat();
        if !found.contains_key(&missing) {
            assert_eq!(directory.lookup(&missing).unwrap(), None);
        }
    }
    if inode.core.format != ForkFormat::Local {
        indexes_agree(&mut volume.fork(inode, Fork::Data), found.len());
    }
    assert_eq!(found.remove(b".".as_slice()).unwrap().0, inode.ino);
    found
}

/// Checks that the index of a directory has `names` live entries, and that what its leaf or free
/// index says of the free space of each data block is so.
fn indexes_agree(fork: &mut RawFork<'_>, names: usize) {
    let geometry = fork.geometry().clone();
    let step = 1 << geometry.dir_block_log;
    if fork.next_mapped(DaBlock(step)).unwrap().is_none() {
        return;
    }
    let (mut at, mut live) = (DaBlock(0), 0);
    let (mut longest, mut told) = (BTreeMap::new(), BTreeMap::new());
    while let Some(mapped) = fork.next_mapped(at).unwrap() {
        let (space, index) = geometry.dir_block_of(mapped.file_block()).unwrap();
        let mut read = |kind| fork.read(mapped, kind).unwrap().unwrap();
        match space {
            Space::Data => {
                let image = read(BlockKind::DirData);
                longest.insert(index.0, Data::parse(&image).unwrap().best() as u16);
            }
            Space::Leaf => {
                let image = read_index(fork, mapped);
                if let Some(leaf) = leaf_of(&image) {
                    live += leaf.entries().len() - usize::from(leaf.stale());
                    told.extend((0..).zip(leaf.bests()));
                }
            }
            Space::Free => {
                let image = read(BlockKind::DirFree);
                let free = Free::parse(&image).unwrap();
                assert_eq!(geometry.dir_free_place(free.first()), (index, 0));
                told.extend((free.first().0..).zip(free.bests()));
            }
        }
        at = DaBlock(mapped.0 + step);
    }
    told.retain(|_, best| *best != NO_BLOCK);
    assert_eq!((longest, live), (told, names));
}

/// An index block, read as what its place in the tree makes it.
fn read_index(fork: &mut RawFork<'_>, at: DaBlock) -> Arc<[u8]> {
    let root = fork.geometry().dir_space(Space::Leaf);
    let kinds = match at.file_block() == root {
        true => &[BlockKind::DaNode][..],
        false => &[BlockKind::DirLeafN, BlockKind::DaNode],
    };
    let mut images = kinds.iter().filter_map(|&kind| fork.read(at, kind).ok());
    images.next().unwrap().unwrap()
}

fn leaf_of(image: &[u8]) -> Option<Leaf<'_>> {
    let role = match kind_of(image)? {
        BlockKind::DirLeaf1 => Role::Single,
        BlockKind::DirLeafN => Role::BelowNode,
        _ => return None,
    };
    Some(Leaf::parse(role, image).unwrap())
}

/// The image's tree as Linux would list it, without what only file I/O knows.
fn walk(
    volume: &RawVolume,
    (ino, parent): (Ino, Ino),
    path: &Path,
    tree: &mut Tree,
    seen: &mut BTreeMap<Ino, Xattrs>,
) {
    let inode = volume.inode(ino);
    let xattrs = seen.entry(ino).or_insert_with(|| xattrs(volume, &inode)).clone();
    tree.insert(path.to_owned(), entry(volume, &inode, xattrs));
    if inode.core.kind() != Some(FileKind::Directory) {
        return;
    }
    let mut found = names(volume, &inode, 1 + ino.0 as usize % 700);
    assert_eq!(found.remove(b"..".as_slice()), Some((parent, FileType::Directory)));
    for (name, (child, file_type)) in found {
        assert_eq!(file_type, FileType::of_mode(volume.inode(child).core.mode));
        let path = path.join(std::ffi::OsStr::from_bytes(&name));
        if path.components().count() <= 70 {
            walk(volume, (child, ino), &path, tree, seen);
        }
    }
}

fn linux_kind(kind: FileKind) -> Kind {
    match kind {
        FileKind::Directory => Kind::Directory,
        FileKind::Symlink => Kind::Symlink,
        FileKind::Fifo => Kind::Fifo,
        FileKind::Socket => Kind::Socket,
        FileKind::CharDevice => Kind::CharacterDevice,
        FileKind::BlockDevice => Kind::BlockDevice,
        FileKind::Regular => Kind::Regular,
    }
}

fn entry(volume: &RawVolume, inode: &RawInode, xattrs: Xattrs) -> LinuxEntry {
    let core = &inode.core;
    let kind = linux_kind(core.kind().unwrap());
    LinuxEntry {
        kind,
        mode: core.mode & 0o7777,
        uid: core.uid,
        gid: core.gid,
        nlink: core.nlink,
        ino: Some(inode.ino.0),
        size: 0,
        rdev: None,
        target: (kind == Kind::Symlink).then(|| volume.target(inode)),
        xattrs,
        content: None,
        mtime: untorn_torture::tree::Timestamp { seconds: 0, nanoseconds: 0 },
    }
}

fn xattrs(volume: &RawVolume, inode: &RawInode) -> Xattrs {
    let Some(mut attributes) = attributes(volume, inode) else { return Xattrs::new() };
    let listed = attributes.list().unwrap();
    let mut found = Xattrs::new();
    for attr in listed {
        if attr.namespace == Namespace::Parent {
            let (parent, _) = untorn_format::parent::decode_value(&attr.value).unwrap();
            let named = directory(volume, &volume.inode(parent)).lookup(&attr.name).unwrap();
            assert_eq!(named.map(|found| found.ino), Some(inode.ino));
            volume.note("parent pointer");
            continue;
        }
        let value = attributes.value(attr.namespace, &attr.name).unwrap();
        assert_eq!(value.as_ref(), Some(&attr.value), "{}", attr.name.escape_ascii());
        let missing = [attr.name.as_slice(), b"!"].concat();
        assert_eq!(attributes.value(attr.namespace, &missing).unwrap(), None);
        found.insert(linux_name(attr.namespace, &attr.name), attr.value);
    }
    found
}

/// What Linux calls an attribute.
fn linux_name(space: Namespace, name: &[u8]) -> Vec<u8> {
    let prefix = match space {
        Namespace::User => "user.",
        Namespace::Trusted => "trusted.",
        Namespace::Security => "security.",
        Namespace::Parent => panic!("Linux does not list parent pointers"),
    };
    [prefix.as_bytes(), name].concat()
}

/// What Linux lists, without what is not compared here. It shows access control lists a second
/// time, in a form of its own.
fn as_compared(tree: Tree) -> Tree {
    let trimmed = tree.into_iter().map(|(path, entry)| {
        let xattrs = entry.xattrs.into_iter();
        let xattrs = xattrs.filter(|(name, _)| !name.starts_with(b"system.")).collect();
        let mtime = untorn_torture::tree::Timestamp { seconds: 0, nanoseconds: 0 };
        (path, LinuxEntry { size: 0, rdev: None, content: None, mtime, xattrs, ..entry })
    });
    trimmed.collect()
}

/// Fills a volume, reads it both ways, and says which kinds of blocks were met.
fn agree(options: &MkfsOptions, size: u64, recipe: Recipe) -> BTreeMap<String, u32> {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("filled.img");
    make_volume(&image, size, options).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fill(&mounted.root(), recipe, 7).unwrap();
    let linux = as_compared(tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    compare(&image, &linux)
}

fn compare(image: &Path, linux: &Tree) -> BTreeMap<String, u32> {
    let volume = RawVolume::open(image);
    let (mut ours, root) = (Tree::new(), volume.superblock.root_ino);
    walk(&volume, (root, root), &PathBuf::new(), &mut ours, &mut BTreeMap::new());
    untorn_torture::tree::diff(linux, &ours).assert_none("Linux", "the image");
    let read = volume.read.take();
    println!("{} entries; read {read:?}", ours.len());
    read
}

#[track_caller]
fn demand_kinds(read: &BTreeMap<String, u32>, kinds: &[&str]) {
    for kind in kinds {
        assert!(read.contains_key(*kind), "no {kind} was met: {read:?}");
    }
}

const EVERY_FORM: [&str; 13] = [
    "Data short",
    "Data DirBlock",
    "Data DirData",
    "Data DirFree",
    "Data DirLeaf1",
    "Data DirLeafN",
    "Data DaNode",
    "Attr short",
    "Attr AttrLeaf",
    "Attr DaNode",
    "Attr AttrRemote",
    "inline symlink",
    "remote symlink",
];

#[test]
fn every_form_reads_as_linux_lists_it_with_4k_blocks_kernel() {
    if demand() {
        let read = agree(&MkfsOptions::default(), 1 << 30, Recipe::EveryForm);
        demand_kinds(&read, &EVERY_FORM);
    }
}

#[test]
fn every_form_reads_as_linux_lists_it_with_1k_blocks_kernel() {
    if demand() {
        let options = MkfsOptions { block_size: 1024, ag_count: Some(3), ..Default::default() };
        demand_kinds(&agree(&options, 1 << 30, Recipe::EveryForm), &EVERY_FORM);
    }
}

#[test]
fn directory_blocks_larger_than_blocks_read_as_linux_lists_them_kernel() {
    if demand() {
        for (block_size, directory_block) in [(1024, 8192), (4096, 65536)] {
            let options = MkfsOptions {
                block_size,
                directory_block_size: Some(directory_block),
                nrext64: true,
                ..Default::default()
            };
            let read = agree(&options, 1 << 30, Recipe::EveryForm);
            demand_kinds(&read, &["Data DirBlock", "Data DirLeaf1", "Data DirData"]);
        }
    }
}

#[test]
fn directory_blocks_in_several_extents_read_as_linux_lists_them_kernel() {
    if demand() {
        let options = MkfsOptions {
            block_size: 1024,
            directory_block_size: Some(16384),
            // Features for which Linux keeps room back, in one large piece.
            reflink: false,
            finobt: false,
            inobtcount: false,
            ..Default::default()
        };
        let read = crumbled(&options);
        demand_kinds(&read, &["block in several extents"]);
    }
}

/// A volume whose free space is in crumbs, then directories.
fn crumbled(options: &MkfsOptions) -> BTreeMap<String, u32> {
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("crumbled.img");
    make_volume(&image, 320 << 20, options).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    let folder = mounted.at("folder");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("file");
    std::fs::write(&file, b"many names").unwrap();
    // Nor may it keep room back for itself.
    let mut xfs_io = std::process::Command::new("xfs_io");
    let set = xfs_io.args(["-x", "-c", "resblks 0"]).arg(mounted.root()).output().unwrap();
    assert!(set.status.success(), "{set:?}");
    fill(&mounted.root(), Recipe::Crumbs { blocks: 3000 }, 3).unwrap();
    for number in 0..3000 {
        std::fs::hard_link(&file, folder.join(format!("{number:0>200}"))).unwrap();
    }
    let linux = as_compared(tree(&mounted.root()).unwrap());
    mounted.unmount().unwrap();
    compare(&image, &linux)
}

#[test]
fn parent_pointers_name_the_entries_that_name_them_kernel() {
    if demand() {
        let options = MkfsOptions { extra: vec![Extra::ParentPointers], ..Default::default() };
        let read = agree(&options, 1 << 30, Recipe::EveryForm);
        demand_kinds(&read, &EVERY_FORM);
        assert!(read.get("parent pointer").is_some_and(|&count| count > 1000), "{read:?}");
    }
}

#[test]
fn a_directory_of_160000_long_names_reads_as_linux_lists_it_kernel() {
    if demand() {
        let names = 160_000;
        let options = MkfsOptions { block_size: 1024, ..Default::default() };
        let read = agree(&options, 1 << 30, Recipe::HugeDirectory { names });
        demand_kinds(&read, &["Data DaNode", "Data DirLeafN", "Data DirData", "Data DirFree"]);
    }
}
