//! Directories that were met on a way down.

use crate::failure::{Code, Refusal};
use std::collections::HashSet;
use untorn::{Error, Volume};
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
            false => Err(damaged(format!("directory inode {dir} has two names"))),
        }
    }
}

/// Refuses a directory that was found in the directory `above` and says to lie elsewhere: the way
/// through it would lead out of what was named. One that cannot be read is told of when it is
/// listed.
pub fn demand_inside(volume: &Volume, above: Ino, dir: Ino) -> anyhow::Result<()> {
    let said = match volume.find_in(dir, "..") {
        Ok(said) if said == above => return Ok(()),
        Ok(said) => format!("says it is in {said}"),
        Err(Error::NotFound(_)) => "does not say where it is".to_owned(),
        Err(_) => return Ok(()),
    };
    Err(damaged(format!("directory inode {dir}: found in inode {above}, {said}")))
}

fn damaged(told: String) -> anyhow::Error {
    Refusal::new(Code::Damaged, format!("{told}: damaged")).or("see `untorn check`").into()
}
