//! `untorn rm` and `untorn rmdir`: remove files and directories.

use super::met::Met;
use super::mv::{entry, entry_that_goes};
use super::operands;
use crate::arguments::{Rm, Rmdir, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use std::io::Write;
use untorn::{Error, Name, Removal, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Removes each path.
pub fn run(arguments: &Rm, out: &mut dyn Write) -> Outcome {
    if arguments.interactive && !arguments.force {
        let remedy = "leave -i out, and what is named is removed";
        let told = "nobody is asked (-i, -I)";
        return Err(Refusal::new(Code::Unsupported, told).or(remedy).into());
    }
    target::change(&arguments.image, out, "removed", |volume, deeds| {
        operands::each(&arguments.paths, |path| remove(volume, path, arguments, deeds))
    })
}

/// Removes each directory that has nothing in it, and with `-p` those above it.
pub fn directories(arguments: &Rmdir, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "removed", |volume, deeds| {
        operands::each(&arguments.paths, |path| {
            let mut next = Some(path.clone());
            while let Some(path) = next {
                match remove_directory(volume, &path, arguments, deeds) {
                    Err(error) if arguments.ignore_fail_on_non_empty && is_full(&error) => break,
                    done => done?,
                }
                let above = VolumePath::new(path.above().without_slashes());
                next = Some(above).filter(|above| arguments.parents && above.name().is_some());
            }
            Ok(())
        })
    })
}

fn remove_directory(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Rmdir,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    if entry_that_goes(volume, path)?.kind != FileKind::Directory {
        return Err(Error::NotDirectory(path.to_string()).into());
    }
    volume.remove(path).at(path)?;
    deeds.add(path);
    deeds.say(|| format!("removed directory '{path}'"), arguments.verbose);
    Ok(())
}

fn is_full(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::NotEmpty(_)))
}

fn remove(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Rm,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    match entry(volume, path) {
        Err(error) if arguments.force && is_missing(&error) => return Ok(()),
        found => found?,
    };
    // Before anything below it is gone.
    let found = entry_that_goes(volume, path)?;
    let mut what = "";
    if found.kind == FileKind::Directory {
        if !arguments.recursive && !arguments.dir {
            let told = format!("{path}: is a directory");
            let remedy = "remove it with `untorn rm -r`";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        if arguments.recursive {
            remove_tree(volume, path, found.inode.ino, (arguments, deeds))?;
        }
        what = "directory ";
    }
    volume.remove(path).at(path)?;
    deeds.add(path);
    deeds.say(|| format!("removed {what}'{path}'"), arguments.verbose);
    Ok(())
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::NotFound(_) | Error::NotDirectory(_)))
}

/// A directory that was met: where the one above it stands among those, and its name in it.
struct Below {
    ino: Ino,
    above: usize,
    name: Vec<u8>,
}

/// The path of the directory `at`, for messages.
fn path_of(root: &VolumePath, met: &[Below], mut at: usize) -> VolumePath {
    let mut names = Vec::new();
    while let Some(dir) = met.get(at).filter(|_| at > 0) {
        names.push(&dir.name);
        at = dir.above;
    }
    names.iter().rev().fold(root.clone(), |path, name| path.join(name))
}

/// Removes all below a directory, the deepest first, by numbers: paths may be of any length. Links
/// are removed, not followed.
fn remove_tree(
    volume: &Volume,
    path: &VolumePath,
    root: Ino,
    (arguments, deeds): (&Rm, &mut Deeds),
) -> anyhow::Result<()> {
    let mut all = vec![Below { ino: root, above: 0, name: Vec::new() }];
    let (mut todo, mut met) = (vec![0], Met::default());
    while let Some(at) = todo.pop() {
        let dir = all.get(at).map_or(root, |dir| dir.ino);
        met.enter(dir)?;
        let here = |all: &[Below], name: &[u8]| path_of(path, all, at).join(name);
        for entry in volume.entries_of(dir).or_else(|e| Err(e).at(&path_of(path, &all, at)))? {
            let found = volume.metadata_of(entry.ino);
            let found = found.or_else(|error| Err(error).at(&here(&all, &entry.name)))?;
            if found.kind == FileKind::Directory {
                todo.push(all.len());
                all.push(Below { ino: entry.ino, above: at, name: entry.name });
                continue;
            }
            let gone = volume.detach(Name::In(dir, &entry.name), Removal::NoDirectory);
            drop(gone.or_else(|error| Err(error).at(&here(&all, &entry.name)))?);
            let line = || format!("removed '{}'", here(&all, &entry.name));
            deeds.say(line, arguments.verbose);
        }
    }
    for (at, below) in all.iter().enumerate().skip(1).rev() {
        let dir = all.get(below.above).map_or(root, |dir| dir.ino);
        let gone = volume.detach(Name::In(dir, &below.name), Removal::Directory);
        drop(gone.or_else(|error| Err(error).at(&path_of(path, &all, at)))?);
        let line = || format!("removed directory '{}'", path_of(path, &all, at));
        deeds.say(line, arguments.verbose);
    }
    Ok(())
}
