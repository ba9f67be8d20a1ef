//! The way down a tree, for commands that read, and for changes that leave names alone.
//!
//! What cannot be read below the start is told and left out, and the rest visited. Inodes are found
//! by their numbers: depth costs no lookups.

use super::met::Met;
use super::operands::Told;
use crate::arguments::VolumePath;
use crate::failure::At;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// A place on the way.
pub struct Step<'a> {
    /// Its path, below the start as that was typed.
    pub path: &'a VolumePath,
    /// What is known of its inode.
    pub found: &'a Metadata,
    /// Names between the start and it.
    pub depth: usize,
}

/// Where the way goes from a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// Into it.
    Down,
    /// Past it.
    Past,
}

/// Visits what is at `path` and all below it, a directory before what is in it, names in order.
/// Links are not followed; one at the start only where a slash stands behind it.
pub fn walk(
    volume: &Volume,
    path: &VolumePath,
    told: &mut Told,
    visit: impl FnMut(&Step<'_>, &mut Told) -> anyhow::Result<Onward>,
) -> anyhow::Result<()> {
    let top = volume.metadata(path).at(path)?.inode.ino;
    walk_from(volume, (path, top), told, visit)
}

/// The same from the inode `top` on, which messages call `path`.
pub fn walk_from(
    volume: &Volume,
    (path, top): (&VolumePath, Ino),
    told: &mut Told,
    mut visit: impl FnMut(&Step<'_>, &mut Told) -> anyhow::Result<Onward>,
) -> anyhow::Result<()> {
    let (mut todo, mut met) = (vec![(path.clone(), top, 0)], Met::default());
    while let Some((path, ino, depth)) = todo.pop() {
        let Some(found) = told.of(volume.metadata_of(ino).at(&path))? else { continue };
        let step = Step { path: &path, found: &found, depth };
        let onward = visit(&step, told)?;
        if found.kind != FileKind::Directory || onward == Onward::Past {
            continue;
        }
        let listed = met.enter(ino).and_then(|()| volume.entries_of(ino).at(&path));
        let Some(mut below) = told.of(listed)? else { continue };
        below.sort_unstable_by(|a, b| b.name.cmp(&a.name));
        let below = below.into_iter();
        todo.extend(below.map(|entry| (path.join(&entry.name), entry.ino, depth + 1)));
    }
    Ok(())
}
