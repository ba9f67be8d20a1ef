//! The volume that the table of damages hurts, made by Linux: blocks of 1 KiB, so that every kind
//! of tree and form is reached with little.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FallocateFlags, FileType, Mode, XattrFlags, fallocate, makedev, mknodat};
use untorn_torture::kernel::{self, MkfsOptions, Mounted};

use super::damage::image::Image;
use super::damage::patient::Names;
use untorn_device::MemoryDevice;
use untorn_format::Ino;

const MIB: u64 = 1 << 20;

/// Makes the volume at `path`.
pub fn make(path: &Path) -> Image {
    let options = MkfsOptions {
        block_size: 1024,
        ag_count: Some(2),
        rmapbt: true,
        nrext64: true,
        ..Default::default()
    };
    kernel::make_volume(path, 40 * MIB, &options).unwrap();
    let mounted = Mounted::new(path).unwrap();
    let root = mounted.root();
    directories(&root);
    files(&root);
    attributes(&root);
    let names = names(&root);
    mounted.unmount().unwrap();
    // A journal without old records keeps the image small.
    let status = Command::new("xfs_repair").arg("-Lf").arg(path).output().unwrap().status;
    assert!(status.success());
    Image { device: MemoryDevice::load(path).unwrap(), names }
}

fn names(root: &Path) -> Names {
    let mut names = Names::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let many =
                folder.ends_with("block") || folder.ends_with("leaf") || folder.ends_with("node");
            if !many {
                names.insert(name, Ino(metadata.ino()));
            }
            if metadata.is_dir() {
                waiting.push(path);
            }
        }
    }
    names
}

fn directories(root: &Path) {
    let at = |path: &str| root.join(path);
    for folder in ["short", "block", "leaf", "node", "lone", "above/below/deep"] {
        fs::create_dir_all(at(folder)).unwrap();
    }
    for file in ["short/a", "short/b", "short/c", "lone/file"] {
        File::create(at(file)).unwrap();
    }
    write(&at("plain"), 0, 10);
    let link = |from: &str, to: String| fs::hard_link(at(from), at(&to)).unwrap();
    link("plain", "short/hard".to_owned());
    (0..24).for_each(|i| link("short/a", format!("block/name-{i:02}")));
    (0..200).for_each(|i| link("short/b", format!("leaf/long-name-number-{i:03}")));
    (0..1300).for_each(|i| link("short/c", format!("node/long-name-number-{i:04}")));
    for i in (0..1300).step_by(7) {
        fs::remove_file(at(&format!("node/long-name-number-{i:04}"))).unwrap();
    }
    symlink("target", at("link-short")).unwrap();
    symlink("t".repeat(700), at("link-long")).unwrap();
    mknodat(CWD, at("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let device = FileType::CharacterDevice;
    mknodat(CWD, at("device"), device, Mode::from_raw_mode(0o600), makedev(1, 3)).unwrap();
}

/// Writes `length` KiB of zeroes at `offset` KiB, on disk when it returns.
fn write(path: &Path, offset: u64, length: usize) {
    let file = File::options().create(true).truncate(false).write(true).open(path).unwrap();
    file.write_all_at(&vec![0; length * 1024], offset * 1024).unwrap();
    file.sync_all().unwrap();
}

fn clone(from: PathBuf, to: PathBuf) {
    let (from, to) = (File::open(from).unwrap(), File::create(to).unwrap());
    rustix::fs::ioctl_ficlone(to, from).unwrap();
}

fn files(root: &Path) {
    let at = |path: &str| root.join(path);
    write(&at("frag"), 0, 700);
    let frag = File::options().write(true).open(at("frag")).unwrap();
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    (0..700).step_by(2).for_each(|i| fallocate(&frag, punch, i * 1024, 1024).unwrap());
    clone(at("frag"), at("clone"));
    [(0, 1), (4, 1), (9, 2)].into_iter().for_each(|(at_kib, kib)| write(&at("few"), at_kib, kib));
    write(&at("shared"), 0, 64);
    clone(at("shared"), at("sharer"));
    let unwritten = File::create(at("unwritten")).unwrap();
    fallocate(&unwritten, FallocateFlags::empty(), 0, 32 * 1024).unwrap();
}

fn attributes(root: &Path) {
    let set = |file: &str, name: String, value: &[u8]| {
        let path = root.join(file);
        File::options().create(true).append(true).open(&path).unwrap();
        rustix::fs::setxattr(&path, name, value, XattrFlags::CREATE).unwrap();
    };
    set("attr-short", "user.a".to_owned(), b"v");
    (0..10).for_each(|i| set("attr-leaf", format!("user.name-{i}"), &[b'v'; 40]));
    (0..60).for_each(|i| set("attr-node", format!("user.long-attribute-name-{i:03}"), &[b'v'; 60]));
    set("attr-remote", "user.big".to_owned(), &[b'r'; 3000]);
}
