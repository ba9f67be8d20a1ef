//! `untorn ln`: gives files one more name, or makes symbolic links.

use super::beside::free_name_in;
use super::mv::{entry, inside, is_directory, is_lost_to, itself};
use super::{operands, relative};
use crate::arguments::{Ln, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use anyhow::bail;
use std::io::Write;
use untorn::{Error, Make, Metadata, NewFile, Rename, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Links.
pub fn run(arguments: &Ln, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "linked", |volume, deeds| {
        let Some((name, targets)) = arguments.paths.split_last() else { bail!("nothing to link") };
        let is_name = arguments.no_target_directory
            || arguments.no_dereference
                && entry(volume, name).is_ok_and(|found| found.kind == FileKind::Symlink);
        let into = !is_name && is_directory(volume, name);
        if !into && targets.len() > 1 {
            return Err(Error::NotDirectory(name.to_string()).into());
        }
        operands::each(targets, |target| {
            let name = if into { inside(name, target)? } else { name.clone() };
            link(volume, target, &name, (arguments, deeds))
        })
    })
}

fn link(
    volume: &Volume,
    target: &VolumePath,
    name: &VolumePath,
    (arguments, deeds): (&Ln, &mut Deeds),
) -> anyhow::Result<()> {
    let file = match arguments.symbolic {
        true => None,
        false => Some(linkable(volume, target, arguments)?),
    };
    let said = match arguments.relative {
        true => relative::from_to(volume, &name.above(), target)?,
        false => target.clone(),
    };
    let make = |name: &VolumePath| match file {
        Some(ino) => volume.link(ino, name),
        None => {
            let new = NewFile { permissions: 0o777, ..NewFile::default() };
            volume.make(name, Make::Symlink(said.as_ref()), new).map(drop)
        }
    };
    match entry(volume, name) {
        Ok(old)
            if arguments.force
                && arguments.symbolic
                && (leads_to_itself(volume, name, &said)
                    || is_lost_to(volume, &old, &said, [&name.above(), &VolumePath::new("/")])) =>
        {
            let told = format!("{target} and {name} are the same file");
            return Err(Refusal::new(Code::Invalid, told).into());
        }
        Ok(old) if arguments.force => replace(volume, name, (&old, file), make)?,
        _ => make(name).at(name)?,
    }
    deeds.add(name).with_path("target", &said);
    let arrow = if arguments.symbolic { "->" } else { "=>" };
    deeds.say(|| format!("'{name}' {arrow} '{said}'"), arguments.verbose);
    Ok(())
}

/// Whether a symbolic link in the place of `name` that says `said` would lead to itself; so it is
/// read, too, where it is meant from the root, as paths are typed.
fn leads_to_itself(volume: &Volume, name: &VolumePath, said: &VolumePath) -> bool {
    let dir = |path: &VolumePath| volume.lookup(path.above()).ok();
    let is_name = |path: &VolumePath| {
        path.name() == name.name() && dir(path).is_some_and(|found| Some(found) == dir(name))
    };
    is_name(said)
        || (!said.as_ref().starts_with(b"/") && is_name(&name.above().join(said.as_ref())))
}

/// What gets one more name: a link that is named itself, unless it shall be followed.
fn linkable(volume: &Volume, target: &VolumePath, arguments: &Ln) -> anyhow::Result<Ino> {
    let ino = match arguments.logical {
        true => volume.lookup(target).at(target)?,
        false => itself(volume, target)?,
    };
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
