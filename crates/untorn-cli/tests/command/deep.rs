//! Trees that are deeper than any path is long.

use super::{Said, Site, untorn_on};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use untorn::{Make, Name, NewFile, OpenOptions, Volume};
use untorn_device::{Access, FileDevice};

const DEPTH: usize = 3000;
/// Paths of all levels together take several times as much.
const KIBIBYTES: usize = 700_000;

/// A volume with a chain of directories, and a file in the last.
fn chain() -> Site {
    let site = Site::new();
    let device = Arc::new(FileDevice::open(&site.image, Access::ReadWrite).unwrap());
    let volume = Volume::open(device, OpenOptions::default()).unwrap();
    let (mut dir, name) = (volume.root(), "n".repeat(200));
    for _ in 0..DEPTH {
        let new = NewFile { permissions: 0o755, ..NewFile::default() };
        dir = volume.make(Name::In(dir, name.as_bytes()), Make::Directory, new).unwrap();
    }
    let bottom = volume.make_unnamed(dir, NewFile::default()).unwrap();
    bottom.file().unwrap().write_at(0, b"bottom", untorn::Sync::Visible).unwrap();
    bottom.link(Name::In(dir, b"f")).unwrap();
    volume.close().unwrap();
    site
}

fn at(site: &Site, path: &str) -> String {
    format!("{}:{path}", site.image.display())
}

/// A copy of a tree, with no more memory than that.
fn cp_within(from: &str, to: &str) -> Said {
    let limited = format!("ulimit -v {KIBIBYTES}; exec \"$0\" \"$@\"");
    let output = Command::new("sh")
        .args(["-c", &limited, env!("CARGO_BIN_EXE_untorn"), "cp", "-r", from, to])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Said {
        status: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        bytes: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// What a command of the host says.
fn host(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_tree_deeper_than_paths_are_long_is_copied_in_little_memory_check() {
    let (site, other) = (chain(), Site::new());
    let [from, across] = [&site, &other].map(|site| at(site, "/"));
    cp_within(&from, &across).well();
    other.assert_sound();
    let out = other.path("out");
    let out = out.to_str().unwrap();
    cp_within(&across, out).well();
    let directories = host(&["find", out, "-mindepth", "1", "-type", "d", "-printf", "%m "]);
    assert_eq!(directories, "755 ".repeat(DEPTH));
    assert_eq!(host(&["find", out, "-type", "f", "-printf", "%f %s"]), "f 6");
    // Deeper than the folder's own end can take away.
    host(&["rm", "-rf", out]);
    site.assert_sound();
}

#[test]
fn each_directory_that_is_out_of_reach_is_told_of_check() {
    let (site, depth) = (Site::new(), 80);
    let bottom = "/d".repeat(depth);
    let folder = site.path("t");
    fs::create_dir_all(site.path(&format!("t{bottom}"))).unwrap();
    // More lines than a pipe takes: the copy waits for this test at the bottom.
    for number in 0..2000 {
        fs::write(site.path(&format!("t{bottom}/{number}")), "").unwrap();
    }
    untorn_on(&["cp", "-r", folder.to_str().unwrap(), &at(&site, "/")], b"").well();
    let out = site.path("out");
    let mut child = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(["cp", "-rv", &at(&site, "/t"), out.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().contains(&format!("{bottom}/"))).unwrap().unwrap();
    // All above have no handle any more.
    let held = 17;
    fs::rename(out.join(&"/d".repeat(held)[1..]), site.path("moved")).unwrap();
    lines.for_each(|line| drop(line.unwrap()));
    let said = child.wait_with_output().unwrap();
    let (status, err) = (said.status.code(), String::from_utf8(said.stderr).unwrap());
    assert_eq!(
        (status, err.matches("could not be opened again").count()),
        (Some(1), held),
        "{err}"
    );
    assert_eq!(err.matches("was moved while").count(), 1, "{err}");
    site.assert_sound();
}
