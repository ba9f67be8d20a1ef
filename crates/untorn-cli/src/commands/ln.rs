//! `untorn ln`: gives a file one more name, or makes a symbolic link.

use super::beside::free_name_in;
use super::mv::{entry, inside, is_directory};
use crate::arguments::{Ln, VolumePath};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::target;
use std::io::Write;
use untorn::{Make, Metadata, NewFile, Rename, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Links.
pub fn run(arguments: &Ln, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "linked", |volume, deeds| {
        let name = match is_directory(volume, &arguments.name) {
            true => inside(&arguments.name, &arguments.target)?,
            false => arguments.name.clone(),
        };
        let file = match arguments.symbolic {
            true => None,
            false => Some(linkable(volume, &arguments.target)?),
        };
        let make = |name: &VolumePath| match file {
            Some(ino) => volume.link(ino, name),
            None => {
                let new = NewFile { permissions: 0o777, ..NewFile::default() };
                let what = Make::Symlink(arguments.target.as_ref());
                volume.make(name, what, new).map(drop)
            }
        };
        match entry(volume, &name) {
            Ok(old) if arguments.force => replace(volume, &name, (&old, file), make)?,
            _ => make(&name).at(&name)?,
        }
        deeds.add(&name).with_path("target", &arguments.target);
        Ok(End::Well)
    })
}

fn linkable(volume: &Volume, target: &VolumePath) -> anyhow::Result<Ino> {
    let ino = volume.lookup(target).at(target)?;
    if volume.metadata_of(ino).at(target)?.kind != FileKind::Directory {
        return Ok(ino);
    }
    let told = format!("{target}: is a directory, which has one name alone");
    let remedy = "make a symbolic link to it with `untorn ln -s`";
    Err(Refusal::new(Code::IsADirectory, told).or(remedy).into())
}

/// Gives the name to what `make` makes: beside it first, so that what has the name stays where that
/// fails. The file itself keeps it.
fn replace(
    volume: &Volume,
    name: &VolumePath,
    (old, file): (&Metadata, Option<Ino>),
    make: impl Fn(&VolumePath) -> untorn::Result<()>,
) -> anyhow::Result<()> {
    if file == Some(old.inode.ino) {
        let told = format!("{name}: is that file already");
        return Err(Refusal::new(Code::Exists, told).into());
    }
    let dir = volume.lookup(name.above()).at(name)?;
    let beside = name.above().join(free_name_in(volume, dir)?.as_bytes());
    make(&beside).at(name)?;
    let renamed = volume.rename(&beside, name, Rename::Replace);
    if renamed.is_err() {
        volume.remove(&beside).at(&beside)?;
    }
    renamed.map(drop).at(name)
}
