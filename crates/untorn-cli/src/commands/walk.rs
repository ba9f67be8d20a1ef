//! The way down a tree, for commands that read, and for changes that leave names alone.
//!
//! What cannot be read below the start is told and left out, and the rest visited. Inodes are found
//! by their numbers: depth costs no lookups.

use super::met::{self, Met};
use super::operands::Told;
use crate::arguments::VolumePath;
use crate::failure::At;
use untorn::{DirEntry, Metadata, Volume};
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
    let (mut levels, mut met): (Vec<Level>, _) = (Vec::new(), Met::default());
    let (mut path, mut next) = (path.clone(), Some((None, top)));
    while let Some((above, ino)) = next {
        let found = look(volume, &path, above, ino);
        let Some(found) = told.of(found)? else {
            next = next_of(&mut levels, &mut path);
            continue;
        };
        let step = Step { path: &path, found: &found, depth: levels.len() };
        let onward = visit(&step, told)?;
        if found.kind == FileKind::Directory && onward == Onward::Down {
            let listed = met.enter(ino).and_then(|()| volume.entries_of(ino).at(&path));
            if let Some(mut below) = told.of(listed)? {
                below.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                let length = path.without_slashes().len();
                levels.push(Level { dir: ino, below: below.into_iter(), length });
            }
        }
        next = next_of(&mut levels, &mut path);
    }
    Ok(())
}

/// A directory on the way: what of it is to come, and the length of its path.
struct Level {
    dir: Ino,
    below: std::vec::IntoIter<DirEntry>,
    length: usize,
}

/// What comes next, its path in `path`: one for all, for those of deep trees are long.
fn next_of(levels: &mut Vec<Level>, path: &mut VolumePath) -> Option<(Option<Ino>, Ino)> {
    while let Some(level) = levels.last_mut() {
        if let Some(entry) = level.below.next() {
            path.cut(level.length);
            path.push(&entry.name);
            return Some((Some(level.dir), entry.ino));
        }
        levels.pop();
    }
    None
}

/// What is at a place; a directory only where it lies in the one that names it.
fn look(
    volume: &Volume,
    path: &VolumePath,
    above: Option<Ino>,
    ino: Ino,
) -> anyhow::Result<Metadata> {
    let found = volume.metadata_of(ino).at(path)?;
    if let Some(above) = above.filter(|_| found.kind == FileKind::Directory) {
        met::demand_inside(volume, above, ino)?;
    }
    Ok(found)
}
