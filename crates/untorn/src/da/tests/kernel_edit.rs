//! Directories and attributes as the editors change them, against what Linux makes of the same
//! change, and judged by Linux and xfs_repair where the editors write into a clean volume.

use super::raw::{RawInode, RawVolume, directory, fork_bytes};
use crate::dir::tests::memory::{Contents, MemoryFork};
use crate::dir::{self, Cookie, DirFork, Listed};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use untorn_format::attr::{Namespace, short_edit};
use untorn_format::da::{DaBlock, Fit};
use untorn_format::dir::{Block, FileType, NewEntry, Short};
use untorn_format::inode::ForkFormat;
use untorn_format::records::Fork;
use untorn_format::{BlockKind, Ino};
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{MkfsOptions, Mounted, Scratch, demand, make_volume, xfs_repair_n};

/// A volume with the folder `folder`, closed.
struct Closed {
    scratch: Scratch,
    folder: Ino,
}

impl Closed {
    fn new(options: &MkfsOptions, prepare: impl FnOnce(&Path)) -> Self {
        let scratch = Scratch::new().unwrap();
        make_volume(&scratch.image("image"), 320 << 20, options).unwrap();
        let mut closed = Self { scratch, folder: Ino(0) };
        closed.folder = closed.mounted(|root| {
            let folder = root.join("folder");
            fs::create_dir(&folder).unwrap();
            prepare(&folder);
            Ino(fs::metadata(&folder).unwrap().ino())
        });
        closed
    }

    /// Does something as Linux.
    fn mounted<R>(&self, work: impl FnOnce(&Path) -> R) -> R {
        let mounted = Mounted::new(&self.scratch.image("image")).unwrap();
        let result = work(&mounted.root());
        mounted.unmount().unwrap();
        result
    }

    fn open(&self) -> RawVolume {
        RawVolume::open(&self.scratch.image("image"))
    }

    /// The folder as it is on the image.
    fn read(&self) -> MemoryFork {
        let volume = self.open();
        let inode = volume.inode(self.folder);
        let contents = match inode.core.format {
            ForkFormat::Local => Contents::Inline(
                fork_bytes(&inode, Fork::Data)[..inode.core.size as usize].to_vec(),
            ),
            _ => Contents::Block(read_block(&volume, &inode)),
        };
        let room = fork_bytes(&inode, Fork::Data).len();
        MemoryFork { geometry: volume.geometry().clone(), ino: self.folder, room, contents }
    }

    /// Writes a folder of unchanged form home.
    fn write(&self, fork: MemoryFork) {
        let volume = self.open();
        let mut inode = volume.inode(self.folder);
        match fork.contents {
            Contents::Nothing => panic!("a directory without contents"),
            Contents::Inline(bytes) => {
                assert_eq!(inode.core.format, ForkFormat::Local);
                inode.core.size = bytes.len() as u64;
                let place = untorn_format::inode::data_fork_mut(&mut inode.bytes).unwrap();
                place[..bytes.len()].copy_from_slice(&bytes);
                volume.write_inode(&mut inode);
            }
            Contents::Block(mut bytes) => {
                let extents = volume.fork(&inode, Fork::Data).extents;
                let [extent] = extents[..] else { panic!("one extent: {extents:?}") };
                volume.write_block(extent.start, BlockKind::DirBlock, &mut bytes, inode.core.lsn);
            }
        }
    }
}

fn read_block(volume: &RawVolume, inode: &RawInode) -> Vec<u8> {
    use crate::da::ForkBlocks;
    let mut fork = volume.fork(inode, Fork::Data);
    fork.read(DaBlock(0), BlockKind::DirBlock).unwrap().unwrap().to_vec()
}

/// Entries with their positions, whatever the form.
fn positions(fork: &MemoryFork) -> BTreeMap<Vec<u8>, (Ino, usize)> {
    let read =
        |entry: untorn_format::dir::Entry<'_>| (entry.name.to_vec(), (entry.ino, entry.offset));
    match &fork.contents {
        Contents::Nothing => panic!("a directory without contents"),
        Contents::Inline(bytes) => {
            Short::parse(bytes).unwrap().entries().map(|entry| read(entry.unwrap())).collect()
        }
        Contents::Block(bytes) => {
            let entries = Block::parse(bytes).unwrap().entries();
            let named = entries.map(|entry| entry.unwrap()).filter(|e| !e.name.starts_with(b"."));
            named.map(read).collect()
        }
    }
}

fn name_of(dice: &mut Dice, longest: u64, taken: &BTreeMap<Vec<u8>, (Ino, usize)>) -> Vec<u8> {
    loop {
        let length = 1 + dice.below(longest);
        let name: Vec<u8> = (0..length).map(|_| b'a' + dice.below(26) as u8).collect();
        if !taken.contains_key(&name) {
            return name;
        }
    }
}

/// Linux and the editor make the same change to one directory, many times over; how often it had
/// short form and block form.
fn change_side_by_side(options: &MkfsOptions, steps: u32, seed: u64) -> [u32; 2] {
    let mut dice = Dice::new(seed);
    let closed = Closed::new(options, |_| ());
    let mut ours = closed.read();
    let mut met = [0; 2];
    for step in 0..steps {
        let before = positions(&ours);
        // Grows for a while, then shrinks for a while, across the border between the forms.
        let grow = dice.chance(if step / 25 % 2 == 0 { 7 } else { 3 }, 10) || before.is_empty();
        if grow {
            let name = name_of(&mut dice, 30, &before);
            let ino = closed.mounted(|root| {
                let path = root.join("folder").join(OsStr::from_bytes(&name));
                fs::write(&path, b"").unwrap();
                Ino(fs::metadata(&path).unwrap().ino())
            });
            dir::small::try_add(
                &mut ours,
                NewEntry { name: &name, ino, file_type: FileType::Regular },
            )
            .unwrap();
        } else {
            let index = dice.below(before.len() as u64) as usize;
            let name = before.keys().nth(index).unwrap().clone();
            closed.mounted(|root| {
                let path = root.join("folder").join(OsStr::from_bytes(&name));
                fs::remove_file(path).unwrap();
            });
            assert_eq!(dir::small::remove(&mut ours, &name), Ok(Some(before[&name].0)));
        }
        let theirs = closed.read();
        match (&ours.contents, &theirs.contents) {
            (Contents::Inline(left), Contents::Inline(right)) => {
                met[0] += 1;
                assert_eq!(left, right, "step {step}: short forms differ");
            }
            (Contents::Block(_), Contents::Block(_)) => {
                met[1] += 1;
                let (left, right) = (positions(&ours), positions(&theirs));
                let inos = |of: &BTreeMap<Vec<u8>, (Ino, usize)>| {
                    of.iter().map(|(name, (ino, _))| (name.clone(), *ino)).collect::<Vec<_>>()
                };
                assert_eq!(inos(&left), inos(&right), "step {step}");
                let stayed = before.keys().filter(|name| left.contains_key(*name));
                for name in stayed {
                    assert_eq!(left[name], right[name], "step {step}: an entry moved");
                    assert_eq!(left[name], before[name], "step {step}: an entry moved");
                }
            }
            (left, right) => panic!("step {step}: forms differ: {left:?} {right:?}"),
        }
        // From here on as Linux has it: the order of free space within a block is not compared.
        ours = theirs;
    }
    xfs_repair_n(&closed.scratch.image("image")).unwrap().assert_clean();
    met
}

#[test]
fn directories_change_form_and_bytes_as_under_linux_kernel() {
    if demand() {
        for (seed, inode_size) in [(1, 512), (2, 1024)] {
            let options = MkfsOptions { inode_size, ..Default::default() };
            let [short, block] = change_side_by_side(&options, 100, seed);
            assert!(short > 10 && block > 10, "{short} short, {block} block");
        }
    }
}

/// Renames entries of the folder in the image, `times` over.
fn rename_in_place(closed: &Closed, times: u32, longest: u64, seed: u64) -> Vec<(Vec<u8>, Ino)> {
    let mut dice = Dice::new(seed);
    let mut fork = closed.read();
    for _ in 0..times {
        let entries = positions(&fork);
        let old = entries.keys().nth(dice.below(entries.len() as u64) as usize).unwrap().clone();
        let name = name_of(&mut dice, longest, &entries);
        let saved = fork.clone();
        let ino = dir::small::remove(&mut fork, &old).unwrap().unwrap();
        let new = NewEntry { name: &name, ino, file_type: FileType::Regular };
        let changed_form = dir::small::try_add(&mut fork, new).is_err()
            || fork.inline().is_some() != saved.inline().is_some();
        if changed_form {
            fork = saved;
        }
    }
    let expected = positions(&fork).into_iter().map(|(name, (ino, _))| (name, ino)).collect();
    closed.write(fork);
    expected
}

/// What Linux lists and looks up.
fn linux_lists(folder: &Path) -> Vec<(Vec<u8>, Ino)> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let mut found: Vec<_> = entries
        .map(|entry| {
            let ino = fs::symlink_metadata(entry.path()).unwrap().ino();
            assert_eq!(ino, std::os::unix::fs::DirEntryExt::ino(&entry));
            (entry.file_name().as_bytes().to_vec(), Ino(ino))
        })
        .collect();
    found.sort();
    found
}

fn edited_directories_are_accepted(options: &MkfsOptions, files: u32, longest: u64, seed: u64) {
    let closed = Closed::new(options, |folder| {
        for number in 0..files {
            fs::write(folder.join(format!("{number:08}")), b"").unwrap();
        }
    });
    let expected = rename_in_place(&closed, 400, longest, seed);
    assert_eq!(expected.len(), files as usize);
    xfs_repair_n(&closed.scratch.image("image")).unwrap().assert_clean();
    closed.mounted(|root| {
        let folder = root.join("folder");
        assert_eq!(linux_lists(&folder), expected);
        // And Linux goes on from there, to the next form and back to nothing.
        for number in 0..300 {
            fs::write(folder.join(format!("more-{number:020}")), b"").unwrap();
        }
        for (name, _) in linux_lists(&folder) {
            fs::remove_file(folder.join(OsStr::from_bytes(&name))).unwrap();
        }
    });
    xfs_repair_n(&closed.scratch.image("image")).unwrap().assert_clean();
}

#[test]
fn linux_and_xfs_repair_accept_edited_short_directories_kernel() {
    if demand() {
        edited_directories_are_accepted(&MkfsOptions::default(), 9, 40, 11);
        let options = MkfsOptions { inode_size: 2048, ..Default::default() };
        edited_directories_are_accepted(&options, 60, 30, 12);
    }
}

#[test]
fn linux_and_xfs_repair_accept_edited_block_directories_kernel() {
    if demand() {
        edited_directories_are_accepted(&MkfsOptions::default(), 60, 50, 21);
        for (block_size, dir_block) in [(1024, 4096), (4096, 65536)] {
            let options = MkfsOptions {
                block_size,
                directory_block_size: Some(dir_block),
                ..Default::default()
            };
            edited_directories_are_accepted(&options, dir_block / 64, 40, 22);
        }
    }
}

#[test]
fn cookies_survive_what_linux_does_to_the_rest_kernel() {
    if !demand() {
        return;
    }
    let closed = Closed::new(&MkfsOptions::default(), |folder| {
        for number in 0..8 {
            fs::write(folder.join(format!("{number:08}")), b"").unwrap();
        }
    });
    let resume_after = |from: Cookie, stop: Option<&[u8]>| {
        let volume = closed.open();
        let inode = volume.inode(closed.folder);
        let mut directory = directory(&volume, &inode);
        let (mut names, mut at) = (Vec::new(), from);
        let visit = |entry: Listed<'_>| {
            names.push(entry.name.to_vec());
            at = entry.next;
            if Some(entry.name) == stop {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        directory.list(from, visit).unwrap();
        (names, at)
    };
    let (_, cookie) = resume_after(Cookie::START, Some(b"00000003"));
    let rest: Vec<_> = (4..8).map(|number| format!("{number:08}").into_bytes()).collect();
    assert_eq!(resume_after(cookie, None).0, rest);
    // To block form, leaf form, node form; and what was there stays where it was.
    for count in [40, 400, 4000] {
        closed.mounted(|root| {
            for number in 0..count {
                fs::write(root.join(format!("folder/new-{number}")), b"").unwrap();
            }
        });
        let names = resume_after(cookie, None).0;
        let old: Vec<_> = names.iter().filter(|name| name.starts_with(b"0")).cloned().collect();
        assert_eq!(old, rest, "{count} more");
    }
}

#[test]
fn short_attributes_change_as_under_linux_kernel() {
    if !demand() {
        return;
    }
    let mut dice = Dice::new(31);
    let closed = Closed::new(&MkfsOptions { inode_size: 1024, ..Default::default() }, |folder| {
        rustix::fs::setxattr(folder, "user.first", b"1", rustix::fs::XattrFlags::CREATE).unwrap();
    });
    let read = || {
        let volume = closed.open();
        let inode = volume.inode(closed.folder);
        assert_eq!(inode.core.attr_format, ForkFormat::Local);
        let bytes = fork_bytes(&inode, Fork::Attr);
        let size = untorn_format::attr::Short::parse(bytes).unwrap().size();
        bytes[..size].to_vec()
    };
    let mut ours = read();
    let mut names = vec![b"first".to_vec()];
    for _ in 0..40 {
        if names.len() < 2 || (names.len() < 9 && dice.chance(2, 3)) {
            let length = dice.below(30) as usize;
            let (name, value) = (format!("name-{}", dice.below(1 << 30)), dice.bytes(length));
            closed.mounted(|root| {
                let full = format!("user.{name}");
                let flags = rustix::fs::XattrFlags::CREATE;
                rustix::fs::setxattr(root.join("folder"), full, &value, flags).unwrap();
            });
            let fit = short_edit::add(&mut ours, Namespace::User, name.as_bytes(), &value, 800);
            assert_eq!(fit, Ok(Fit::Done));
            names.push(name.into_bytes());
        } else {
            let name = names.remove(dice.below(names.len() as u64) as usize);
            closed.mounted(|root| {
                let full = [b"user.".as_slice(), &name].concat();
                rustix::fs::removexattr(root.join("folder"), full.as_slice()).unwrap();
            });
            let key = short_edit::Key::Name(Namespace::User, &name);
            assert!(short_edit::remove(&mut ours, key).unwrap().is_some());
        }
        assert_eq!(ours, read());
    }
}
