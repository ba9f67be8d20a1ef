//! `untorn touch`: makes empty files, or says that files were changed now.

use crate::arguments::Touch;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Error, NewFile, NewMetadata, SetTime, Volume};

/// Touches each path.
pub fn run(arguments: &Touch) -> Outcome {
    let owner = &arguments.owner;
    let new = NewFile { permissions: owner.mode.unwrap_or(0o644), uid: owner.uid, gid: owner.gid };
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| touch(volume, path, new, arguments))
    })?;
    Ok(End::Well)
}

fn touch(volume: &Volume, path: &str, new: NewFile, arguments: &Touch) -> anyhow::Result<()> {
    let now = Some(SetTime::Now);
    let change = NewMetadata { atime: now, mtime: now, ..NewMetadata::default() };
    match volume.lookup(path) {
        Ok(ino) => Ok(volume.set_metadata_of(ino, &change)?),
        Err(Error::NotFound(_)) if arguments.no_create => Ok(()),
        Err(Error::NotFound(_)) => Ok(volume.create_file(path, new).map(drop)?),
        Err(error) => Err(error.into()),
    }
}
