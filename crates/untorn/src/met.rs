//! Extents that one transaction has met in B+trees of forks.
//!
//! A change of a directory asks some fifteen times where one of five blocks lies. What was found
//! once stays true until the transaction changes that tree; whoever changes it says so.

use untorn_format::records::{Extent, Fork};
use untorn_format::{FileBlock, Ino};

/// How many are remembered: the blocks of two names.
const MOST: usize = 12;

/// The extents met last.
#[derive(Debug, Default)]
pub(crate) struct Met {
    extents: Vec<(Ino, Fork, Extent)>,
    next: usize,
}

impl Met {
    /// The extent of the fork that holds `at`, if it was met.
    pub fn at(&self, ino: Ino, fork: Fork, at: FileBlock) -> Option<Extent> {
        let holds = |extent: &Extent| extent.file <= at && at < extent.file_end();
        let mut of_fork = self.extents.iter().filter(|met| (met.0, met.1) == (ino, fork));
        of_fork.find(|(_, _, extent)| holds(extent)).map(|(_, _, extent)| *extent)
    }

    /// Remembers an extent, in the place of the oldest.
    pub fn add(&mut self, ino: Ino, fork: Fork, extent: Extent) {
        let met = (ino, fork, extent);
        match self.extents.get_mut(self.next) {
            Some(place) => *place = met,
            None => self.extents.push(met),
        }
        self.next = (self.next + 1) % MOST;
    }

    /// The tree of a fork changes.
    pub fn forget(&mut self, ino: Ino, fork: Fork) {
        self.extents.retain(|met| (met.0, met.1) != (ino, fork));
        self.next = self.extents.len() % MOST;
    }
}
