//! Superblocks that mkfs.xfs, Linux and xfs_admin write, the first one and its copies: neither
//! judge has anything to say of them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use super::agree;
use untorn_torture::kernel::{self, MkfsOptions, MountOptions, Mounted, Scratch};

const MIB: u64 = 1 << 20;

fn run(program: &str, arguments: &[&str], on: &Path) {
    let arguments = arguments.iter().map(OsStr::new).chain([on.as_os_str()]);
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {on:?}: {output:?}");
}

/// Writes to the volume with Linux and changes all of its superblocks that Linux can change.
fn change(path: &Path, mount: &str) {
    let options = MountOptions { options: mount.to_owned(), ..Default::default() };
    let mounted = Mounted::with(path, &options).unwrap();
    std::fs::write(mounted.at("file"), [1; 5000]).unwrap();
    let name = mounted.root();
    rustix::fs::setxattr(&name, "user.a", b"v", rustix::fs::XattrFlags::CREATE).unwrap();
    run("xfs_io", &["-r", "-c", "label -s changed"], &name);
    run("xfs_growfs", &["-d", "-m", "40"], &name);
    mounted.unmount().unwrap();
}

/// Makes a volume, lets Linux and xfs_admin change it, and asks both judges after each step.
fn agree_all_along(path: &Path, options: &MkfsOptions, mount: &str) {
    kernel::make_volume(path, 100 * MIB, options).unwrap();
    agree(path);
    let image = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    image.set_len(260 * MIB).unwrap();
    change(path, mount);
    agree(path);
    for uuid in ["generate", "restore"] {
        run("xfs_admin", &["-U", uuid], path);
        agree(path);
    }
    run("xfs_admin", &["-L", "again"], path);
    agree(path);
}

fn typed(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| (*argument).to_owned()).collect()
}

#[test]
fn superblocks_that_linux_and_xfs_admin_change_are_clean_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let base = MkfsOptions::default();
    let with = |arguments: &[&str]| MkfsOptions { arguments: typed(arguments), ..base.clone() };
    let choices = [
        (base.clone(), ""),
        (MkfsOptions { sector_size: 4096, rmapbt: true, nrext64: true, ..base.clone() }, ""),
        (MkfsOptions { block_size: 1024, ag_count: Some(5), ..base.clone() }, "largeio"),
        (MkfsOptions { sparse: false, finobt: false, inobtcount: false, ..base.clone() }, ""),
        (MkfsOptions { log_stripe: Some(32 << 10), ..base.clone() }, ""),
        (with(&["-d", "su=64k,sw=4"]), ""),
        (with(&["-d", "su=64k,sw=4"]), "sunit=128,swidth=256"),
        (with(&["-d", "su=64k,sw=4"]), "noalign"),
        (with(&["-d", "noalign", "-i", "maxpct=0"]), ""),
        (with(&["-r", "extsize=64k"]), ""),
    ];
    for (options, mount) in choices {
        println!("{options:?} {mount}");
        agree_all_along(&path, &options, mount);
    }
}

#[test]
fn superblocks_with_features_that_xfs_repair_added_are_clean_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let options = MkfsOptions { bigtime: false, inobtcount: false, ..Default::default() };
    kernel::make_volume(&path, 64 * MIB, &options).unwrap();
    run("xfs_admin", &["-O", "bigtime=1,inobtcount=1"], &path);
    agree(&path);
}
