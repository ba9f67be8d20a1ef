//! `untorn ls`: names in order, or with all that `ls -l` says of them.

use super::met::Met;
use crate::arguments::Ls;
use crate::failure::{End, Outcome};
use crate::show::list::{self, Entry, Listing};
use crate::{show, target};
use std::collections::VecDeque;
use std::io::Write;
use untorn::{Metadata, Volume};
use untorn_format::inode::FileKind;

/// Lists what was asked for.
pub fn run(arguments: &Ls, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut sink = Sink { arguments, out, first: true };
    let mut left = VecDeque::from([arguments.path.clone().into_bytes()]);
    let mut met = Met::default();
    while let Some(path) = left.pop_front() {
        met.enter(volume.lookup(&path)?)?;
        let (listing, below) = look(&volume, &path)?;
        sink.put(&listing)?;
        if arguments.recursive {
            below.into_iter().rev().for_each(|path| left.push_front(path));
        }
    }
    sink.end()?;
    Ok(End::Well)
}

/// Where listings go: a stream of JSON or of lines.
struct Sink<'a> {
    arguments: &'a Ls,
    out: &'a mut dyn Write,
    first: bool,
}

impl Sink<'_> {
    fn put(&mut self, listing: &Listing) -> anyhow::Result<()> {
        let arguments = self.arguments;
        let first = std::mem::take(&mut self.first);
        if arguments.reading.json {
            self.out.write_all(if first { b"[\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *self.out, listing)?;
            return Ok(());
        }
        if arguments.recursive && listing.is_directory {
            let gap = if first { "" } else { "\n" };
            writeln!(self.out, "{gap}{}:", show::printable(&listing.path))?;
        }
        match arguments.long {
            true => list::long(self.out, &listing.entries)?,
            false => list::short(self.out, &listing.entries)?,
        }
        Ok(())
    }

    fn end(&mut self) -> anyhow::Result<()> {
        if self.arguments.reading.json {
            self.out.write_all(b"\n]\n")?;
        }
        Ok(())
    }
}

/// What is at `path`, and the directories below it.
fn look(volume: &Volume, path: &[u8]) -> anyhow::Result<(Listing, Vec<Vec<u8>>)> {
    let directory = volume.metadata_of(volume.lookup(path)?)?.kind == FileKind::Directory;
    if !directory {
        let entry = entry(volume, path.to_vec(), volume.metadata(path)?)?;
        let listing = Listing { path: path.to_vec(), is_directory: false, entries: vec![entry] };
        return Ok((listing, Vec::new()));
    }
    let mut found = volume.read_dir(path)?;
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let (mut entries, mut below) = (Vec::new(), Vec::new());
    for each in found {
        let metadata = volume.metadata_of(each.ino)?;
        if metadata.kind == FileKind::Directory {
            below.push(join(path, &each.name));
        }
        entries.push(entry(volume, each.name, metadata)?);
    }
    Ok((Listing { path: path.to_vec(), is_directory: true, entries }, below))
}

fn entry(volume: &Volume, name: Vec<u8>, metadata: Metadata) -> anyhow::Result<Entry> {
    let target = match metadata.kind {
        FileKind::Symlink => Some(volume.link_target(metadata.inode.ino)?),
        _ => None,
    };
    Ok(Entry { name, metadata, target })
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = directory.to_vec();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}
