//! The way down a tree.

use super::met::Met;
use crate::arguments::VolumePath;
use crate::failure::At;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Visits what is at `path` and all below it, a directory before what is in it, names in order.
pub fn walk(
    volume: &Volume,
    path: &VolumePath,
    mut visit: impl FnMut(&VolumePath, Ino, &Metadata) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut met = Met::default();
    let mut todo = vec![(path.clone(), volume.lookup(path).at(path)?)];
    while let Some((path, ino)) = todo.pop() {
        let found = volume.metadata_of(ino).at(&path)?;
        visit(&path, ino, &found)?;
        if found.kind != FileKind::Directory {
            continue;
        }
        met.enter(ino)?;
        let mut below = volume.entries_of(ino).at(&path)?;
        below.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        todo.extend(below.into_iter().map(|entry| (path.join(&entry.name), entry.ino)));
    }
    Ok(())
}
