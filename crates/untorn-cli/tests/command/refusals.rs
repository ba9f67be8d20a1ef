//! What the command does not do, and how it says so.

use super::{Site, untorn_on};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};
use untorn_device::{Access, FileDevice};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{BlockKind, Lsn, kind};

#[test]
fn an_image_that_somebody_else_has_open_is_refused() {
    let site = Site::new();
    let owner = FileDevice::open(&site.image, Access::ReadWrite).unwrap();
    for arguments in [&["ls", "@"][..], &["write", "@", "/file"], &["recover", "@"]] {
        let said = site.run(arguments);
        assert_eq!(said.status, 1, "{}", said.err);
        assert!(said.err.contains("volume.img"), "{}", said.err);
    }
    assert_eq!(site.run(&["check", "@"]).status, 8);
    drop(owner);
    site.run(&["ls", "@"]).well();
}

#[test]
fn a_file_that_is_no_volume_is_told() {
    let site = Site::bare();
    fs::write(&site.image, vec![7; 1 << 20]).unwrap();
    site.run(&["info", "@"]).refused(1, "no XFS volume");
    site.run(&["check", "@"]).refused(8, "no XFS volume");
    fs::write(&site.image, b"").unwrap();
    assert_eq!(site.run(&["info", "@"]).status, 1);
    fs::remove_file(&site.image).unwrap();
    site.run(&["info", "@"]).refused(1, "volume.img");
}

#[test]
fn damage_is_found_and_named_with_its_place() {
    let site = Site::new();
    let image = OpenOptions::new().write(true).open(&site.image).unwrap();
    // In the AGF of the first group.
    image.write_all_at(&[0xff], 512 + 60).unwrap();
    drop(image);
    let said = site.run(&["check", "@"]);
    assert_eq!(said.status, 1, "{}", said.err);
    assert!(said.out.contains("bad-checksum at AG 0, daddr 1"), "{}", said.out);
    let said = site.run(&["check", "@", "--json", "--limit", "1"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["findings"][0]["code"], "bad-checksum");
    let said = site.run_on(&["write", "@", "/file"], b"x");
    assert_eq!(said.status, 1, "{}", said.err);
    assert!(said.err.contains("untorn check"), "{}", said.err);
}

#[test]
fn copies_of_the_superblock_are_counted_where_the_first_is_no_use() {
    let site = Site::bare();
    site.run(&["mkfs", "-q", "-d", "size=300m,agcount=5", "@"]).well();
    let image = OpenOptions::new().write(true).open(&site.image).unwrap();
    image.write_all_at(&[0xff], 100).unwrap();
    let told = "; 4 of its 4 copies are sound and agree; xfs_repair";
    for arguments in [["check", "@"].as_slice(), &["check", "--replay", "@"]] {
        let said = site.run(arguments);
        assert_eq!(said.status, 1, "{}", said.err);
        assert!(said.out.contains("bad-checksum at AG 0, daddr 0: superblock"), "{}", said.out);
        assert!(said.out.contains(told), "{}", said.out);
    }
    let said = site.run(&["check", "@", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.status, &report["findings"][0]["code"]), (1, &"bad-checksum".into()));
    // All of the first group's headers, and one copy.
    image.write_all_at(&[0; 8192], 0).unwrap();
    image.write_all_at(&[0xff], (60 << 20) + 120).unwrap();
    let said = site.run(&["check", "@"]);
    assert_eq!(said.status, 1, "{}", said.err);
    assert!(said.out.contains("bad-magic at AG 0, daddr 0"), "{}", said.out);
    assert!(said.out.contains("3 of its 4 copies are sound and agree"), "{}", said.out);
    // Without any copy it is no volume.
    image.set_len(8192).unwrap();
    site.run(&["check", "@"]).refused(8, "no XFS volume");
}

#[test]
fn a_write_that_has_no_room_changes_nothing_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file", "--atomic"], b"old").well();
    let bytes = vec![1; 80 << 20];
    site.run_on(&["write", "@", "/file", "--atomic"], &bytes).refused(1, "no space left");
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "old");
    site.assert_sound();
}

#[test]
fn usage_is_refused_with_status_2() {
    for arguments in [&["frobnicate"][..], &[], &["ls"], &["write", "a", "b", "--offset", "1.5k"]] {
        let said = untorn_on(arguments, b"");
        assert_eq!(said.status, 2, "{arguments:?}: {}", said.err);
    }
}

#[test]
fn help_manual_and_completions_come_from_one_definition() {
    let help = untorn_on(&["write", "--help"], b"").well().out;
    assert!(help.contains("--atomic") && help.contains("untorn"), "{help}");
    let page = untorn_on(&["man", "write"], b"").well().out;
    assert!(page.contains(".TH") && page.contains("atomic"), "{page}");
    assert!(untorn_on(&["man"], b"").well().out.contains("recover"));
    let page = untorn_on(&["man", "cp"], b"").well().out;
    let synopsis = "untorn cp [OPTIONS] <SOURCE>... <TARGET>";
    assert!(page.contains(&format!(".SH SYNOPSIS\n{synopsis}\n.SH DESCRIPTION")), "{page}");
    assert!(untorn_on(&["cp", "--help"], b"").well().out.contains(synopsis));
    let page = untorn_on(&["man", "ls"], b"").well().out;
    assert!(page.contains("print0") && page.contains("human") && page.contains("json"), "{page}");
    let whole = untorn_on(&["man"], b"").well().out;
    assert!(whole.contains("path_bytes") && whole.contains("link\\-loop"), "{whole}");
    untorn_on(&["man", "none"], b"").refused(2, "no command none");
    for shell in ["bash", "zsh", "fish"] {
        assert!(untorn_on(&["completions", shell], b"").well().out.contains("bmap"), "{shell}");
        assert!(untorn_on(&["completions", shell], b"").well().out.contains("print0"), "{shell}");
    }
}

#[test]
fn the_demo_finds_nothing_torn_check() {
    let arguments = ["demo", "--writes", "2", "--json", "--scenario", "overwrite in one piece"];
    let found = untorn_on(&arguments, b"").json();
    assert_eq!(found["good"], true);
    let score = &found["scenarios"][0];
    assert!(score["cuts"].as_u64().unwrap() > 10, "{found}");
    assert_eq!(score["torn"].as_u64().unwrap() + score["lost"].as_u64().unwrap(), 0);
    untorn_on(&["demo", "--scenario", "none"], b"").refused(2, "overwrite in one piece");
}

#[test]
fn the_demo_leaves_an_image_on_request_check() {
    let site = Site::bare();
    let image = site.image.to_str().unwrap();
    let arguments =
        ["demo", "--writes", "3", "--scenario", "overwrite in one piece", "--keep", image];
    let said = site.run(&arguments).well();
    assert!(said.out.contains("nothing torn, nothing lost"), "{}", said.out);
    let records = site.run(&["cat", "@", "/records"]).well().out;
    assert_eq!(records.lines().count(), 3, "{records}");
    site.assert_sound();
}

#[test]
fn dots_are_no_names_to_remove_and_nothing_below_them_goes_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    site.run_on(&["write", "@", "/a/kept"], b"1").well();
    for path in ["/a/.", "/a/b/..", "/a/b/../", "/.."] {
        site.run(&["rm", "-rf", "@", path]).refused(1, "which stay");
    }
    assert_eq!(site.run(&["find", "@"]).well().out, "/\n/a\n/a/b\n/a/kept\n");
    site.assert_sound();
}

#[test]
fn a_link_that_cannot_be_made_replaces_nothing_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/kept"], b"1").well();
    site.run(&["mkdir", "-p", "@", "/d/kept"]).well();
    let long = "x".repeat(1100);
    site.run(&["ln", "-sf", "@", &long, "/kept"]).refused(1, "/kept");
    site.run(&["ln", "-f", "@", "/kept", "/d"]).refused(1, "/d/kept");
    assert_eq!(site.run(&["cat", "@", "/kept"]).well().out, "1");
    site.run(&["ln", "-sf", "@", "d", "/kept"]).well();
    assert_eq!(site.run(&["find", "@"]).well().out, "/\n/d\n/d/kept\n/kept\n");
    site.assert_sound();
}

#[test]
fn a_copy_that_tells_of_billions_of_groups_is_no_work() {
    let site = Site::new();
    let file = OpenOptions::new().read(true).write(true).open(&site.image).unwrap();
    let mut first = vec![0; 512];
    file.read_exact_at(&mut first, 0).unwrap();
    let disk = SuperblockDisk::of_mut(&mut first).unwrap();
    let length = u64::from(disk.agblocks.get());
    disk.agcount.set(u32::MAX);
    disk.dblocks.set(length * u64::from(u32::MAX));
    let second = length * u64::from(disk.blocksize.get());
    kind::seal(BlockKind::Superblock, &mut first, Lsn(0));
    file.write_all_at(&first, second).unwrap();
    file.write_all_at(&[0; 4], 0).unwrap();
    let begun = Instant::now();
    let said = site.run(&["check", "@"]);
    assert_eq!(said.status, 1, "{}", said.err);
    assert!(said.out.contains("of its 4294967294 copies"), "{}", said.out);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}
