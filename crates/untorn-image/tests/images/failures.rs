//! Copies into a volume that cannot be finished: what is there afterwards is whole.

use super::{assert_sound, read};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use untorn::mkfs::{self, Contents, Options};
use untorn::{NewFile, OpenOptions, Sync, Volume};
use untorn_device::MemoryDevice;
use untorn_image::{Error, Step, Stood, Target, Tree, populate, populate_readable};

struct Site {
    device: Arc<MemoryDevice>,
    volume: Volume,
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let device = Arc::new(MemoryDevice::new(64 << 20));
        let options = Options { contents: Contents::Zeroed, ..Options::default() };
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
        Self { device, volume, folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn old(&self, path: &str, bytes: &[u8]) {
        let file = self.volume.create_file(path, NewFile::default()).unwrap();
        file.write_atomic(0, bytes, Sync::Visible).unwrap();
    }

    /// Copies the folder as it was when it was looked at, after `meanwhile`.
    fn copy(&self, meanwhile: impl FnOnce(&Path)) -> Error {
        let mut tree = Tree::new();
        tree.add_directory(b"", self.path()).unwrap();
        meanwhile(self.path());
        populate(&self.volume, self.volume.root(), &tree, &mut |_| {}).unwrap_err()
    }

    fn names(&self) -> Vec<String> {
        let entries = self.volume.read_dir("/").unwrap();
        let names = entries.into_iter().map(|entry| String::from_utf8(entry.name).unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "." && name != "..").collect();
        names.sort();
        names
    }

    fn close(self) {
        self.volume.close().unwrap();
        assert_sound(&*self.device);
    }
}

#[test]
fn files_before_one_that_cannot_be_read_are_whole_and_what_was_there_stays_check() {
    let site = Site::new();
    for name in ["a", "b", "c", "d"] {
        fs::write(site.path().join(name), format!("new {name}")).unwrap();
    }
    fs::hard_link(site.path().join("b"), site.path().join("b2")).unwrap();
    site.old("/a", b"old a, longer than the new one");
    site.old("/b2", b"old b2");
    site.old("/c", b"old c");
    site.copy(|folder| fs::remove_file(folder.join("c")).unwrap());
    assert_eq!(site.names(), ["a", "b", "b2", "c"]);
    for (path, bytes) in [("/a", "new a"), ("/b", "new b"), ("/b2", "new b"), ("/c", "old c")] {
        assert_eq!(read(&site.volume, path), bytes.as_bytes(), "{path}");
    }
    let (b, b2) = (site.volume.lookup("/b").unwrap(), site.volume.lookup("/b2").unwrap());
    assert_eq!(b, b2, "one file of two names");
    site.close();
}

#[test]
fn files_that_cannot_be_read_are_left_out_where_the_rest_is_wanted_check() {
    let site = Site::new();
    for name in ["a", "b", "c"] {
        fs::write(site.path().join(name), format!("new {name}")).unwrap();
    }
    fs::write(site.path().join("large"), vec![1; 3 << 20]).unwrap();
    fs::hard_link(site.path().join("b"), site.path().join("b2")).unwrap();
    fs::hard_link(site.path().join("b"), site.path().join("z")).unwrap();
    site.old("/b2", b"old b2");
    let mut tree = Tree::new();
    tree.add_directory(b"", site.path()).unwrap();
    for name in ["b", "b2", "z"] {
        fs::remove_file(site.path().join(name)).unwrap();
    }
    let mut left_out = Vec::new();
    let mut watch = |step: Step<'_>| {
        if let Step::LeftOut(error) = step {
            left_out.push(error.to_string());
        }
    };
    let target = Target { dir: site.volume.root(), path: b"", stood: Stood::Stays };
    let (summary, done) = populate_readable(&site.volume, target, &tree, &mut watch);
    done.unwrap();
    assert!(left_out.len() == 3 && left_out[0].contains("No such file"), "{left_out:?}");
    assert_eq!((summary.files, summary.links), (3, 0));
    assert_eq!(site.names(), ["a", "b2", "c", "large"]);
    assert_eq!(read(&site.volume, "/c"), b"new c");
    assert_eq!(read(&site.volume, "/large"), vec![1; 3 << 20]);
    assert_eq!(read(&site.volume, "/b2"), b"old b2");
    site.close();
}

#[test]
fn a_full_volume_keeps_whole_files_only_check() {
    let site = Site::new();
    let bytes = |number: usize| vec![number as u8 | 1; 3000 + number * 37 % 30_000];
    for number in 0..4000 {
        fs::write(site.path().join(format!("f{number:04}")), bytes(number)).unwrap();
    }
    site.old("/f3999", b"old");
    let error = site.copy(|_| {});
    assert!(matches!(error, Error::NoRoom { .. }), "{error}");
    let names = site.names();
    assert!(names.len() > 100 && names.iter().all(|name| name.starts_with('f')), "{names:?}");
    for name in names.iter().filter(|name| *name != "f3999") {
        let number = name[1..].parse().unwrap();
        assert!(read(&site.volume, &format!("/{name}")) == bytes(number), "{name} is not whole");
    }
    assert_eq!(read(&site.volume, "/f3999"), b"old");
    site.close();
}

#[test]
fn no_file_takes_a_directory_s_place_and_no_directory_a_file_s_check() {
    let site = Site::new();
    fs::write(site.path().join("x"), "file").unwrap();
    site.volume.create_dir("/x", NewFile::default()).unwrap();
    let error = site.copy(|_| {}).to_string();
    assert!(error.contains("is a directory"), "{error}");
    fs::remove_file(site.path().join("x")).unwrap();
    fs::create_dir(site.path().join("y")).unwrap();
    site.old("/y", b"kept");
    let error = site.copy(|_| {}).to_string();
    assert!(error.contains("not a directory"), "{error}");
    assert_eq!(read(&site.volume, "/y"), b"kept");
    assert_eq!(site.names(), ["x", "y"]);
    site.close();
}

#[test]
fn files_that_grow_or_are_cut_end_where_their_bytes_do_and_are_told_of_check() {
    let site = Site::new();
    let file = |name: &str| fs::File::options().write(true).open(site.path().join(name)).unwrap();
    for (name, size) in [("cut", 3 << 20), ("cut-short", 9000), ("grown", 5001), ("same", 5001)] {
        fs::write(site.path().join(name), vec![1; size]).unwrap();
    }
    fs::write(site.path().join("empty"), "").unwrap();
    fs::write(site.path().join("hole"), [1; 100]).unwrap();
    file("hole").set_len(5 << 20).unwrap();
    let mut tree = Tree::new();
    tree.add_directory(b"", site.path()).unwrap();
    let ends = [("cut", 1_500_001), ("cut-short", 4097), ("hole", (3 << 20) + 1)];
    for (name, end) in ends {
        file(name).set_len(end).unwrap();
    }
    fs::write(site.path().join("grown"), vec![2; 2_200_003]).unwrap();
    fs::write(site.path().join("empty"), vec![3; 70_001]).unwrap();
    let mut told = Vec::new();
    let mut watch = |step: Step<'_>| {
        if let Step::Changed(path) = step {
            told.push(String::from_utf8(path.to_vec()).unwrap());
        }
    };
    populate(&site.volume, site.volume.root(), &tree, &mut watch).unwrap();
    assert_eq!(told, ["/cut", "/cut-short", "/empty", "/grown", "/hole"]);
    for name in ["cut", "cut-short", "empty", "grown", "hole", "same"] {
        let bytes = fs::read(site.path().join(name)).unwrap();
        assert!(read(&site.volume, &format!("/{name}")) == bytes, "{name} differs");
    }
    site.close();
}

#[test]
fn a_failure_names_the_path_on_the_volume() {
    let site = Site::new();
    fs::create_dir(site.path().join("d")).unwrap();
    fs::write(site.path().join("d/large"), vec![1; 100 << 20]).unwrap();
    let mut tree = Tree::new();
    tree.add_directory(b"", site.path()).unwrap();
    let dir = site.volume.create_dir("/below", NewFile::default()).unwrap();
    let target = Target { dir, path: b"/below", stood: Stood::Stays };
    let (_, done) = populate_readable(&site.volume, target, &tree, &mut |_| {});
    let error = done.unwrap_err().to_string();
    assert!(error.starts_with("/below/d/large: no space left"), "{error}");
    site.close();
}
