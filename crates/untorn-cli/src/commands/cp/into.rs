//! From the host into a volume.

use super::{Job, age_beside, same_name_twice};
use crate::arguments::{Destination, VolumePath};
use crate::commands::mv::is_directory;
use crate::commands::operands;
use crate::failure::{self, At, Code, End, Refusal};
use crate::{progress, show};
use anyhow::Context;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use untorn::{Error, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;
use untorn_image::{Links, Step, Stood, Summary, Target, Tree, What, populate_readable};

/// A path that was typed, what is read, and its name in the directory that it is copied to; the
/// empty one where that is what is in it.
struct Source<'a> {
    typed: &'a Path,
    real: PathBuf,
    name: Vec<u8>,
}

impl Job<'_> {
    /// Copies `from` to the path `to`, or into it where it is a directory; counts it in `summary`.
    /// What fails, or changes meanwhile, is told of.
    pub(super) fn copy_in(
        &self,
        volume: &Volume,
        (from, destination): (&[&Path], &Destination),
        summary: &mut Summary,
        out: &mut dyn Write,
    ) -> anyhow::Result<End> {
        let to = &destination.path;
        let inside = !self.arguments.no_target_directory && is_directory(volume, to);
        if !inside && (from.len() > 1 || to.ends_with_slash() && !from.iter().all(|p| p.is_dir())) {
            return Err(Error::NotDirectory(to.to_string()).into());
        }
        let (path, name) = match (inside, to.name()) {
            (false, Some(name)) => (to.above(), name),
            _ => (to.clone(), &b""[..]),
        };
        let dir = volume.lookup(&path).at(&path)?;
        let mut sources: Vec<Source<'_>> = Vec::new();
        let mut end = operands::each(from, |from| {
            let source = self.source(from, name)?;
            if !source.real.is_dir() && sources.iter().any(|other| other.name == source.name) {
                return Err(same_name_twice(from.display()).into());
            }
            sources.push(source);
            Ok(())
        })?;
        let mut tree = self.tree(&sources, &destination.image, &mut end)?;
        for (clash, taken) in self.clashes(volume, dir, &tree)? {
            if let Some(error) = taken {
                let path = path.join(clash.get(1..).unwrap_or_default());
                failure::tell(&error(path.to_string()).into());
                end = End::Found;
            }
            tree.remove(&clash)?;
        }
        self.populate((volume, dir, &path), (&sources, &tree), summary, &mut end, out)
    }

    fn populate(
        &self,
        (volume, dir, to): (&Volume, Ino, &VolumePath),
        (sources, tree): (&[Source<'_>], &Tree),
        summary: &mut Summary,
        end: &mut End,
        out: &mut dyn Write,
    ) -> anyhow::Result<End> {
        let stood = match self.arguments.restores() {
            true => Stood::IsDressed,
            false => Stood::Stays,
        };
        let mut show_progress = progress::watch(&self.bar);
        let mut written = Ok(());
        let mut watch = |step: Step<'_>| {
            show_progress(step);
            match step {
                Step::Changed(path) => {
                    let path = to.join(path.get(1..).unwrap_or_default());
                    let told = "changed while it was copied: the copy may be a mixture";
                    let told = format!("{path}: {told}");
                    self.bar.suspend(|| failure::warn(Code::Changed, told));
                    *end = End::Found;
                }
                Step::LeftOut(error) => {
                    self.bar.suspend(|| failure::tell_of(error));
                    *end = End::Found;
                }
                Step::Path(path) if self.is_verbose() && written.is_ok() => {
                    let path = path.get(1..).unwrap_or_default();
                    let from = show::printable(&typed(sources, path));
                    written = writeln!(out, "'{from}' -> '{}'", to.join(path));
                }
                Step::Path(_) | Step::Bytes(_) => {}
            }
        };
        let target = Target { dir, path: to.without_slashes(), stood };
        let (copied, done) = populate_readable(volume, target, tree, &mut watch);
        *summary = copied;
        written?;
        done?;
        Ok(*end)
    }

    /// What is copied, as it shall stand in the directory.
    fn tree(&self, sources: &[Source<'_>], image: &Path, end: &mut End) -> anyhow::Result<Tree> {
        let mut tree = Tree::new();
        let all: Vec<_> = sources.iter().map(|s| (s.name.clone(), s.real.as_path())).collect();
        let links = match self.arguments.follows_all() {
            true => Links::Follow,
            false => Links::Keep,
        };
        tree.shun(image);
        tree.add_each(&all, links, &mut |error| {
            failure::tell_of(&error);
            *end = End::Found;
            Ok(())
        })?;
        tree.own(&self.owners);
        Ok(tree)
    }

    /// What is read of a path, and the name that it gets: `to`, or its own.
    fn source<'p>(&self, path: &'p Path, to: &[u8]) -> anyhow::Result<Source<'p>> {
        let told = || path.display().to_string();
        let mut real = path.to_owned();
        let found = fs::symlink_metadata(path).with_context(told)?;
        if found.is_symlink() && self.arguments.follows_named() {
            let kind = fs::metadata(path).with_context(told)?.file_type();
            if !kind.is_file() && !kind.is_dir() {
                let told = format!("{}: leads to no file", told());
                let remedy = "`untorn put -` takes what comes out of a pipe";
                return Err(Refusal::new(Code::Invalid, told).or(remedy).into());
            }
            real = fs::canonicalize(path).with_context(told)?;
        }
        let is_dir = fs::symlink_metadata(&real).with_context(told)?.is_dir();
        if is_dir && !self.arguments.is_recursive() {
            let remedy = "copy it with `untorn cp -r`";
            let told = format!("{}: is a directory", told());
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        let own = path.file_name().filter(|_| !is_contents(path));
        let name = match (to, own) {
            ([], None) => Vec::new(),
            ([], Some(own)) => own.as_bytes().to_vec(),
            (to, _) => to.to_vec(),
        };
        Ok(Source { typed: path, real, name })
    }

    /// Paths of the tree that are not copied because of what the volume has there; with an error,
    /// where that is one.
    fn clashes(&self, volume: &Volume, dir: Ino, tree: &Tree) -> anyhow::Result<Vec<Clash>> {
        let mut clashes = Vec::new();
        let mut todo = vec![(tree.root(), dir, Vec::new())];
        while let Some((id, dir, path)) = todo.pop() {
            let What::Directory(names) = &tree.item(id).what else { continue };
            for (name, &id) in names {
                let old = match volume.find_in(dir, name) {
                    Err(Error::NotFound(_)) => continue,
                    old => volume.metadata_of(old?)?,
                };
                let (path, item) = ([&path[..], b"/", name].concat(), tree.item(id));
                let is_dir = matches!(item.what, What::Directory(_));
                match (old.kind == FileKind::Directory, is_dir) {
                    (true, true) => todo.push((id, old.inode.ino, path)),
                    (true, false) => clashes.push((path, Some(Error::IsDirectory as Taken))),
                    (false, true) => clashes.push((path, Some(Error::NotDirectory as Taken))),
                    (false, false) if self.leaves(age_beside(item.times.mtime, &old)) => {
                        clashes.push((path, None));
                    }
                    (false, false) => {}
                }
            }
        }
        Ok(clashes)
    }
}

type Taken = fn(String) -> Error;
type Clash = (Vec<u8>, Option<Taken>);

/// The path of the host that was copied to `path` in the directory: the first that there is.
fn typed(sources: &[Source<'_>], path: &[u8]) -> Vec<u8> {
    let end = path.iter().position(|&byte| byte == b'/').unwrap_or(path.len());
    let (first, below) = path.split_at(end);
    let paths = sources.iter().filter_map(|source| match &source.name[..] {
        [] => {
            Some(source.typed.join(OsStr::from_bytes(path)).into_os_string().into_encoded_bytes())
        }
        name if name == first => Some([source.typed.as_os_str().as_bytes(), below].concat()),
        _ => None,
    });
    let is_there = |path: &Vec<u8>| fs::symlink_metadata(OsStr::from_bytes(path)).is_ok();
    let mut paths: Vec<_> = paths.collect();
    let at = paths.iter().position(is_there).unwrap_or(0);
    if at < paths.len() { paths.swap_remove(at) } else { path.to_vec() }
}

/// Whether a path names what is in a directory (`folder/.`) rather than the directory.
fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes == b"." || bytes.ends_with(b"/.")
}
