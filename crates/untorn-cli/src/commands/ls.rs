//! `untorn ls`: names in order, or with all that `ls -l` says of them.

use super::met::Met;
use crate::arguments::{Ls, VolumePath};
use crate::failure::{At, End, Outcome};
use crate::show::list::{self, Entry, Listing};
use crate::{show, target};
use std::collections::VecDeque;
use std::io::Write;
use untorn::Volume;
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Lists what was asked for: files first, then directories.
pub fn run(arguments: &Ls, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let several = arguments.paths.len() > 1 || arguments.recursive;
    let mut sink = Sink { arguments, out, headed: several, first: true };
    let (mut files, mut left) = (Vec::new(), VecDeque::new());
    for path in &arguments.paths {
        match whole(&volume, path, arguments)? {
            Some(entry) => files.push(entry),
            None => left.push_back(path.clone()),
        }
    }
    sink.files(files)?;
    let mut met = Met::default();
    while let Some(path) = left.pop_front() {
        let dir = volume.lookup(&path).at(&path)?;
        if arguments.recursive {
            met.enter(dir)?;
        }
        let (entries, below) = look(&volume, &path, dir, arguments)?;
        sink.put(&Listing { path, is_directory: true, entries })?;
        if arguments.recursive {
            below.into_iter().rev().for_each(|path| left.push_front(path));
        }
    }
    sink.end()?;
    Ok(End::Well)
}

/// What is listed as itself: no directory, or a directory where that was asked.
fn whole(volume: &Volume, path: &VolumePath, arguments: &Ls) -> anyhow::Result<Option<Entry>> {
    let itself = volume.metadata(path).at(path)?;
    if arguments.directory {
        return entry(volume, path.as_ref().to_vec(), itself.inode.ino).map(Some);
    }
    // A link to a directory leads there, unless all is to be said of it.
    let found = match itself.kind {
        FileKind::Symlink if !arguments.long => {
            volume.lookup(path).and_then(|ino| volume.metadata_of(ino))
        }
        _ => Ok(itself.clone()),
    };
    match found.is_ok_and(|found| found.kind == FileKind::Directory) {
        true => Ok(None),
        false => entry(volume, path.as_ref().to_vec(), itself.inode.ino).map(Some),
    }
}

/// Where listings go: a stream of JSON or of lines.
struct Sink<'a> {
    arguments: &'a Ls,
    out: &'a mut dyn Write,
    headed: bool,
    first: bool,
}

impl Sink<'_> {
    /// Files that were asked for; each is a list of its own for programs.
    fn files(&mut self, files: Vec<Entry>) -> anyhow::Result<()> {
        if !show::is_json() {
            self.first = files.is_empty();
            return Ok(list::lines(self.out, self.arguments, &files)?);
        }
        files.into_iter().try_for_each(|entry| {
            let path = VolumePath::new(entry.name.as_slice());
            self.put(&Listing { path, is_directory: false, entries: vec![entry] })
        })
    }

    fn put(&mut self, listing: &Listing) -> anyhow::Result<()> {
        let first = std::mem::take(&mut self.first);
        if show::is_json() {
            self.out.write_all(if first { b"[\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *self.out, listing)?;
            return Ok(());
        }
        if self.headed {
            let gap = if first { "" } else { "\n" };
            writeln!(self.out, "{gap}{}:", listing.path)?;
        }
        Ok(list::lines(self.out, self.arguments, &listing.entries)?)
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if show::is_json() {
            self.out.write_all(b"\n]\n")?;
        }
        Ok(())
    }
}

/// The entries of a directory, and the directories among them.
fn look(
    volume: &Volume,
    path: &VolumePath,
    dir: Ino,
    arguments: &Ls,
) -> anyhow::Result<(Vec<Entry>, Vec<VolumePath>)> {
    let mut found = volume.entries_of(dir).at(path)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut entries, mut below) = (Vec::new(), Vec::new());
    if arguments.all {
        entries.push(entry(volume, b".".to_vec(), dir)?);
        entries.push(entry(volume, b"..".to_vec(), volume.find_in(dir, "..").at(path)?)?);
    }
    for each in found {
        let (at, name) = (path.join(&each.name), each.name);
        let entry = entry(volume, name, each.ino)?;
        if entry.metadata.kind == FileKind::Directory {
            below.push(at);
        }
        entries.push(entry);
    }
    Ok((entries, below))
}

fn entry(volume: &Volume, name: Vec<u8>, ino: Ino) -> anyhow::Result<Entry> {
    let metadata = volume.metadata_of(ino)?;
    let target = match metadata.kind {
        FileKind::Symlink => Some(volume.link_target(ino)?),
        _ => None,
    };
    Ok(Entry { name, metadata, target })
}
