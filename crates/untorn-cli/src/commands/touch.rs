//! `untorn touch`: makes empty files, or says when files were changed.

use super::mv::itself;
use super::{dangling, operands};
use crate::arguments::{Touch, VolumePath};
use crate::failure::{At, Outcome};
use crate::show::Deeds;
use crate::target;
use std::io::Write;
use untorn::{Error, NewMetadata, SetTime, Volume};

/// The times that files get: of the last read, of the last change.
type Times = (SetTime, SetTime);

/// Touches each path.
pub fn run(arguments: &Touch, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "touched", |volume, deeds| {
        let times = times(volume, arguments)?;
        operands::each(&arguments.paths, |path| touch(volume, path, (arguments, times), deeds))
    })
}

fn times(volume: &Volume, arguments: &Touch) -> anyhow::Result<Times> {
    if let Some(path) = &arguments.reference {
        let ino = match arguments.no_dereference {
            true => itself(volume, path)?,
            false => volume.lookup(path).at(path)?,
        };
        let found = volume.metadata_of(ino).at(path)?;
        return Ok((SetTime::To(found.inode.atime), SetTime::To(found.inode.mtime)));
    }
    let time = arguments.date.or(arguments.stamp).map_or(SetTime::Now, SetTime::To);
    Ok((time, time))
}

fn touch(
    volume: &Volume,
    path: &VolumePath,
    (arguments, (atime, mtime)): (&Touch, Times),
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    let (read, changed) = (arguments.access, arguments.modification);
    let change = NewMetadata {
        atime: Some(atime).filter(|_| read || !changed),
        mtime: Some(mtime).filter(|_| changed || !read),
        ..NewMetadata::default()
    };
    let there = match arguments.no_dereference {
        true => itself(volume, path),
        false => volume.lookup(path).at(path),
    };
    let (ino, created) = match there {
        Err(error) if !is_missing(&error) => return Err(error),
        Err(_) if arguments.no_create => return Ok(()),
        Err(error) if arguments.no_dereference => return Err(error),
        Err(_) => {
            let new = |permissions| arguments.owner.new_file(permissions);
            (dangling::create(volume, path, new)?.0.ino(), true)
        }
        Ok(ino) => (ino, false),
    };
    let whose = arguments.owner.change().filter(|_| !created).unwrap_or_default();
    let (atime, mtime) = (change.atime, change.mtime);
    volume.set_metadata_of(ino, &NewMetadata { atime, mtime, ..whose }).at(path)?;
    deeds.add(path).with("created", created);
    Ok(())
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::NotFound(_)))
}
