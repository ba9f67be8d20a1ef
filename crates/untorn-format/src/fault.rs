//! What can be wrong with bytes, and where.

use crate::units::*;
use std::fmt;

/// Where on the volume something was found. The layers that know a coordinate fill it in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Allocation group.
    pub ag: Option<AgNumber>,
    /// Address on the device in 512-byte units from the start of the volume.
    pub addr: Option<DiskAddr>,
    /// Inode.
    pub ino: Option<Ino>,
    /// Offset in bytes inside the structure, file or directory named by the rest.
    pub offset: Option<u64>,
}

impl Place {
    /// The place of a block at `addr`.
    pub fn at(addr: DiskAddr) -> Self {
        Self { addr: Some(addr), ..Self::default() }
    }
    /// The place of an inode.
    pub fn inode(ino: Ino) -> Self {
        Self { ino: Some(ino), ..Self::default() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if let Some(ag) = self.ag {
            parts.push(format!("AG {ag}"));
        }
        if let Some(addr) = self.addr {
            parts.push(format!("daddr {addr}"));
        }
        if let Some(ino) = self.ino {
            parts.push(format!("inode {ino}"));
        }
        if let Some(offset) = self.offset {
            parts.push(format!("offset {offset}"));
        }
        if parts.is_empty() { f.write_str("volume") } else { f.write_str(&parts.join(", ")) }
    }
}

/// A check that failed, without its place: one variant a check, grouped by the module that makes
/// it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The structure is shorter than its header says or than its kind needs.
    #[error("{what} is cut short: {have} of {need} bytes")]
    Short {
        /// The structure.
        what: &'static str,
        /// Bytes there are.
        have: usize,
        /// Bytes it needs.
        need: usize,
    },
    /// Magic number of something else.
    #[error("{what}: magic number is {found:#x}")]
    Magic {
        /// The structure expected.
        what: &'static str,
        /// What stands there.
        found: u64,
    },
    /// Checksum does not match.
    #[error("{what}: checksum is {found:#010x}, contents give {computed:#010x}")]
    Checksum {
        /// The structure.
        what: &'static str,
        /// Stored.
        found: u32,
        /// Computed.
        computed: u32,
    },
    /// Belongs to another volume.
    #[error("{what}: UUID belongs to another volume")]
    Uuid {
        /// The structure.
        what: &'static str,
    },
    /// Says that it lives elsewhere.
    #[error("{what}: says it lives at daddr {found}")]
    Position {
        /// The structure.
        what: &'static str,
        /// Where it says it lives.
        found: u64,
    },
    /// Says that it belongs to another owner.
    #[error("{what}: says its owner is {found}, expected {expected}")]
    Owner {
        /// The structure.
        what: &'static str,
        /// Owner found.
        found: u64,
        /// Owner expected.
        expected: u64,
    },
    /// Written at a log position that the log has not reached.
    #[error("{what}: LSN {lsn} lies ahead of the log head")]
    Ahead {
        /// The structure.
        what: &'static str,
        /// Its LSN.
        lsn: Lsn,
    },
    /// A field has a value that it must not have.
    #[error("{what}: {field} is {value}")]
    Field {
        /// The structure.
        what: &'static str,
        /// The field, by its on-disk name.
        field: &'static str,
        /// Its value.
        value: u64,
    },
    /// Records or keys are out of order, overlap, or disagree with each other.
    #[error("{what}: {rule} (entry {index})")]
    Order {
        /// The structure.
        what: &'static str,
        /// The rule that is broken, in words.
        rule: &'static str,
        /// Index of the entry that breaks it.
        index: usize,
    },
}

/// A fault of the volume and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("corrupt volume at {at}: {fault}")]
pub struct Corrupt {
    /// What is wrong.
    pub fault: Fault,
    /// Where.
    pub at: Place,
}

impl Fault {
    /// This fault at `at`.
    pub fn at(self, at: Place) -> Corrupt {
        Corrupt { fault: self, at }
    }
}
