//! Trees that are removed or changed in part: what fails is told, the rest is done and told.

use super::Site;
use serde_json::{Value, json};
use std::sync::Arc;
use untorn::{FileFlag, OpenOptions, Volume};
use untorn_device::{Access, FileDevice};

/// `/t` with files and directories, of which `/t/kept` and `/t/sub/kept` may not be changed.
fn tree() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/t/sub/deep", "/t/other"]).well();
    site.run(&["touch", "@", "/t/a", "/t/kept", "/t/z", "/t/sub/kept", "/t/sub/b"]).well();
    protect(&site, &["/t/kept", "/t/sub/kept"]);
    site
}

fn protect(site: &Site, paths: &[&str]) {
    let device = Arc::new(FileDevice::open(&site.image, Access::ReadWrite).unwrap());
    let volume = Volume::open(device, OpenOptions::default()).unwrap();
    for path in paths {
        let file = volume.open_file(path).unwrap();
        file.set_flags(file.flags().unwrap().with(FileFlag::Immutable)).unwrap();
    }
    volume.close().unwrap();
}

fn paths(list: &Value) -> Vec<&str> {
    let mut paths: Vec<_> =
        list.as_array().unwrap().iter().map(|item| item["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    paths
}

const GONE: [&str; 5] = ["/t/a", "/t/other", "/t/sub/b", "/t/sub/deep", "/t/z"];
const LEFT: &str = "/\n/t\n/t/kept\n/t/sub\n/t/sub/kept\n";

#[test]
fn what_can_go_of_a_tree_goes_and_is_told_check() {
    let site = tree();
    let said = site.run(&["rm", "-rv", "@", "/t"]).refused_lines(2);
    assert!(said.err.contains("/t/kept: ") && said.err.contains("/t/sub/kept: "), "{}", said.err);
    let mut told: Vec<_> = said.out.lines().filter_map(|line| line.split('\'').nth(1)).collect();
    told.sort_unstable();
    assert_eq!(told, GONE);
    assert_eq!(site.run(&["find", "@", "/"]).well().out, LEFT);
    site.assert_sound();
    let site = tree();
    let said = site.run(&["rm", "-r", "--json", "@", "/t"]).refused_lines(2);
    let told: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(paths(&told["removed"]), GONE);
    site.assert_sound();
}

#[test]
fn a_whole_tree_is_told_entry_by_entry_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/t/d"]).well();
    site.run(&["touch", "@", "/t/d/f"]).well();
    let told = site.run(&["rm", "-r", "--json", "@", "/t"]).json();
    let item = |path| json!({"path": path});
    assert_eq!(told, json!({"removed": [item("/t/d/f"), item("/t/d"), item("/t")]}));
    assert_eq!(site.run(&["rm", "-rf", "--json", "@", "/t"]).json(), json!({"removed": []}));
    site.assert_sound();
}

#[test]
fn what_can_be_changed_of_a_tree_is_changed_and_told_check() {
    let site = tree();
    let changed = ["/t", "/t/a", "/t/other", "/t/sub", "/t/sub/b", "/t/sub/deep", "/t/z"];
    for arguments in [["chmod", "-R", "--json", "@", "750"], ["chown", "-R", "--json", "@", "7:8"]]
    {
        let said = site.run(&[&arguments[..], &["/t"]].concat()).refused_lines(2);
        let told: Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(paths(&told["changed"]), changed);
    }
    let found = site.run(&["stat", "--json", "@", "/t/sub/b", "/t/sub/kept"]).json();
    assert_eq!((&found[0]["uid"], &found[0]["gid"]), (&json!(7), &json!(8)));
    assert_eq!((&found[1]["uid"], &found[1]["gid"]), (&json!(0), &json!(0)));
    let modes = site.run(&["ls", "-l", "@", "/t/sub"]).well().out;
    assert_eq!(modes.lines().filter(|line| line.contains("rwxr-x---")).count(), 2, "{modes}");
    site.assert_sound();
}
