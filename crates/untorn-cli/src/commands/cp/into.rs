//! From the host into a volume.

use super::Job;
use crate::arguments::Destination;
use crate::commands::mv::is_directory;
use crate::progress;
use anyhow::{Context, bail};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use untorn::Volume;
use untorn_image::{Summary, Tree, populate};

impl Job<'_> {
    /// Copies `from` to the path `to`, or into it where it is a directory.
    pub(super) fn copy_in(
        &self,
        volume: &Volume,
        from: &[&Path],
        destination: &Destination,
    ) -> anyhow::Result<Summary> {
        let to = destination.path.as_str();
        let inside = is_directory(volume, to);
        if !inside && from.len() > 1 {
            bail!("{to}: is not a directory");
        }
        let (dir, name) = match inside {
            true => (to, ""),
            false => to.trim_end_matches('/').rsplit_once('/').unwrap_or(("", to)),
        };
        let dir = volume.lookup(if dir.is_empty() { "/" } else { dir })?;
        let tree = self.tree(from, name, &destination.image)?;
        let mut watch = progress::watch(&self.bar);
        Ok(populate(volume, dir, &tree, &mut watch)?)
    }

    /// What is copied, as it shall stand in the directory: called `to`, or as it is called.
    fn tree(&self, from: &[&Path], to: &str, image: &Path) -> anyhow::Result<Tree> {
        let mut tree = Tree::new();
        let mut all = Vec::new();
        for &path in from {
            let found = fs::symlink_metadata(path).with_context(|| path.display().to_string())?;
            if found.is_dir() && !self.arguments.recursive {
                bail!("{}: is a directory; copy it with `untorn cp -r`", path.display());
            }
            let own = path.file_name().filter(|_| !is_contents(path));
            let name = match (to, own) {
                ("", None) => Vec::new(),
                ("", Some(own)) => own.as_bytes().to_vec(),
                (to, _) => to.as_bytes().to_vec(),
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
