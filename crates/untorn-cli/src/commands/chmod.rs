//! `untorn chmod` and `untorn chown`: permissions and owners.

use super::dangling;
use super::met::Met;
use super::mv::itself;
use super::operands;
use crate::accounts::Accounts;
use crate::arguments::{Chmod, Chown, VolumePath};
use crate::failure::{At, Outcome};
use crate::permissions::NewMode;
use crate::target;
use std::io::Write;
use untorn::{Metadata, NewMetadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Sets permissions.
pub fn mode(arguments: &Chmod, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "changed", |volume, deeds| {
        let (mode, paths) = match &arguments.reference {
            Some(path) => {
                let found = like(volume, path)?;
                (NewMode::Exactly(found.inode.mode & 0o7777), arguments.mode.all(&arguments.paths)?)
            }
            None => {
                let (mode, paths) = arguments.mode.and(&arguments.paths)?;
                (mode, paths.to_vec())
            }
        };
        operands::each(&paths, |path| {
            let set = |ino, found: &Metadata| match found.kind {
                // The permissions of a symbolic link mean nothing.
                FileKind::Symlink => Ok(()),
                kind => {
                    let permissions = Some(mode.of(found.inode.mode, kind));
                    volume.set_metadata_of(ino, &NewMetadata { permissions, ..Default::default() })
                }
            };
            let top = dangling::lookup(volume, path)?;
            each(volume, (path, top), arguments.recursive, &set)?;
            let mode = volume.metadata_of(top).at(path)?.inode.mode & 0o7777;
            deeds.add(path).with("mode", format!("{mode:04o}"));
            Ok(())
        })
    })
}

/// Sets owner and group.
pub fn owner(arguments: &Chown, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "changed", |volume, deeds| {
        let ((uid, gid), paths) = match &arguments.reference {
            Some(path) => {
                let inode = like(volume, path)?.inode;
                let both = (Some(inode.uid), Some(inode.gid));
                (both, arguments.owner.all(&arguments.paths)?)
            }
            None => {
                let (who, paths) = arguments.owner.and(&arguments.paths)?;
                (Accounts::of(volume).numbers(&who)?, paths.to_vec())
            }
        };
        let change = NewMetadata { uid, gid, ..NewMetadata::default() };
        operands::each(&paths, |path| {
            let set = |ino, _: &Metadata| volume.set_metadata_of(ino, &change);
            // Of a tree no link is followed, not even one that is named.
            let top = match arguments.no_dereference || arguments.recursive {
                true => itself(volume, path)?,
                false => dangling::lookup(volume, path)?,
            };
            each(volume, (path, top), arguments.recursive, &set)?;
            let found = volume.metadata_of(top).at(path)?.inode;
            deeds.add(path).with("uid", found.uid).with("gid", found.gid);
            Ok(())
        })
    })
}

fn like(volume: &Volume, path: &VolumePath) -> anyhow::Result<Metadata> {
    volume.lookup(path).and_then(|ino| volume.metadata_of(ino)).at(path)
}

/// Changes `top`, and with `recursive` all below it; links are not followed there.
fn each(
    volume: &Volume,
    (path, top): (&VolumePath, Ino),
    recursive: bool,
    change: &dyn Fn(Ino, &Metadata) -> untorn::Result<()>,
) -> anyhow::Result<()> {
    let (mut todo, mut met) = (vec![(path.clone(), top)], Met::default());
    while let Some((path, ino)) = todo.pop() {
        let found = volume.metadata_of(ino).at(&path)?;
        change(ino, &found).at(&path)?;
        if recursive && found.kind == FileKind::Directory {
            met.enter(ino)?;
            let below = volume.entries_of(ino).at(&path)?.into_iter();
            todo.extend(below.map(|entry| (path.join(&entry.name), entry.ino)));
        }
    }
    Ok(())
}
