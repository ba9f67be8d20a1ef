//! What a check found.

use crate::code::{Code, Severity};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use std::fmt;
use untorn_format::Place;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing; stable from version to version.
    pub code: Code,
    /// Where.
    pub place: Place,
    /// What exactly, in words and numbers.
    pub message: String,
}

impl Finding {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.code.severity()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.code, self.place, self.message)
    }
}

impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Finding", 7)?;
        out.serialize_field("code", self.code.name())?;
        out.serialize_field("severity", self.severity().name())?;
        out.serialize_field("ag", &self.place.ag.map(|ag| ag.0))?;
        out.serialize_field("daddr", &self.place.addr.map(|addr| addr.0))?;
        out.serialize_field("inode", &self.place.ino.map(|ino| ino.0))?;
        out.serialize_field("offset", &self.place.offset)?;
        out.serialize_field("message", &self.message)?;
        out.end()
    }
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Allocation groups.
    pub groups: u64,
    /// Inodes in use.
    pub inodes: u64,
    /// Directories among them.
    pub directories: u64,
    /// Entries of directories, `.` and `..` not counted.
    pub entries: u64,
    /// Extents of all forks.
    pub extents: u64,
    /// Blocks of btrees, of AGs and of inodes.
    pub btree_blocks: u64,
    /// Blocks that nobody owns and that the AGs say are free.
    pub free_blocks: u64,
    /// Bytes read from the device.
    pub bytes_read: u64,
    /// Requests made to the device.
    pub reads: u64,
}

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// What is wrong, in the order in which it was found.
    pub findings: Vec<Finding>,
    /// Whether the check stopped early because there were as many findings as asked for.
    pub stopped_early: bool,
    /// What was looked at.
    pub stats: Stats,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
    /// Whether a finding with `code` is there.
    pub fn has(&self, code: Code) -> bool {
        self.findings.iter().any(|finding| finding.code == code)
    }
    /// Panics with the findings where there are any: how a test ends.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "the checker complains:\n{self}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.findings.iter().try_for_each(|finding| writeln!(f, "{finding}"))?;
        match self.stopped_early {
            true => writeln!(f, "... and perhaps more: the check stopped here"),
            false => Ok(()),
        }
    }
}
