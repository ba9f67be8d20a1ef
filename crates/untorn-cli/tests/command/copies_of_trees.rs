//! Copies of trees where something is in the way: names that come twice, links that lead round,
//! directories that stood there before, what cannot be read.

use super::copies::look;
use super::{Said, Site, untorn_on};
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use untorn_format::Lsn;

fn at(site: &Site, path: &str) -> String {
    format!("{}:{path}", site.image.display())
}

fn cp(arguments: &[&str]) -> Said {
    let words: Vec<&str> = ["cp"].into_iter().chain(arguments.iter().copied()).collect();
    untorn_on(&words, b"")
}

fn put(site: &Site, path: &str, text: &str) {
    let above = path.rsplit_once('/').map_or("/", |(above, _)| above);
    site.run(&["mkdir", "-p", "@", if above.is_empty() { "/" } else { above }]).well();
    site.run_on(&["write", "@", path], text.as_bytes()).well();
}

fn stat(site: &Site, path: &str) -> serde_json::Value {
    site.run(&["stat", "--json", "@", path]).json()[0].clone()
}

fn told(site: &Site, path: &str) -> String {
    site.run(&["cat", "@", path]).well().out
}

/// Two trees with files of one name, the first of which has another name in a third.
fn clashing() -> Site {
    let site = Site::new();
    put(&site, "/a/t/f", "AAAA");
    site.run(&["mkdir", "@", "/a/t2"]).well();
    site.run(&["ln", "@", "/a/t/f", "/a/t2/g"]).well();
    for (path, text) in [("/b/t/f", "BBBB"), ("/b/t/aa", "ZZZZ"), ("/b/t/zz", "ZZZZ")] {
        put(&site, path, text);
    }
    site
}

#[test]
fn what_one_copy_made_the_next_one_neither_replaces_nor_links_to_check() {
    let (site, other) = (clashing(), Site::new());
    for target in [&site, &other] {
        target.run(&["mkdir", "@", "/d"]).well();
        let [a, b, c] = ["/a/t", "/b/t", "/a/t2"].map(|path| at(&site, path));
        cp(&["-r", &a, &b, &c, &at(target, "/d")]).refused(1, "/b/t/f: another of this name");
        assert_eq!(told(target, "/d/t/f"), "AAAA");
        assert_eq!(told(target, "/d/t/aa"), "ZZZZ");
        assert_eq!(told(target, "/d/t2/g"), "AAAA");
        assert_eq!(stat(target, "/d/t2/g")["inode"], stat(target, "/d/t/f")["inode"]);
        target.assert_sound();
    }
}

#[test]
fn what_one_copy_made_on_the_host_the_next_one_does_not_replace_check() {
    let site = clashing();
    let out = site.path("out");
    fs::create_dir(&out).unwrap();
    let to = out.to_str().unwrap();
    let [a, b, c] = ["/a/t/f", "/b/t/f", "/a/t2/g"].map(|path| at(&site, path));
    cp(&[&a, &b, &c, to]).refused(1, "/b/t/f: another of this name");
    let read = |path: &str| fs::read_to_string(out.join(path)).unwrap();
    assert_eq!((read("f"), read("g")), ("AAAA".into(), "AAAA".into()));
    let inode = |path: &str| fs::metadata(out.join(path)).unwrap().ino();
    assert_eq!(inode("f"), inode("g"));
    let [a, b, c] = ["/a/t", "/b/t", "/a/t2"].map(|path| at(&site, path));
    cp(&["-r", &a, &b, &c, to]).refused(1, "/b/t/f: another of this name");
    assert_eq!(
        (read("t/f"), read("t2/g"), read("t/zz")),
        ("AAAA".into(), "AAAA".into(), "ZZZZ".into())
    );
    assert_eq!(inode("t/f"), inode("t2/g"));
    site.assert_sound();
}

#[test]
fn what_comes_twice_from_the_host_comes_once_check() {
    let site = Site::new();
    for (path, text) in [("a/t/f", "AAAA"), ("b/t/f", "BBBB"), ("b/t/z", "ZZZZ")] {
        let path = site.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir(site.path("a/t2")).unwrap();
    fs::hard_link(site.path("a/t/f"), site.path("a/t2/g")).unwrap();
    let [a, b, c] = ["a/t", "b/t", "a/t2"].map(|path| site.path(path).display().to_string());
    cp(&["-r", &a, &b, &c, &at(&site, "/")]).refused(1, "b/t/f: another of this name");
    assert_eq!((told(&site, "/t/f"), told(&site, "/t2/g")), ("AAAA".into(), "AAAA".into()));
    assert_eq!(told(&site, "/t/z"), "ZZZZ");
    site.assert_sound();
}

#[test]
fn a_source_that_was_replaced_is_not_taken_for_what_has_its_number_check() {
    let site = Site::new();
    put(&site, "/s/d/f", "AAAA");
    site.run(&["ln", "@", "/s/d/f", "/s/d/g"]).well();
    // Whichever way the names are gone through, some come behind those that are replaced.
    let names = ["a", "b", "f", "g", "y", "z"];
    for name in names {
        put(&site, &format!("/x/s/d/{name}"), "BBBB");
    }
    let all = ["/s/d", "/x/s", "/s/d/a", "/s/d/b", "/s/d/y", "/s/d/z", "/"];
    let all = all.map(|path| at(&site, path));
    let words: Vec<&str> = ["-r"].into_iter().chain(all.iter().map(String::as_str)).collect();
    cp(&words).well();
    for path in ["/d/f", "/d/g"] {
        assert_eq!(told(&site, path), "AAAA", "{path}");
    }
    for path in ["/a", "/b", "/y", "/z", "/s/d/f", "/s/d/a"] {
        assert_eq!(told(&site, path), "BBBB", "{path}");
    }
    site.assert_sound();
}

#[test]
fn links_that_lead_above_a_tree_end_with_big_l_check() {
    let site = Site::new();
    put(&site, "/a/sub/file", "1");
    site.run(&["ln", "-s", "@", "/", "/a/l"]).well();
    site.run(&["mkdir", "-p", "@", "/there/a/l/there"]).well();
    for to in ["/bb", "/there"] {
        let said = cp(&["-rL", &at(&site, "/a"), &at(&site, to)]);
        assert_eq!(said.status, 1, "{}", said.err);
        assert!(said.err.contains("leads to a directory that this command made"), "{}", said.err);
        assert!(said.err.contains("/a/l/a: leads to a directory that it lies in"), "{}", said.err);
    }
    assert_eq!(told(&site, "/bb/sub/file"), "1");
    assert_eq!(told(&site, "/there/a/sub/file"), "1");
    site.assert_sound();
}

#[test]
fn trees_deeper_than_handles_are_held_come_out_and_across_check() {
    let (site, other) = (Site::new(), Site::new());
    let deep = "/d".repeat(300);
    site.run(&["mkdir", "-p", "@", &deep]).well();
    for at in [1, 100, 299] {
        put(&site, &format!("{}/file", "/d".repeat(at)), &at.to_string());
    }
    let out = site.path("out");
    let few = "ulimit -n 128; exec \"$0\" \"$@\"";
    let command = [env!("CARGO_BIN_EXE_untorn"), "cp", "-r", &at(&site, "/d")];
    let done = Command::new("sh").args(["-c", few]).args(command).arg(&out).output();
    assert!(done.as_ref().unwrap().status.success(), "{done:?}");
    cp(&["-rL", &at(&site, "/d"), &at(&other, "/")]).well();
    for (above, number) in [(0, "1"), (99, "100"), (298, "299")] {
        let path = format!("{}/file", "/d".repeat(above));
        assert_eq!(fs::read_to_string(out.join(&path[1..])).unwrap(), number);
        assert_eq!(told(&other, &format!("/d{path}")), number);
    }
    let found = look(&out);
    assert_eq!(found.len(), 303);
    assert!(found.values().all(|(mode, ..)| [0o755, 0o644].contains(&(mode & 0o7777))));
    other.assert_sound();
    site.assert_sound();
}

/// A volume with a good file beside a file and a directory whose inodes are damaged.
fn damaged() -> Site {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/t/b", "/t/m/in", "/t/z"]).well();
    for path in ["/t/a", "/t/n", "/t/z/file"] {
        put(&site, path, path);
    }
    site.run(&["chmod", "@", "755", "/t", "/t/z", "/t/m"]).well();
    let number = |path: &str| stat(&site, path)["inode"].as_u64().unwrap();
    let (file, dir, full) = (number("/t/n"), number("/t/b"), number("/t/m"));
    let image = fs::OpenOptions::new().read(true).write(true).open(&site.image).unwrap();
    for ino in [file, dir] {
        image.write_all_at(b"broken", ino * 512 + 100).unwrap();
    }
    // A directory that is one, but whose entries cannot be read.
    let mut bytes = [0; 512];
    image.read_exact_at(&mut bytes, full * 512).unwrap();
    bytes[176] = 200;
    untorn_format::inode::seal(&mut bytes, Lsn(0));
    image.write_all_at(&bytes, full * 512).unwrap();
    site
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_copied_and_dressed() {
    let (site, other) = (damaged(), Site::new());
    let out = site.path("out");
    for to in [out.to_str().unwrap().to_owned(), at(&other, "/out")] {
        let said = cp(&["-r", &at(&site, "/t"), &to]).refused_lines(3);
        for path in ["/t/b: ", "/t/m: ", "/t/n: "] {
            assert!(said.err.contains(path), "{path} {}", said.err);
        }
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    for path in [&out, &out.join("z"), &out.join("m")] {
        assert_eq!(mode(path), 0o755, "{}", path.display());
    }
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "/t/a");
    assert_eq!(fs::read_to_string(out.join("z/file")).unwrap(), "/t/z/file");
    assert_eq!(
        (told(&other, "/out/a"), told(&other, "/out/z/file")),
        ("/t/a".into(), "/t/z/file".into())
    );
    let times = |path: &str| stat(&other, path)["mtime"].clone();
    assert_eq!(times("/out/z"), stat(&site, "/t/z")["mtime"]);
    other.assert_sound();
}

#[test]
fn a_new_file_of_the_host_has_no_name_until_it_is_whole_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], &[7; 200_000]).well();
    let out = site.path("folder");
    fs::create_dir(&out).unwrap();
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let (from, to) = (at(&site, "/file"), out.join("new"));
    let command = [env!("CARGO_BIN_EXE_untorn"), "cp", &from, to.to_str().unwrap()];
    let done = Command::new("sh").args(["-c", limited]).args(command).output();
    assert_eq!(done.unwrap().status.code(), Some(1));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something is left");
    site.assert_sound();
}

#[test]
fn directories_that_stood_there_stay_what_they_are_unless_p_is_given_check() {
    let (site, other) = (Site::new(), Site::new());
    put(&site, "/t/in/file", "1");
    site.run(&["chmod", "@", "700", "/t", "/t/in"]).well();
    let host = site.path("t");
    cp(&["-r", &at(&site, "/t"), host.to_str().unwrap()]).well();
    let private = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((private(&host), private(&host.join("in"))), (0o700, 0o700));
    let (out, from) = (site.path("out"), host.to_str().unwrap().to_owned());
    fs::create_dir_all(out.join("t/in")).unwrap();
    for path in [out.join("t"), out.join("t/in")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    other.run(&["mkdir", "-p", "@", "/out/t/in", "/into/t/in"]).well();
    let modes = || {
        let mode = |path: &str| stat(&other, path)["mode"].clone();
        let all = ["/out/t", "/out/t/in", "/into/t", "/into/t/in"].map(mode);
        let host = [private(&out.join("t")), private(&out.join("t/in"))];
        (all.map(|mode| mode.to_string()), host)
    };
    let before = modes();
    for (letters, stays) in [("-r", true), ("-rp", false), ("-a", false)] {
        cp(&[letters, &at(&site, "/t"), out.to_str().unwrap()]).well();
        cp(&[letters, &at(&site, "/t"), &at(&other, "/out")]).well();
        cp(&[letters, &from, &at(&other, "/into")]).well();
        assert_eq!(modes() == before, stays, "{letters}: {:?}", modes());
        if !stays {
            assert_eq!(modes().1, [0o700, 0o700]);
            assert!(modes().0.iter().all(|mode| *mode == modes().0[0] && *mode != before.0[0]));
        }
    }
    let said = cp(&["--help"]).well().out;
    assert!(said.contains("-p") && said.contains("stood there before"), "{said}");
    other.assert_sound();
    site.assert_sound();
}

#[test]
fn the_root_of_a_volume_is_dressed_only_by_what_is_copied_onto_it_check() {
    let site = Site::new();
    let folder = site.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)).unwrap();
    let before = stat(&site, "/")["mode"].clone();
    cp(&["-a", folder.to_str().unwrap(), &at(&site, "/")]).well();
    assert_eq!(stat(&site, "/")["mode"], before);
    cp(&["-a", &format!("{}/.", folder.display()), &at(&site, "/")]).well();
    assert_eq!(stat(&site, "/")["mode"], stat(&site, "/folder")["mode"]);
    site.assert_sound();
}

#[test]
fn copies_out_are_told_to_programs_check() {
    let site = clashing();
    let out = site.path("out");
    fs::create_dir(&out).unwrap();
    let (a, none) = (at(&site, "/a/t/f"), at(&site, "/none"));
    let said = cp(&["--json", &a, &none, out.to_str().unwrap()]);
    assert_eq!(said.status, 1);
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let to = out.canonicalize().unwrap().join("f");
    assert_eq!(found, serde_json::json!({"copied": [{"path": "/a/t/f", "to": to}]}));
    let said = cp(&["--json", &none, out.to_str().unwrap()]).status_is(1);
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&said.out).unwrap()["copied"],
        serde_json::json!([])
    );
    // Where no volume was opened nothing is said, as by changes.
    let nowhere = format!("{}:/f", site.path("none.img").display());
    let said = cp(&["--json", &nowhere, out.to_str().unwrap()]).status_is(1);
    assert_eq!(said.out, "", "{}", said.err);
    site.assert_sound();
}

#[test]
fn a_directory_that_is_exchanged_for_a_link_meanwhile_leads_nowhere_check() {
    let site = Site::new();
    let folder = site.path("t");
    fs::create_dir_all(folder.join("in")).unwrap();
    // More lines than a pipe takes: the copy waits for this test in the middle.
    let names = 2000;
    for number in 0..names {
        fs::write(folder.join(format!("in/{number}")), "").unwrap();
    }
    fs::set_permissions(folder.join("in"), fs::Permissions::from_mode(0o777)).unwrap();
    cp(&["-r", folder.to_str().unwrap(), &at(&site, "/")]).well();
    let (out, victim) = (site.path("out"), site.path("victim"));
    fs::create_dir(&victim).unwrap();
    fs::set_permissions(&victim, fs::Permissions::from_mode(0o700)).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(["cp", "-rv", &at(&site, "/t"), out.to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().contains("/in/")).unwrap().unwrap();
    fs::rename(out.join("in"), out.join("moved")).unwrap();
    symlink(&victim, out.join("in")).unwrap();
    lines.for_each(|line| drop(line.unwrap()));
    child.wait().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&victim), fs::read_dir(&victim).unwrap().count()), (0o700, 0));
    assert_eq!(fs::read_dir(out.join("moved")).unwrap().count(), names);
    assert_eq!(mode(&out.join("moved")), 0o777);
    site.assert_sound();
}
