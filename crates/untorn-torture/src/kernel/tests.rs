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
