//! The word for programs that a failure has, and what the message says to do.

use super::{Said, Site, untorn_on};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::FileExt;

/// Status, code word, and message with what to do behind it.
#[track_caller]
fn told(said: &Said) -> (i32, String, String) {
    let told: Value = serde_json::from_str(said.err.lines().next().unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {}", said.err));
    let word = |name: &str| told["error"][name].as_str().unwrap_or_default().to_owned();
    (said.status, word("code"), format!("{}; {}", word("message"), word("remedy")))
}

#[track_caller]
fn assert_told(said: &Said, status: i32, code: &str, words: &str) {
    let (found, word, message) = told(said);
    assert_eq!((found, word.as_str()), (status, code), "{message}");
    assert!(message.contains(words), "{message}");
}

fn change(site: &Site, at: u64, bytes: &[u8]) {
    OpenOptions::new().write(true).open(&site.image).unwrap().write_all_at(bytes, at).unwrap();
}

#[test]
fn an_image_that_is_cut_short_is_damaged() {
    let site = Site::new();
    OpenOptions::new().write(true).open(&site.image).unwrap().set_len(40 << 20).unwrap();
    for command in ["ls", "info", "log", "recover", "df"] {
        let said = site.run(&[command, "@", "--json"]);
        assert_told(&said, 1, "damaged", "has 67108864 bytes but the device only 41943040");
        assert!(told(&said).2.contains("restore it whole"), "{}", said.err);
    }
}

#[test]
fn a_broken_superblock_is_told_with_what_looks_for_copies() {
    let site = Site::new();
    change(&site, 100, &[0xff]);
    let said = site.run(&["ls", "@", "--json"]);
    assert_told(&said, 1, "damaged", "superblock: ");
    assert!(told(&said).2.contains("`untorn check`"), "{}", said.err);
    change(&site, 0, &[0; 4]);
    let said = site.run(&["ls", "@", "--json"]);
    assert_told(&said, 1, "no-volume", "`untorn check` looks for copies");
}

#[test]
fn an_older_volume_is_told_by_its_version() {
    let site = Site::new();
    let mut version = [0; 2];
    let image = fs::File::open(&site.image).unwrap();
    image.read_exact_at(&mut version, 100).unwrap();
    change(&site, 101, &[version[1] & 0xf0 | 4]);
    let words = "superblock version 4 (5 alone is known here) is not supported";
    assert_told(&site.run(&["ls", "@", "--json"]), 1, "unsupported", words);
    assert_told(&site.run(&["check", "@", "--json"]), 8, "unsupported", words);
}

#[test]
fn what_is_no_image_has_a_word() {
    let site = Site::new();
    let folder = site.folder.path().to_str().unwrap();
    let below = format!("{}/x", site.image.display());
    assert_told(&untorn_on(&["ls", "--json", folder], b""), 1, "no-volume", "neither a regular");
    assert_told(&untorn_on(&["ls", "--json", &below], b""), 1, "host-not-found", "/x");
    let said = site.run(&["ls", "--json", "@", "--partition", "3"]);
    assert_told(&said, 1, "no-volume", "no partition table");
    fs::write(&site.image, vec![7; 1 << 20]).unwrap();
    assert_told(&site.run(&["db", "@", "-c", "sb 0", "--json"]), 1, "no-volume", "no copy");
}

#[test]
fn arguments_that_cannot_be_are_usage_and_values_invalid() {
    let run = |command: &[&str]| untorn_on(command, b"");
    assert_told(&run(&["--json", "man", "none"]), 2, "usage", "no command none; see `untorn help`");
    assert_told(&run(&["--json", "demo", "--scenario", "none"]), 2, "usage", "no scenario");
    assert_told(&run(&["--json", "demo", "--writes", "0"]), 2, "usage", "--writes: from 1");
    let site = Site::new();
    let said = site.run(&["uuid", "@", "xx", "--json"]);
    assert_told(&said, 1, "invalid", "\"xx\" is no UUID");
}

#[test]
fn bytes_of_names_stand_beside_them_only_where_they_are_no_utf_8() {
    let site = Site::new();
    let path = std::ffi::OsString::from_vec(b"/caf\xe9".to_vec());
    let image = site.image.as_os_str();
    let words = ["ln", "-s"].map(std::ffi::OsStr::new);
    untorn_on(&[words[0], words[1], image, &path, &path], b"").well();
    site.run(&["touch", "@", "/a"]).well();
    let listed = site.run(&["ls", "--json", "@"]).json();
    let entries = listed[0]["entries"].as_array().unwrap();
    assert_eq!(listed[0].get("path_bytes"), None);
    assert_eq!((entries[0].get("name_bytes"), entries[0].get("target_bytes")), (None, None));
    assert_eq!(entries[1]["name_bytes"], "636166e9");
    assert_eq!(entries[1]["target_bytes"], "2f636166e9");
}
