//! Images from directories and archives, as the command makes them.

use super::{Said, Site};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const UUID: &str = "uuid=8d1a4b0e-3a39-4a2e-9f3a-0b8a2a3f5c11";

fn tree(root: &Path) {
    fs::create_dir_all(root.join("dir/deeper")).unwrap();
    fs::write(root.join("file"), "contents").unwrap();
    fs::hard_link(root.join("file"), root.join("dir/again")).unwrap();
    symlink("../file", root.join("dir/soft")).unwrap();
    fs::write(root.join("dir/deeper/large"), vec![3; 3 << 20]).unwrap();
}

/// An archive with one file.
fn archive(name: &str) -> Vec<u8> {
    [&header(name, b'0', b"00000000005")[..], b"bytes", &[0; 507 + 1024]].concat()
}

/// The header of an entry of a kind, which says this of its size.
fn header(name: &str, kind: u8, size: &[u8; 11]) -> [u8; 512] {
    let mut header = [0; 512];
    header[..name.len()].copy_from_slice(name.as_bytes());
    header[100..107].copy_from_slice(b"0000644");
    for field in [108..115, 116..123] {
        header[field].copy_from_slice(b"0001750");
    }
    header[124..135].copy_from_slice(size);
    header[136..147].copy_from_slice(b"14524770400");
    header[156] = kind;
    header[257..263].copy_from_slice(b"ustar\0");
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

fn with_epoch(site: &Site, arguments: &[&str]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(arguments)
        .env("SOURCE_DATE_EPOCH", "1700000000")
        .current_dir(site.folder.path())
        .output()
        .unwrap();
    Said {
        status: output.status.code().unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        bytes: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

#[test]
fn a_directory_becomes_an_image_and_the_image_a_directory_check() {
    let site = Site::bare();
    let source = site.path("source");
    tree(&source);
    let said = site.run(&["mkfs", "--json", "--from", source.to_str().unwrap(), "@"]).json();
    assert_eq!(said["filled"]["files"], 2);
    assert_eq!(said["filled"]["links"], 1);
    assert_eq!(said["filled"]["symlinks"], 1);
    assert_eq!(said["blocks"], (300 << 20) / 4096);
    site.assert_sound();
    let out = site.path("out");
    let from = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).well();
    assert_eq!(super::copies::look(&source), super::copies::look(&out));
}

#[test]
fn the_same_tree_makes_the_same_image_at_any_time_check() {
    let site = Site::bare();
    tree(&site.path("source"));
    let make = |image: &str| {
        let from = ["mkfs", "-q", "-d", "size=40m", "-m", UUID, "--from", "source", image];
        with_epoch(&site, &from).well();
        fs::read(site.path(image)).unwrap()
    };
    let first = make("first");
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(first == make("second"), "the images differ");
    let empty = |image: &str| {
        with_epoch(&site, &["mkfs", "-q", "-d", "size=40m", "-m", UUID, image]).well();
        fs::read(site.path(image)).unwrap()
    };
    assert!(empty("third") == empty("fourth"), "the empty images differ");
    let stat = site.run(&["stat", "--json", site.path("first").to_str().unwrap(), "/file"]).json();
    assert!(stat[0].to_string().contains("2023-11-14"), "{stat}");
}

#[test]
fn an_archive_comes_from_standard_input_check() {
    let site = Site::bare();
    site.run_on(&["mkfs", "-q", "--squash", "--from", "-", "@"], &archive("one")).well();
    assert_eq!(site.run(&["cat", "@", "/one"]).well().out, "bytes");
    let stat = site.run(&["stat", "--json", "@", "/one"]).json();
    assert_eq!((&stat[0]["uid"], &stat[0]["gid"]), (&0.into(), &0.into()));
    site.assert_sound();
}

#[test]
fn an_archive_is_refused_with_its_entry_and_nothing_is_left() {
    let site = Site::bare();
    let from = ["mkfs", "--from", "-", "@"];
    site.run_on(&from, &archive("../evil")).refused(1, "../evil");
    site.run_on(&from, &archive("x")[..515]).refused(1, "cut off");
    site.run_on(&from, b"\x1f\x8b0000000000000").refused(1, "zcat");
    site.run(&["mkfs", "--from", "/not/there", "@"]).refused(1, "/not/there");
    assert_eq!(fs::read_dir(site.folder.path()).unwrap().count(), 0);
}

#[test]
fn an_image_that_exists_stays_until_the_new_one_is_whole_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/kept"], b"old").well();
    tree(&site.path("source"));
    let source = site.path("source");
    let source = source.to_str().unwrap();
    site.run(&["mkfs", "--from", source, "@"]).refused(1, "give -f");
    let large = fs::File::create(site.path("source/huge")).unwrap();
    std::io::Write::write_all(&mut &large, &vec![1; 70 << 20]).unwrap();
    site.run(&["mkfs", "-f", "--from", source, "@"]).refused(1, "--minimize");
    assert_eq!(site.run(&["cat", "@", "/kept"]).well().out, "old");
    fs::remove_file(site.path("source/huge")).unwrap();
    site.run(&["mkfs", "-q", "-f", "--from", source, "@"]).well();
    assert_eq!(site.run(&["cat", "@", "/file"]).well().out, "contents");
    assert_eq!(fs::metadata(&site.image).unwrap().len(), 64 << 20);
    assert_eq!(fs::read_dir(site.folder.path()).unwrap().count(), 2);
    site.assert_sound();
}

#[test]
fn a_smallest_image_is_not_much_larger_than_what_it_holds_check() {
    let site = Site::bare();
    let source = site.path("source");
    fs::create_dir(&source).unwrap();
    for number in 0..60_u8 {
        fs::write(source.join(number.to_string()), vec![number | 1; 1 << 20]).unwrap();
    }
    let source = source.to_str().unwrap();
    site.run(&["mkfs", "-q", "--from", source, "--minimize", "@"]).well();
    let length = fs::metadata(&site.image).unwrap().len();
    assert!(length < 80 << 20, "{length}");
    site.assert_sound();
    let both = site.run(&["mkfs", "--minimize", "-d", "size=1g", "--from", source, "other"]);
    both.refused(1, "exclude each other");
}

#[test]
fn a_smallest_image_of_one_group_is_a_group_check() {
    let site = Site::bare();
    let source = site.path("source");
    tree(&source);
    let source = source.to_str().unwrap();
    let made = ["mkfs", "-q", "--from", source, "--minimize", "-d", "agcount=1", "@"];
    site.run(&made).well();
    assert_eq!(fs::metadata(&site.image).unwrap().len(), 16 << 20);
    site.assert_sound();
}

#[test]
fn a_map_says_who_becomes_whom_check() {
    let site = Site::bare();
    fs::write(site.path("map"), "uid 1000 0\ngid * 42\n").unwrap();
    fs::write(site.path("archive"), archive("one")).unwrap();
    let (map, archive) = (site.path("map"), site.path("archive"));
    let (map, archive) = (map.to_str().unwrap(), archive.to_str().unwrap());
    site.run(&["mkfs", "-q", "--from", archive, "--owner", map, "@"]).well();
    let stat = site.run(&["stat", "--json", "@", "/one"]).json();
    assert_eq!((&stat[0]["uid"], &stat[0]["gid"]), (&0.into(), &42.into()));
    fs::write(map, "who 1 2\n").unwrap();
    let refused = site.run(&["mkfs", "--from", archive, "--owner", map, "other"]);
    refused.refused(1, "line 1");
    site.run(&["mkfs", "--from", archive, "--owner", "nobody", "other"]).refused(1, "--owner");
}

#[test]
fn a_volume_in_a_part_of_an_image_is_filled_where_it_lies_check() {
    let site = Site::bare();
    tree(&site.path("source"));
    let source = site.path("source");
    fs::File::create(&site.image).unwrap().set_len(64 << 20).unwrap();
    let from = ["mkfs", "-q", "--offset", "1m", "--from", source.to_str().unwrap(), "@"];
    site.run(&from).well();
    let cat = site.run(&["cat", "--offset", "1m", "@", "/dir/again"]).well();
    assert_eq!(cat.out, "contents");
    assert!(site.run(&["check", "--offset", "1m", "@"]).well().out.starts_with("clean: "));
    site.run(&from).refused(1, "give -f");
}

#[test]
fn a_file_that_is_too_small_for_a_volume_is_replaced_by_one_that_is_not_check() {
    let site = Site::bare();
    tree(&site.path("source"));
    let source = site.path("source");
    let from = ["mkfs", "-q", "--from", source.to_str().unwrap()];
    for length in [5, 511, 512, 100_000] {
        fs::write(&site.image, vec![b'x'; length]).unwrap();
        site.run(&[&from[..], &["-N", "@"]].concat()).well();
        assert_eq!(fs::metadata(&site.image).unwrap().len(), length as u64);
        site.run(&[&from[..], &["@"]].concat()).well();
        assert_eq!(fs::metadata(&site.image).unwrap().len(), 300 << 20);
        site.assert_sound();
    }
    // One that a volume can have keeps its size; what is known is not replaced.
    fs::write(&site.image, vec![b'x'; 40 << 20]).unwrap();
    site.run(&[&from[..], &["@"]].concat()).well();
    assert_eq!(fs::metadata(&site.image).unwrap().len(), 40 << 20);
    fs::write(&site.image, [&b"QFI\xfb"[..], &[0; 8188]].concat()).unwrap();
    site.run(&[&from[..], &["@"]].concat()).refused(1, "a qcow2 image");
    assert_eq!(fs::metadata(&site.image).unwrap().len(), 8192);
}

#[test]
fn the_label_of_an_archive_is_no_file_and_kinds_unknown_are_named_check() {
    let site = Site::bare();
    let from = ["mkfs", "-q", "--from", "-", "@"];
    // GNU tar leaves the size of a label out.
    let label = header("a label", b'V', &[0; 11]);
    site.run_on(&from, &[&label[..], &archive("one")].concat()).well();
    assert_eq!(site.run(&["ls", "@"]).well().out, "one\n");
    site.assert_sound();
    let other = header("strange", b'Z', b"00000000000");
    let into = ["mkfs", "-f", "--from", "-", "@"];
    site.run_on(&into, &[&other[..], &archive("one")].concat())
        .refused(1, "strange: is of a kind that is not known here: Z; make the archive without it");
    let damaged = header("long", b'L', &[b'x'; 11]);
    site.run_on(&into, &[&damaged[..], &archive("one")].concat())
        .refused(1, "the header at byte 0 has a size that is no number: the archive is damaged");
}

#[test]
fn an_owner_may_be_a_user_alone_and_the_help_says_so_check() {
    let site = Site::bare();
    site.run_on(&["mkfs", "-q", "--owner", "5", "--from", "-", "@"], &archive("one")).well();
    let stat = site.run(&["stat", "--json", "@", "/one"]).json();
    assert_eq!((&stat[0]["uid"], &stat[0]["gid"]), (&5.into(), &1000.into()));
    site.assert_sound();
    for command in ["mkfs", "cp"] {
        let help = site.run(&[command, "--help"]).well().out;
        assert!(help.contains("<UID[:GID]|:GID|MAP>"), "{help}");
    }
}
