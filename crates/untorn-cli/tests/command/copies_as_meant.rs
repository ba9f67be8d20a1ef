//! Copies that used to lose bytes or to go elsewhere than was meant.

use super::{Site, untorn_on};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

fn at(site: &Site, path: &str) -> String {
    format!("{}:{path}", site.image.display())
}

#[test]
fn a_file_of_the_host_is_read_to_its_end_whatever_its_size_was_said_to_be_check() {
    let site = Site::new();
    for path in ["/proc/version", "/sys/kernel/mm/transparent_hugepage/enabled"] {
        let Ok(bytes) = fs::read(path) else {
            eprintln!("skipped: this host has no {path}");
            continue;
        };
        let said = untorn_on(&["cp", path, &at(&site, "/copy")], b"").well();
        assert_eq!(said.err, "");
        assert_eq!(site.run(&["cat", "@", "/copy"]).well().bytes, bytes, "{path}");
    }
    site.assert_sound();
}

#[test]
fn a_volume_that_shares_no_blocks_gets_the_bytes_copied_check() {
    let site = Site::bare();
    site.run(&["mkfs", "-q", "-m", "reflink=0", "-d", "size=64m", "@"]).well();
    site.run(&["mkdir", "-p", "@", "/tree/below"]).well();
    let bytes: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
    site.run_on(&["write", "@", "/tree/below/f"], &bytes).well();
    site.run(&["ln", "@", "/tree/below/f", "/tree/second"]).well();
    site.run_on(&["write", "@", "/tree/hole"], b"1").well();
    site.run(&["truncate", "-s", "5g", "@", "/tree/hole"]).well();
    site.run(&["setfattr", "-n", "user.a", "-v", "1", "@", "/tree/below/f"]).well();
    site.run(&["chmod", "@", "640", "/tree/below/f"]).well();
    let (f, g) = (at(&site, "/tree/below/f"), at(&site, "/g"));
    untorn_on(&["cp", &f, &g], b"").well();
    untorn_on(&["cp", "-r", &at(&site, "/tree"), &at(&site, "/copy")], b"").well();
    for path in ["/g", "/copy/below/f", "/copy/second"] {
        assert!(site.run(&["cat", "@", path]).well().bytes == bytes, "{path} differs");
        let stat = &site.run(&["stat", "--json", "@", path]).json()[0];
        assert_eq!(stat["mode"], "0640", "{stat}");
        assert_eq!(stat["links"], if path == "/g" { 1 } else { 2 }, "{stat}");
        let value = site.run(&["getfattr", "-d", "@", path]).well().out;
        assert!(value.contains("user.a"), "{value}");
    }
    let stat = &site.run(&["stat", "--json", "@", "/copy/hole"]).json()[0];
    assert_eq!(stat["size"], 5_u64 << 30, "{stat}");
    site.run(&["clone", "@", "/g", "/h"]).refused(1, "reflink");
    untorn_on(&["cp", &f, &f], b"").refused(1, "are the same file");
    site.assert_sound();
}

#[test]
fn an_operand_without_its_slash_is_told_as_it_is_written() {
    let site = Site::new();
    let (image, file) = (site.image.to_str().unwrap(), site.path("h1"));
    fs::write(&file, "1").unwrap();
    let file = file.to_str().unwrap();
    let lacks = format!("{image}:h9");
    let says = format!("{lacks}: names no path on a volume; write {image}:/h9");
    untorn_on(&["cp", file, &lacks], b"").refused(1, &says);
    untorn_on(&["cp", &lacks, file], b"").refused(1, &says);
    let says = format!("{image}: names no path on a volume; write {image}:/ ");
    untorn_on(&["cp", file, image], b"").refused(1, &says);
    site.run_on(&["write", "@", "/f"], b"2").well();
    untorn_on(&["cp", &at(&site, "/f"), &lacks], b"").refused(1, ":/h9");
    assert!(!Path::new(&lacks).exists());
    // No image, no doubt; nor where the host has the name.
    let colon = format!("{file}:h9");
    untorn_on(&["cp", &at(&site, "/f"), &colon], b"").well();
    fs::write(&lacks, "3").unwrap();
    untorn_on(&["cp", &at(&site, "/f"), &lacks], b"").well();
    assert_eq!(fs::read(&lacks).unwrap(), b"2");
    untorn_on(&["cp", file, "elsewhere"], b"").refused(1, "h1: names no path on a volume");
}

#[test]
fn an_open_file_is_not_replaced_by_its_name_in_dev() {
    let site = Site::new();
    site.run_on(&["write", "@", "/f"], b"2").well();
    let link = site.path("link");
    std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
    for to in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", link.to_str().unwrap()] {
        if !Path::new("/proc/self/fd").exists() {
            eprintln!("skipped: this host has no /proc");
            return;
        }
        let out = site.path("out");
        let mut command = Command::new(env!("CARGO_BIN_EXE_untorn"));
        command.args(["cp", &at(&site, "/f"), to]).stdout(fs::File::create(&out).unwrap());
        let said = command.stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8(said.stderr).unwrap();
        assert!(!said.status.success() && told.contains("`untorn cat`"), "{to}: {told}");
        assert_eq!(fs::read(&out).unwrap(), b"", "{to}");
    }
    // A directory that a link of a process leads to is one like others.
    let mut command = Command::new(env!("CARGO_BIN_EXE_untorn"));
    let folder = site.path("folder");
    fs::create_dir(&folder).unwrap();
    command.args(["cp", &at(&site, "/f"), "/proc/self/cwd/"]).current_dir(&folder);
    assert!(command.status().unwrap().success());
    assert_eq!(fs::read(folder.join("f")).unwrap(), b"2");
}

#[test]
fn what_finds_no_room_is_named_with_its_directory_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    let folder = site.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("large"), vec![1; 70 << 20]).unwrap();
    let said = untorn_on(&["cp", "-r", folder.to_str().unwrap(), &at(&site, "/a/b")], b"");
    said.refused(1, "untorn: /a/b/folder/large: no space left");
    site.assert_sound();
}
