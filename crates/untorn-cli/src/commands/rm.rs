//! `untorn rm`: removes files and directories.

use super::met::Met;
use super::mv::entry;
use super::operands;
use crate::arguments::{Rm, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use std::io::Write;
use untorn::{Error, Name, Removal, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Removes each path.
pub fn run(arguments: &Rm, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "removed", |volume, deeds| {
        operands::each(&arguments.paths, |path| remove(volume, path, arguments, deeds))
    })
}

fn remove(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Rm,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    let refuse = |code, what: &str| Refusal::new(code, format!("{path}: {what}"));
    let found = match entry(volume, path) {
        Err(error) if arguments.force && is_missing(&error) => return Ok(()),
        found => found?,
    };
    if found.inode.ino == volume.root() {
        let remedy = "name what is in it instead";
        return Err(refuse(Code::Invalid, "is the root directory, which stays").or(remedy).into());
    }
    // Before anything below it is gone: neither is a name that could go.
    if matches!(path.name(), Some(b"." | b"..")) {
        let remedy = "give the directory's own name";
        return Err(refuse(Code::Invalid, "ends with . or .., which stay").or(remedy).into());
    }
    if found.kind == FileKind::Directory {
        if !arguments.recursive {
            let remedy = "remove it with `untorn rm -r`";
            return Err(refuse(Code::IsADirectory, "is a directory").or(remedy).into());
        }
        remove_tree(volume, found.inode.ino)?;
    }
    volume.remove(path).at(path)?;
    deeds.add(path);
    Ok(())
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::NotFound(_) | Error::NotDirectory(_)))
}

/// Removes all below a directory, the deepest first, by numbers: paths may be of any length. Links
/// are removed, not followed.
fn remove_tree(volume: &Volume, root: Ino) -> anyhow::Result<()> {
    let mut todo = vec![root];
    let (mut directories, mut met) = (Vec::new(), Met::default());
    while let Some(dir) = todo.pop() {
        met.enter(dir)?;
        for entry in volume.entries_of(dir)? {
            match volume.metadata_of(entry.ino)?.kind {
                FileKind::Directory => {
                    todo.push(entry.ino);
                    directories.push((dir, entry.name));
                }
                _ => drop(volume.detach(Name::In(dir, &entry.name), Removal::NoDirectory)?),
            }
        }
    }
    for (dir, name) in directories.iter().rev() {
        drop(volume.detach(Name::In(*dir, name), Removal::Directory)?);
    }
    Ok(())
}
