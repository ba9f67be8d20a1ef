//! `untorn mv`: gives files another name.

use super::operands;
use crate::arguments::{Mv, VolumePath};
use crate::failure::{At, Code, End, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use anyhow::bail;
use std::collections::HashSet;
use std::io::Write;
use untorn::{Error, Metadata, Rename, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Renames, or moves into a directory.
pub fn run(arguments: &Mv, out: &mut dyn Write) -> Outcome {
    if arguments.interactive && !arguments.force {
        let told = "nobody is asked (-i)";
        let remedy = "-n refuses to replace what has the new name; without, it is replaced";
        return Err(Refusal::new(Code::Unsupported, told).or(remedy).into());
    }
    let verb = if arguments.exchange { "exchanged" } else { "moved" };
    target::change(&arguments.image, out, verb, |volume, deeds| {
        let Some((to, from)) = arguments.paths.split_last() else { bail!("nothing to move") };
        if arguments.exchange {
            let [from] = from else { bail!("--exchange takes two paths") };
            entry(volume, to)?;
            rename(volume, from, to, (arguments, Rename::Exchange), deeds)?;
            return Ok(End::Well);
        }
        let how = if arguments.no_clobber { Rename::NoReplace } else { Rename::Replace };
        let into = !arguments.no_target_directory && is_directory(volume, to);
        if !into && from.len() > 1 {
            return Err(Error::NotDirectory(to.to_string()).into());
        }
        let mut moved = HashSet::new();
        operands::each(from, |from| {
            let to = if into { inside(to, from)? } else { to.clone() };
            let name = to.name().map(<[u8]>::to_vec);
            if moved.contains(&name) {
                let told = format!("{from}: another of this name was moved before it");
                let remedy = "give it another name";
                return Err(Refusal::new(Code::Exists, told).or(remedy).into());
            }
            if rename(volume, from, &to, (arguments, how), deeds)? == Renamed::Yes {
                moved.insert(name);
            }
            Ok(())
        })
    })
}

/// What became of a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renamed {
    Yes,
    /// With -u it stays: it is no newer than what has the new name.
    Older,
}

fn rename(
    volume: &Volume,
    from: &VolumePath,
    to: &VolumePath,
    (arguments, how): (&Mv, Rename),
    deeds: &mut Deeds,
) -> anyhow::Result<Renamed> {
    // Whatever is wrong from here on is about the new name.
    let found = entry_that_goes(volume, from)?;
    if to.ends_with_slash() && found.kind != FileKind::Directory {
        return Err(Error::NotDirectory(to.to_string()).into());
    }
    if let Ok(old) = volume.metadata(to.without_slashes())
        && how != Rename::NoReplace
    {
        if old.inode.ino == found.inode.ino {
            let told = format!("{from} and {to} are the same file");
            return Err(Refusal::new(Code::Invalid, told).into());
        }
        let is_dir = |found: &Metadata| found.kind == FileKind::Directory;
        if how == Rename::Replace && is_dir(&old) && !is_dir(&found) {
            let told = format!("{to}: is a directory, and {from} is none");
            let remedy = "without -T it is moved into it";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        if is_link_to(volume, (&found, from), (&old, to))? {
            let told = format!("{from} and {to} are the same file");
            return Err(Refusal::new(Code::Invalid, told).into());
        }
        let time = |found: &Metadata| (found.inode.mtime.seconds, found.inode.mtime.nanos);
        if arguments.update && time(&found) <= time(&old) {
            return Ok(Renamed::Older);
        }
    }
    volume.rename(from, to, how).at(to)?;
    deeds.add(from).with_path("to", to);
    let verb = if how == Rename::Exchange { "exchanged" } else { "renamed" };
    deeds.say(|| format!("{verb} '{from}' -> '{to}'"), arguments.verbose);
    Ok(Renamed::Yes)
}

/// Whether a link at the first path leads to what the second names, and would lead to nothing in
/// its place.
pub(super) fn is_link_to(
    volume: &Volume,
    (link, from): (&Metadata, &VolumePath),
    (old, to): (&Metadata, &VolumePath),
) -> anyhow::Result<bool> {
    if link.kind != FileKind::Symlink {
        return Ok(false);
    }
    let said = VolumePath::new(volume.link_target(link.inode.ino).at(from)?);
    Ok(is_lost_to(volume, old, &said, [&from.above(), &to.above()]))
}

/// Whether a link that says `said`, in one of these directories, leads to a file that has no other
/// name than the one that the link shall have.
pub(super) fn is_lost_to(
    volume: &Volume,
    old: &Metadata,
    said: &VolumePath,
    dirs: [&VolumePath; 2],
) -> bool {
    let leads = |path: VolumePath| volume.lookup(path).is_ok_and(|found| found == old.inode.ino);
    old.inode.nlink <= 1
        && match said.as_ref().starts_with(b"/") {
            true => leads(said.clone()),
            false => dirs.into_iter().any(|dir| leads(dir.join(said.as_ref()))),
        }
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

/// The inode of the name itself; of what it leads to where a slash asks for a directory.
pub(super) fn itself(volume: &Volume, path: &VolumePath) -> anyhow::Result<Ino> {
    match path.ends_with_slash() {
        true => volume.lookup(path).at(path),
        false => Ok(entry(volume, path)?.inode.ino),
    }
}

/// The same of a name that shall go: the root has none, `.` and `..` stay.
pub(super) fn entry_that_goes(volume: &Volume, path: &VolumePath) -> anyhow::Result<Metadata> {
    let refuse = |what: &str, remedy: &'static str| {
        Err(Refusal::new(Code::Invalid, format!("{path}: {what}")).or(remedy).into())
    };
    let found = entry(volume, path)?;
    if found.inode.ino == volume.root() {
        return refuse("is the root directory, which stays", "name what is in it instead");
    }
    match path.name() {
        Some(b"." | b"..") => {
            refuse("ends with . or .., which stay", "give the directory's own name")
        }
        _ => Ok(found),
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
