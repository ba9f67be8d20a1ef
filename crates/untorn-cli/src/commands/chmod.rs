//! `untorn chmod` and `untorn chown`: permissions and owners.

use crate::arguments::{Chmod, Chown};
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{NewMetadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Sets permissions.
pub fn mode(arguments: &Chmod) -> Outcome {
    let change = NewMetadata { permissions: Some(arguments.mode), ..NewMetadata::default() };
    target::write(&arguments.image, |volume| {
        each(volume, &arguments.paths, arguments.recursive, &|ino, kind| {
            // The permissions of a symbolic link mean nothing.
            if kind == FileKind::Symlink { Ok(()) } else { volume.set_metadata_of(ino, &change) }
        })
    })?;
    Ok(End::Well)
}

/// Sets owner and group.
pub fn owner(arguments: &Chown) -> Outcome {
    let (uid, gid) = arguments.owner;
    let change = NewMetadata { uid, gid, ..NewMetadata::default() };
    target::write(&arguments.image, |volume| {
        each(volume, &arguments.paths, arguments.recursive, &|ino, _| {
            volume.set_metadata_of(ino, &change)
        })
    })?;
    Ok(End::Well)
}

/// Changes each path, and with `recursive` all below it. Links are not followed below a path.
fn each(
    volume: &Volume,
    paths: &[String],
    recursive: bool,
    change: &dyn Fn(Ino, FileKind) -> untorn::Result<()>,
) -> anyhow::Result<()> {
    for path in paths {
        let mut todo = vec![volume.lookup(path)?];
        while let Some(ino) = todo.pop() {
            let kind = volume.metadata_of(ino)?.kind;
            change(ino, kind)?;
            if recursive && kind == FileKind::Directory {
                let below = volume.entries_of(ino)?.into_iter();
                let below = below.filter(|entry| entry.name != b"." && entry.name != b"..");
                todo.extend(below.map(|entry| entry.ino));
            }
        }
    }
    Ok(())
}
