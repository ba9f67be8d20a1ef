//! Where the bytes of a regular file are.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

/// The bytes of a regular file.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Bytes of the file; of one of the host, what that said: it has as many as it gives when it is
    /// read.
    pub size: u64,
    /// Bytes of it that may be something else than zeroes, at most.
    pub data: u64,
    pub(crate) place: Place,
    /// When a file of the host was changed last, as it was when it was looked at.
    pub(crate) changed: Option<(i64, i64)>,
}

/// When a file was changed last, whatever was changed of it: nobody sets this time.
pub(crate) fn change_time(found: &Metadata) -> (i64, i64) {
    (found.ctime(), found.ctime_nsec())
}

/// Where they are.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// Nowhere: the file is all zeroes.
    Zeroes,
    /// In this file of the host.
    Host(PathBuf),
    /// In an archive: runs in order, none over the end of the file, zeroes between them.
    Archive(Arc<File>, Vec<Run>),
}

/// A part of a file that lies in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// First byte in the file.
    pub offset: u64,
    /// First byte in the archive.
    pub at: u64,
    /// Bytes.
    pub length: u64,
}

impl Contents {
    /// A file of `size` zeroes.
    pub fn zeroes(size: u64) -> Self {
        Self { size, data: 0, place: Place::Zeroes, changed: None }
    }

    pub(crate) fn archive(archive: &Arc<File>, size: u64, runs: Vec<Run>) -> Self {
        let data = runs.iter().map(|run| run.length).sum();
        let place = Place::Archive(Arc::clone(archive), runs);
        Self { size, data, place, changed: None }
    }
}
