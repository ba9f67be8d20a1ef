//! What the caller may choose.

use std::fmt;

/// What to do with a volume whose journal holds changes that are not home yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Journal {
    /// Refuse it: without replay nothing said of it would be true.
    #[default]
    MustBeClean,
    /// Check the blocks as they lie, whatever the journal holds. Counters that only a clean
    /// journal makes right are not compared.
    AsItLies,
}

/// How to check.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Most findings to collect. The check stops when there are as many.
    pub limit: usize,
    /// What to do about changes in the journal.
    pub journal: Journal,
    /// Called now and then with how far the check has come.
    pub progress: Option<&'a dyn Fn(Progress)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self { limit: 1000, journal: Journal::MustBeClean, progress: None }
    }
}

impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("limit", &self.limit)
            .field("journal", &self.journal)
            .finish_non_exhaustive()
    }
}

/// What the check is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Headers and btrees of each AG.
    Groups,
    /// Inodes, their extents and attributes, in AG after AG.
    Inodes,
    /// Directories and their entries.
    Directories,
    /// Link counts and unlinked chains.
    Links,
    /// The owners of every block of each AG.
    Owners,
}

/// How far a stage has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The stage.
    pub stage: Stage,
    /// Units done: AGs, or directories in [`Stage::Directories`].
    pub done: u64,
    /// Units of the stage.
    pub of: u64,
}
