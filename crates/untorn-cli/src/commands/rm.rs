//! `untorn rm`: removes files and directories.

use crate::arguments::Rm;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Error, Volume};
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
        (FileKind::Directory, true) => remove_tree(volume, path.as_bytes()),
        _ => Ok(volume.remove(path)?),
    }
}

/// Removes a directory and all below it, the deepest first. Links are removed, not followed.
fn remove_tree(volume: &Volume, root: &[u8]) -> anyhow::Result<()> {
    let mut directories = vec![root.to_vec()];
    let mut next = 0;
    while let Some(directory) = directories.get(next).cloned() {
        next += 1;
        for entry in volume.read_dir(&directory)? {
            let path = [directory.as_slice(), b"/", &entry.name].concat();
            match volume.metadata_of(entry.ino)?.kind {
                FileKind::Directory => directories.push(path),
                _ => volume.remove(&path)?,
            }
        }
    }
    directories.iter().rev().try_for_each(|path| volume.remove(path))?;
    Ok(())
}
