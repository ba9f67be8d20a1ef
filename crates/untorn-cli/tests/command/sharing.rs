//! Clones, space and attributes by command.

use super::Site;

#[test]
fn clones_share_blocks_until_one_changes_check() {
    let site = Site::new();
    let bytes: Vec<u8> = (0..200_000).map(|at: u32| (at % 251) as u8).collect();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    site.run_on(&["write", "@", "/a/b/file"], &bytes).well();
    site.run(&["ln", "-s", "@", "b/file", "/a/soft"]).well();
    let free =
        |site: &Site| site.run(&["df", "@", "--json"]).json()["free_blocks"].as_u64().unwrap();
    let before = free(&site);
    site.run(&["clone", "@", "/a", "/c"]).refused(1, "is a directory");
    site.run(&["clone", "-r", "@", "/a", "/c"]).well();
    assert!(before - free(&site) < 40, "{before} blocks, then {}", free(&site));
    site.run_on(&["write", "@", "/c/b/file", "--offset", "0"], b"changed").well();
    assert_eq!(site.run(&["cat", "@", "/a/soft"]).well().bytes, bytes);
    assert_eq!(site.run(&["cat", "@", "/c/soft"]).well().bytes[..7], *b"changed");
    site.run(&["clone", "-r", "@", "/a", "/a/b/again"]).refused(1, "lies inside");
    let found = site.run(&["find", "@", "/c", "--type", "f"]).well().out;
    assert_eq!(found, "/c/b/file\n");
    let found = site.run(&["find", "@", "--name", "so*"]).well().out;
    assert_eq!(found, "/a/soft\n/c/soft\n");
    let taken = site.run(&["du", "@", "/a/b/file"]).well().out;
    assert_eq!(taken, "196\t/a/b/file\n");
    site.assert_sound();
}

#[test]
fn ranges_of_files_get_and_lose_space_check() {
    let site = Site::new();
    let mut bytes = vec![7; 64 << 10];
    site.run_on(&["write", "@", "/file"], &bytes).well();
    site.run(&["fallocate", "@", "/file", "-p", "-o", "8k", "-l", "8k"]).well();
    bytes[8 << 10..16 << 10].fill(0);
    site.run(&["fallocate", "@", "/file", "-c", "-o", "32k", "-l", "4k"]).well();
    bytes.drain(32 << 10..36 << 10);
    site.run(&["fallocate", "@", "/file", "-i", "-o", "0", "-l", "4k"]).well();
    bytes.splice(0..0, vec![0; 4096]);
    assert_eq!(site.run(&["cat", "@", "/file"]).well().bytes, bytes);
    site.run(&["fallocate", "@", "/new", "-l", "1m"]).well();
    assert_eq!(site.run(&["cat", "@", "/new"]).well().bytes, vec![0; 1 << 20]);
    site.run(&["fallocate", "@", "/nothing", "-p", "-l", "4k"]).refused(1, "nothing");
    site.run(&["fallocate", "@", "/file", "-c", "-o", "1", "-l", "4k"]).refused(1, "");
    site.assert_sound();
}

#[test]
fn attributes_are_set_shown_and_removed_check() {
    let site = Site::new();
    site.run(&["touch", "@", "/a", "/b"]).well();
    site.run(&["setfattr", "@", "-n", "user.one", "-v", "1\"", "/a", "/b"]).well();
    site.run(&["setfattr", "@", "-n", "trusted.two", "-v", "2", "/a"]).well();
    let shown = site.run(&["getfattr", "@", "/a", "/b"]).well().out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), 7, "{shown}");
    assert!(
        lines.contains(&"user.one=\"1\\\"\"") && lines.contains(&"trusted.two=\"2\""),
        "{shown}"
    );
    site.run(&["setfattr", "@", "-x", "user.one", "/a"]).well();
    let left = site.run(&["getfattr", "@", "/a", "--json"]).json();
    assert_eq!((left[0]["name"].as_str(), left[1].as_object()), (Some("trusted.two"), None));
    site.run(&["setfattr", "@", "-n", "other.one", "/a"])
        .refused(1, "begins with user., trusted. or");
    site.assert_sound();
}

#[test]
fn a_cloned_tree_has_the_attributes_of_all_that_is_in_it_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    site.run(&["touch", "@", "/a/b/file"]).well();
    for path in ["/a", "/a/b", "/a/b/file"] {
        site.run(&["setfattr", "@", "-n", "user.path", "-v", path, path]).well();
    }
    site.run(&["clone", "-r", "@", "/a", "/c"]).well();
    for (clone, path) in [("/c", "/a"), ("/c/b", "/a/b"), ("/c/b/file", "/a/b/file")] {
        let shown = site.run(&["getfattr", "@", clone]).well().out;
        assert!(shown.contains(&format!("user.path=\"{path}\"")), "{clone}: {shown}");
    }
    site.assert_sound();
}

#[test]
fn an_inode_is_found_by_its_number_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/b"]).well();
    site.run(&["touch", "@", "/a/b/file"]).well();
    site.run(&["ln", "@", "/a/b/file", "/a/link"]).well();
    let told = site.run(&["stat", "@", "/a/link", "--json"]).json();
    let number = told[0]["inode"].as_u64().unwrap().to_string();
    let found = |path| site.run(&["find", "@", path, "--inode", &number]).well().out;
    assert_eq!(found("/"), "/a/b/file\n/a/link\n");
    assert_eq!(found("/a/b"), "/a/b/file\n");
    site.assert_sound();
}
