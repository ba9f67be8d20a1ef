//! Names: made, listed, described, removed.

use super::Site;

#[test]
fn directories_are_made_listed_and_removed_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/b/c", "/a/d"]).well();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    site.run_on(&["write", "@", "/a/b/file"], b"x").well();
    assert_eq!(site.run(&["ls", "@"]).well().out, "a\n");
    let all = site.run(&["ls", "-R", "@"]).well().out;
    assert_eq!(all, "/:\na\n\n/a:\nb\nd\n\n/a/b:\nc\nfile\n\n/a/b/c:\n\n/a/d:\n");
    site.run(&["rm", "@", "/a/b/file"]).well();
    site.run(&["rm", "-r", "@", "/a"]).well();
    assert_eq!(site.run(&["ls", "@", "/"]).well().out, "");
    site.assert_sound();
}

#[test]
fn long_lists_tell_what_ls_tells() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/folder", "--mode", "1777", "--uid", "7"]).well();
    site.run_on(&["write", "@", "/file", "--mode", "4711", "--gid", "12"], &[0; 1234]).well();
    let list = site.run(&["ls", "-l", "@"]).well().out;
    let lines: Vec<_> = list.lines().collect();
    assert!(lines[0].starts_with("-rws--x--x 1 0 12 1234 20"), "{list}");
    assert!(lines[0].ends_with(" file"), "{list}");
    assert!(lines[1].starts_with("drwxrwxrwt 2 7  0    6 20"), "{list}");
    let one = site.run(&["ls", "-l", "@", "/file"]).well().out;
    assert!(one.ends_with(" /file\n"), "{one}");
}

#[test]
fn lists_and_facts_are_json_on_request() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], b"12345").well();
    let list = site.run(&["ls", "@", "--json", "-R"]).json();
    assert_eq!(list[0]["path"], "/");
    assert_eq!(list[0]["entries"][0]["name"], "file");
    assert_eq!(list[0]["entries"][0]["size"], 5);
    let facts = site.run(&["stat", "@", "/file", "/", "--json"]).json();
    assert_eq!(facts[0]["kind"], "regular file");
    assert_eq!(facts[0]["sectors"], 8);
    assert_eq!(facts[1]["kind"], "directory");
    let info = site.run(&["info", "@", "--json"]).json();
    assert_eq!(info["log"]["clean"], true);
    assert_eq!(info["block_size"], 4096);
    let report = site.run(&["check", "@", "--json"]).json();
    assert_eq!(report["findings"].as_array().unwrap().len(), 0);
}

#[test]
fn facts_are_told_in_the_lines_of_stat() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], &[1; 5000]).well();
    let text = site.run(&["stat", "@", "/file"]).well().out;
    assert!(text.starts_with("  File: /file\n  Size: 5000      \tBlocks: 16 "), "{text}");
    assert!(text.contains("Access: (0644/-rw-r--r--)  Uid: 0   Gid: 0"), "{text}");
    assert!(text.contains("   XFS: extents (1 extent); attribute fork: none;"), "{text}");
}

#[test]
fn what_does_not_exist_is_refused_unless_forced() {
    let site = Site::new();
    site.run(&["rm", "@", "/none"]).refused(1, "/none: no such file or directory");
    site.run(&["rm", "-f", "@", "/none"]).well();
    site.run(&["cat", "@", "/none"]).refused(1, "no such file");
    site.run(&["mkdir", "@", "/none/folder"]).refused(1, "no such file");
}

#[test]
fn directories_are_not_taken_for_files() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/folder"]).well();
    site.run(&["rm", "@", "/folder"]).refused(1, "untorn rm -r");
    site.run(&["cat", "@", "/folder"]).refused(1, "is a directory");
    site.run(&["mkdir", "@", "/folder"]).refused(1, "exists already");
    site.run_on(&["write", "@", "/folder"], b"x").refused(1, "is a directory");
    site.assert_sound();
}

#[test]
fn the_root_directory_is_not_removed_however_it_is_named_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/kept"], b"kept").well();
    for root in ["/", "//", "/."] {
        for how in [&["rm", "-r", "@", root][..], &["rm", "-r", "-f", "@", root][..]] {
            assert!(!site.run(how).refused(1, "root directory").err.contains("untorn rm -r"));
        }
    }
    assert_eq!(site.run(&["cat", "@", "/kept"]).well().out, "kept");
    site.assert_sound();
}
