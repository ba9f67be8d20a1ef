//! Images from trees beside Linux: what it filled goes in, and it sees the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use untorn_torture::kernel::{
    self, MkfsOptions, Mounted, Recipe, Scratch, fill, make_volume, xfs_repair_n,
};
use untorn_torture::tree;

#[track_caller]
fn untorn(arguments: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_untorn")).args(arguments).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {err}");
}

/// Links, devices, attributes, access lists, holes.
fn special(root: &Path) {
    let script = r#"
        set -e
        umask 022
        mkdir special special/sticky
        chmod 3775 special/sticky
        chown 1000:100 special/sticky
        mknod special/null c 1 3
        mknod special/disk b 259 70000
        mkfifo special/fifo
        ln -s ../elsewhere special/soft
        truncate -s 3g special/holes
        printf middle | dd of=special/holes bs=1 seek=1500000000 conv=notrunc 2>/dev/null
        ln special/holes special/linked
        touch -d @1234567890.123456789 special/linked
        chmod 4711 special/linked
    "#;
    let done = Command::new("sh").arg("-c").arg(script).current_dir(root).status().unwrap();
    assert!(done.success());
    let list: Vec<u8> = [(1, 6, u32::MAX), (2, 7, 77), (4, 4, u32::MAX), (16, 5, u32::MAX)]
        .into_iter()
        .chain([(32, 0, u32::MAX)])
        .flat_map(|(tag, bits, id): (u16, u16, u32)| {
            [&tag.to_le_bytes()[..], &bits.to_le_bytes(), &id.to_le_bytes()].concat()
        })
        .collect();
    let list = [&2u32.to_le_bytes()[..], &list].concat();
    let set = |path: &str, name: &str, value: &[u8]| {
        let flags = rustix::fs::XattrFlags::empty();
        rustix::fs::lsetxattr(root.join(path), name, value, flags).unwrap();
    };
    set("special/fifo", "trusted.note", b"\0\n=");
    set("special/linked", "user.large", &[7; 30_000]);
    set("special/linked", "system.posix_acl_access", &list);
    set("special/sticky", "system.posix_acl_default", &list);
}

/// What Linux sees below `root`. Inodes are numbered by their first name, and a directory's size is
/// its file system's business.
fn seen(root: &Path) -> tree::Tree {
    let mut tree = kernel::tree(root).unwrap();
    let mut numbers = HashMap::new();
    for (number, entry) in (0..).zip(tree.values_mut()) {
        entry.ino = entry.ino.map(|ino| *numbers.entry(ino).or_insert(number));
        if entry.kind == tree::Kind::Directory {
            entry.size = 0;
        }
    }
    tree
}

/// Our checker, and xfs_repair where it knows the features.
fn judge(image: &Path, shape: &[&str]) {
    untorn(&["check", image.to_str().unwrap()]);
    if !shape.contains(&"parent=1") {
        xfs_repair_n(image).unwrap().assert_clean();
    }
}

#[test]
fn linux_sees_in_an_image_what_it_saw_in_the_source_kernel() {
    if !kernel::demand() {
        return;
    }
    let shapes: [&[&str]; 4] = [
        &[],
        &["-b", "size=1k", "-n", "parent=1"],
        &["-m", "rmapbt=0,reflink=0", "-i", "nrext64=1"],
        &["--minimize"],
    ];
    let scratch = Scratch::new().unwrap();
    let source = scratch.image("source.img");
    make_volume(&source, 512 << 20, &MkfsOptions::default()).unwrap();
    let from = Mounted::new(&source).unwrap();
    fill(&from.root(), Recipe::ManyFiles { count: 500 }, 1).unwrap();
    special(&from.root());
    let before = seen(&from.root());
    let root = from.root();
    for shape in shapes {
        let image = scratch.image("made.img");
        let made = ["mkfs", "-q", "-f", "--from", root.to_str().unwrap(), image.to_str().unwrap()];
        untorn(&[&made[..], shape].concat());
        judge(&image, shape);
        let mounted = Mounted::new(&image).unwrap();
        tree::diff(&before, &seen(&mounted.root())).assert_none("source", "image");
        // It can be used.
        std::fs::write(mounted.at("by-linux"), vec![1; 1 << 20]).unwrap();
        mounted.unmount().unwrap();
        judge(&image, shape);
        std::fs::remove_file(&image).unwrap();
    }
    from.unmount().unwrap();
}

#[test]
fn files_leave_an_image_without_a_free_block_and_linux_goes_on_with_it_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let (source, image) = (scratch.image("source"), scratch.image("full.img"));
    std::fs::create_dir(&source).unwrap();
    for number in 0..400 {
        let path = source.join(format!("file-{number}"));
        std::fs::write(path, vec![number as u8; 3000 + 50 * number]).unwrap();
    }
    let name = image.to_str().unwrap();
    untorn(&["mkfs", "-q", "--minimize", "--from", source.to_str().unwrap(), name]);
    for number in (0..400).step_by(2) {
        untorn(&["rm", name, &format!("/file-{number}")]);
        if number % 40 == 0 {
            judge(&image, &[]);
        }
    }
    let mounted = Mounted::new(&image).unwrap();
    assert_eq!(std::fs::read_dir(mounted.root()).unwrap().count(), 200);
    std::fs::write(mounted.at("by-linux"), vec![1; 500_000]).unwrap();
    for number in (1..400).step_by(2) {
        let found = std::fs::read(mounted.at(format!("file-{number}"))).unwrap();
        assert!(found == vec![number as u8; 3000 + 50 * number], "file {number}");
    }
    mounted.unmount().unwrap();
    judge(&image, &[]);
}

#[test]
fn linux_sees_in_a_copy_what_it_saw_in_the_volume_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let [source, target] = ["source.img", "target.img"].map(|name| scratch.image(name));
    make_volume(&source, 512 << 20, &MkfsOptions::default()).unwrap();
    let mounted = Mounted::new(&source).unwrap();
    fill(&mounted.root(), Recipe::ManyFiles { count: 300 }, 2).unwrap();
    special(&mounted.root());
    let before = seen(&mounted.root());
    mounted.unmount().unwrap();
    make_volume(&target, 512 << 20, &MkfsOptions::default()).unwrap();
    let out = Mounted::new(&target).unwrap();
    let from = format!("{}:/", source.display());
    // A directory that is there already would stay what it is.
    let copy = out.at("copy");
    untorn(&["cp", "-r", &from, copy.to_str().unwrap()]);
    let after = seen(&copy);
    out.unmount().unwrap();
    tree::diff(&before, &after).assert_none("volume", "copy");
}

#[test]
fn an_archive_of_gnu_tar_holds_what_linux_saw_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let source = scratch.image("source.img");
    make_volume(&source, 512 << 20, &MkfsOptions::default()).unwrap();
    let mounted = Mounted::new(&source).unwrap();
    fill(&mounted.root(), Recipe::ManyFiles { count: 300 }, 3).unwrap();
    special(&mounted.root());
    let before = seen(&mounted.root());
    let archive = scratch.image("archive.tar");
    let made = Command::new("tar")
        .args(["--format=posix", "--sparse", "--xattrs", "--xattrs-include=*", "--acls"])
        .args(["--numeric-owner", "-cf"])
        .arg(&archive)
        .arg("-C")
        .arg(mounted.root())
        .arg(".")
        .status()
        .unwrap();
    assert!(made.success());
    mounted.unmount().unwrap();
    let image = scratch.image("made.img");
    untorn(&["mkfs", "-q", "--from", archive.to_str().unwrap(), image.to_str().unwrap()]);
    xfs_repair_n(&image).unwrap().assert_clean();
    let mounted = Mounted::new(&image).unwrap();
    let after = seen(&mounted.root());
    mounted.unmount().unwrap();
    tree::diff(&before, &after).assert_none("source", "image");
}
