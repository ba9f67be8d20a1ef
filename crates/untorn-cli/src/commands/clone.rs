//! `untorn clone`: files that share their blocks with others.

use super::met::Met;
use super::mv::{inside, is_directory};
use crate::arguments::Clone;
use crate::failure::{End, Outcome};
use crate::target;
use anyhow::bail;
use untorn::{Make, NewFile, Volume};
use untorn_format::inode::FileKind;

/// Clones a file, or with `-r` a tree: at once, whatever their sizes.
pub fn run(arguments: &Clone) -> Outcome {
    target::write(&arguments.image, |volume| {
        let to = match is_directory(volume, &arguments.to) {
            true => inside(&arguments.to, &arguments.from)?,
            false => arguments.to.clone(),
        };
        if !arguments.recursive && is_directory(volume, &arguments.from) {
            bail!("{}: is a directory; clone it with `untorn clone -r`", arguments.from);
        }
        let below = format!("{}/", arguments.from.trim_end_matches('/'));
        if to.starts_with(&below) {
            bail!("{to}: lies inside {}", arguments.from);
        }
        tree(volume, arguments.from.as_bytes(), to.as_bytes())
    })?;
    Ok(End::Well)
}

fn tree(volume: &Volume, from: &[u8], to: &[u8]) -> anyhow::Result<()> {
    // Links are cloned, not followed: what lies below is known by its number.
    let mut met = Met::default();
    let mut todo = vec![(from.to_vec(), to.to_vec(), volume.lookup(from)?)];
    while let Some((from, to, ino)) = todo.pop() {
        let found = volume.metadata_of(ino)?;
        let inode = &found.inode;
        let new = NewFile { permissions: inode.mode & 0o7777, uid: inode.uid, gid: inode.gid };
        match found.kind {
            FileKind::Directory => {
                met.enter(ino)?;
                let made = volume.create_dir(&to, new)?;
                volume.make_alike(ino, made)?;
                let below = volume.entries_of(ino)?.into_iter();
                let below = below.filter(|entry| entry.name != b"." && entry.name != b"..");
                let path = |start: &[u8], name: &[u8]| [start, b"/", name].concat();
                todo.extend(
                    below
                        .map(|entry| (path(&from, &entry.name), path(&to, &entry.name), entry.ino)),
                );
            }
            FileKind::Regular => drop(volume.clone_file(&from, &to)?),
            FileKind::Symlink => {
                let target = volume.link_target(ino)?;
                let made = volume.make(&to, Make::Symlink(&target), new)?;
                volume.make_alike(ino, made)?;
            }
            _ => bail!("{}: is no file, directory or link", from.escape_ascii()),
        }
    }
    Ok(())
}
