//! From the host into a volume.

use super::Job;
use crate::arguments::Destination;
use crate::commands::mv::is_directory;
use crate::failure::{self, At, Code, End, Refusal};
use crate::{progress, show};
use anyhow::Context;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use untorn::{Error, Volume};
use untorn_image::{Summary, Tree, populate};

impl Job<'_> {
    /// Copies `from` to the path `to`, or into it where it is a directory. What changes meanwhile
    /// is told of.
    pub(super) fn copy_in(
        &self,
        volume: &Volume,
        from: &[&Path],
        destination: &Destination,
    ) -> anyhow::Result<(Summary, End)> {
        let to = &destination.path;
        let inside = is_directory(volume, to);
        if !inside && (from.len() > 1 || to.ends_with_slash() && !from.iter().all(|p| p.is_dir())) {
            return Err(Error::NotDirectory(to.to_string()).into());
        }
        let (dir, name) = match (inside, to.name()) {
            (false, Some(name)) => (to.above(), name),
            _ => (to.clone(), &b""[..]),
        };
        let dir = volume.lookup(&dir).at(&dir)?;
        let tree = self.tree(from, name, &destination.image)?;
        let mut end = End::Well;
        let changed = |path: &[u8]| {
            let told = "changed while it was copied: cut or padded to the size that it had";
            let told = format!("{}: {told}", show::printable(path));
            self.bar.suspend(|| failure::warn(Code::Changed, told));
            end = End::Found;
        };
        let mut watch = progress::watch(&self.bar, changed);
        let summary = populate(volume, dir, &tree, &mut watch)?;
        drop(watch);
        Ok((summary, end))
    }

    /// What is copied, as it shall stand in the directory: called `to`, or as it is called.
    fn tree(&self, from: &[&Path], to: &[u8], image: &Path) -> anyhow::Result<Tree> {
        let mut tree = Tree::new();
        let mut all = Vec::new();
        let sources = from.iter().map(|path| self.source(path));
        let sources = sources.collect::<anyhow::Result<Vec<_>>>()?;
        for (&path, real) in from.iter().zip(&sources) {
            let found = fs::symlink_metadata(real).with_context(|| path.display().to_string())?;
            if found.is_dir() && !self.arguments.recursive {
                let told = format!("{}: is a directory", path.display());
                let remedy = "copy it with `untorn cp -r`";
                return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
            }
            let own = path.file_name().filter(|_| !is_contents(path));
            let name = match (to, own) {
                ([], None) => Vec::new(),
                ([], Some(own)) => own.as_bytes().to_vec(),
                (to, _) => to.to_vec(),
            };
            all.push((name, real.as_path()));
        }
        tree.shun(image);
        tree.add_all(&all)?;
        tree.own(&self.arguments.whose.owners()?);
        Ok(tree)
    }
}

impl Job<'_> {
    /// What is read: a link itself where trees are copied, else what it leads to.
    fn source(&self, path: &Path) -> anyhow::Result<PathBuf> {
        let told = || path.display().to_string();
        let is_link = fs::symlink_metadata(path).with_context(told)?.is_symlink();
        if !is_link || self.arguments.recursive {
            return Ok(path.to_owned());
        }
        let kind = fs::metadata(path).with_context(told)?.file_type();
        if !kind.is_file() && !kind.is_dir() {
            let told = format!("{}: leads to no file", told());
            let remedy = "`untorn put -` takes what comes out of a pipe";
            return Err(Refusal::new(Code::Invalid, told).or(remedy).into());
        }
        fs::canonicalize(path).with_context(told)
    }
}

/// Whether a path names what is in a directory (`folder/.`) rather than the directory.
fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes == b"." || bytes.ends_with(b"/.")
}
