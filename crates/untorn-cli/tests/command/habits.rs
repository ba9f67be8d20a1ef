//! What fingers type without thinking: the letters that the usual tools have.

use super::Site;
use std::path::Path;

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run_on(&["write", "@", "/d/file.txt"], &[1; 5000]).well();
    site.run(&["ln", "-s", "@", "d", "/soft"]).well();
    site
}

fn inode(site: &Site, path: &str) -> u64 {
    site.run(&["stat", "@", path, "--json"]).json()[0]["inode"].as_u64().unwrap()
}

#[test]
fn lists_show_what_the_letters_ask_for() {
    let site = site();
    assert_eq!(site.run(&["ls", "-a", "@", "/d"]).well().out, ".\n..\ne\nfile.txt\n");
    assert_eq!(site.run(&["ls", "-1", "@", "/d"]).well().out, "e\nfile.txt\n");
    assert_eq!(site.run(&["ls", "-d", "@", "/d", "/soft"]).well().out, "/d\n/soft\n");
    let both = site.run(&["ls", "@", "/d/file.txt", "/d", "/"]).well().out;
    assert_eq!(both, "/d/file.txt\n\n/:\nd\nsoft\n\n/d:\ne\nfile.txt\n");
    let (d, soft) = (inode(&site, "/d"), inode(&site, "/soft"));
    assert_eq!(site.run(&["ls", "-i", "@"]).well().out, format!("{d} d\n{soft} soft\n"));
    let above = site.run(&["ls", "-ai", "@", "/d"]).well().out;
    let root = inode(&site, "/");
    assert!(above.trim_start().starts_with(&format!("{d} .\n")), "{above}");
    assert!(above.contains(&format!("{root} ..\n")), "{above}");
    let link = site.run(&["ls", "-l", "@", "/soft"]).well().out;
    assert!(link.ends_with(" /soft -> d\n") && link.lines().count() == 1, "{link}");
    let long = site.run(&["ls", "-lh", "@", "/d"]).well().out;
    assert!(long.contains(" 4.9K 20"), "{long}");
    assert!(site.run(&["ls", "--help"]).well().out.contains("Usage:"));
}

#[test]
fn sizes_are_for_people_with_h() {
    let site = site();
    let sums = site.run(&["du", "-h", "@", "/d"]).well().out;
    assert_eq!(sums, "0\t/d/e\n8.0K\t/d\n");
    let room = site.run(&["df", "-h", "@"]).well().out;
    assert!(room.lines().next().unwrap().contains(" Size "), "{room}");
    assert!(room.contains("M "), "{room}");
    let inodes = site.run(&["df", "-i", "@"]).well().out;
    assert!(inodes.contains("IUsed"), "{inodes}");
    assert!(site.run(&["du", "--help"]).well().out.contains("Usage:"));
    assert!(site.run(&["df", "--help"]).well().out.contains("Usage:"));
}

#[test]
fn sums_are_of_directories_or_of_all_or_one_check() {
    let site = site();
    site.run(&["ln", "@", "/d/file.txt", "/d/e/again"]).well();
    let sum = |letters: &[&str]| {
        let command: Vec<&str> = ["du"].into_iter().chain(letters.iter().copied()).collect();
        site.run(&command).well().out
    };
    assert_eq!(sum(&["-s", "@"]), "8\t/\n");
    assert_eq!(sum(&["@"]), "8\t/d/e\n8\t/d\n8\t/\n");
    let all = "8\t/d/e/again\n8\t/d/e\n8\t/d\n0\t/soft\n8\t/\n";
    assert_eq!(sum(&["-a", "@", "/"]), all);
    site.assert_sound();
}

#[test]
fn find_takes_words_behind_one_dash() {
    let site = site();
    let found = |words: &[&str]| {
        let command: Vec<&str> = ["find", "@"].into_iter().chain(words.iter().copied()).collect();
        site.run(&command).well().out
    };
    assert_eq!(found(&["/", "-name", "*.txt"]), "/d/file.txt\n");
    assert_eq!(found(&["/", "-type", "l"]), "/soft\n");
    assert_eq!(found(&["/d", "-type", "d", "-print0"]), "/d\0/d/e\0");
    let number = inode(&site, "/d/e").to_string();
    assert_eq!(found(&["/", "-inum", &number]), "/d/e\n");
    assert_eq!(found(&["--name", "e", "/", "-0"]), "/d/e\0");
}

#[test]
fn names_reach_programs_as_they_are() {
    let site = Site::new();
    site.run(&["touch", "@", "/a\nb", "/a\\nb"]).well();
    assert_eq!(site.run(&["ls", "-0", "@"]).well().out, "a\nb\0a\\nb\0");
    assert_eq!(site.run(&["ls", "@"]).well().out, "a\nb\na\\nb\n");
    assert_eq!(site.run(&["find", "@", "/", "-0"]).well().out, "/\0/a\nb\0/a\\nb\0");
    let refused = site.run(&["cat", "@", "/c\nd"]).refused(1, "/c\\nd: no such file").err;
    assert_eq!(refused.lines().count(), 1);
}

/// Runs the command on a terminal of its own; nothing where this machine has no `script`.
fn on_a_terminal(command: &str) -> Option<String> {
    let output = std::process::Command::new("script")
        .args(["-qec", command, "/dev/null"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n"))
}

#[test]
fn on_a_terminal_no_two_names_look_alike() {
    let site = Site::new();
    site.run(&["touch", "@", "/a\nb", "/a\\nb", "/e\x1b[2J"]).well();
    let program = Path::new(env!("CARGO_BIN_EXE_untorn")).display();
    let seen = on_a_terminal(&format!("{program} ls {}", site.image.display()));
    let Some(seen) = seen else { return };
    assert_eq!(seen, "a\\nb\na\\\\nb\ne\\u{1b}[2J\n");
}

#[test]
fn sizes_come_from_old_ones_check() {
    let site = site();
    let size = |by: &str| {
        site.run(&["truncate", "@", "-s", by, "/d/file.txt"]).well();
        site.run(&["stat", "@", "/d/file.txt", "--json"]).json()[0]["size"].as_u64().unwrap()
    };
    assert_eq!(size("+5"), 5005);
    assert_eq!(size("-10"), 4995);
    assert_eq!(size("%4k"), 8192);
    assert_eq!(size("<1k"), 1024);
    assert_eq!(size("-1m"), 0);
    let much = site.run(&["truncate", "@", "-s", "+16e", "/d/file.txt"]);
    assert_eq!(much.status, 2, "{}", much.err);
    site.assert_sound();
}

#[test]
fn modes_change_by_letters_check() {
    let site = site();
    site.run(&["chmod", "-R", "@", "u+x,go-rwx", "/d"]).well();
    let long = site.run(&["ls", "-lR", "@", "/d"]).well().out;
    assert!(long.contains("-rwx------ ") && long.contains("drwx------ "), "{long}");
    site.run(&["chmod", "@", "a+X,g=u", "/d/file.txt"]).well();
    let said = site.run(&["chmod", "@", "--json", "o+r", "/d/file.txt"]).json();
    assert_eq!(said["changed"][0]["mode"], "0775");
    assert_eq!(site.run(&["chmod", "@", "u+q", "/d"]).status, 2);
    let said = site.run(&["chmod", "--json", "@", "-x", "/d/file.txt"]).json();
    assert_eq!(said["changed"][0]["mode"], "0664");
    site.run(&["chmod", "@", "-R", "755", "/d"]).well();
    site.assert_sound();
}

#[test]
fn owners_are_named_by_the_volume_check() {
    let site = site();
    site.run(&["chown", "@", "root", "/d"]).well();
    site.run(&["chown", "@", "alice", "/d"]).refused(1, "not in /etc/passwd of this machine");
    site.run(&["mkdir", "@", "/etc"]).well();
    site.run_on(&["write", "@", "/etc/passwd"], b"alice:x:1001:1002::/:/bin/sh\n").well();
    site.run_on(&["write", "@", "/etc/group"], b"alice:x:1002:\nstaff:x:50:\n").well();
    let owner = |who: &str| {
        site.run(&["chown", "-R", "@", who, "/d"]).well();
        let found = site.run(&["stat", "@", "/d/file.txt", "--json"]).json();
        (found[0]["uid"].as_u64().unwrap(), found[0]["gid"].as_u64().unwrap())
    };
    assert_eq!(owner("alice"), (1001, 0));
    assert_eq!(owner("alice:staff"), (1001, 50));
    assert_eq!(owner("7:staff"), (7, 50));
    site.run(&["chown", "@", "7:", "/d"]).refused(1, "7: is no");
    assert_eq!(owner("alice:"), (1001, 1002));
    assert_eq!(owner(":12"), (1001, 12));
    site.run(&["chown", "@", "bob:", "/d"]).refused(1, "not in /etc/passwd of the volume");
    site.assert_sound();
}

#[test]
fn standard_input_is_put_and_trees_are_copied_inside_a_volume_check() {
    let site = site();
    let at = |path: &str| format!("{}:{path}", site.image.display());
    site.run_on(&["put", "-", &at("/piped")], b"piped").well();
    assert_eq!(site.run(&["cat", "@", "/piped"]).well().out, "piped");
    site.run(&["cp", &at("/piped"), &at("/d/e")]).well();
    site.run(&["cp", &at("/d"), &at("/f")]).refused(1, "untorn cp -r");
    site.run(&["cp", "-a", &at("/d"), &at("/f")]).well();
    assert_eq!(site.run(&["cat", "@", "/f/e/piped"]).well().out, "piped");
    site.assert_sound();
}

#[test]
fn removing_what_is_not_there_is_no_failure_with_f_check() {
    let site = site();
    site.run(&["rm", "-f", "@"]).well();
    site.run(&["rm", "-f", "@", "/none", "/d/file.txt/x", "/none/x"]).well();
    site.run(&["rm", "-rf", "@", "/none", "/d"]).well();
    assert_eq!(site.run(&["ls", "@"]).well().out, "soft\n");
    site.run(&["touch", "@", "/file"]).well();
    let dumped = site.run(&["setfattr", "@", "-n", "user.a", "-v", "b", "/file"]).well();
    assert_eq!(dumped.out, "");
    let dumped = site.run(&["getfattr", "-d", "@", "/file"]).well().out;
    assert_eq!(dumped, "# file: /file\nuser.a=\"b\"\n\n");
    site.assert_sound();
}
