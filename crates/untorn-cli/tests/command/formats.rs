//! Lists, facts and sums in the forms that the letters of ls, stat, du and df ask for.

use super::Site;
use std::sync::Arc;
use untorn::{AclKind, OpenOptions, Volume};
use untorn_device::{Access, FileDevice};
use untorn_format::acl::{Acl, AclEntry, Who};

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run_on(&["write", "@", "/d/small"], b"1").well();
    site.run_on(&["write", "@", "/d/large"], &[1; 9000]).well();
    site.run_on(&["write", "@", "/d/tool", "--mode", "755"], &[1; 100]).well();
    site.run(&["ln", "-s", "@", "e", "/d/link"]).well();
    site
}

/// A list that lets one more user read.
fn list() -> Acl {
    let entry = |who, permissions| AclEntry { who, permissions };
    let entries = [(Who::Owner, 6), (Who::User(7), 4), (Who::OwningGroup, 4), (Who::Mask, 4)];
    let entries = entries.into_iter().chain([(Who::Others, 0)]);
    Acl::new(entries.map(|(who, permissions)| entry(who, permissions)).collect()).unwrap()
}

pub(crate) fn give_list(site: &Site, path: &str, kind: AclKind) {
    let device = FileDevice::open(&site.image, Access::ReadWrite).unwrap();
    let volume = Volume::open(Arc::new(device), OpenOptions::default()).unwrap();
    let ino = volume.lookup(path).unwrap();
    volume.set_acl_of(ino, kind, Some(&list())).unwrap();
    volume.close().unwrap();
}

#[test]
fn lists_are_sorted_as_ls_sorts_them() {
    let site = site();
    site.run(&["touch", "@", "/d/large"]).well();
    let listed = |letters: &str| {
        let out = site.run(&["ls", letters, "@", "/d"]).well().out;
        out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(listed("-r"), ["tool", "small", "link", "large", "e"]);
    assert_eq!(listed("-S")[..2], ["large", "tool"]);
    assert_eq!(listed("-Sr").last().unwrap(), "large");
    assert_eq!(listed("-t")[..2], ["large", "link"]);
    assert_eq!(listed("-tS")[..2], ["large", "tool"]);
    assert_eq!(listed("-St")[..2], ["large", "link"]);
    assert_eq!(listed("-ltr")[4], listed("-l")[1]);
    assert_eq!(listed("-n"), listed("-l"));
}

#[test]
fn a_letter_behind_a_name_says_what_it_is() {
    let site = site();
    let listed = site.run(&["ls", "-F", "@", "/d"]).well().out;
    assert_eq!(listed, "e/\nlarge\nlink@\nsmall\ntool*\n");
    assert_eq!(site.run(&["ls", "-F", "@", "/d/link"]).well().out, "/d/link@\n");
    let long = site.run(&["ls", "-lF", "@", "/d/link"]).well().out;
    assert!(long.ends_with(" /d/link -> e/\n"), "{long}");
}

#[test]
fn access_lists_are_marked_in_long_lists_check() {
    let site = site();
    let modes = || {
        let long = site.run(&["ls", "-l", "@", "/d"]).well().out;
        long.lines().map(|line| line[..12].to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(modes()[1], "-rw-r--r-- 1");
    give_list(&site, "/d/large", AclKind::Access);
    give_list(&site, "/d/e", AclKind::Default);
    assert_eq!(modes()[..4], ["drwxr-xr-x+ ", "-rw-r-----+ ", "lrwxrwxrwx  ", "-rw-r--r--  "]);
    let found = site.run(&["ls", "--json", "@", "/d"]).json();
    assert_eq!(found[0]["entries"][1]["access_list"], true);
    assert_eq!(found[0]["entries"][3]["access_list"], false);
    site.assert_sound();
}

#[test]
fn facts_have_the_form_that_was_asked_for_check() {
    let site = site();
    let said = |format: &str, path: &str| {
        site.run(&["stat", "-c", format, "@", path]).well().out.trim_end().to_owned()
    };
    assert_eq!(
        said("%n %s %b %B %a %A %f %F", "/d/tool"),
        "/d/tool 100 8 512 755 -rwxr-xr-x 81ed regular file"
    );
    assert_eq!(said("%u %g %h %o %t %T %%", "/d"), "0 0 3 4096 0 0 %");
    assert_eq!(said("%N|%F", "/d/link"), "'/d/link' -> 'e'|symbolic link");
    assert_eq!(said("[%5s|%-5s|%05s]%", "/d/tool"), "[  100|100  |00100]%");
    site.run(&["touch", "@", "/n\nl"]).well();
    assert_eq!(said("[%6n|%-6n|%06n]", "/n\nl"), "[  /n\nl|/n\nl  |  /n\nl]");
    assert_eq!(site.run(&["stat", "-c", "%n", "--json", "@", "/d"]).status, 2);
    let facts = site.run(&["stat", "@", "/d/tool", "--json"]).json();
    assert_eq!(said("%i", "/d/tool"), facts[0]["inode"].to_string());
    for (seconds, text) in [("%X", "%x"), ("%Y", "%y"), ("%Z", "%z"), ("%W", "%w")] {
        assert!(said(seconds, "/d/tool").parse::<u64>().unwrap() > 1_000_000_000);
        assert!(said(text, "/d/tool").ends_with(" +0000"), "{text}");
    }
    site.run(&["touch", "@", "/empty"]).well();
    assert_eq!(said("%F", "/empty"), "regular empty file");
    site.run(&["mkdir", "@", "/etc"]).well();
    site.run_on(&["write", "@", "/etc/passwd"], b"alice:x:1001:1002::/:/bin/sh\n").well();
    site.run_on(&["write", "@", "/etc/group"], b"staff:x:50:\n").well();
    site.run(&["chown", "@", "alice:staff", "/d/tool"]).well();
    assert_eq!(said("%U:%G", "/d/tool"), "alice:staff");
    assert_eq!(said("%U:%G", "/empty"), "UNKNOWN:UNKNOWN");
    for (format, words) in [("%Q", "%Q is not known"), ("%m", "mounted"), ("%.3X", "%. is not")] {
        let refused = site.run(&["stat", "-c", format, "@", "/d"]);
        assert!(refused.status == 2 && refused.err.contains(words), "{}", refused.err);
    }
    site.assert_sound();
}

#[test]
fn facts_are_of_what_a_link_leads_to_where_that_is_asked() {
    let site = site();
    let said = site.run(&["stat", "-L", "-c", "%n %F %N", "@", "/d/link"]).well().out;
    assert_eq!(said, "/d/link directory '/d/link'\n");
    let there = site.run(&["stat", "-L", "@", "/d/link", "--json"]).json();
    assert_eq!((there[0]["kind"].as_str(), there[0]["target"].as_str()), (Some("directory"), None));
    site.run(&["ln", "-s", "@", "none", "/dangling"]).well();
    site.run(&["stat", "-L", "@", "/dangling"]).refused(1, "/dangling: no such file");
    site.run(&["stat", "@", "/dangling"]).well();
}

#[test]
fn sums_go_as_deep_as_was_asked_check() {
    let site = site();
    site.run_on(&["write", "@", "/d/e/deep"], &[1; 5000]).well();
    let sum = |words: &[&str]| {
        let command: Vec<&str> = ["du", "@"].iter().chain(words).copied().collect();
        site.run(&command).well().out
    };
    assert_eq!(sum(&["/d"]), "8\t/d/e\n28\t/d\n");
    assert_eq!(sum(&["-d", "0", "/d"]), "28\t/d\n");
    assert_eq!(sum(&["--max-depth", "1", "/"]), "28\t/d\n28\t/\n");
    assert_eq!(sum(&["-sc", "/d/e", "/d/large"]), "8\t/d/e\n12\t/d/large\n20\ttotal\n");
    let json = site.run(&["du", "-sc", "--json", "@", "/d/e"]).json();
    assert_eq!(json, serde_json::json!([{"path": "/d/e", "bytes": 8192}, {"total": 8192}]));
    assert_eq!(site.run(&["du", "-s", "-d", "1", "@"]).status, 2);
    site.assert_sound();
}

/// As GNU du does: what was counted is neither counted nor shown again, also as an operand.
#[test]
fn sums_count_each_file_once() {
    let site = site();
    site.run(&["ln", "@", "/d/large", "/d/small-too"]).well();
    let sum = |words: &[&str]| {
        let command: Vec<&str> = ["du", "@"].iter().chain(words).copied().collect();
        site.run(&command).well().out
    };
    assert_eq!(sum(&["/d", "/d"]), "0\t/d/e\n20\t/d\n");
    assert_eq!(sum(&["/d/large", "/d/small-too"]), "12\t/d/large\n");
    assert_eq!(sum(&["/d/e", "/d"]), "0\t/d/e\n20\t/d\n");
    assert_eq!(
        sum(&["-c", "/d/tool", "/d/large", "/d"]),
        "4\t/d/tool\n12\t/d/large\n0\t/d/e\n4\t/d\n20\ttotal\n"
    );
}

#[test]
fn links_that_are_measured_are_links_unless_a_slash_follows() {
    let site = site();
    site.run_on(&["write", "@", "/d/e/deep"], &[1; 5000]).well();
    assert_eq!(site.run(&["du", "@", "/d/link"]).well().out, "0\t/d/link\n");
    assert_eq!(site.run(&["du", "@", "/d/link/"]).well().out, "8\t/d/link/\n");
}

#[test]
fn room_has_the_type_where_that_is_asked() {
    let site = site();
    for letters in ["-T", "-hT", "-iT"] {
        let room = site.run(&["df", letters, "@"]).well().out;
        let words: Vec<Vec<&str>> = room.lines().map(|l| l.split_whitespace().collect()).collect();
        assert_eq!((words[0][1], words[1][1]), ("Type", "xfs"), "{room}");
        assert_eq!((words[0].len(), words[1].len()), (6, 6), "{room}");
    }
}

/// A file of the database of zones: `zone` as POSIX writes it, for all times.
fn zone_file(zone: &str) -> Vec<u8> {
    let half = |counts: [u32; 6], body: &[u8]| {
        let counts = counts.iter().flat_map(|count| count.to_be_bytes()).collect::<Vec<u8>>();
        [&b"TZif2"[..], &[0; 15], &counts, body].concat()
    };
    let body = [&[0; 6][..], b"UTC\0"].concat();
    let counts = [0, 0, 0, 0, 1, 4];
    [half(counts, &body), half(counts, &body), format!("\n{zone}\n").into_bytes()].concat()
}

#[test]
fn times_are_those_of_the_readers_zone_check() {
    let site = Site::new();
    let zones = site.path("zones");
    std::fs::create_dir_all(zones.join("Far")).unwrap();
    std::fs::write(zones.join("Far/Away"), zone_file("XYZ-3")).unwrap();
    let run = |zone: &str, command: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_untorn"))
            .args(command.iter().map(|word| match *word {
                "@" => site.image.as_os_str(),
                word => word.as_ref(),
            }))
            .env("TZ", zone)
            .env("TZDIR", &zones)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for zone in ["Far/Away", "XYZ-3"] {
        run(zone, &["touch", "-d", "2020-06-01 10:00", "@", "/f"]);
        let there = run(zone, &["ls", "-l", "@", "/f"]);
        assert!(there.contains("2020-06-01 10:00"), "{zone}: {there}");
        let stated = run(zone, &["stat", "-c", "%y", "@", "/f"]);
        assert_eq!(stated, "2020-06-01 10:00:00.000000000 +0300\n", "{zone}");
        let here = site.run(&["stat", "-c", "%y", "@", "/f"]).well().out;
        assert_eq!(here, "2020-06-01 07:00:00.000000000 +0000\n", "{zone}");
    }
    site.assert_sound();
}
