//! The command beside xfsprogs and Linux on volumes that Linux filled.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use untorn_torture::kernel::{
    self, MkfsOptions, Mounted, Recipe, Scratch, fill, make_volume, xfs_bmap, xfs_repair_n,
};
use untorn_torture::tree;

fn untorn(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_untorn")).args(arguments).output().unwrap()
}

#[track_caller]
fn said(arguments: &[&str]) -> String {
    let output = untorn(arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {err}");
    String::from_utf8(output.stdout).unwrap()
}

/// Everything on the volume but the target.
fn others(mounted: &Mounted) -> tree::Tree {
    let mut tree = kernel::tree(&mounted.root()).unwrap();
    tree.remove(Path::new("target")).unwrap();
    tree
}

fn xfs_info(image: &str) -> String {
    let output = Command::new("xfs_info").arg(image).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Makes files whose maps have holes, shared, unwritten and many extents.
fn lay_out(root: &Path) -> [&'static str; 6] {
    let script = r#"
        set -e
        xfs_io -f -c "pwrite -q 0 64k" -c "falloc 128k 64k" -c "truncate 1m" mixed
        cp --reflink=always mixed clone
        xfs_io -c "pwrite -q 16k 4k" -c fsync clone
        xfs_io -f -c "truncate 1m" hole
        touch empty
        for block in $(seq 0 2 80); do
            xfs_io -f -c "pwrite -q $((block * 4096)) 4k" -c fsync crumbs
        done
        xfs_io -f -c "falloc -k 0 1m" -c "pwrite -q 0 5k" -c fsync beyond
    "#;
    let done = Command::new("sh").arg("-c").arg(script).current_dir(root).status().unwrap();
    assert!(done.success());
    ["mixed", "clone", "hole", "empty", "crumbs", "beyond"]
}

#[test]
fn maps_are_those_that_xfs_bmap_prints_kernel() {
    if !kernel::demand() {
        return;
    }
    for rmapbt in [false, true] {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("volume.img");
        make_volume(&image, 512 << 20, &MkfsOptions { rmapbt, ..MkfsOptions::default() }).unwrap();
        let mounted = Mounted::new(&image).unwrap();
        let names = lay_out(&mounted.root());
        mounted.sync().unwrap();
        let maps: Vec<_> = names.iter().map(|name| xfs_bmap(&mounted.at(name)).unwrap()).collect();
        let root = mounted.root().display().to_string();
        mounted.unmount().unwrap();
        for (name, theirs) in names.iter().zip(maps) {
            let ours = said(&["bmap", image.to_str().unwrap(), &format!("/{name}")]);
            assert_eq!(ours, theirs.replace(&root, ""), "{name}");
        }
    }
}

#[test]
fn layouts_are_those_that_xfs_info_prints_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let shapes = [
        MkfsOptions::default(),
        MkfsOptions { block_size: 1024, rmapbt: true, nrext64: true, ..MkfsOptions::default() },
        MkfsOptions { reflink: false, sparse: false, bigtime: false, ..MkfsOptions::default() },
        MkfsOptions { sector_size: 4096, inode_size: 1024, ..MkfsOptions::default() },
    ];
    for shape in shapes {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("volume.img");
        make_volume(&image, 512 << 20, &shape).unwrap();
        let image = image.to_str().unwrap();
        let ours = said(&["info", image]);
        assert_eq!(ours.strip_suffix("journal is clean\n"), Some(xfs_info(image).as_str()));
    }
}

#[test]
fn a_volume_made_by_the_command_is_mounted_by_linux_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume.img");
    let name = image.to_str().unwrap();
    let made = said(&["mkfs", "-d", "size=512m", "-b", "size=2k", name]);
    assert_eq!(made, xfs_info(name));
    let mounted = Mounted::new(&image).unwrap();
    fs::write(mounted.at("file"), b"by Linux").unwrap();
    mounted.unmount().unwrap();
    assert_eq!(said(&["cat", name, "/file"]), "by Linux");
    xfs_repair_n(&image).unwrap().assert_clean();
}

#[test]
fn linux_reads_what_an_atomic_write_changed_and_nothing_else_changed_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume.img");
    let name = image.to_str().unwrap();
    make_volume(&image, 512 << 20, &MkfsOptions { rmapbt: true, ..Default::default() }).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fill(&mounted.root(), Recipe::ManyFiles { count: 300 }, 1).unwrap();
    fs::write(mounted.at("target"), vec![b'o'; 100_000]).unwrap();
    let before = others(&mounted);
    mounted.unmount().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(["write", name, "/target", "--atomic", "--offset", "12345", "--sync"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &[b'n'; 54_321]).unwrap();
    assert!(child.wait().unwrap().success());
    let mounted = Mounted::new(&image).unwrap();
    let mut expected = vec![b'o'; 100_000];
    expected[12_345..12_345 + 54_321].fill(b'n');
    assert!(fs::read(mounted.at("target")).unwrap() == expected, "Linux reads other bytes");
    tree::diff(&before, &others(&mounted)).assert_none("before", "after");
    mounted.unmount().unwrap();
    xfs_repair_n(&image).unwrap().assert_clean();
    assert_eq!(untorn(&["check", name]).status.code(), Some(0));
}

#[test]
fn linux_sees_owner_and_mode_that_came_with_a_whole_file_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let (image, source) = (scratch.image("volume.img"), scratch.image("source"));
    let name = image.to_str().unwrap();
    make_volume(&image, 512 << 20, &MkfsOptions { rmapbt: true, ..Default::default() }).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fs::write(mounted.at("there"), vec![b'o'; 70_000]).unwrap();
    mounted.unmount().unwrap();
    fs::write(&source, vec![b'n'; 12_345]).unwrap();
    let others = ["--mode", "4750", "--uid", "1001", "--gid", "1002"];
    for file in ["there", "new"] {
        let at = format!("{name}:/{file}");
        said(&[&["put", source.to_str().unwrap(), &at][..], &others].concat());
    }
    let mounted = Mounted::new(&image).unwrap();
    for file in ["there", "new"] {
        let path = mounted.at(file);
        assert!(fs::read(&path).unwrap() == vec![b'n'; 12_345], "{file}");
        let found = fs::metadata(&path).unwrap();
        assert_eq!((found.mode() & 0o7777, found.uid(), found.gid()), (0o4750, 1001, 1002));
    }
    mounted.unmount().unwrap();
    xfs_repair_n(&image).unwrap().assert_clean();
}
