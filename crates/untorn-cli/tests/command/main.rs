//! The command as its users see it: arguments in; standard output, standard error and exit status
//! out. No root, no tools.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod attributes;
mod codes;
mod copies;
mod copies_as_meant;
mod copies_of_trees;
mod daily;
mod db;
mod deep;
mod finding;
mod formats;
mod fsx;
mod habits;
mod habits_of_changes;
mod habits_of_copies;
mod images;
mod loops;
mod messages;
mod mkfs;
mod names;
mod operands;
mod outputs;
mod paths;
mod places;
mod programs;
mod reading;
mod refusals;
mod sharing;
mod trees;
mod trim;
mod whole;
mod writes;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What a run of the command said.
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) err: String,
}

impl Said {
    /// It ended well.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.status, 0, "{}{}", self.out, self.err);
        self
    }

    /// It ended with `status` and one line on standard error that has `words`.
    #[track_caller]
    pub(crate) fn refused(self, status: i32, words: &str) -> Self {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        assert!(self.err.contains(words), "{:?} has no {words:?}", self.err);
        assert!(self.err.starts_with("untorn: "), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
        self
    }

    /// It ended with status 1 and as many lines on standard error.
    #[track_caller]
    pub(crate) fn refused_lines(self, count: usize) -> Self {
        assert_eq!((self.status, self.err.lines().count()), (1, count), "{}{}", self.out, self.err);
        self
    }

    /// It ended with this status.
    #[track_caller]
    pub(crate) fn status_is(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        self
    }

    /// Its output as JSON.
    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        let said = self.well();
        serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out))
    }
}

/// Runs the command on `input`.
pub(crate) fn untorn_on<S: AsRef<std::ffi::OsStr>>(arguments: &[S], input: &[u8]) -> Said {
    let mut child = Command::new(env!("CARGO_BIN_EXE_untorn"))
        .args(arguments)
        .env("TZ", "UTC")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Who does not read its input may be gone before it is written.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Said {
        status: output.status.code().unwrap(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        bytes: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A folder with an image in it.
pub(crate) struct Site {
    pub(crate) folder: TempDir,
    pub(crate) image: PathBuf,
}

impl Site {
    /// An empty volume of 64 MiB.
    pub(crate) fn new() -> Self {
        let site = Self::bare();
        site.run(&["mkfs", "-q", "-d", "size=64m", "@"]).well();
        site
    }

    /// The name of an image that is not there yet.
    pub(crate) fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let image = folder.path().join("volume.img");
        Self { folder, image }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the command with the image for `@`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        self.run_on(arguments, b"")
    }

    /// The same with input.
    pub(crate) fn run_on(&self, arguments: &[&str], input: &[u8]) -> Said {
        let image: &Path = &self.image;
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| if *argument == "@" { image.as_os_str() } else { argument.as_ref() })
            .collect();
        untorn_on(&arguments, input)
    }

    /// The checker has nothing to say.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        let said = self.run(&["check", "@"]).well();
        assert!(said.out.starts_with("clean: "), "{}", said.out);
    }
}
