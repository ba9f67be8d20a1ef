//! `untorn chmod` and `untorn chown`: permissions and owners.

use super::dangling;
use super::mv::itself;
use super::operands::{self, Told};
use super::walk::{Onward, walk_from};
use crate::accounts::Accounts;
use crate::arguments::{Chmod, Chown, VolumePath};
use crate::capability;
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
        operands::each_tree(&paths, |path, told| {
            let top = dangling::lookup(volume, path)?;
            each(volume, (path, top), (arguments.recursive, told), |path, found| {
                // The permissions of a symbolic link mean nothing.
                if found.kind == FileKind::Symlink {
                    return Ok(());
                }
                let mode = mode.of(found.inode.mode, found.kind);
                let change = NewMetadata { permissions: Some(mode), ..Default::default() };
                volume.set_metadata_of(found.inode.ino, &change).at(path)?;
                deeds.add(path).with("mode", format!("{mode:04o}"));
                Ok(())
            })
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
        let change = NewMetadata { uid, gid, ..capability::DROPPED };
        operands::each_tree(&paths, |path, told| {
            // Of a tree no link is followed, not even one that is named.
            let top = match arguments.no_dereference || arguments.recursive {
                true => itself(volume, path)?,
                false => dangling::lookup(volume, path)?,
            };
            each(volume, (path, top), (arguments.recursive, told), |path, found| {
                let old = &found.inode;
                volume.set_metadata_of(old.ino, &change).at(path)?;
                let (uid, gid) = (uid.unwrap_or(old.uid), gid.unwrap_or(old.gid));
                deeds.add(path).with("uid", uid).with("gid", gid);
                Ok(())
            })
        })
    })
}

fn like(volume: &Volume, path: &VolumePath) -> anyhow::Result<Metadata> {
    volume.lookup(path).and_then(|ino| volume.metadata_of(ino)).at(path)
}

/// Changes `top`, and with `recursive` all below it; links are not followed there. What fails is
/// told, and the rest is changed.
fn each(
    volume: &Volume,
    (path, top): (&VolumePath, Ino),
    (recursive, told): (bool, &mut Told),
    mut change: impl FnMut(&VolumePath, &Metadata) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    walk_from(volume, (path, top), told, |step, told| {
        told.of(change(step.path, step.found))?;
        Ok(if recursive { Onward::Down } else { Onward::Past })
    })
}
