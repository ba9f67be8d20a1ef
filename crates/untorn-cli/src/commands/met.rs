//! Directories that were met on a way down.

use crate::failure::{Code, Refusal};
use std::collections::HashSet;
use untorn_format::Ino;

/// Directories that were met. A directory has one name, so who meets one again is on a damaged
/// volume, where the way down may have no end.
#[derive(Default)]
pub struct Met(HashSet<Ino>);

impl Met {
    /// Meets a directory for the first time.
    pub fn enter(&mut self, dir: Ino) -> anyhow::Result<()> {
        match self.0.insert(dir) {
            true => Ok(()),
            false => {
                let told = format!("directory inode {dir} has two names: damaged");
                Err(Refusal::new(Code::Damaged, told).or("see `untorn check`").into())
            }
        }
    }
}
