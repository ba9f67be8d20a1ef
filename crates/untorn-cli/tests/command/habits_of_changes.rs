//! Changes as fingers type them: letters of mkdir, rm, mv, ln, touch, chmod, chown, truncate,
//! setfattr, and what becomes of symbolic links.

use super::{Said, Site, untorn_on};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};

fn site() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run_on(&["write", "@", "/file"], b"bytes").well();
    site.run(&["ln", "-s", "@", "d", "/soft"]).well();
    site
}

fn stat(site: &Site, path: &str) -> serde_json::Value {
    site.run(&["stat", "--json", "@", path]).json()[0].clone()
}

fn mode(site: &Site, path: &str) -> String {
    let long = site.run(&["ls", "-ld", "@", path]).well().out;
    long.split(' ').next().unwrap().to_owned()
}

fn owner(site: &Site, path: &str) -> (u64, u64) {
    let stat = stat(site, path);
    (stat["uid"].as_u64().unwrap(), stat["gid"].as_u64().unwrap())
}

/// Runs the command with this umask.
fn with_umask(umask: &str, site: &Site, arguments: &[&str]) -> Said {
    let image = site.image.to_str().unwrap();
    let words = arguments.iter().map(|word| if *word == "@" { image } else { word });
    let output = Command::new("sh")
        .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_untorn")])
        .args(words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        status: output.status.code().unwrap(),
        out: text(&output.stdout),
        err: text(&output.stderr),
        bytes: output.stdout,
    }
}

#[test]
fn files_are_made_where_a_dangling_link_leads_check() {
    let site = site();
    let put = |path: &str| {
        let to = format!("{}:{path}", site.image.display());
        site.run_on(&["put", "-", &to], b"put")
    };
    let link = |target: &str, name: &str| {
        site.run(&["ln", "-s", "@", target, name]).well();
    };
    link("touched", "/d/one");
    link("one", "/d/two");
    link("/d/e/../written", "/abs");
    link("d/put", "/put");
    link("truncated", "/t");
    link("filled", "/f");
    site.run(&["touch", "@", "/soft/two"]).well();
    site.run_on(&["write", "@", "/abs"], b"written").well();
    put("/put").well();
    site.run(&["truncate", "-s", "3", "@", "/t"]).well();
    site.run(&["fallocate", "-l", "4k", "@", "/f"]).well();
    let sizes = |path: &str| (stat(&site, path)["kind"].clone(), stat(&site, path)["size"].clone());
    let file = |size: u64| ("regular file".into(), size.into());
    for (path, size) in
        [("/d/touched", 0), ("/d/written", 7), ("/d/put", 3), ("/truncated", 3), ("/filled", 4096)]
    {
        assert_eq!(sizes(path), file(size), "{path}");
    }
    assert_eq!(stat(&site, "/d/two")["kind"], "symbolic link");
    link("nowhere/x", "/bad");
    link("loop", "/loop");
    for command in
        [&["touch"][..], &["write"], &["truncate", "-s", "1"], &["fallocate", "-l", "4k"]]
    {
        let run = |path| site.run(&[command, &["@", path]].concat());
        run("/bad").refused(1, "/bad: dangling symbolic link to /nowhere/x, whose directory is");
        run("/loop").refused(1, "/loop: ");
    }
    put("/bad").refused(1, "/bad: dangling symbolic link");
    for command in [&["chmod", "@", "755"][..], &["chown", "@", "5"], &["setfattr", "-n", "user.a"]]
    {
        let end: &[&str] = if command[0] == "setfattr" { &["@", "/bad"] } else { &["/bad"] };
        let said = site.run(&[command, end].concat());
        said.refused(1, "/bad: dangling symbolic link to nowhere/x; make what it leads to");
    }
    // What was made for a write that fails goes again, the link stays.
    link("new", "/again");
    let last = "9223372036854775807";
    site.run_on(&["write", "@", "/again", "--offset", last], b"12").refused(1, "/again");
    assert_eq!(stat(&site, "/again")["kind"], "symbolic link");
    assert!(!site.run(&["ls", "@"]).well().out.contains("new\n"));
    site.assert_sound();
}

#[test]
fn owner_and_mode_that_are_given_count_for_files_that_are_there_check() {
    let site = site();
    let to = format!("{}:/file", site.image.display());
    site.run_on(&["write", "@", "/file", "--mode", "4711", "--uid", "7"], b"x").well();
    assert_eq!((mode(&site, "/file"), owner(&site, "/file")), ("-rws--x--x".into(), (7, 0)));
    site.run_on(&["write", "@", "/file", "--atomic", "--gid", "8"], b"x").well();
    assert_eq!(owner(&site, "/file"), (7, 8));
    site.run_on(&["put", "-", &to, "--mode", "600"], b"x").well();
    assert_eq!((mode(&site, "/file"), owner(&site, "/file")), ("-rw-------".into(), (7, 8)));
    site.run_on(&["put", "-", &to], b"x").well();
    assert_eq!(mode(&site, "/file"), "-rw-------");
    site.run(&["touch", "@", "--mode", "640", "/file", "/new"]).well();
    assert_eq!(
        (mode(&site, "/file"), mode(&site, "/new")),
        ("-rw-r-----".into(), mode(&site, "/file"))
    );
    site.assert_sound();
}

/// Transactions in the journal that change the file.
fn transactions(site: &Site, path: &str) -> usize {
    let inode = format!("inode {} ", stat(site, path)["inode"]);
    let log = site.run(&["log", "--all", "@"]).well().out;
    log.lines()
        .filter(|line| line.trim_start().starts_with("INODE") && line.contains(&inode))
        .count()
}

#[test]
fn owner_and_mode_come_with_the_bytes_of_one_commit_check() {
    let site = site();
    let to = format!("{}:/file", site.image.display());
    let commands: [(&[&str], &str, &str); 3] = [
        (&["put", "-", &to, "--mode", "600"], "-rw-------", "new"),
        (&["write", "@", "/file", "--atomic", "--sync", "--mode", "640"], "-rw-r-----", "new"),
        (
            &["write", "@", "/file", "--atomic", "--append", "--mode", "4600"],
            "-rwS------",
            "newnew",
        ),
    ];
    for (command, expected, bytes) in commands {
        let before = transactions(&site, "/file");
        site.run_on(command, b"new").well();
        assert_eq!(mode(&site, "/file"), expected, "{command:?}");
        assert_eq!(site.run(&["cat", "@", "/file"]).well().out, bytes, "{command:?}");
        assert_eq!(transactions(&site, "/file"), before + 1, "{command:?}");
    }
    // What fails changes nothing of it; a write that is not atomic says it first.
    let last = "9223372036854775807";
    let write = ["write", "@", "/file", "--mode", "777", "--offset", last];
    site.run_on(&[&write[..], &["--atomic"]].concat(), b"12").refused(1, "/file");
    assert_eq!(mode(&site, "/file"), "-rwS------");
    site.run_on(&write, b"12").refused(1, "/file");
    assert_eq!(mode(&site, "/file"), "-rwxrwxrwx");
    site.assert_sound();
}

#[test]
fn directories_come_and_go_by_letters_check() {
    let site = site();
    let said = site.run(&["mkdir", "-pvm", "u=rwx,go=", "@", "/x/y", "/d"]).well();
    assert_eq!(said.out, "created directory '/x'\ncreated directory '/x/y'\n");
    assert_eq!(
        (mode(&site, "/x"), mode(&site, "/x/y")),
        ("drwxr-xr-x".into(), "drwx------".into())
    );
    site.run(&["mkdir", "-m", "1777", "@", "/tmp"]).well();
    assert_eq!(mode(&site, "/tmp"), "drwxrwxrwt");
    site.run(&["rmdir", "@", "/d", "/file", "/", "/d/e/.", "/tmp"]).refused_lines(4);
    assert_eq!(site.run(&["ls", "@"]).well().out, "d\nfile\nsoft\nx\n");
    let said = site.run(&["rmdir", "-pv", "@", "/x/y/"]).well().out;
    assert_eq!(said, "removed directory '/x/y/'\nremoved directory '/x'\n");
    site.run(&["touch", "@", "/d/kept"]).well();
    site.run(&["rmdir", "-p", "@", "/d/e"]).refused(1, "/d: ");
    site.run(&["mkdir", "@", "/d/e"]).well();
    let said = site.run(&["rmdir", "-p", "--ignore-fail-on-non-empty", "--json", "@", "/d/e"]);
    assert_eq!(said.json(), serde_json::json!({"removed": [{"path": "/d/e"}]}));
    site.assert_sound();
}

#[test]
fn removals_go_by_letters_and_name_what_fails_check() {
    let site = site();
    site.run(&["rm", "-d", "@", "/d"]).refused(1, "/d: directory is not empty");
    site.run(&["rm", "-i", "@", "/file"]).refused(1, "nobody is asked");
    assert_eq!(site.run(&["rm", "-dv", "@", "/d/e"]).well().out, "removed directory '/d/e'\n");
    site.run(&["mkdir", "-p", "@", "/d/e/f"]).well();
    site.run(&["touch", "@", "/d/e/x", "/d/y"]).well();
    // A damaged inode, for a while, in another cluster than those of the directories.
    let many: Vec<String> = (0..70).map(|number| format!("/d/e/f/f{number}")).collect();
    let touch = ["touch", "@"].into_iter().chain(many.iter().map(String::as_str));
    site.run(&touch.collect::<Vec<_>>()).well();
    let place = stat(&site, "/d/e/f/f69")["inode"].as_u64().unwrap() * 512;
    let image = std::fs::File::options().read(true).write(true).open(&site.image).unwrap();
    let mut bytes = [0; 512];
    image.read_exact_at(&mut bytes, place).unwrap();
    image.write_all_at(&[7; 512], place).unwrap();
    for command in
        [&["chmod", "-R", "@", "755"][..], &["chown", "-R", "@", "5"], &["rm", "-r", "@"]]
    {
        let command = [command, &["/soft/e/f"]].concat();
        let said = site.run(&command).status_is(1);
        let named = said.err.lines().filter(|line| line.starts_with("untorn: /soft/e/f/f")).count();
        // Those of its cluster, each told once; the rest goes.
        assert_eq!((named, said.err.lines().count()), (7, 7), "{}", said.err);
    }
    image.write_all_at(&bytes, place).unwrap();
    assert_eq!(site.run(&["ls", "@", "/d/e/f"]).well().out.lines().count(), 7);
    let told = site.run(&["rm", "-rv", "@", "/d", "/file"]).well().out;
    let mut lines: Vec<&str> = told.lines().filter(|line| !line.contains("/f/f")).collect();
    assert_eq!(lines.pop(), Some("removed '/file'"));
    assert_eq!(lines.pop(), Some("removed directory '/d'"));
    lines.sort_unstable();
    let expected = [
        "removed '/d/e/x'",
        "removed '/d/y'",
        "removed directory '/d/e'",
        "removed directory '/d/e/f'",
    ];
    assert_eq!(lines, expected);
    site.assert_sound();
}

#[test]
fn moves_go_by_letters_check() {
    let site = site();
    site.run(&["ln", "@", "/file", "/hard"]).well();
    for to in ["/file", "/./file", "/hard"] {
        site.run(&["mv", "@", "/file", to]).refused(1, "are the same file");
    }
    site.run(&["mv", "@", "/d", "/d"]).refused(1, "/d/d");
    site.run(&["mv", "@", "/", "/zzz"]).refused(1, "/: is the root directory, which stays");
    site.run(&["mv", "@", "/d/.", "/zzz"]).refused(1, "/d/.: ends with . or ..");
    site.run(&["mv", "-i", "@", "/file", "/x"]).refused(1, "nobody is asked");
    site.run(&["mv", "-T", "@", "/file", "/d"]).refused(1, "/d: is a directory");
    let said = site.run(&["mv", "-fv", "@", "/file", "/d"]).well().out;
    assert_eq!(said, "renamed '/file' -> '/d/file'\n");
    site.run(&["mkdir", "@", "/empty"]).well();
    site.run(&["mv", "-T", "@", "/d", "/empty"]).well();
    assert_eq!(site.run(&["ls", "@", "/empty"]).well().out, "e\nfile\n");
    site.run(&["touch", "-d", "2001-01-01", "@", "/old", "/empty/old2"]).well();
    site.run(&["mv", "-u", "@", "/old", "/empty/file"]).well();
    assert!(site.run(&["ls", "@"]).well().out.contains("old\n"), "what is older stays");
    site.run(&["mv", "-u", "@", "/empty/file", "/old"]).well();
    assert_eq!(stat(&site, "/old")["size"], 5);
    site.run(&["touch", "@", "/old2"]).well();
    site.run(&["mkdir", "@", "/to"]).well();
    site.run(&["mv", "@", "/old2", "/empty/old2", "/to"]).refused(1, "another of this name");
    assert!(site.run(&["ls", "@", "/empty"]).well().out.contains("old2"));
    site.assert_sound();
}

#[test]
fn links_go_by_letters_check() {
    let site = site();
    let link = |path: &str| {
        let target = stat(&site, path);
        target["target"].as_str().unwrap().to_owned()
    };
    let said = site.run(&["ln", "-sv", "@", "a", "b", "/d"]).well().out;
    assert_eq!(said, "'/d/a' -> 'a'\n'/d/b' -> 'b'\n");
    assert_eq!(site.run(&["ln", "-v", "@", "/file", "/d"]).well().out, "'/d/file' => '/file'\n");
    site.run(&["ln", "-s", "@", "x", "y", "/file"]).refused(1, "/file: not a directory");
    site.run(&["ln", "@", "/file", "/none", "/d/e"]).refused(1, "/none: no such file");
    assert_eq!(site.run(&["ls", "@", "/d/e"]).well().out, "file\n");
    site.run(&["ln", "-sn", "@", "new", "/soft"]).refused(1, "/soft: exists already");
    site.run(&["ln", "-sfn", "@", "d/e", "/soft"]).well();
    assert_eq!(link("/soft"), "d/e");
    site.run(&["ln", "-sT", "@", "x", "/d"]).refused(1, "/d: exists already");
    for (target, name, said) in [
        ("/file", "/d/e/up", "../../file"),
        ("/d/e/file", "/d/near", "e/file"),
        ("/soft/file", "/d/e/real", "file"),
        ("/d/../none/x", "/d/none", "../none/x"),
        ("/", "/d/root", ".."),
        ("/d/e", "/d/e/self", "."),
    ] {
        site.run(&["ln", "-srT", "@", target, name]).well();
        assert_eq!(link(name), said, "{target} from {name}");
    }
    assert_eq!(site.run(&["ln", "-r", "@", "/file", "/x"]).status, 2);
    site.assert_sound();
}

#[test]
fn times_are_what_was_asked_for_check() {
    let site = site();
    let times = |path: &str| {
        let stat = stat(&site, path);
        let text = |name: &str| stat[name].as_str().unwrap().to_owned();
        (text("modified"), text("accessed"))
    };
    let both = |time: &str| (time.to_owned(), time.to_owned());
    site.run(&["touch", "-d", "2020-01-02 03:04:05", "@", "/file"]).well();
    assert_eq!(times("/file"), both("2020-01-02T03:04:05Z"));
    site.run(&["touch", "-t", "202101020304.05", "@", "/file"]).well();
    assert_eq!(times("/file"), both("2021-01-02T03:04:05Z"));
    site.run(&["touch", "-a", "-d", "@5", "@", "/file"]).well();
    let mixed = ("2021-01-02T03:04:05Z".to_owned(), "1970-01-01T00:00:05Z".to_owned());
    assert_eq!(times("/file"), mixed);
    site.run(&["touch", "-r", "/file", "@", "/d", "/new"]).well();
    assert_eq!((times("/d"), times("/new")), (mixed.clone(), mixed));
    site.run(&["touch", "-m", "-d", "1999-12-31T23:59:59+01:00", "@", "/file"]).well();
    assert_eq!(times("/file").0, "1999-12-31T22:59:59Z");
    site.run(&["ln", "-s", "@", "none", "/dangling"]).well();
    site.run(&["touch", "-h", "-d", "@7", "@", "/dangling"]).well();
    assert_eq!(times("/dangling").0, "1970-01-01T00:00:07Z");
    site.run(&["touch", "-h", "@", "/none"]).refused(1, "/none: no such file");
    site.run(&["touch", "-hc", "@", "/none"]).well();
    let refused = site.run(&["touch", "-d", "garbage", "@", "/file"]);
    assert!(refused.status == 2 && refused.err.contains("@SECONDS"), "{}", refused.err);
    assert_eq!(site.run(&["touch", "-t", "1", "@", "/file"]).status, 2);
    site.assert_sound();
}

#[test]
fn modes_are_those_of_chmod_check() {
    let site = site();
    site.run(&["chmod", "@", "6777", "/d"]).well();
    site.run(&["chmod", "@", "4777", "/file"]).well();
    site.run(&["mv", "@", "/file", "/d"]).well();
    site.run(&["chmod", "-R", "@", "755", "/d"]).well();
    assert_eq!(mode(&site, "/d"), "drwsr-sr-x");
    assert_eq!(mode(&site, "/d/file"), "-rwxr-xr-x");
    site.run(&["chmod", "@", "00755", "/d"]).well();
    assert_eq!(mode(&site, "/d"), "drwxr-xr-x");
    with_umask("077", &site, &["chmod", "@", "-w", "/d/file"]).well();
    assert_eq!(mode(&site, "/d/file"), "-r-xr-xr-x");
    site.run(&["chmod", "@", "0", "/d/file"]).well();
    with_umask("027", &site, &["chmod", "@", "+rwx", "/d/file"]).well();
    assert_eq!(mode(&site, "/d/file"), "-rwxr-x---");
    // A link that is named is followed, also with -R; those below are not.
    site.run(&["ln", "-s", "@", "/d/file", "/d/e/up"]).well();
    site.run(&["chmod", "-R", "@", "700", "/soft"]).well();
    assert_eq!(
        (mode(&site, "/d"), mode(&site, "/d/file")),
        ("drwx------".into(), "-rwx------".into())
    );
    site.run(&["chmod", "@", "640", "/d/file"]).well();
    site.run(&["chmod", "-R", "@", "777", "/d/e"]).well();
    assert_eq!(mode(&site, "/d/file"), "-rw-r-----");
    site.run(&["chmod", "--reference", "/d/file", "@", "/d", "/d/e"]).well();
    assert_eq!(
        (mode(&site, "/d"), mode(&site, "/d/e")),
        ("drw-r-----".into(), "drw-r-----".into())
    );
    site.run(&["chmod", "@", "/d"]).status_is(2);
    let said = site.run(&["chmod", "@", "/d", "/d/e"]);
    assert!(said.status != 0 && said.err.contains("\"/d\" is no mode"), "{}", said.err);
    site.assert_sound();
}

#[test]
fn owners_are_those_of_chown_check() {
    let site = site();
    site.run(&["touch", "@", "/d/file"]).well();
    site.run(&["ln", "-s", "@", "file", "/d/link"]).well();
    site.run(&["chown", "@", "5", "/soft"]).well();
    assert_eq!((owner(&site, "/d"), owner(&site, "/soft")), ((5, 0), (0, 0)));
    site.run(&["chown", "-h", "@", "6", "/soft"]).well();
    assert_eq!((owner(&site, "/d"), owner(&site, "/soft")), ((5, 0), (6, 0)));
    site.run(&["chown", "-R", "@", "7", "/soft"]).well();
    assert_eq!((owner(&site, "/d"), owner(&site, "/soft")), ((5, 0), (7, 0)));
    site.run(&["chown", "-R", "@", "8:9", "/soft/"]).well();
    for path in ["/d", "/d/file", "/d/link"] {
        assert_eq!(owner(&site, path), (8, 9), "{path}");
    }
    site.run(&["chown", "--reference", "/soft", "@", "/d", "/d/file"]).well();
    assert_eq!((owner(&site, "/d"), owner(&site, "/d/file")), ((8, 9), (8, 9)));
    site.run(&["chown", "--reference", "/file", "@", "/d"]).well();
    assert_eq!(owner(&site, "/d"), (0, 0));
    site.run(&["chown", "@", "/d", "/d/file"]).refused(1, "");
    site.assert_sound();
}

#[test]
fn sizes_come_from_other_files_check() {
    let site = site();
    site.run(&["truncate", "-r", "/file", "@", "/new"]).well();
    site.run(&["truncate", "--size", "+2", "--reference", "/file", "@", "/more"]).well();
    let size = |path: &str| stat(&site, path)["size"].as_u64().unwrap();
    assert_eq!((size("/new"), size("/more")), (5, 7));
    site.run(&["truncate", "--size=9", "@", "/new"]).well();
    assert_eq!(size("/new"), 9);
    site.run(&["truncate", "-s", "5", "-r", "/file", "@", "/new"])
        .refused(1, "comes from no other");
    site.run(&["truncate", "@", "/new"]).status_is(2);
    site.assert_sound();
}

#[test]
fn attributes_are_those_of_setfattr_check() {
    let site = site();
    site.run(&["setfattr", "-h", "-n", "trusted.a", "-v", "1", "@", "/soft"]).well();
    assert_eq!(site.run(&["getfattr", "@", "/d"]).well().out, "");
    site.run(&["setfattr", "-h", "-x", "trusted.a", "@", "/soft"]).well();
    site.run(&["setfattr", "-n", "x", "@", "/d"]).refused(1, "begins with user., trusted. or");
    site.run(&["setfattr", "-n", "user.", "@", "/d"]).refused(1, "behind the point");
    // user::rw-, user:7:r--, group::r--, mask::r--, other::r--
    let acl = "0x0200000001000600ffffffff020004000700000004000400ffffffff10000400ffffffff\
               20000400ffffffff";
    let name = "system.posix_acl_access";
    site.run(&["setfattr", "-n", name, "-v", acl, "@", "/file"]).well();
    assert_eq!(mode(&site, "/file").trim_end_matches('+'), "-rw-r--r--");
    let out = site.path("out");
    let from = format!("{}:/file", site.image.display());
    untorn_on(&["cp", &from, out.to_str().unwrap()], b"").well();
    let mut value = [0; 64];
    if let Ok(length) = rustix::fs::getxattr(&out, name, &mut value) {
        let hex: String = value[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(format!("0x{hex}"), acl);
    }
    site.run(&["setfattr", "-n", name, "-v", "0x01", "@", "/file"]).refused(1, "no access list");
    site.run(&["setfattr", "-x", name, "@", "/file"]).well();
    let default = "system.posix_acl_default";
    site.run(&["setfattr", "-n", default, "-v", acl, "@", "/file"]).refused(1, "/file");
    site.run(&["setfattr", "-n", default, "-v", acl, "@", "/d"]).well();
    site.assert_sound();
}

#[test]
fn attributes_are_restored_from_what_was_printed_check() {
    let site = site();
    site.run(&["touch", "@", "/d/a b\\"]).well();
    let set = |path: &str, name: &str, value: &str| {
        site.run(&["setfattr", "-n", name, "-v", value, "@", path]).well();
    };
    set("/file", "user.one", "\"a\\000\\\"b\"");
    set("/file", "user.two", "2");
    set("/d/a b\\", "trusted.three", "0x00ff");
    let dump = site.run(&["getfattr", "-d", "@", "/file", "/d/a b\\"]).well().out;
    for (path, name) in
        [("/file", "user.one"), ("/file", "user.two"), ("/d/a b\\", "trusted.three")]
    {
        site.run(&["setfattr", "-x", name, "@", path]).well();
    }
    let saved = site.path("saved");
    std::fs::write(&saved, &dump).unwrap();
    site.run(&["setfattr", "--restore", saved.to_str().unwrap(), "@"]).well();
    assert_eq!(site.run(&["getfattr", "-d", "@", "/file", "/d/a b\\"]).well().out, dump);
    // What the tool of Linux prints has no slash before paths, and octal escapes.
    let text =
        b"# file: d/a\\040b\\134\nuser.four=0sNA==\n\n# file: none\nuser.a=\"b\"\n\nfive=1\n";
    let said = site.run_on(&["setfattr", "--restore=-", "@"], text);
    assert_eq!((said.status, said.err.lines().count()), (1, 2), "{}", said.err);
    let shown = site.run(&["getfattr", "-d", "@", "/d/a b\\"]).well().out;
    assert!(shown.contains("user.four=\"4\""), "{shown}");
    site.run_on(&["setfattr", "--restore=-", "@"], b"user.a=b\n").refused(1, "line 1: no file");
    site.assert_sound();
}

#[test]
fn attributes_are_restored_from_files_of_any_length_check() {
    let site = site();
    let (saved, comment) = (site.path("saved"), [&vec![b'#'; (1 << 16) - 1][..], b"\n"].concat());
    let mut text = comment.repeat(65 << 4);
    text.extend_from_slice(b"# file: /file\nuser.late=\"whole\"\n");
    std::fs::write(&saved, &text).unwrap();
    site.run(&["setfattr", "--restore", saved.to_str().unwrap(), "@"]).well();
    let dump = site.run(&["getfattr", "-d", "@", "/file"]).well().out;
    assert!(dump.contains("user.late=\"whole\""), "{dump}");
    let long = [b"# file: /file\nuser.a=1\nuser.b=".to_vec(), vec![b'x'; 1 << 20]].concat();
    site.run_on(&["setfattr", "--restore=-", "@"], &long).refused(1, "line 3: is longer than");
    let dump = site.run(&["getfattr", "-d", "@", "/file"]).well().out;
    assert!(dump.contains("user.a=") && !dump.contains("user.b="), "{dump}");
    site.run(&["setfattr", "@", "/file"]).refused(2, "no attribute is named; say which: -n");
    site.assert_sound();
}

#[test]
fn one_more_name_is_that_of_the_link_unless_it_is_followed_check() {
    let site = site();
    site.run(&["ln", "-s", "@", "file", "/link"]).well();
    site.run(&["ln", "-s", "@", "nowhere", "/bad"]).well();
    for (letters, name, kind) in [
        (&[][..], "/itself", "symbolic link"),
        (&["-P"], "/physical", "symbolic link"),
        (&["-L"], "/followed", "regular file"),
        (&["-PL"], "/last", "regular file"),
    ] {
        site.run(&[&["ln"], letters, &["@", "/link", name]].concat()).well();
        assert_eq!(stat(&site, name)["kind"], kind, "{name}");
    }
    assert_eq!(stat(&site, "/link")["links"], 3);
    site.run(&["ln", "@", "/bad", "/bad2"]).well();
    site.run(&["ln", "-L", "@", "/bad", "/bad3"]).refused(1, "/bad: ");
    site.run(&["ln", "-L", "@", "/soft", "/dir"]).refused(1, "is a directory");
    site.assert_sound();
}

#[test]
fn volumes_are_named_and_grown_by_the_letters_of_xfsprogs_check() {
    let site = Site::bare();
    std::fs::write(&site.image, "").unwrap();
    site.run(&["mkfs", "-q", "-d", "size=64m,agcount=1", "-s", "size=3", "@"]).status_is(1);
    assert_eq!(std::fs::metadata(&site.image).unwrap().len(), 0);
    site.run(&["mkfs", "-q", "-d", "size=64m", "@"]).well();
    assert_eq!(std::fs::metadata(&site.image).unwrap().len(), 64 << 20);
    site.run(&["label", "-L", "name", "@"]).well();
    assert_eq!(site.run(&["label", "-l", "@"]).well().out, "label = \"name\"\n");
    site.run(&["label", "-L", "--", "@"]).well();
    assert_eq!(site.run(&["label", "@"]).well().out, "label = \"\"\n");
    std::fs::File::options().write(true).open(&site.image).unwrap().set_len(128 << 20).unwrap();
    let said = site.run(&["grow", "-D", "20480", "@"]).well().out;
    assert!(said.ends_with("data blocks changed from 16384 to 20480\n"), "{said}");
    site.run(&["grow", "-d", "@"]).well();
    site.run(&["grow", "-D", "9999999999999999999", "@"]).refused(1, "-D");
    assert_eq!(site.run(&["info", "--json", "@"]).json()["blocks"], 32768);
    site.assert_sound();
}

#[test]
fn a_link_never_takes_the_place_of_what_it_leads_to_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/a"]).well();
    site.run_on(&["write", "@", "/f"], b"kept").well();
    site.run_on(&["write", "@", "/a/g"], b"kept").well();
    for (target, name) in [("f", "/f"), ("/f", "/f"), ("../f", "/a/../f"), ("g", "/a/g")] {
        site.run(&["ln", "-sf", "@", target, name]).refused(1, "are the same file");
    }
    site.run(&["ln", "-sfr", "@", "/a/g", "/a/g"]).refused(1, "are the same file");
    for path in ["/f", "/a/g"] {
        assert_eq!(site.run(&["cat", "@", path]).well().out, "kept");
    }
    site.run(&["ln", "@", "/f", "/h"]).well();
    site.run(&["ln", "-sf", "@", "f", "/h"]).well();
    assert_eq!(site.run(&["stat", "-c", "%N", "@", "/h"]).well().out, "'/h' -> 'f'\n");
    site.assert_sound();
}

#[test]
fn what_a_directory_hands_down_says_who_may_do_what_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/d"]).well();
    let list = "0x0200000001000700ffffffff02000600e803000004000500ffffffff\
                10000700ffffffff20000000ffffffff";
    site.run(&["setfattr", "-n", "system.posix_acl_default", "-v", list, "@", "/d"]).well();
    site.run(&["touch", "@", "/d/touched", "/bare"]).well();
    site.run(&["mkdir", "-p", "@", "/d/e/f"]).well();
    site.run(&["mkdir", "-m", "700", "@", "/d/m"]).well();
    site.run(&["ln", "-s", "@", "d/led", "/soft"]).well();
    site.run_on(&["write", "@", "/soft"], b"x").well();
    site.run_on(&["put", "-", &format!("{}:/d/put", site.image.display())], b"x").well();
    let modes =
        |paths: &[&str]| site.run(&[&["stat", "-c", "%n %A", "@"], paths].concat()).well().out;
    let made = "/d/touched -rw-rw----\n/d/led -rw-rw----\n/d/put -rw-rw----\n/d/e drwxrwx---\n\
                /d/e/f drwxrwx---\n/d/m drwx------\n/bare -rw-r--r--\n";
    let paths = ["/d/touched", "/d/led", "/d/put", "/d/e", "/d/e/f", "/d/m", "/bare"];
    assert_eq!(modes(&paths), made);
    site.assert_sound();
}

#[test]
fn what_linux_refuses_is_refused_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/empty"]).well();
    site.run(&["touch", "@", "/f"]).well();
    site.run(&["ln", "-s", "@", "f", "/soft"]).well();
    let set = |name: &'static str| ["setfattr", "-h", "-n", name, "-v", "1", "@", "/soft"];
    site.run(&set("user.a")).refused(1, "neither file nor directory");
    site.run(&set("trusted.a")).well();
    site.run(&["mv", "-T", "@", "/f", "/empty"])
        .refused(1, "/empty: is a directory, and /f is none");
    site.assert_sound();
}

#[test]
fn a_link_never_takes_the_place_of_what_it_leads_to_by_any_way_check() {
    let site = Site::new();
    site.run(&["mkdir", "@", "/src", "/dst"]).well();
    for path in ["/f", "/dst/x"] {
        site.run_on(&["write", "@", path], b"kept").well();
    }
    site.run(&["ln", "-s", "@", "f", "/b"]).well();
    site.run(&["ln", "-s", "@", "/dst/x", "/src/x"]).well();
    let of = |path: &str| format!("{}:{path}", site.image.display());
    site.run(&["ln", "-sf", "@", "/b", "/f"]).refused(1, "are the same file");
    site.run(&["mv", "@", "/b", "/f"]).refused(1, "are the same file");
    site.run(&["cp", "-P", &of("/b"), &of("/f")]).refused(1, "are the same file");
    site.run(&["cp", "-r", &of("/src/."), &of("/dst")]).refused(1, "are the same file");
    for path in ["/f", "/dst/x"] {
        assert_eq!(site.run(&["cat", "@", path]).well().out, "kept");
    }
    // With another name nothing is lost.
    site.run(&["ln", "@", "/f", "/g"]).well();
    site.run(&["mv", "@", "/b", "/f"]).well();
    assert_eq!(site.run(&["cat", "@", "/g"]).well().out, "kept");
    site.assert_sound();
}
