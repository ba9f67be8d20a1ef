//! From the host into a volume.

use super::Job;
use crate::arguments::Destination;
use crate::commands::mv::is_directory;
use crate::failure::{self, At, Code, End, Refusal};
use crate::{progress, show};
use anyhow::Context;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
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
        if !inside && from.len() > 1 {
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
        for &path in from {
            let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
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
            all.push((name, path));
        }
        tree.shun(image);
        tree.add_all(&all)?;
        tree.own(&self.arguments.whose.owners()?);
        Ok(tree)
    }
}

/// Whether a path names what is in a directory (`folder/.`) rather than the directory.
fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes == b"." || bytes.ends_with(b"/.")
}
