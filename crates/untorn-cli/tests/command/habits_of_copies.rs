//! Copies as fingers type them: several of them, over something, in every direction.

use super::{Said, Site, untorn_on};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A path on the site's volume.
fn at(site: &Site, path: &str) -> String {
    format!("{}:{path}", site.image.display())
}

fn cp(arguments: &[&str]) -> Said {
    let words: Vec<&str> = ["cp"].into_iter().chain(arguments.iter().copied()).collect();
    untorn_on(&words, b"")
}

fn host(site: &Site, name: &str, text: &str) -> String {
    let path = site.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn told(site: &Site, path: &str) -> String {
    site.run(&["cat", "@", path]).well().out
}

#[test]
fn copies_into_a_volume_go_on_after_one_that_fails_check() {
    let site = Site::new();
    let (a, b, c) = (host(&site, "a", "1"), host(&site, "b", "2"), host(&site, "c", "3"));
    site.run(&["mkdir", "-p", "@", "/d/b"]).well();
    let said = cp(&[&a, "/not/there", &b, &c, &at(&site, "/d"), "--json"]);
    assert_eq!(said.status, 1, "{}", said.err);
    let out: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(out["files"], 2, "{out}");
    let lines: Vec<&str> = said.err.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("/not/there"), "{lines:?}");
    assert!(lines[1].contains("/d/b: is a directory"), "{lines:?}");
    assert_eq!((told(&site, "/d/a"), told(&site, "/d/c")), ("1".into(), "3".into()));
    // Below a directory, too.
    let tree = site.path("tree");
    fs::create_dir(&tree).unwrap();
    for name in ["b", "x", "y"] {
        fs::write(tree.join(name), name).unwrap();
    }
    let contents = format!("{}/.", tree.display());
    cp(&["-r", &contents, &at(&site, "/d")]).refused(1, "/d/b: is a directory");
    assert_eq!((told(&site, "/d/x"), told(&site, "/d/y")), ("x".into(), "y".into()));
    let other = host(&site, "other/a", "4");
    cp(&[&a, &other, &at(&site, "/d")]).refused(1, "another of this name");
    assert_eq!(told(&site, "/d/a"), "1");
    site.assert_sound();
}

/// A file that nobody here can read: a private one, or for root one of the kernel's that can only
/// be written.
fn unreadable(site: &Site) -> Option<PathBuf> {
    let private = PathBuf::from(host(site, "private", "1"));
    fs::set_permissions(&private, fs::Permissions::from_mode(0o000)).unwrap();
    let buses = fs::read_dir("/sys/bus").into_iter().flatten().flatten();
    let probes = buses.map(|bus| bus.path().join("drivers_probe"));
    let mut files = std::iter::once(private).chain(probes);
    files.find(|path| path.is_file() && fs::read(path).is_err())
}

#[test]
fn files_that_cannot_be_read_are_left_out_check() {
    let site = Site::new();
    let Some(broken) = unreadable(&site) else {
        eprintln!("skipped: nothing here is unreadable for root, no /sys/bus/*/drivers_probe");
        return;
    };
    let (broken, name) = (broken.to_str().unwrap(), broken.file_name().unwrap().to_str().unwrap());
    let old = format!("/{name}");
    let (a, z) = (host(&site, "a", "1"), host(&site, "z", "2"));
    site.run_on(&["write", "@", &old], b"old").well();
    let said = cp(&["--json", &a, broken, &z, &at(&site, "/")]);
    assert!(said.status == 1 && said.err.contains(broken), "{}", said.err);
    let out: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(out["files"], 2, "{out}");
    assert_eq!((told(&site, "/a"), told(&site, "/z")), ("1".into(), "2".into()));
    assert_eq!(told(&site, &old), "old");
    site.assert_sound();
}

#[test]
fn copies_out_of_a_volume_go_on_after_one_that_fails_check() {
    let site = Site::new();
    for name in ["/a", "/b", "/c"] {
        site.run_on(&["write", "@", name], name.as_bytes()).well();
    }
    let out = site.path("out");
    fs::create_dir_all(out.join("b")).unwrap();
    let (from, to) = (|path: &str| at(&site, path), out.to_str().unwrap());
    let said = cp(&[&from("/a"), &from("/none"), &from("/b"), &from("/c"), to]);
    assert_eq!((said.status, said.err.lines().count()), (1, 2), "{}", said.err);
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
    assert_eq!((read("a"), read("c")), ("/a".into(), "/c".into()));
    fs::remove_file(out.join("a")).unwrap();
    cp(&["-r", &from("/"), to]).refused(1, "out/b: is a directory");
    assert_eq!((read("a"), read("c")), ("/a".into(), "/c".into()));
    site.assert_sound();
}

#[test]
fn copies_inside_a_volume_replace_files_and_fill_directories_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e", "/t/d/e", "/t/d/dir"]).well();
    for path in ["/a", "/d/new", "/d/dir", "/d/e/old", "/t/d/e/old", "/t/a", "/t/d/e/kept"] {
        site.run_on(&["write", "@", path], path.as_bytes()).well();
    }
    let to = |path: &str| at(&site, path);
    let said = cp(&[&to("/none"), &to("/a"), &to("/t"), "--json"]);
    assert_eq!(said.status, 1);
    let out: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(out, serde_json::json!({"cloned": [{"path": "/a", "to": "/t/a"}]}));
    assert_eq!(told(&site, "/t/a"), "/a");
    cp(&["-r", &to("/d"), &to("/t")]).refused(1, "/t/d/dir: is a directory");
    assert_eq!(told(&site, "/t/d/new"), "/d/new");
    assert_eq!(told(&site, "/t/d/e/old"), "/d/e/old");
    assert_eq!(told(&site, "/t/d/e/kept"), "/t/d/e/kept");
    cp(&[&to("/a"), &to("/./a")]).refused(1, "/a and /./a are the same file");
    cp(&["-r", &to("/d"), &to("/d/e")]).refused(1, "lies inside");
    let names = site.run(&["find", "@", "/"]).well().out;
    assert!(!names.contains(".untorn"), "{names}");
    site.assert_sound();
}

#[test]
fn copies_go_from_one_volume_to_another_check() {
    let (site, other) = (Site::new(), Site::new());
    let tree = site.path("tree");
    fs::create_dir_all(tree.join("d")).unwrap();
    let bytes: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 253) as u8).collect();
    fs::write(tree.join("large"), &bytes).unwrap();
    let holes = fs::File::create(tree.join("d/holes")).unwrap();
    holes.set_len(40 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"in the middle", 20 << 20).unwrap();
    fs::hard_link(tree.join("large"), tree.join("d/again")).unwrap();
    std::os::unix::fs::symlink("../large", tree.join("d/soft")).unwrap();
    let tree = tree.to_str().unwrap();
    cp(&["-r", "--owner", "7:8", tree, &at(&site, "/")]).well();
    site.run(&["setfattr", "@", "-n", "user.a", "-v", "b", "/tree/large"]).well();
    site.run(&["chmod", "@", "4711", "/tree/large"]).well();
    other.run_on(&["write", "@", "/large"], b"old").well();
    let said = cp(&["-r", &at(&site, "/tree/."), &at(&other, "/"), "--json"]).json();
    assert_eq!(said["copied"][0]["to"], "/", "{said}");
    let (first, second) = (site.path("first"), site.path("second"));
    cp(&["-r", &at(&site, "/tree"), first.to_str().unwrap()]).well();
    cp(&["-r", &at(&other, "/"), second.to_str().unwrap()]).well();
    let (first, second) = (super::copies::look(&first), super::copies::look(&second));
    assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
    for (path, found) in first.iter().filter(|(path, _)| !path.as_os_str().is_empty()) {
        assert!(second.get(path) == Some(found), "{} differs", path.display());
    }
    let shown = other.run(&["getfattr", "@", "/large"]).well().out;
    assert!(shown.contains("user.a=\"b\""), "{shown}");
    let stat = other.run(&["stat", "--json", "@", "/large", "/d/holes"]).json();
    assert_eq!((&stat[0]["uid"], &stat[0]["gid"]), (&7.into(), &8.into()));
    assert!(stat[1]["sectors"].as_u64().unwrap() <= 256, "{stat}");
    site.assert_sound();
    other.assert_sound();
}

#[test]
fn what_is_there_stays_with_n_and_with_u_where_it_is_no_older_check() {
    let site = Site::new();
    let (a, b) = (host(&site, "a", "new"), host(&site, "b", "new"));
    let out = site.path("out");
    fs::create_dir(&out).unwrap();
    let to = out.to_str().unwrap();
    for (path, letter) in [("/a", "-n"), ("/b", "-u")] {
        site.run_on(&["write", "@", path], b"old").well();
        cp(&[letter, &a, &b, &at(&site, "/")]).well();
        assert_eq!(told(&site, path), "old", "{letter}");
        fs::write(out.join(&path[1..]), "older").unwrap();
        site.run(&["mkdir", "-p", "@", "/d"]).well();
        cp(&[letter, &at(&site, path), to]).well();
        cp(&[letter, &at(&site, "/a"), &at(&site, "/d")]).well();
    }
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "older");
    cp(&["-n", &at(&site, "/b"), &at(&site, "/d/a")]).well();
    assert_eq!(told(&site, "/d/a"), "old");
    // Now the host's is the newer one.
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
    fs::File::options().write(true).open(&b).unwrap().set_modified(later).unwrap();
    cp(&["-u", &b, &at(&site, "/")]).well();
    assert_eq!(told(&site, "/b"), "new");
    assert_eq!(cp(&["-n", "-f", &a, &at(&site, "/")]).status, 2);
    cp(&["-i", &a, &at(&site, "/")]).refused(1, "nobody is asked (-i); -n keeps");
    site.assert_sound();
}

#[test]
fn copies_are_told_with_v_check() {
    let site = Site::new();
    let a = host(&site, "t/a", "1");
    let (t, to) = (site.path("t"), |path: &str| at(&site, path));
    let t = t.to_str().unwrap();
    assert_eq!(cp(&["-v", &a, &to("/b")]).well().out, format!("'{a}' -> '/b'\n"));
    let told = cp(&["-rv", t, &to("/")]).well().out;
    assert_eq!(told, format!("'{t}' -> '/t'\n'{t}/a' -> '/t/a'\n"));
    let (image, out) = (site.image.display(), site.path("out"));
    let told = cp(&["-v", &to("/b"), out.to_str().unwrap()]).well().out;
    assert_eq!(told, format!("'{image}:/b' -> '{}'\n", out.display()));
    let told = cp(&["-v", &to("/b"), &to("/t")]).well().out;
    assert_eq!(told, format!("'{image}:/b' -> '{image}:/t/b'\n"));
    site.assert_sound();
}

#[test]
fn links_are_followed_as_the_letters_say_check() {
    let site = Site::new();
    host(&site, "t/file", "1");
    let soft = site.path("t/soft");
    std::os::unix::fs::symlink("file", &soft).unwrap();
    std::os::unix::fs::symlink(".", site.path("t/loop")).unwrap();
    let (t, soft) = (site.path("t"), soft.to_str().unwrap().to_owned());
    let to = |path: &str| at(&site, path);
    let kind = |path: &str| site.run(&["stat", "--json", "@", path]).json()[0]["kind"].clone();
    for letter in ["-P", "-d", "-rLP"] {
        cp(&[letter, &soft, &to("/kept")]).well();
        assert_eq!(kind("/kept"), "symbolic link", "{letter}");
        site.run(&["rm", "@", "/kept"]).well();
    }
    cp(&["-rH", &soft, &to("/followed")]).well();
    assert_eq!(kind("/followed"), "regular file");
    cp(&["-rL", t.to_str().unwrap(), &to("/")]).refused(1, "/loop: is a link to a directory");
    assert_eq!((kind("/t/soft"), told(&site, "/t/soft")), ("regular file".into(), "1".into()));
    site.run(&["ln", "-s", "@", "followed", "/link"]).well();
    cp(&["-P", &to("/link"), &to("/again")]).well();
    assert_eq!(kind("/again"), "symbolic link");
    cp(&[&to("/link"), &to("/real")]).well();
    assert_eq!(kind("/real"), "regular file");
    cp(&["-r", &to("/link"), site.path("out").to_str().unwrap()]).well();
    assert!(site.path("out").is_symlink());
    site.assert_sound();
}

#[test]
fn links_below_a_directory_of_a_volume_are_followed_with_big_l_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/a/x", "/b"]).well();
    site.run_on(&["write", "@", "/a/x/file"], b"1").well();
    for (target, name) in
        [("/a/x/file", "/b/file"), ("../a/x", "/b/x"), ("x", "/a/again"), ("/b", "/a/to-b")]
    {
        site.run(&["ln", "-s", "@", target, name]).well();
    }
    let (out, other) = (site.path("out"), Site::new());
    cp(&["-rL", &at(&site, "/b"), out.to_str().unwrap()]).well();
    for path in ["file", "x/file"] {
        assert!(!out.join(path).is_symlink());
        assert_eq!(fs::read_to_string(out.join(path)).unwrap(), "1");
    }
    cp(&["-rL", &at(&site, "/a"), &at(&other, "/")]).well();
    let found = other.run(&["find", "@", "/a", "--type", "f"]).well().out;
    let found: Vec<&str> = found.lines().collect();
    let expected = ["/a/again/file", "/a/to-b/file", "/a/to-b/x/file", "/a/x/file"];
    assert_eq!(found, expected);
    site.run(&["ln", "-s", "@", "../a", "/b/up"]).well();
    site.run(&["ln", "-s", "@", "none", "/b/dangling"]).well();
    let told = |path: &str| format!("/b{path}: leads to a directory that it lies in");
    for to in [at(&other, "/second"), site.path("second").to_str().unwrap().to_owned()] {
        let said = cp(&["-rL", &at(&site, "/b"), &to]);
        assert_eq!((said.status, said.err.lines().count()), (1, 2), "{}", said.err);
        assert!(said.err.contains("/b/dangling: dangling symbolic link"), "{}", said.err);
        assert!(said.err.contains(&told("/up/to-b")), "{}", said.err);
    }
    other.assert_sound();
    site.assert_sound();
}

#[test]
fn a_directory_is_no_place_for_a_copy_with_big_t_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d", "/e"]).well();
    let a = host(&site, "t/a", "1");
    let (t, to) = (site.path("t"), |path: &str| at(&site, path));
    cp(&["-T", &a, &to("/d")]).refused(1, "/d: is a directory");
    cp(&["-rT", t.to_str().unwrap(), &to("/d")]).well();
    assert_eq!(told(&site, "/d/a"), "1");
    cp(&["-rT", &to("/d"), &to("/e")]).well();
    assert_eq!(told(&site, "/e/a"), "1");
    let out = site.path("out");
    fs::create_dir(&out).unwrap();
    cp(&["-rT", &to("/d"), out.to_str().unwrap()]).well();
    assert_eq!(fs::read_to_string(out.join("a")).unwrap(), "1");
    cp(&["-T", &a, &a, &to("/d")]).refused(1, "more than one source");
    site.assert_sound();
}

#[test]
fn an_image_alone_is_its_root_and_paths_of_the_host_may_have_colons_check() {
    let site = Site::new();
    let strange = host(&site, "a:/b", "1");
    let image = format!("{}:", site.image.display());
    cp(&[&strange, &image]).well();
    assert_eq!(told(&site, "/b"), "1");
    cp(&[&at(&site, "/b"), site.path("a:").to_str().unwrap()]).well();
    assert_eq!(fs::read_to_string(&strange).unwrap(), "1");
    let out = site.path("out");
    cp(&["-r", &image, out.to_str().unwrap()]).well();
    assert_eq!(fs::read_to_string(out.join("b")).unwrap(), "1");
    assert!(cp(&["--help"]).well().out.contains("with :/ in it"));
    site.assert_sound();
}
