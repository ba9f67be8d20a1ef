//! `untorn ln`: gives a file one more name, or makes a symbolic link.

use super::mv::{entry, inside, is_directory};
use crate::arguments::{Ln, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::target;
use std::io::Write;
use untorn::{Make, Name, NewFile, Removal, Volume};
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
        if arguments.force {
            make_way(volume, &name, file)?;
        }
        match file {
            Some(ino) => volume.link(ino, &name).at(&name)?,
            None => {
                let new = NewFile { permissions: 0o777, ..NewFile::default() };
                let what = Make::Symlink(arguments.target.as_ref());
                volume.make(&name, what, new).map(drop).at(&name)?;
            }
        }
        deeds.add(&name).with_path("target", &arguments.target);
        Ok(())
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

/// Removes what has the name already, unless that is the file itself.
fn make_way(volume: &Volume, name: &VolumePath, file: Option<Ino>) -> anyhow::Result<()> {
    let Ok(found) = entry(volume, name) else { return Ok(()) };
    if file == Some(found.inode.ino) {
        let told = format!("{name}: is that file already");
        return Err(Refusal::new(Code::Exists, told).into());
    }
    let name_there = Name::from(name);
    volume.detach(name_there, Removal::NoDirectory).map(drop).at(name)
}
