//! The harness itself: what Linux accepts, keeps, loses and finds wrong.

use std::path::Path;

use super::*;
use crate::tree::diff;

const SIZE: u64 = 320 << 20;

fn volume(scratch: &Scratch, options: &MkfsOptions) -> std::path::PathBuf {
    let image = scratch.image("volume.img");
    make_volume(&image, SIZE, options).unwrap();
    image
}

fn loops_over(image: &Path) -> String {
    command::run("losetup", &["-j".as_ref(), image.as_os_str()]).unwrap()
}

#[test]
fn a_clean_volume_is_clean_and_survives_a_mount_xfsprogs() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = volume(&scratch, &MkfsOptions::default());
    let mounted = Mounted::new(&image).unwrap();
    std::fs::write(mounted.at("file"), b"content").unwrap();
    mounted.sync().unwrap();
    assert!(xfs_bmap(&mounted.at("file")).unwrap().contains("AG-OFFSET"));
    mounted.unmount().unwrap();
    xfs_repair_n(&image).unwrap().assert_clean();
}

#[test]
fn damage_is_not_clean_xfsprogs() {
    if !demand() {
        return;
    }
    use std::os::unix::fs::FileExt;
    let scratch = Scratch::new().unwrap();
    let image = volume(&scratch, &MkfsOptions::default());
    let file = std::fs::OpenOptions::new().write(true).open(&image).unwrap();
    file.write_all_at(&[0xff; 8], 512 + 16).unwrap();
    assert!(!xfs_repair_n(&image).unwrap().clean);
}

#[test]
fn a_crash_keeps_what_was_flushed_and_loses_the_rest_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    for (flush, kept) in [(Flush::Log, true), (Flush::NoLog, false)] {
        let image = volume(&scratch, &MkfsOptions::default());
        let mounted = Mounted::new(&image).unwrap();
        std::fs::create_dir(mounted.at("made")).unwrap();
        mounted.crash(flush).unwrap();
        assert_eq!(xfs_repair_n(&image).unwrap().clean, !kept, "{flush:?}");
        let mounted = Mounted::new(&image).unwrap();
        assert_eq!(mounted.at("made").exists(), kept, "{flush:?}");
    }
}

#[test]
fn a_dropped_mount_leaves_no_loop_device_and_no_folder_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = volume(&scratch, &MkfsOptions::default());
    let mut folder = None;
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mounted = Mounted::new(&image).unwrap();
        folder = mounted.root().parent().map(Path::to_owned);
        assert!(!loops_over(&image).is_empty());
        panic!("as a failing test would");
    }));
    assert!(panicked.is_err());
    assert_eq!(loops_over(&image), "");
    assert!(!folder.unwrap().exists());
}

#[test]
fn two_copies_of_one_volume_are_mounted_at_once_and_are_equal_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = volume(&scratch, &MkfsOptions::default());
    let mounted = Mounted::new(&image).unwrap();
    std::fs::write(mounted.at("file"), vec![7; 100_000]).unwrap();
    mounted.unmount().unwrap();
    let copy = scratch.image("copy.img");
    copy_image(&image, &copy).unwrap();
    let (one, two) = (Mounted::new(&image).unwrap(), Mounted::new(&copy).unwrap());
    let before = tree(&one.root()).unwrap();
    diff(&before, &tree(&two.root()).unwrap()).assert_none("the volume", "its copy");
    std::fs::write(two.at("file"), vec![8; 100_000]).unwrap();
    assert!(!diff(&before, &tree(&two.root()).unwrap()).is_empty());
}

#[test]
fn features_past_mkfs_are_accepted_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let extra = vec![Extra::ExchangeRange, Extra::ParentPointers];
    let image = volume(&scratch, &MkfsOptions { extra, ..MkfsOptions::default() });
    let mounted = Mounted::new(&image).unwrap();
    std::fs::write(mounted.at("file"), b"with a parent").unwrap();
    std::fs::hard_link(mounted.at("file"), mounted.at("link")).unwrap();
    mounted.unmount().unwrap();
    assert!(Mounted::new(&image).is_ok());
}

#[test]
fn the_smallest_geometries_are_made_xfsprogs() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let sizes = [(1024, 16 << 20), (2048, 16 << 20), (4096, 16 << 20), (65536, 1 << 30)];
    for (block_size, size) in sizes {
        let image = scratch.image("small.img");
        let options = MkfsOptions { block_size, rmapbt: true, ..MkfsOptions::default() };
        make_volume(&image, size, &options).unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
    }
}

#[test]
fn every_recipe_fills_a_sound_volume_xfsprogs() {
    if !demand() {
        return;
    }
    let recipes = [
        Recipe::EveryForm,
        Recipe::ManyFiles { count: 500 },
        Recipe::HugeDirectory { names: 3000 },
        Recipe::Shattered,
        Recipe::Crumbs { blocks: 3000 },
        Recipe::Aged { operations: 1500 },
    ];
    let scratch = Scratch::new().unwrap();
    for recipe in recipes {
        let image = volume(&scratch, &MkfsOptions { rmapbt: true, ..MkfsOptions::default() });
        let mounted = Mounted::new(&image).unwrap();
        let began = std::time::Instant::now();
        fill(&mounted.root(), recipe, 1).unwrap();
        println!("{recipe:?}: {:?}", began.elapsed());
        assert!(tree(&mounted.root()).unwrap().len() > 2);
        mounted.unmount().unwrap();
        xfs_repair_n(&image).unwrap().assert_clean();
    }
}

/// A volume that holds every form, and what Linux says about it.
struct Filled {
    image: std::path::PathBuf,
    tree: crate::tree::Tree,
}

impl Filled {
    fn new(scratch: &Scratch, options: &MkfsOptions) -> Self {
        let image = volume(scratch, options);
        let mounted = Mounted::new(&image).unwrap();
        fill(&mounted.root(), Recipe::EveryForm, 1).unwrap();
        let tree = tree(&mounted.root()).unwrap();
        mounted.unmount().unwrap();
        Self { image, tree }
    }

    fn inode(&self, path: &str, command: &str) -> String {
        let ino = self.tree[Path::new(path)].ino.unwrap();
        xfs_db(&self.image, &[&format!("inode {ino}"), command]).unwrap()
    }

    fn field(&self, path: &str, name: &str) -> String {
        let printed = self.inode(path, &format!("print {name}"));
        printed.split(" = ").nth(1).unwrap().trim().to_owned()
    }

    /// The last of the three regions of 32 GiB that a directory reaches: 1 holds the hashes of a
    /// leaf, 2 the free indexes of a node.
    fn last_region(&self, path: &str, block_size: u64) -> u64 {
        let map = self.inode(path, "bmap");
        let offset = map.trim().lines().last().unwrap().split_whitespace().nth(2).unwrap();
        (offset.parse::<u64>().unwrap() * block_size) >> 35
    }
}

#[test]
fn every_form_is_reached_on_small_and_large_blocks_xfsprogs() {
    if !demand() {
        return;
    }
    let expected = [
        ("directories/short", "core.format", "1 (local)"),
        ("directories/block", "core.format", "2 (extents)"),
        ("directories/node-to-empty", "core.format", "1 (local)"),
        ("extents/list-full", "core.format", "2 (extents)"),
        ("extents/btree", "core.format", "3 (btree)"),
        ("extents/btree-leaves", "u3.bmbt.level", "1"),
        ("extents/btree-levels", "u3.bmbt.level", "2"),
        ("files/symlink-336", "core.format", "1 (local)"),
        ("files/symlink-337", "core.format", "2 (extents)"),
        ("files/character", "core.format", "0 (dev)"),
        ("attributes/short", "core.aformat", "1 (local)"),
        ("attributes/leaf", "core.aformat", "2 (extents)"),
        ("attributes/interleaved-1", "core.aformat", "3 (btree)"),
    ];
    let scratch = Scratch::new().unwrap();
    for (block_size, directory_block_size) in [(1024, None), (4096, None), (4096, Some(16384))] {
        let options = MkfsOptions { block_size, directory_block_size, ..MkfsOptions::default() };
        let filled = Filled::new(&scratch, &options);
        for (path, field, value) in expected {
            assert_eq!(filled.field(path, field), value, "{path} of {options:?}");
        }
        let directories =
            [("block", 0), ("leaf", 1), ("node", 2), ("node-to-leaf", 1), ("long", 2)];
        for (name, region) in directories {
            let reached = filled.last_region(&format!("directories/{name}"), block_size.into());
            assert_eq!(reached, region, "{name} of {options:?}");
        }
    }
}

#[test]
fn linux_recovers_two_copies_of_a_crash_alike_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let extra = vec![Extra::ExchangeRange];
    let options = MkfsOptions { rmapbt: true, extra, ..MkfsOptions::default() };
    for (seed, flush) in [(1, Flush::Log), (2, Flush::NoLog)] {
        let image = volume(&scratch, &options);
        let storm = Storm::of_everything(1500, flush, seed);
        let after = workload_during_crash(Mounted::new(&image).unwrap(), &storm).unwrap();
        println!("{after:?}");
        for name in ["write", "atomic", "clone", "exchange", "xattr", "unlink-open"] {
            assert!(after.done(name) > 0, "{name} was never done: {after:?}");
        }
        assert!(after.held > 0, "no file without a name was open");
        let (left, verdict) = linux_recovers(&image).unwrap();
        verdict.assert_clean_but_for_cut_off_attributes();
        let mounted = Mounted::new(&image).unwrap();
        let right = tree(&mounted.root()).unwrap();
        mounted.unmount().unwrap();
        assert!(left.len() > 10);
        diff(&left, &right).assert_none("one recovery", "another");
    }
}

/// Whether a crash meets an unfinished intent is up to Linux and to chance; that what it leaves can
/// be read is not.
#[test]
fn crashes_among_long_chains_leave_logs_that_can_be_read_xfsprogs() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let options = MkfsOptions { rmapbt: true, ..MkfsOptions::default() };
    for seed in 0..4 {
        let image = volume(&scratch, &options);
        let storm = Storm::of_long_chains(300, Flush::Log, seed);
        workload_during_crash(Mounted::new(&image).unwrap(), &storm).unwrap();
        println!("seed {seed}: intents {:?}", unfinished_intents(&image).unwrap());
        linux_recovers(&image).unwrap().1.assert_clean();
    }
}

/// Not a test by itself: the child of the next one, which kills it.
#[test]
fn hang_with_a_mount() {
    let Some(image) = std::env::var_os("UNTORN_HANG_WITH") else { return };
    let _mounted = Mounted::new(Path::new(&image)).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(600));
}

#[test]
fn the_mount_of_a_killed_process_is_undone_by_the_next_one_kernel() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = volume(&scratch, &MkfsOptions::default());
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kernel::tests::hang_with_a_mount"])
        .env("UNTORN_HANG_WITH", &image)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mounts = || {
        let device = loops_over(&image);
        let device = device.split(':').next().unwrap_or_default().to_owned();
        let list = std::fs::read_to_string("/proc/self/mounts").unwrap();
        !device.is_empty() && list.lines().any(|line| line.starts_with(&format!("{device} ")))
    };
    while !mounts() {
        assert!(child.try_wait().unwrap().is_none(), "the child ended");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(mounts(), "the mount outlives the process");
    mount::sweep(&scratch_root());
    assert!(!mounts());
    assert_eq!(loops_over(&image), "");
}

#[test]
fn large_blocks_are_filled_without_writing_gigabytes_xfsprogs() {
    if !demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume.img");
    let options = MkfsOptions { block_size: 65536, rmapbt: true, ..MkfsOptions::default() };
    make_volume(&image, 2 << 30, &options).unwrap();
    let mounted = Mounted::new(&image).unwrap();
    fill(&mounted.root(), Recipe::EveryForm, 1).unwrap();
    mounted.unmount().unwrap();
    use std::os::unix::fs::MetadataExt;
    let written = std::fs::metadata(&image).unwrap().blocks() * 512;
    assert!(written < 1 << 30, "{written} bytes");
    xfs_repair_n(&image).unwrap().assert_clean();
}
