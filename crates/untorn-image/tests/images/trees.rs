//! Trees of the host.

use super::{built, open, read};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::Path;
use untorn::mkfs::Options;
use untorn_device::BlockDevice;
use untorn_format::inode::Timestamp;
use untorn_image::{Epoch, Owners, Tree};

fn tree_at(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    tree.add_directory(b"", folder).unwrap();
    tree
}

/// The bytes of a reproducible image of 64 MiB.
fn image(tree: &Tree) -> Vec<u8> {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(5);
    let mut tree = tree.clone();
    tree.stamp(Epoch::All(Timestamp { seconds: 5, nanos: 0 }));
    let size = Some(64 << 20);
    let options = Options { uuid: Some([7; 16]), time: Some(time), size, ..Options::default() };
    let (device, _) = built(&tree, &options);
    let mut bytes = vec![0; 64 << 20];
    device.read_at(0, &mut bytes).unwrap();
    bytes
}

#[test]
fn contents_come_over_whatever_their_size_and_holes_check() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for (number, size) in
        [0, 1, 4095, 4096, 4097, 65_536, 65_537, 1 << 20, (1 << 20) + 1, 3_500_000]
            .iter()
            .enumerate()
    {
        let mut bytes: Vec<u8> = (0..*size).map(|at: u32| (at % 251) as u8 + 1).collect();
        // Zeroes inside blocks, whole blocks of them, and at the end.
        for at in (0..bytes.len()).step_by(70_000) {
            let end = bytes.len().min(at + 13_000);
            bytes[at..end].fill(0);
        }
        fs::write(folder.path().join(number.to_string()), &bytes).unwrap();
        expected.push(bytes);
    }
    let holes = fs::File::create(folder.path().join("holes")).unwrap();
    holes.set_len(5 << 30).unwrap();
    for at in [0, (1 << 20) - 3, 2 << 30, (5 << 30) - 10] {
        holes.write_all_at(b"some bytes", at).unwrap();
    }
    let (device, _) = built(&tree_at(folder.path()), &Options::default());
    let volume = open(&device);
    for (number, bytes) in expected.iter().enumerate() {
        assert!(&read(&volume, &format!("/{number}")) == bytes, "file {number} differs");
    }
    let file = volume.open_file("/holes").unwrap();
    assert_eq!(file.size().unwrap(), 5 << 30);
    for at in [0, (1 << 20) - 3, 2 << 30, (5 << 30) - 10] {
        let mut bytes = [0; 10];
        file.read_at(at, &mut bytes).unwrap();
        assert_eq!(&bytes, b"some bytes", "at {at}");
    }
    assert!(volume.metadata("/holes").unwrap().inode.blocks < 12);
}

#[test]
fn neither_order_nor_holes_of_the_source_change_a_byte_model() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let names: Vec<usize> = (0..300).collect();
    let orders = [names.clone(), names.into_iter().rev().collect()];
    for (which, (folder, order)) in folders.iter().zip(orders).enumerate() {
        for number in order {
            let dir = folder.path().join(format!("d{}", number % 5));
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join(format!("f{number}")), vec![7; number * 40]).unwrap();
        }
        let sparse = fs::File::create(folder.path().join("sparse")).unwrap();
        sparse.set_len(5_000_000).unwrap();
        if which == 0 {
            // The same bytes, written where the other has holes.
            sparse.write_all_at(&vec![0; 5_000_000], 0).unwrap();
        }
        sparse.write_all_at(&[1; 5000], 3_000_000).unwrap();
        let links = [["a", "z"], ["z", "a"]];
        let [first, second] = links[which].map(|name| folder.path().join(name));
        fs::write(&first, b"linked").unwrap();
        fs::hard_link(&first, &second).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let images = folders.each_ref().map(|folder| image(&tree_at(folder.path())));
    assert!(images[0] == images[1], "the images differ");
}

#[test]
fn owners_and_times_are_those_that_were_asked_for_check() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let found = fs::metadata(folder.path().join("file")).unwrap();
    let mtime = Timestamp { seconds: found.mtime(), nanos: found.mtime_nsec() as u32 };
    let tree = tree_at(folder.path());
    let seen = |tree: &Tree| {
        let (device, _) = built(tree, &Options::default());
        open(&device).metadata("/file").unwrap().inode
    };
    let plain = seen(&tree);
    assert_eq!((plain.uid, plain.gid, plain.mtime), (found.uid(), found.gid(), mtime));
    let mut owned = tree.clone();
    owned.own(&Owners::Fixed(Some(7), None));
    assert_eq!((seen(&owned).uid, seen(&owned).gid), (7, found.gid()));
    let early = Timestamp { seconds: 1000, nanos: 0 };
    let mut clamped = tree.clone();
    clamped.stamp(Epoch::Clamp(early));
    assert_eq!(seen(&clamped).mtime, early);
    let mut late = tree.clone();
    late.stamp(Epoch::Clamp(Timestamp { seconds: mtime.seconds + 9, nanos: 0 }));
    assert_eq!(seen(&late).mtime, mtime);
}

#[test]
fn trees_go_into_volumes_that_hold_something_check() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("dir")).unwrap();
    fs::write(folder.path().join("dir/new"), "new").unwrap();
    fs::write(folder.path().join("file"), "new").unwrap();
    let (device, _) = built(&Tree::new(), &Options::default());
    let volume = untorn::Volume::open(device.clone(), untorn::OpenOptions::default()).unwrap();
    let new = untorn::NewFile { permissions: 0o2700, uid: 5, gid: 6 };
    volume.create_dir("/dir", new).unwrap();
    volume.create_file("/dir/old", new).unwrap();
    drop(volume.create_file("/file", new).unwrap());
    let tree = tree_at(folder.path());
    let root = volume.root();
    untorn_image::populate(&volume, root, &tree, &mut |_| {}).unwrap();
    volume.close().unwrap();
    super::assert_sound(&*device);
    let volume = open(&device);
    let dir = volume.metadata("/dir").unwrap().inode;
    assert_eq!((dir.mode & 0o7777, dir.uid), (0o2700, 5), "it stays what it was");
    assert!(volume.lookup("/dir/old").is_ok());
    assert_eq!(read(&volume, "/file"), b"new");
    let made = volume.metadata("/dir/new").unwrap().inode;
    let found = fs::metadata(folder.path().join("dir/new")).unwrap();
    assert_eq!((made.uid, made.gid), (found.uid(), found.gid()), "nothing is handed down");
}

/// What a file is replaced by, at this path.
type Replace = fn(&Path);

#[test]
fn a_file_that_became_something_else_is_refused() {
    let cases: [Replace; 3] = [
        |path| std::os::unix::fs::symlink("/etc/hostname", path).unwrap(),
        |path| {
            let mode = rustix::fs::Mode::RUSR;
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap()
        },
        |path| fs::create_dir(path).unwrap(),
    ];
    for replace in cases {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, b"as it was").unwrap();
        let tree = tree_at(folder.path());
        fs::remove_file(&path).unwrap();
        replace(&path);
        let device = std::sync::Arc::new(untorn_device::MemoryDevice::new(64 << 20));
        let error = untorn_image::build(device, &Options::default(), &tree, &mut |_| {});
        let error = error.unwrap_err().to_string();
        assert!(error.contains("file: is no regular file any more"), "{error}");
    }
}

#[test]
fn files_that_the_host_makes_up_have_the_bytes_that_it_gives_check() {
    // Sizes that are told: none, none of a large one, a page of a few bytes.
    let paths = ["/proc/version", "/proc/kallsyms", "/sys/kernel/mm/transparent_hugepage/enabled"];
    for path in paths {
        let (before, mut tree) = (fs::read(path), Tree::new());
        if tree.add_all(&[(b"made-up".to_vec(), Path::new(path))]).is_err() {
            eprintln!("skipped: this host has no {path}");
            continue;
        }
        let (device, _) = built(&tree, &Options::default());
        let bytes = read(&open(&device), "/made-up");
        match (before, fs::read(path)) {
            (Ok(before), Ok(after)) if before == after => {
                assert!(!bytes.is_empty() && bytes == before, "{path}: {} bytes", bytes.len());
            }
            _ => eprintln!("skipped: {path} changes, or cannot be read"),
        }
    }
}
