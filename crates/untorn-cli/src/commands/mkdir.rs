//! `untorn mkdir`: makes directories.

use crate::arguments::Mkdir;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Error, NewFile, Volume};
use untorn_format::inode::FileKind;

/// Makes each directory, and its parents where that was asked.
pub fn run(arguments: &Mkdir) -> Outcome {
    let owner = &arguments.owner;
    let new = NewFile { permissions: owner.mode.unwrap_or(0o755), uid: owner.uid, gid: owner.gid };
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| match arguments.parents {
            true => with_parents(volume, path, new),
            false => Ok(volume.create_dir(path, new).map(drop)?),
        })
    })?;
    Ok(End::Well)
}

fn with_parents(volume: &Volume, path: &str, new: NewFile) -> anyhow::Result<()> {
    let parent = NewFile { permissions: 0o755, ..new };
    let ends = path.char_indices().filter(|&(at, c)| c == '/' && at > 0).map(|(at, _)| at);
    for end in ends {
        if let Some(above) = path.get(..end) {
            make(volume, above, parent)?;
        }
    }
    make(volume, path, new)
}

/// Makes the directory unless it is there.
fn make(volume: &Volume, path: &str, new: NewFile) -> anyhow::Result<()> {
    match volume.lookup(path) {
        Ok(ino) if volume.metadata_of(ino)?.kind == FileKind::Directory => Ok(()),
        Ok(_) => Err(Error::NotDirectory(path.to_owned()).into()),
        Err(Error::NotFound(_)) => Ok(volume.create_dir(path, new).map(drop)?),
        Err(error) => Err(error.into()),
    }
}
