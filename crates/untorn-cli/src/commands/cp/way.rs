//! The way down a tree of a volume that is copied: which directories lie above, what links lead to.
//!
//! Invariant: the way has an end. Without -L a directory is met once; with -L none is entered that
//! lies above, nor one that this run made.

use super::Job;
use crate::arguments::VolumePath;
use crate::commands::dangling;
use crate::commands::met::Met;
use crate::failure::{At, Code, Refusal};
use anyhow::Context;
use std::collections::HashSet;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// The directories on the way down to what comes next.
#[derive(Default)]
pub(super) struct Way {
    above: HashSet<Ino>,
    met: Met,
}

impl Way {
    /// What is copied of `ino`, which `path` leads to: with -L what a link leads to.
    pub fn meet(
        &mut self,
        (job, volume): (&Job<'_>, &Volume),
        path: &VolumePath,
        ino: Ino,
    ) -> anyhow::Result<Metadata> {
        let found = volume.metadata_of(ino).at(path)?;
        let found = match found.kind {
            FileKind::Symlink if job.arguments.follows_all() => {
                let led = dangling::lookup(volume, path)?;
                volume.metadata_of(led).at(path)?
            }
            _ => found,
        };
        if found.kind != FileKind::Directory {
            return Ok(found);
        }
        if self.above.contains(&found.inode.ino) && job.arguments.follows_all() {
            let told = format!("{path}: leads to a directory that it lies in");
            return Err(loops(told).into());
        }
        if !job.arguments.follows_all() {
            self.met.enter(found.inode.ino).with_context(|| path.to_string())?;
        }
        Ok(found)
    }

    /// What comes next lies in `dir`.
    pub fn enter(&mut self, dir: Ino) {
        self.above.insert(dir);
    }

    /// All in `dir` is done.
    pub fn leave(&mut self, dir: Ino) {
        self.above.remove(&dir);
    }
}

/// What links lead round to.
pub(super) fn loops(told: String) -> Refusal {
    Refusal::new(Code::LinkLoop, told).or("leave -L out: links stay links")
}
