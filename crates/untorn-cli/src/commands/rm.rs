//! `untorn rm` and `untorn rmdir`: remove files and directories.

use super::met::{self, Met};
use super::mv::{entry, entry_that_goes};
use super::operands::{self, Told};
use crate::arguments::{Rm, Rmdir, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::{self, Deeds};
use crate::target;
use std::io::Write;
use untorn::{DirEntry, Error, Name, Removal, Volume};
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
        operands::each_tree(&arguments.paths, |path, told| {
            remove(volume, path, (arguments, deeds), told)
        })
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
    (arguments, deeds): (&Rm, &mut Deeds),
    told: &mut Told,
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
            let tree = Tree::of(volume, path, found.inode.ino, arguments);
            if tree.clear(deeds, told)? == Fate::Stays {
                return Ok(());
            }
        }
        what = "directory ";
    }
    volume.remove(path).at(path)?;
    removed(path, what, deeds, arguments);
    Ok(())
}

fn removed(path: &VolumePath, what: &str, deeds: &mut Deeds, arguments: &Rm) {
    deeds.add(path);
    deeds.say(|| format!("removed {what}'{path}'"), arguments.verbose);
}

fn is_missing(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(Error::NotFound(_) | Error::NotDirectory(_)))
}

/// What becomes of a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Goes,
    /// Something below it could not be removed, which was told.
    Stays,
}

/// A directory that was met: where the one above it stands among those, and its name in it.
struct Below {
    ino: Ino,
    above: usize,
    name: Vec<u8>,
    fate: Fate,
}

/// A directory and those below it, by numbers: paths may be of any length.
struct Tree<'t> {
    volume: &'t Volume,
    path: &'t VolumePath,
    arguments: &'t Rm,
    /// Each behind the one that it lies in; the first is the directory itself.
    met: Vec<Below>,
}

impl<'t> Tree<'t> {
    fn of(volume: &'t Volume, path: &'t VolumePath, ino: Ino, arguments: &'t Rm) -> Self {
        let met = vec![Below { ino, above: 0, name: Vec::new(), fate: Fate::Goes }];
        Self { volume, path, arguments, met }
    }

    /// Removes all below the directory, the deepest last met first. Links are removed, not
    /// followed. What fails is told, and the rest removed.
    fn clear(mut self, deeds: &mut Deeds, told: &mut Told) -> anyhow::Result<Fate> {
        let (mut todo, mut met) = (vec![0], Met::default());
        while let Some(at) = todo.pop() {
            let before = self.met.len();
            let inside = if at == 0 { Ok(()) } else { self.demand_inside(at) };
            let listed = inside.and_then(|()| met.enter(self.ino(at)));
            let listed = listed.and_then(|()| self.entries(at));
            match told.of(listed)? {
                Some(entries) => self.clear_files(at, entries, (&mut *deeds, &mut *told))?,
                None => self.keep(at),
            }
            todo.extend(before..self.met.len());
        }
        for at in (1..self.met.len()).rev() {
            if self.fate(at) == Fate::Goes && told.of(self.remove_directory(at, deeds))?.is_none() {
                self.keep(at);
            }
        }
        Ok(self.fate(0))
    }

    /// Removes what is no directory of the directory `at`; the others are met.
    fn clear_files(
        &mut self,
        at: usize,
        entries: Vec<DirEntry>,
        (deeds, told): (&mut Deeds, &mut Told),
    ) -> anyhow::Result<()> {
        for DirEntry { ino, name, .. } in entries {
            match told.of(self.remove_file(at, ino, &name, deeds))? {
                Some(FileKind::Directory) => {
                    self.met.push(Below { ino, above: at, name, fate: Fate::Goes });
                }
                Some(_) => {}
                None => self.keep(at),
            }
        }
        Ok(())
    }

    /// Removes an entry unless it is a directory; what it is.
    fn remove_file(
        &self,
        at: usize,
        ino: Ino,
        name: &[u8],
        deeds: &mut Deeds,
    ) -> anyhow::Result<FileKind> {
        let here = || self.path_of(at).join(name);
        let kind = self.volume.metadata_of(ino).or_else(|error| Err(error).at(&here()))?.kind;
        if kind != FileKind::Directory {
            let gone = self.volume.detach(Name::In(self.ino(at), name), Removal::NoDirectory);
            drop(gone.or_else(|error| Err(error).at(&here()))?);
            self.tell(deeds, "", here);
        }
        Ok(kind)
    }

    fn remove_directory(&self, at: usize, deeds: &mut Deeds) -> anyhow::Result<()> {
        let Some(Below { above, name, .. }) = self.met.get(at) else { return Ok(()) };
        let gone = self.volume.detach(Name::In(self.ino(*above), name), Removal::Directory);
        drop(gone.or_else(|error| Err(error).at(&self.path_of(at)))?);
        self.tell(deeds, "directory ", || self.path_of(at));
        Ok(())
    }

    /// Paths are made for those who hear of them alone: they can be long.
    fn tell(&self, deeds: &mut Deeds, what: &str, path: impl FnOnce() -> VolumePath) {
        if self.arguments.verbose || show::is_json() {
            removed(&path(), what, deeds, self.arguments);
        }
    }

    fn entries(&self, at: usize) -> anyhow::Result<Vec<DirEntry>> {
        let entries = self.volume.entries_of(self.ino(at));
        entries.or_else(|error| Err(error).at(&self.path_of(at)))
    }

    fn demand_inside(&self, at: usize) -> anyhow::Result<()> {
        let above = self.ino(self.met[at].above);
        met::demand_inside(self.volume, above, self.ino(at))
    }

    fn ino(&self, at: usize) -> Ino {
        self.met[at].ino
    }

    fn fate(&self, at: usize) -> Fate {
        self.met[at].fate
    }

    /// The directory `at` stays, and those that it lies in.
    fn keep(&mut self, mut at: usize) {
        while self.fate(at) == Fate::Goes {
            self.met[at].fate = Fate::Stays;
            at = self.met[at].above;
        }
    }

    /// The path of the directory `at`.
    fn path_of(&self, mut at: usize) -> VolumePath {
        let mut names = Vec::new();
        while at > 0 {
            names.push(self.met[at].name.as_slice());
            at = self.met[at].above;
        }
        names.reverse();
        if names.is_empty() { self.path.clone() } else { self.path.join(&names.join(&b'/')) }
    }
}
