//! Bytes in and out.

use super::Site;
use untorn::OpenOptions;
use untorn_device::{Access, FileDevice};

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

#[test]
fn what_was_written_is_read_back_and_the_journal_is_clean_check() {
    let site = Site::new();
    let bytes = pattern(100_000);
    let said = site.run_on(&["write", "@", "/file", "--atomic"], &bytes).well();
    assert!(said.out.is_empty() && said.err.is_empty(), "{}{}", said.out, said.err);
    assert_eq!(site.run(&["cat", "@", "/file"]).well().bytes, bytes);
    let info = site.run(&["info", "@"]).well().out;
    assert!(info.ends_with("journal is clean\n"), "{info}");
    site.assert_sound();
}

#[test]
fn an_atomic_write_changes_its_range_alone_check() {
    let site = Site::new();
    let mut expected = pattern(50_000);
    site.run_on(&["write", "@", "/file"], &expected).well();
    let input = site.path("input");
    std::fs::write(&input, [b'n'; 9000]).unwrap();
    let input = input.to_str().unwrap();
    let write = ["write", "@", "/file", "--atomic", "--sync", "--offset", "5k", "--input", input];
    site.run(&write).well();
    expected[5120..14120].fill(b'n');
    assert_eq!(site.run(&["cat", "@", "/file"]).well().bytes, expected);
    site.assert_sound();
}

#[test]
fn appended_bytes_lie_behind_the_end_check() {
    let site = Site::new();
    for (bytes, how) in [("one,", "--atomic"), ("two,", "--sync"), ("three", "--atomic")] {
        site.run_on(&["write", "@", "/file", "--append", how], bytes.as_bytes()).well();
    }
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "one,two,three");
    site.assert_sound();
}

#[test]
fn what_a_write_did_is_told_when_asked() {
    let site = Site::new();
    let told = site.run_on(&["write", "@", "/file", "--atomic", "--json"], b"12345").json();
    assert_eq!(told["bytes"], 5);
    assert_eq!(told["created"], true);
    assert_eq!(told["size"], 5);
    let told = site.run_on(&["write", "@", "/file", "--append", "-v"], b"678").well().out;
    assert!(told.contains("3 bytes written at byte 5"), "{told}");
}

#[test]
fn a_write_of_nothing_makes_the_file_check() {
    let site = Site::new();
    site.run(&["write", "@", "/empty", "--atomic"]).well();
    assert_eq!(site.run(&["cat", "@", "/empty"]).well().bytes, b"");
    assert_eq!(site.run(&["bmap", "@", "/empty"]).well().out, "/empty: no extents\n");
    site.assert_sound();
}

#[test]
fn the_map_has_the_columns_of_xfs_bmap() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file", "--atomic", "--offset", "64k"], &[1; 4096]).well();
    let map = site.run(&["bmap", "@", "/file", "-vv"]).well().out;
    let lines: Vec<_> = map.lines().collect();
    let head = " EXT: FILE-OFFSET      BLOCK-RANGE      AG AG-OFFSET        TOTAL FLAGS";
    assert_eq!(lines[..2], ["/file:", head]);
    assert_eq!(lines[2], "   0: [0..127]:        hole                                   128");
    assert!(lines[3].starts_with("   1: [128..135]:      "), "{map}");
    assert!(lines[3].ends_with("   8 000000"), "{map}");
    assert_eq!(lines[4], " FLAG Values:");
    let rows = site.run(&["bmap", "@", "/file", "--json"]).json();
    assert_eq!(rows[0]["block"], serde_json::Value::Null);
    assert_eq!(rows[1]["offset"], 128);
    assert_eq!(site.run(&["bmap", "-a", "@", "/file"]).well().out, "/file: no extents\n");
}

/// Leaves the journal with one write that is not home.
fn crash(site: &Site) {
    let device = FileDevice::open(&site.image, Access::ReadWrite).unwrap();
    let volume = untorn::Volume::open(std::sync::Arc::new(device), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", untorn::NewFile::default()).unwrap();
    file.write_atomic(0, b"survivor", untorn::Sync::Durable).unwrap();
    drop(file);
    volume.abandon();
}

#[test]
fn a_dirty_journal_is_shown_replayed_and_left_alone_until_recovery_check() {
    let site = Site::new();
    crash(&site);
    let before = std::fs::read(&site.image).unwrap();
    let cat = site.run(&["cat", "@", "/file"]).well();
    assert_eq!(cat.out, "survivor");
    assert!(cat.err.starts_with("untorn: journal is dirty: "), "{}", cat.err);
    let told = site.run(&["ls", "@", "--json"]).well().err;
    assert!(told.starts_with("{\"warning\":{\"code\":\"dirty-journal\""), "{told}");
    assert!(site.run(&["info", "@"]).well().out.contains("journal is dirty"));
    let log = site.run(&["log", "@"]).well().out;
    assert!(log.contains(", dirty\n") && log.contains("\n  transaction "), "{log}");
    let log = site.run(&["log", "@", "--json"]).json();
    assert_eq!(log["clean"], false);
    assert!(log["events"].as_array().unwrap().len() > 1);
    site.run(&["check", "@"]).refused(8, "untorn recover");
    assert!(site.run(&["check", "@", "--replay"]).well().out.starts_with("clean: "));
    let would = site.run(&["recover", "@", "--read-only"]).well().out;
    assert!(would.contains("nothing on the device was touched"), "{would}");
    assert!(before == std::fs::read(&site.image).unwrap(), "a reading command wrote");
    let done = site.run(&["recover", "@"]).well().out;
    assert!(done.contains("journal is clean now"), "{done}");
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "survivor");
    assert_eq!(site.run(&["recover", "@", "--json"]).json()["was_clean"], true);
    site.assert_sound();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], &pattern(4 << 20)).well();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(["cat".as_ref(), site.image.as_os_str(), "/file".as_ref()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn an_atomic_write_that_finds_no_space_leaves_no_file_behind_check() {
    let site = Site::new();
    let said = site.run_on(&["write", "@", "/new", "--atomic"], &vec![1; 80 << 20]);
    said.refused(1, "no space left");
    site.run(&["stat", "@", "/new"]).refused(1, "/new");
    site.assert_sound();
}

#[test]
fn a_plain_write_that_finds_no_space_says_what_it_wrote_check() {
    let site = Site::new();
    let said = site.run_on(&["write", "@", "/new"], &vec![1; 80 << 20]);
    let told = said.refused(1, "no space left").err;
    assert!(told.contains("bytes were written") && !told.contains("nothing was changed"), "{told}");
    site.assert_sound();
}

#[test]
fn recovering_a_clean_volume_writes_nothing() {
    let site = Site::new();
    let before = std::fs::read(site.path("volume.img")).unwrap();
    let told = site.run(&["recover", "@"]).well().out;
    assert!(told.contains("nothing to replay"), "{told}");
    assert!(std::fs::read(site.path("volume.img")).unwrap() == before, "the image was written to");
}
