//! `untorn mkdir`: makes directories.

use super::{dangling, operands};
use crate::arguments::{Mkdir, VolumePath};
use crate::failure::{At, Outcome};
use crate::target;
use std::io::Write;
use untorn::{Error, Volume};
use untorn_format::inode::FileKind;

/// Makes each directory, and its parents where that was asked.
pub fn run(arguments: &Mkdir, out: &mut dyn Write) -> Outcome {
    let mode = arguments.mode.as_ref().map(|mode| mode.of(0o777, FileKind::Directory));
    target::change(&arguments.image, out, "made", |volume, deeds| {
        operands::each(&arguments.paths, |path| {
            let mut make = |path: &VolumePath, mode: Option<u16>| {
                let usual = || dangling::permissions(volume, path, 0o777);
                let new = arguments.whose.new_file(mode.unwrap_or_else(usual));
                let ino = volume.create_dir(path, new).at(path)?;
                deeds.add(path).with("inode", ino.0);
                deeds.say(|| format!("created directory '{path}'"), arguments.verbose);
                Ok(())
            };
            match arguments.parents {
                true => with_parents(volume, path, mode, &mut make),
                false => make(path, mode),
            }
        })
    })
}

/// Makes a directory, with the usual permissions or these.
type Maker<'a> = dyn FnMut(&VolumePath, Option<u16>) -> anyhow::Result<()> + 'a;

fn with_parents(
    volume: &Volume,
    path: &VolumePath,
    mode: Option<u16>,
    make: &mut Maker<'_>,
) -> anyhow::Result<()> {
    let bytes = path.without_slashes();
    let ends = (1..bytes.len()).filter(|&at| bytes.get(at) == Some(&b'/'));
    for above in ends.filter_map(|end| bytes.get(..end)) {
        unless_there(volume, &VolumePath::new(above), None, make)?;
    }
    unless_there(volume, path, mode, make)
}

fn unless_there(
    volume: &Volume,
    path: &VolumePath,
    mode: Option<u16>,
    make: &mut Maker<'_>,
) -> anyhow::Result<()> {
    match volume.lookup(path) {
        Ok(ino) if volume.metadata_of(ino).at(path)?.kind == FileKind::Directory => Ok(()),
        Ok(_) => Err(Error::NotDirectory(path.to_string()).into()),
        Err(Error::NotFound(_)) => make(path, mode),
        Err(error) => Err(error).at(path),
    }
}
