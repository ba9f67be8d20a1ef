//! `untorn rm`: removes files and directories.

use super::met::Met;
use crate::arguments::Rm;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Error, Name, Removal, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Removes each path.
pub fn run(arguments: &Rm) -> Outcome {
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| remove(volume, path, arguments))
    })?;
    Ok(End::Well)
}

fn remove(volume: &Volume, path: &str, arguments: &Rm) -> anyhow::Result<()> {
    let kind = match volume.metadata(path) {
        Ok(metadata) => metadata.kind,
        Err(Error::NotFound(_)) if arguments.force => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    if kind == FileKind::Directory && volume.lookup(path)? == volume.root() {
        anyhow::bail!("{path}: is the root directory, which stays; name what is in it instead");
    }
    match (kind, arguments.recursive) {
        (FileKind::Directory, false) => {
            anyhow::bail!("{path}: is a directory; remove it with `untorn rm -r`")
        }
        (FileKind::Directory, true) => {
            remove_tree(volume, volume.lookup(path)?)?;
            Ok(volume.remove(path)?)
        }
        _ => Ok(volume.remove(path)?),
    }
}

/// Removes all below a directory, the deepest first, by numbers: paths may be of any length. Links
/// are removed, not followed.
fn remove_tree(volume: &Volume, root: Ino) -> anyhow::Result<()> {
    let mut todo = vec![root];
    let (mut directories, mut met) = (Vec::new(), Met::default());
    while let Some(dir) = todo.pop() {
        met.enter(dir)?;
        for entry in volume.entries_of(dir)? {
            match volume.metadata_of(entry.ino)?.kind {
                FileKind::Directory => {
                    todo.push(entry.ino);
                    directories.push((dir, entry.name));
                }
                _ => drop(volume.detach(Name::In(dir, &entry.name), Removal::NoDirectory)?),
            }
        }
    }
    for (dir, name) in directories.iter().rev() {
        drop(volume.detach(Name::In(*dir, name), Removal::Directory)?);
    }
    Ok(())
}
