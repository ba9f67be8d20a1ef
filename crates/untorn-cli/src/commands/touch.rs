//! `untorn touch`: makes empty files, or says that files were changed now.

use super::operands;
use crate::arguments::{Touch, VolumePath};
use crate::failure::{At, Outcome};
use crate::show::Deeds;
use crate::target;
use std::io::Write;
use untorn::{Error, NewMetadata, SetTime, Volume};

/// Touches each path.
pub fn run(arguments: &Touch, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "touched", |volume, deeds| {
        operands::each(&arguments.paths, |path| touch(volume, path, arguments, deeds))
    })
}

fn touch(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Touch,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    let now = Some(SetTime::Now);
    let change = NewMetadata { atime: now, mtime: now, ..NewMetadata::default() };
    let created = match volume.lookup(path) {
        Ok(ino) => volume.set_metadata_of(ino, &change).map(|()| false).at(path)?,
        Err(Error::NotFound(_)) if arguments.no_create => return Ok(()),
        Err(Error::NotFound(_)) => {
            let new = arguments.owner.new_file(0o644);
            volume.create_file(path, new).map(|_| true).at(path)?
        }
        Err(error) => return Err(error).at(path),
    };
    deeds.add(path).with("created", created);
    Ok(())
}
