//! Directories that were met on a way down.

use anyhow::ensure;
use std::collections::HashSet;
use untorn_format::Ino;

/// Directories that were met. A directory has one name, so who meets one again is on a damaged
/// volume, where the way down may have no end.
#[derive(Default)]
pub struct Met(HashSet<Ino>);

impl Met {
    /// Meets a directory for the first time.
    pub fn enter(&mut self, dir: Ino) -> anyhow::Result<()> {
        let is_new = self.0.insert(dir);
        ensure!(is_new, "directory inode {dir} has two names: damaged; see `untorn check`");
        Ok(())
    }
}
