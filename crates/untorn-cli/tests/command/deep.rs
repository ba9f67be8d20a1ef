//! Trees that are deeper than any path is long.

use super::{Said, Site};
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
    let [from, across] = [&site, &other].map(|site| format!("{}:/", site.image.display()));
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
