//! `untorn chmod` and `untorn chown`: permissions and owners.

use super::met::Met;
use super::operands;
use crate::accounts::Accounts;
use crate::arguments::{Chmod, Chown, VolumePath};
use crate::failure::{At, Outcome};
use crate::target;
use std::io::Write;
use untorn::{Metadata, NewMetadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Sets permissions.
pub fn mode(arguments: &Chmod, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "changed", |volume, deeds| {
        operands::each(&arguments.paths, |path| {
            let set = |ino, found: &Metadata| match found.kind {
                // The permissions of a symbolic link mean nothing.
                FileKind::Symlink => Ok(()),
                kind => {
                    let mode = arguments.mode.of(found.inode.mode, kind);
                    let permissions = Some(mode);
                    volume.set_metadata_of(ino, &NewMetadata { permissions, ..Default::default() })
                }
            };
            let top = each(volume, path, arguments.recursive, &set)?;
            let mode = volume.metadata_of(top).at(path)?.inode.mode & 0o7777;
            deeds.add(path).with("mode", format!("{mode:04o}"));
            Ok(())
        })
    })
}

/// Sets owner and group.
pub fn owner(arguments: &Chown, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "changed", |volume, deeds| {
        let (uid, gid) = Accounts::of(volume).numbers(&arguments.owner)?;
        let change = NewMetadata { uid, gid, ..NewMetadata::default() };
        operands::each(&arguments.paths, |path| {
            let set = |ino, _: &Metadata| volume.set_metadata_of(ino, &change);
            let top = each(volume, path, arguments.recursive, &set)?;
            let found = volume.metadata_of(top).at(path)?.inode;
            deeds.add(path).with("uid", found.uid).with("gid", found.gid);
            Ok(())
        })
    })
}

/// Changes what is at the path, and with `recursive` all below it; links are not followed there.
fn each(
    volume: &Volume,
    path: &VolumePath,
    recursive: bool,
    change: &dyn Fn(Ino, &Metadata) -> untorn::Result<()>,
) -> anyhow::Result<Ino> {
    let top = volume.lookup(path).at(path)?;
    let (mut todo, mut met) = (vec![top], Met::default());
    while let Some(ino) = todo.pop() {
        let found = volume.metadata_of(ino).at(path)?;
        change(ino, &found).at(path)?;
        if recursive && found.kind == FileKind::Directory {
            met.enter(ino)?;
            todo.extend(volume.entries_of(ino).at(path)?.iter().map(|entry| entry.ino));
        }
    }
    Ok(top)
}
