//! The two paths of what is copied: from where, and where to.
//!
//! Invariant: there is one buffer for each, however deep a tree is; a level keeps only how long
//! they were. A tree may be deeper than any path that a system takes, and paths for each level
//! would grow with the square of that.

use crate::arguments::VolumePath;
use std::ffi::{OsStr, OsString};
use std::mem;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Both paths.
pub(super) struct Ends<To> {
    pub from: VolumePath,
    pub to: To,
}

/// How long both are.
#[derive(Clone, Copy)]
pub(super) struct Lengths {
    from: usize,
    to: usize,
}

/// A path that goes down and up again in its place.
pub(super) trait Grows {
    fn length(&self) -> usize;
    fn push_name(&mut self, name: &[u8]);
    fn cut_to(&mut self, length: usize);
}

impl Grows for VolumePath {
    fn length(&self) -> usize {
        self.as_ref().len()
    }

    fn push_name(&mut self, name: &[u8]) {
        self.push(name);
    }

    fn cut_to(&mut self, length: usize) {
        self.cut(length);
    }
}

impl Grows for PathBuf {
    fn length(&self) -> usize {
        self.as_os_str().len()
    }

    fn push_name(&mut self, name: &[u8]) {
        self.push(OsStr::from_bytes(name));
    }

    fn cut_to(&mut self, length: usize) {
        let mut bytes = mem::take(self).into_os_string().into_vec();
        bytes.truncate(length);
        *self = OsString::from_vec(bytes).into();
    }
}

impl<To: Grows> Ends<To> {
    pub fn lengths(&self) -> Lengths {
        Lengths { from: self.from.length(), to: self.to.length() }
    }

    /// Goes down to `name`.
    pub fn push(&mut self, name: &[u8]) {
        self.from.push_name(name);
        self.to.push_name(name);
    }

    /// Goes back up to where the paths were as long.
    pub fn cut(&mut self, lengths: Lengths) {
        self.from.cut_to(lengths.from);
        self.to.cut_to(lengths.to);
    }
}
