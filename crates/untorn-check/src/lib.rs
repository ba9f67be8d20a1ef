//! The independent checker of XFS v5 volumes.
//!
//! [`check`] reads a volume, writes nothing, and says everything that is wrong with it, each
//! finding with a stable [`Code`] and a [`Place`]. It shares only the format layer (bytes and what
//! they mean) and the device trait with the engine: what the engine believes of a volume is derived
//! here a second time, from the disk alone.
//!
//! ```text
//! superblock, journal -> each AG: headers, inode chunks
//!                     -> each inode: core, forks, attributes      claims to blocks, names, links
//!                     -> each directory: entries, indexes                     |
//!                     -> links, chains, reachability  <-----------------------+
//!                     -> each AG: space btrees against all claims <-----------+
//! ```
//!
//! The journal is not replayed: a volume whose journal holds changes is refused, or checked as its
//! blocks lie ([`Journal::AsItLies`]).
//!
//! What cannot be read is one finding; what would follow from its absence elsewhere is not told.
//! Memory: some bytes for each inode and each extent, and the free space of one AG at a time.
//!
//! Never here: writing, repairing, or trusting a number that was read from the disk.

mod attr;
mod check;
mod code;
mod copies;
mod da;
mod dir;
mod error;
mod group;
mod inode;
mod journal;
mod links;
mod merge;
mod options;
mod owners;
mod reader;
mod report;
mod scan;
mod superblock;
mod tree;

pub use check::check;
pub use code::{Code, Severity};
pub use error::CheckError;
pub use options::{Journal, Options, Progress, Stage};
pub use report::{Finding, Report, Stats};
pub use untorn_format::Place;
