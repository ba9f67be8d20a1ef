//! `untorn df` beside df of a mounted volume.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;
use std::process::Command;
use untorn_torture::kernel::{self, MkfsOptions, Mounted, Recipe, Scratch, fill, make_volume};

/// The numbers of the last line that a program prints, names and percents left out.
fn numbers(program: &str, arguments: &[&str]) -> Vec<u64> {
    let output = Command::new(program).args(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let words = text.lines().last().unwrap_or_default().split_whitespace();
    words.skip(1).take(3).map(|word| word.parse().unwrap()).collect()
}

/// Total, used and left, in bytes and in inodes, as Linux has them.
fn theirs(image: &Path) -> [Vec<u64>; 2] {
    let mounted = Mounted::new(image).unwrap();
    let root = mounted.root();
    let root = root.to_str().unwrap();
    let found = [numbers("df", &["-B1", root]), numbers("df", &["-i", root])];
    mounted.unmount().unwrap();
    found
}

fn ours(image: &Path) -> [Vec<u64>; 2] {
    let untorn = env!("CARGO_BIN_EXE_untorn");
    let image = image.to_str().unwrap();
    [numbers(untorn, &["df", "-B1", image]), numbers(untorn, &["df", "-i", image])]
}

/// A file with the blocks of another, where the volume can.
fn share(mounted: &Mounted, file: &str, with: &str) {
    let paths = [mounted.at(file), mounted.at(with)];
    let done = Command::new("cp").arg("--reflink=auto").args(paths).status();
    assert!(done.unwrap().success());
}

/// Takes every other block away: what is left are many pieces.
fn punch(mounted: &Mounted, file: &str) {
    let mut xfs_io = Command::new("xfs_io");
    for at in (0..1500).map(|piece| piece * 16) {
        xfs_io.args(["-c", &format!("fpunch {at}k 8k")]);
    }
    assert!(xfs_io.arg(mounted.at(file)).status().unwrap().success());
}

#[test]
fn space_and_inodes_are_those_that_df_shows_kernel() {
    if !kernel::demand() {
        return;
    }
    let plain = MkfsOptions::default();
    let shapes = [
        (300, plain.clone()),
        (300, MkfsOptions { rmapbt: true, ..plain.clone() }),
        (1024, MkfsOptions { rmapbt: true, ag_count: Some(9), ..plain.clone() }),
        (512, MkfsOptions { block_size: 1024, rmapbt: true, ..plain.clone() }),
        (512, MkfsOptions { reflink: false, finobt: false, inobtcount: false, ..plain.clone() }),
        (400, MkfsOptions { inode_size: 2048, ..plain.clone() }),
        (20_000, MkfsOptions { rmapbt: true, ..plain }),
    ];
    for (mib, shape) in shapes {
        let scratch = Scratch::new().unwrap();
        let image = scratch.image("volume.img");
        make_volume(&image, mib << 20, &shape).unwrap();
        assert_eq!(ours(&image), theirs(&image), "empty, {mib} MiB, {shape:?}");
        let mounted = Mounted::new(&image).unwrap();
        fill(&mounted.root(), Recipe::ManyFiles { count: 700 }, 1).unwrap();
        fs::write(mounted.at("large"), vec![1; 30 << 20]).unwrap();
        share(&mounted, "large", "again");
        punch(&mounted, "large");
        mounted.unmount().unwrap();
        assert_eq!(ours(&image), theirs(&image), "filled, {mib} MiB, {shape:?}");
    }
}
