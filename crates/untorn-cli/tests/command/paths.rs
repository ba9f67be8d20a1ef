//! Paths: of any bytes, with slashes behind them, empty.

use super::{Said, Site, untorn_on};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Names that no string is.
const NAME: &[u8] = b"/caf\xe9";
const OTHER: &[u8] = b"/\xff\xfe";

fn run(site: &Site, before: &[&str], after: &[&[u8]]) -> Said {
    let image = |word: &str| match word {
        "@" => site.image.clone().into_os_string(),
        word => word.into(),
    };
    let mut arguments: Vec<OsString> = before.iter().map(|word| image(word)).collect();
    arguments.extend(after.iter().map(|bytes| OsStr::from_bytes(bytes).to_owned()));
    untorn_on(&arguments, b"bytes")
}

fn on_volume(site: &Site, path: &[u8]) -> Vec<u8> {
    [site.image.as_os_str().as_bytes(), b":", path].concat()
}

#[test]
fn names_are_bytes_in_every_command_check() {
    let site = Site::new();
    run(&site, &["write", "@"], &[NAME]).well();
    assert_eq!(run(&site, &["cat", "@"], &[NAME]).well().out, "bytes");
    run(&site, &["ln", "@"], &[NAME, OTHER]).well();
    run(&site, &["ln", "-s", "@"], &[&NAME[1..], b"/soft"]).well();
    assert_eq!(run(&site, &["cat", "@"], &[b"/soft"]).well().out, "bytes");
    run(&site, &["mv", "@"], &[OTHER, b"/\xfd"]).well();
    run(&site, &["mkdir", "-p", "@"], &[b"/d\xe9/\xe8"]).well();
    for command in [&["chmod", "@", "600"][..], &["chown", "@", "1:2"], &["touch", "@"]] {
        run(&site, command, &[NAME]).well();
    }
    run(&site, &["setfattr", "@", "-v", "1", "-n"], &[b"user.\xe9", NAME]).well();
    let shown = run(&site, &["getfattr", "@"], &[NAME]).well().out;
    assert_eq!(shown, "# file: /caf\\351\nuser.\\351=\"1\"\n\n");
    run(&site, &["truncate", "@", "-s", "3"], &[NAME]).well();
    run(&site, &["fallocate", "@", "-l", "8k", "-n"], &[NAME]).well();
    run(&site, &["clone", "@"], &[NAME, b"/clone\xe9"]).well();
    for command in ["stat", "bmap", "du", "ls"] {
        run(&site, &[command, "@"], &[NAME]).well();
    }
    run(&site, &["find", "@", "/", "-name"], &[b"caf\xe9"]).well();
    assert_eq!(run(&site, &["ls", "@"], &[b"/d\xe9"]).well().bytes, b"\xe8\n");
    run(&site, &["rm", "-r", "@"], &[NAME, b"/d\xe9"]).well();
    run(&site, &["rm", "@"], &[NAME]).refused(1, "/caf\\xe9: no such file");
    site.assert_sound();
}

#[test]
fn names_are_bytes_for_fsx_and_db_check() {
    let site = Site::new();
    run(&site, &["fsx", "-q", "-N", "50", "--image", "@"], &[NAME]).well();
    let line = [b"path ", NAME].concat();
    let said = run(&site, &["db", "@", "-c"], &[&line, b"-c", b"p core.mode"]).well().out;
    assert!(said.starts_with("core.mode = 01006"), "{said}");
    site.assert_sound();
}

#[test]
fn names_are_bytes_where_they_are_copied_check() {
    let site = Site::new();
    let source = site.folder.path().join(OsStr::from_bytes(b"source\xe9"));
    std::fs::write(&source, "bytes").unwrap();
    let from = source.as_os_str().as_bytes();
    run(&site, &["put"], &[from, &on_volume(&site, NAME)]).well();
    run(&site, &["cp"], &[from, &on_volume(&site, OTHER)]).well();
    run(&site, &["cp"], &[&on_volume(&site, NAME), &on_volume(&site, b"/\xfd")]).well();
    let out = site.folder.path().join(OsStr::from_bytes(b"out\xe9"));
    run(&site, &["cp"], &[&on_volume(&site, b"/\xfd"), out.as_os_str().as_bytes()]).well();
    assert_eq!(std::fs::read(&out).unwrap(), b"bytes");
    site.assert_sound();
}

#[test]
fn a_slash_behind_a_name_asks_for_a_directory_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], b"bytes").well();
    site.run(&["mkdir", "@", "/d/"]).well();
    site.run(&["touch", "@", "/d/kept"]).well();
    site.run(&["ln", "-s", "@", "d", "/soft"]).well();
    let image = format!("{}:/", site.image.display());
    let commands: [&[&str]; 13] = [
        &["cat", "@", "/file/"],
        &["cat", "@", "/file/."],
        &["stat", "@", "/file/"],
        &["ls", "@", "/file/"],
        &["rm", "@", "/file/"],
        &["rm", "-r", "@", "/soft/"],
        &["mv", "@", "/file/", "/new"],
        &["mv", "@", "/file", "/new/"],
        &["ln", "@", "/file", "/new/"],
        &["clone", "@", "/file", "/new/"],
        &["touch", "@", "/new/"],
        &["write", "@", "/new/"],
        &["chmod", "@", "600", "/file/"],
    ];
    for command in commands {
        site.run(command).refused(1, "not a directory");
    }
    site.run_on(&["put", "-", &format!("{image}file/")], b"x").refused(1, "not a directory");
    assert_eq!(site.run(&["ls", "@", "/soft/"]).well().out, "kept\n");
    site.run(&["mv", "@", "/d/", "/e/"]).well();
    assert_eq!(site.run(&["find", "@", "/"]).well().out, "/\n/e\n/e/kept\n/file\n/soft\n");
    site.assert_sound();
}

#[test]
fn an_empty_path_is_not_the_root() {
    let site = Site::new();
    for command in [&["ls", "@", ""][..], &["rm", "-r", "@", ""], &["stat", "@", ""]] {
        let said = site.run(command);
        assert_eq!(said.status, 2, "{}", said.err);
        assert!(said.err.contains("an empty path names nothing"), "{}", said.err);
    }
}

#[test]
fn programs_get_the_bytes_of_names_that_no_string_is_check() {
    let site = Site::new();
    let made = run(&site, &["mkdir", "--json", "@"], &[b"/d\xe9"]).json();
    assert_eq!(made["made"][0]["path_bytes"], "2f64e9");
    let moved = run(&site, &["mv", "--json", "@"], &[b"/d\xe9", b"/d\xe8"]).json();
    assert_eq!(moved["moved"][0]["to_bytes"], "2f64e8");
    for command in
        [&["find", "@", "--json", "/"][..], &["du", "@", "--json"], &["stat", "@", "--json"]]
    {
        let name: &[&[u8]] = if command[0] == "stat" { &[b"/d\xe8"] } else { &[] };
        let found = run(&site, command, name).json();
        let all = found.as_array().unwrap();
        assert!(all.iter().any(|one| one["path_bytes"] == "2f64e8"), "{found}");
        assert!(all.iter().all(|one| one["path"] != "/" || one.get("path_bytes").is_none()));
    }
    let listed = run(&site, &["ls", "@", "--json"], &[b"/d\xe8"]).json();
    assert_eq!(listed[0]["path_bytes"], "2f64e8");
    site.assert_sound();
}
