//! Trees that go into a volume and come out again.

use super::Site;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// What can be seen of a tree: for each path the kind, permissions, links, time and contents.
pub(super) type Seen = BTreeMap<PathBuf, (u32, u64, i64, Vec<u8>)>;

pub(super) fn look(root: &Path) -> Seen {
    let (mut seen, mut todo) = (Seen::new(), vec![root.to_owned()]);
    while let Some(path) = todo.pop() {
        let found = path.symlink_metadata().unwrap();
        let contents = match found.file_type() {
            kind if kind.is_dir() => {
                todo.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                Vec::new()
            }
            kind if kind.is_symlink() => {
                std::fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            }
            kind if kind.is_file() => std::fs::read(&path).unwrap(),
            _ => Vec::new(),
        };
        let links = if found.is_dir() { 0 } else { found.nlink() };
        let below = path.strip_prefix(root).unwrap().to_owned();
        seen.insert(below, (found.mode(), links, found.mtime(), contents));
    }
    seen
}

fn tree(root: &Path) {
    std::fs::create_dir_all(root.join("deep/er/est")).unwrap();
    let bytes: Vec<u8> = (0..3 << 20).map(|at: u32| (at % 253) as u8).collect();
    std::fs::write(root.join("large"), &bytes).unwrap();
    let holes = std::fs::File::create(root.join("deep/holes")).unwrap();
    holes.set_len(40 << 20).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&holes, b"in the middle", 20 << 20).unwrap();
    for number in 0..300 {
        std::fs::write(root.join(format!("deep/er/file-{number}")), [number as u8; 37]).unwrap();
    }
    std::fs::hard_link(root.join("large"), root.join("deep/er/est/again")).unwrap();
    symlink("../large", root.join("deep/soft")).unwrap();
    let private = std::fs::Permissions::from_mode(0o4711);
    std::fs::set_permissions(root.join("deep/er/file-1"), private).unwrap();
}

#[test]
fn a_tree_comes_out_as_it_went_in_check() {
    let site = Site::new();
    let (before, after) = (site.path("before"), site.path("after"));
    tree(&before);
    let into = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", before.to_str().unwrap(), &into]).well();
    site.assert_sound();
    let from = format!("{}:/before", site.image.display());
    site.run(&["cp", "-r", &from, after.to_str().unwrap()]).well();
    let (before, after) = (look(&before), look(&after));
    let names = |seen: &Seen| seen.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&after), names(&before));
    for (path, found) in &before {
        assert!(after.get(path) == Some(found), "{} differs", path.display());
    }
    let holes = site.run(&["stat", "--json", "@", "/before/deep/holes"]).json();
    assert!(holes[0]["sectors"].as_u64().unwrap() <= 256, "{holes}");
}

#[test]
fn what_is_in_a_folder_is_copied_for_whom_was_asked_check() {
    let site = Site::new();
    let folder = site.path("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("one"), "1").unwrap();
    std::fs::write(folder.join("two"), "2").unwrap();
    let contents = format!("{}/.", folder.display());
    let into = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", "--owner", "7:8", &contents, &into]).well();
    assert_eq!(site.run(&["ls", "@", "/"]).well().out, "one\ntwo\n");
    let stat = site.run(&["stat", "--json", "@", "/one"]).json();
    assert_eq!((&stat[0]["uid"], &stat[0]["gid"]), (&7.into(), &8.into()));
    site.run(&["cp", folder.to_str().unwrap(), &into]).refused(1, "is a directory");
    site.run(&["cp", "/not/there", &into]).refused(1, "/not/there");
    site.run(&["cp", "a", "b"]).refused(1, "IMAGE:/path");
    site.assert_sound();
}

#[test]
fn a_link_that_stands_in_the_way_is_not_written_through_check() {
    let site = Site::new();
    let (folder, out, other) = (site.path("folder"), site.path("out"), site.path("other"));
    std::fs::create_dir_all(folder.join("sub")).unwrap();
    std::fs::write(folder.join("sub/file"), "from the volume").unwrap();
    std::fs::write(&other, "somebody's").unwrap();
    let into = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", folder.to_str().unwrap(), &into]).well();
    let from = format!("{}:/folder", site.image.display());
    std::fs::create_dir_all(out.join("folder/sub")).unwrap();
    symlink(&other, out.join("folder/sub/file")).unwrap();
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).well();
    assert_eq!(std::fs::read(&other).unwrap(), b"somebody's");
    assert!(!out.join("folder/sub/file").is_symlink());
    assert_eq!(std::fs::read(out.join("folder/sub/file")).unwrap(), b"from the volume");
    std::fs::remove_dir_all(out.join("folder")).unwrap();
    std::fs::create_dir_all(out.join("folder")).unwrap();
    symlink("/", out.join("folder/sub")).unwrap();
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).refused(1, "sub");
    assert!(!Path::new("/file").exists(), "a link below the target was followed");
    site.assert_sound();
}

#[test]
fn capabilities_come_out_with_their_owner_check() {
    let site = Site::new();
    let (folder, out) = (site.path("folder"), site.path("out"));
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("program"), "x").unwrap();
    let capability = [1u8, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let flags = rustix::fs::XattrFlags::empty();
    let name = "security.capability";
    if rustix::fs::setxattr(folder.join("program"), name, &capability, flags).is_err() {
        return; // Only root may.
    }
    let into = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", folder.to_str().unwrap(), &into]).well();
    let from = format!("{}:/folder", site.image.display());
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).well();
    let mut value = [0; 64];
    let length = rustix::fs::getxattr(out.join("program"), name, &mut value).unwrap();
    assert_eq!(value[..length], capability);
    site.assert_sound();
}

#[test]
fn an_image_does_not_go_into_itself_check() {
    let site = Site::new();
    let folder = site.folder.path().to_str().unwrap().to_owned();
    let into = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", &folder, &into]).refused(1, "volume.img: is the image itself");
    site.run(&["mkfs", "-q", "-f", "--from", &folder, "@"]).refused(1, "is the image itself");
    let copied = site.run(&["find", "@", "/", "--name", "volume.img"]).well().out;
    assert_eq!(copied, "");
    site.assert_sound();
}

#[test]
fn a_path_without_a_name_stays_in_its_target_check() {
    let site = Site::new();
    let target = site.path("deep/target");
    std::fs::create_dir_all(&target).unwrap();
    site.run(&["mkdir", "@", "/a"]).well();
    site.run_on(&["write", "@", "/file"], b"x").well();
    let from = format!("{}:/a/..", site.image.display());
    site.run(&["cp", "-r", &from, target.to_str().unwrap()]).well();
    assert!(target.join("file").exists());
    assert!(!site.path("deep/file").exists(), "it left its target");
    site.assert_sound();
}

#[test]
fn a_second_copy_replaces_the_first_check() {
    let site = Site::new();
    let (folder, out) = (site.path("folder"), site.path("out"));
    tree(&folder);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let into = format!("{}:/", site.image.display());
    let from = format!("{}:/folder", site.image.display());
    std::fs::create_dir(&out).unwrap();
    for _ in 0..2 {
        site.run(&["cp", "-r", folder.to_str().unwrap(), &into]).well();
        site.run(&["cp", "-r", &from, out.to_str().unwrap()]).well();
    }
    let (before, after) = (look(&folder), look(&out.join("folder")));
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    // A directory that is there already keeps what is said of it; others came and went in it.
    let is_directory = |found: &(u32, u64, i64, Vec<u8>)| found.0 & 0o170_000 == 0o040_000;
    for (path, found) in before.iter().filter(|(_, found)| !is_directory(found)) {
        assert!(after.get(path) == Some(found), "{} differs", path.display());
    }
    site.assert_sound();
}

#[test]
fn directories_are_not_replaced_by_what_is_none_check() {
    let site = Site::new();
    let out = site.path("out");
    site.run_on(&["write", "@", "/file"], b"bytes").well();
    site.run(&["mkdir", "@", "/folder"]).well();
    let from = format!("{}:/", site.image.display());
    std::fs::create_dir_all(out.join("file")).unwrap();
    let command = ["cp", "-r", &from, out.to_str().unwrap()];
    site.run(&command).refused(1, "is a directory, and what is copied is none");
    std::fs::remove_dir(out.join("file")).unwrap();
    std::fs::remove_dir_all(out.join("folder")).unwrap_or_default();
    std::fs::write(out.join("folder"), "kept").unwrap();
    site.run(&command).refused(1, "is no directory, and what is copied is one");
    assert_eq!(std::fs::read(out.join("folder")).unwrap(), b"kept");
    site.assert_sound();
}

#[test]
fn a_file_that_changes_while_it_is_copied_is_told_of_check() {
    let site = Site::new();
    let folder = site.path("folder");
    std::fs::create_dir(&folder).unwrap();
    let log = folder.join("log");
    std::fs::write(&log, [7; 5000]).unwrap();
    // Behind many others, so that it changes between the look and the copy.
    for number in 0..20_000 {
        std::fs::write(folder.join(format!("a-{number}")), "").unwrap();
    }
    let stop = std::sync::atomic::AtomicBool::new(false);
    let into = format!("{}:/", site.image.display());
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = std::fs::File::options().append(true).open(&log).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                std::io::Write::write_all(&mut log, &[7; 10]).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        });
        let said = site.run(&["cp", "-r", folder.to_str().unwrap(), &into]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        said
    });
    said.refused(1, "/folder/log: changed while it was copied");
    let bytes = site.run(&["cat", "@", "/folder/log"]).well().bytes;
    assert!(bytes.len() >= 5000 && bytes.iter().all(|&byte| byte == 7));
    site.assert_sound();
}

#[test]
fn nothing_is_copied_out_over_the_image_or_a_link_that_leads_nowhere_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/a"], b"one").well();
    site.run_on(&["write", "@", "/b"], b"two").well();
    let (image, folder) = (site.image.to_str().unwrap().to_owned(), site.folder.path());
    let from = |path: &str| format!("{image}:{path}");
    site.run(&["cp", &from("/a"), &image]).refused(1, "is the image");
    let link = site.path("link");
    for target in ["nowhere/there", "/proc/self/fd/1"] {
        symlink(target, &link).unwrap();
        site.run(&["cp", &from("/a"), link.to_str().unwrap()]).refused(1, "leads to no file");
        assert!(link.symlink_metadata().unwrap().is_symlink());
        std::fs::remove_file(&link).unwrap();
    }
    let both = site.path("both");
    let both = both.to_str().unwrap();
    site.run(&["cp", &from("/a"), &from("/b"), both]).refused(1, "is no directory");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "only the image is there");
    site.assert_sound();
}

#[test]
fn a_copy_inside_a_volume_keeps_hard_links_and_never_contains_itself_check() {
    let site = Site::new();
    site.run(&["mkdir", "-p", "@", "/d/e"]).well();
    site.run(&["ln", "-s", "@", "d", "/soft"]).well();
    site.run_on(&["write", "@", "/d/one"], b"1").well();
    site.run(&["ln", "@", "/d/one", "/d/e/again"]).well();
    for to in ["/d/x", "//d/x", "/./d/x", "/soft/x", "/d/e/../x", "/soft/e"] {
        site.run(&["clone", "-r", "@", "/d", to]).refused(1, "lies inside");
    }
    site.run(&["clone", "-r", "@", "/d", "/copy"]).well();
    let inode = |path| site.run(&["stat", "@", path, "--json"]).json()[0]["inode"].clone();
    assert_eq!(inode("/copy/one"), inode("/copy/e/again"));
    assert_ne!(inode("/copy/one"), inode("/d/one"));
    site.assert_sound();
}

#[test]
fn a_link_is_followed_where_no_tree_is_copied_check() {
    let site = Site::new();
    std::fs::write(site.path("file"), "bytes").unwrap();
    std::os::unix::fs::symlink("file", site.path("link")).unwrap();
    let link = site.path("link");
    let to = |name: &str| format!("{}:/{name}", site.image.display());
    site.run(&["cp", link.to_str().unwrap(), &to("followed")]).well();
    site.run(&["cp", "-r", link.to_str().unwrap(), &to("kept")]).well();
    let kinds = site.run(&["ls", "-l", "@", "/"]).well().out;
    assert!(kinds.lines().any(|l| l.starts_with('-') && l.ends_with("followed")), "{kinds}");
    assert!(kinds.lines().any(|l| l.starts_with('l') && l.contains("kept -> file")), "{kinds}");
    std::os::unix::fs::symlink("/dev/null", site.path("null")).unwrap();
    let null = site.path("null");
    site.run(&["cp", null.to_str().unwrap(), &to("null")]).refused(1, "leads to no file");
    site.assert_sound();
}

#[test]
fn a_slash_behind_a_new_name_asks_for_a_directory_check() {
    let site = Site::new();
    std::fs::write(site.path("file"), "bytes").unwrap();
    let (file, to) = (site.path("file"), format!("{}:/new/", site.image.display()));
    site.run(&["cp", file.to_str().unwrap(), &to]).refused(1, "not a directory");
    site.run(&["put", file.to_str().unwrap(), &to]).refused(1, "not a directory");
    assert_eq!(site.run(&["ls", "@", "/"]).well().out, "");
    site.assert_sound();
}

#[test]
fn a_directory_that_the_user_names_keeps_its_mode_check() {
    use std::os::unix::fs::PermissionsExt;
    let (site, mode) = (Site::new(), |path: &std::path::Path| {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    });
    site.run(&["mkdir", "@", "/dir"]).well();
    let out = site.path("out");
    std::fs::create_dir(&out).unwrap();
    std::fs::set_permissions(&out, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let from = format!("{}:/", site.image.display());
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).well();
    assert_eq!((mode(&out), mode(&out.join("dir"))), (0o1777, 0o755));
    site.run(&["cp", &from, out.join("new").to_str().unwrap()]).refused(1, "is a directory");
    assert!(!out.join("new").exists(), "nothing is left of what was refused");
    site.assert_sound();
}

#[test]
fn what_stands_on_the_host_stays_where_a_copy_out_fails_check() {
    let site = Site::new();
    site.run_on(&["write", "@", "/file"], &[7; 200_000]).well();
    let out = site.path("out");
    std::fs::write(&out, "old").unwrap();
    // The host takes no file of that size from this command.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let from = format!("{}:/file", site.image.display());
    let command = [env!("CARGO_BIN_EXE_untorn"), "cp", &from, out.to_str().unwrap()];
    let done = std::process::Command::new("sh").args(["-c", limited]).args(command).output();
    assert_eq!(done.unwrap().status.code(), Some(1));
    assert_eq!(std::fs::read(&out).unwrap(), b"old");
    let left = std::fs::read_dir(out.parent().unwrap()).unwrap();
    let left = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(!left.into_iter().any(|name| name.starts_with(".untorn")), "something is left");
    site.assert_sound();
}
