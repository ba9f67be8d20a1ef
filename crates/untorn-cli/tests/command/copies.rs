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
    site.run(&["cp", "-r", &from, out.to_str().unwrap()]).refused(1, "symbolic link");
    assert_eq!(std::fs::read(&other).unwrap(), b"somebody's");
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
    assert_eq!(site.run(&["ls", "@"]).well().out, "");
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
