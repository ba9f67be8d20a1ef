//! `untorn mv`: gives files another name.

use super::operands;
use crate::arguments::{Mv, VolumePath};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use anyhow::bail;
use std::io::Write;
use untorn::{Error, Metadata, Rename, Volume};
use untorn_format::inode::FileKind;

/// Renames, or moves into a directory.
pub fn run(arguments: &Mv, out: &mut dyn Write) -> Outcome {
    let verb = if arguments.exchange { "exchanged" } else { "moved" };
    target::change(&arguments.image, out, verb, |volume, deeds| {
        let Some((to, from)) = arguments.paths.split_last() else { bail!("nothing to move") };
        if arguments.exchange {
            let [from] = from else { bail!("--exchange takes two paths") };
            entry(volume, to)?;
            rename(volume, from, to, Rename::Exchange, deeds)?;
            return Ok(End::Well);
        }
        let how = if arguments.no_clobber { Rename::NoReplace } else { Rename::Replace };
        let into = is_directory(volume, to);
        if !into && from.len() > 1 {
            return Err(Error::NotDirectory(to.to_string()).into());
        }
        operands::each(from, |from| match into {
            true => rename(volume, from, &inside(to, from)?, how, deeds),
            false => rename(volume, from, to, how, deeds),
        })
    })
}

fn rename(
    volume: &Volume,
    from: &VolumePath,
    to: &VolumePath,
    how: Rename,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    // Whatever is wrong from here on is about the new name.
    let found = entry(volume, from)?;
    if to.ends_with_slash() && found.kind != FileKind::Directory {
        return Err(Error::NotDirectory(to.to_string()).into());
    }
    volume.rename(from, to, how).at(to)?;
    deeds.add(from).with_path("to", to);
    Ok(())
}

/// What the name itself is, a link where it is one; a slash behind it asks for a directory.
pub(super) fn entry(volume: &Volume, path: &VolumePath) -> anyhow::Result<Metadata> {
    let Some(_) = path.name() else { return volume.metadata(path).at(path) };
    let found = volume.metadata(path.without_slashes()).at(path)?;
    match path.ends_with_slash() && found.kind != FileKind::Directory {
        true => Err(Error::NotDirectory(path.to_string()).into()),
        false => Ok(found),
    }
}

/// Whether it is a directory, or a link to one.
pub(super) fn is_directory(volume: &Volume, path: &VolumePath) -> bool {
    let found = volume.lookup(path).and_then(|ino| volume.metadata_of(ino));
    found.is_ok_and(|found| found.kind == FileKind::Directory)
}

/// The path of `from`'s last part in the directory `to`.
pub(super) fn inside(to: &VolumePath, from: &VolumePath) -> anyhow::Result<VolumePath> {
    match from.name() {
        Some(name) => Ok(to.join(name)),
        None => Err(Refusal::new(Code::Invalid, format!("{from}: has no name to move")).into()),
    }
}
