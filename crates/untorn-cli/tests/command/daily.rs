//! The commands of daily work.

use super::Site;

fn names(site: &Site, path: &str) -> Vec<String> {
    site.run(&["ls", "@", path]).well().out.lines().map(str::to_owned).collect()
}

#[test]
fn files_move_by_name_and_into_directories_check() {
    let site = Site::new();
    site.run(&["touch", "@", "/a", "/b", "/c"]).well();
    site.run(&["mkdir", "@", "/d"]).well();
    site.run(&["mv", "@", "/a", "/z"]).well();
    site.run(&["mv", "@", "/b", "/c", "/d/"]).well();
    assert_eq!(names(&site, "/"), ["d", "z"]);
    assert_eq!(names(&site, "/d"), ["b", "c"]);
    site.run_on(&["write", "@", "/z"], b"zz").well();
    site.run(&["mv", "@", "-n", "/d/b", "/z"]).refused(1, "exists");
    site.run(&["mv", "@", "--exchange", "/d/b", "/z"]).well();
    assert_eq!(site.run(&["cat", "@", "/d/b"]).well().out, "zz");
    site.run(&["mv", "@", "/d", "/d/e"]).refused(1, "");
    site.run(&["mv", "@", "/z", "/d/b", "/not-there"]).refused(1, "not a directory");
    site.assert_sound();
}

#[test]
fn links_are_made_of_both_sorts_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], b"bytes").well();
    site.run(&["ln", "@", "/file", "/more"]).well();
    site.run(&["ln", "-s", "@", "file", "/soft"]).well();
    site.run(&["ln", "@", "/file", "/more"]).refused(1, "exists");
    site.run(&["ln", "-sf", "@", "more", "/soft"]).well();
    for path in ["/more", "/soft"] {
        assert_eq!(site.run(&["cat", "@", path]).well().out, "bytes");
    }
    let stat = site.run(&["stat", "@", "/file", "--json"]).json();
    assert_eq!(stat[0]["links"], 2, "{stat}");
    site.assert_sound();
}

#[test]
fn modes_owners_and_sizes_are_set_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run(&["touch", "@", "/d/e/file"]).well();
    site.run(&["chmod", "-R", "@", "750", "/d"]).well();
    site.run(&["chown", "-R", "@", "1000:100", "/d"]).well();
    site.run(&["chown", "@", ":7", "/d/e/file"]).well();
    site.run(&["truncate", "@", "-s", "5k", "/d/e/file", "/new"]).well();
    let long = site.run(&["ls", "-l", "@", "/d/e"]).well().out;
    assert!(
        long.contains("-rwxr-x---") && long.contains(" 1000 ") && long.contains("5120"),
        "{long}"
    );
    let refused = site.run(&["chown", "@", ":", "/d"]);
    assert!(refused.status == 2 && refused.err.contains("is no owner"), "{}", refused.err);
    site.run(&["truncate", "@", "-c", "-s", "0", "/nothing"]).well();
    assert_eq!(names(&site, "/"), ["d", "new"]);
    let room = site.run(&["df", "@", "--json"]).json();
    assert!(room["free_blocks"].as_u64() < room["blocks"].as_u64(), "{room}");
    assert!(site.run(&["df", "@"]).well().out.starts_with("Filesystem "));
    site.assert_sound();
}

#[test]
fn nodes_are_made_as_mknod_makes_them_check() {
    let site = Site::new();
    site.run(&["mknod", "@", "/null", "c", "1", "3", "-m", "666"]).well();
    site.run(&["mknod", "@", "/disk", "b", "0x103", "010"]).well();
    site.run(&["mknod", "@", "/pipe", "p", "--uid", "7"]).well();
    site.run(&["mknod", "@", "/socket", "s"]).well();
    let listed = site.run(&["ls", "-l", "@", "/"]).well().out;
    let lines: Vec<Vec<&str>> =
        listed.lines().map(|line| line.split_whitespace().collect()).collect();
    let line = |name: &str| lines.iter().find(|line| line.last() == Some(&name)).unwrap();
    assert_eq!(line("null")[0], "crw-rw-rw-");
    assert_eq!(line("null")[4..6], ["1,", "3"]);
    assert_eq!(line("disk")[0], "brw-r--r--");
    assert_eq!(line("disk")[4..6], ["259,", "8"]);
    assert_eq!((line("pipe")[0], line("pipe")[2]), ("prw-r--r--", "7"));
    assert_eq!(line("socket")[0], "srw-r--r--");
    site.run(&["mknod", "@", "/x", "c", "1"]).refused(2, "major and a minor");
    site.run(&["mknod", "@", "/x", "b"]).refused(2, "major and a minor");
    site.run(&["mknod", "@", "/x", "p", "1", "2"]).refused(2, "leave them out");
    site.run(&["mknod", "@", "/null", "p"]).refused(1, "exists already");
    site.run(&["mknod", "@", "/x", "c", "99999", "0"]).refused(1, "/x");
    site.assert_sound();
}
