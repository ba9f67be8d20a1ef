//! `untorn ls`: names in order, or with all that `ls -l` says of them.

use super::met::Met;
use super::operands::Told;
use crate::arguments::{Ls, VolumePath};
use crate::failure::{At, Outcome};
use crate::show::list::{self, Entry, Known, Listing};
use crate::show::{self, Items};
use crate::target;
use std::io::Write;
use untorn::{AclKind, Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// Lists what was asked for: files first, then directories. What cannot be read is told, and the
/// rest listed.
pub fn run(arguments: &Ls, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    Items::of(out, |items| {
        let mut told = Told::default();
        let headed = arguments.paths.len() > 1 || arguments.recursive;
        Look { volume: &volume, arguments, told: &mut told }.all(&mut Sink {
            arguments,
            items,
            headed,
            first: true,
        })?;
        told.end()
    })
}

/// Where listings go: a list in JSON, or lines.
struct Sink<'s, 'a> {
    arguments: &'a Ls,
    items: &'s mut Items<'a>,
    headed: bool,
    first: bool,
}

impl Sink<'_, '_> {
    /// Files that were asked for; each is a list of its own for programs.
    fn files(&mut self, files: Vec<Entry>) -> anyhow::Result<()> {
        if !show::is_json() {
            self.first = files.is_empty();
            return Ok(list::lines(self.items.out, self.arguments, &files)?);
        }
        files.into_iter().try_for_each(|entry| {
            let path = VolumePath::new(entry.name.as_slice());
            self.put(&Listing { path, is_directory: false, entries: vec![entry] })
        })
    }

    fn put(&mut self, listing: &Listing) -> anyhow::Result<()> {
        if show::is_json() {
            return self.items.put(listing);
        }
        let first = std::mem::take(&mut self.first);
        if self.headed {
            let gap = if first { "" } else { "\n" };
            writeln!(self.items.out, "{gap}{}:", listing.path)?;
        }
        Ok(list::lines(self.items.out, self.arguments, &listing.entries)?)
    }
}

/// What looks, and tells what it cannot see.
struct Look<'a> {
    volume: &'a Volume,
    arguments: &'a Ls,
    told: &'a mut Told,
}

impl Look<'_> {
    fn all(&mut self, sink: &mut Sink<'_, '_>) -> anyhow::Result<()> {
        let (mut files, mut directories) = (Vec::new(), Vec::new());
        for path in &self.arguments.paths {
            let operand = self.operand(path);
            match self.told.of(operand)? {
                Some(entry) if entry.is_directory() && !self.arguments.directory => {
                    directories.push(entry);
                }
                Some(entry) => files.push(entry),
                None => {}
            }
        }
        list::sort(&mut files, self.arguments);
        list::sort(&mut directories, self.arguments);
        sink.files(files)?;
        directories.into_iter().try_for_each(|entry| self.tree(VolumePath::new(entry.name), sink))
    }

    /// Lists a directory, and with -R all below it.
    fn tree(&mut self, top: VolumePath, sink: &mut Sink<'_, '_>) -> anyhow::Result<()> {
        let (mut left, mut met) = (vec![top], Met::default());
        while let Some(path) = left.pop() {
            let found = self.directory(&path, &mut met);
            let Some((entries, below)) = self.told.of(found)? else { continue };
            sink.put(&Listing { path, is_directory: true, entries })?;
            left.extend(below.into_iter().rev());
        }
        Ok(())
    }

    /// What was asked for. A link to a directory leads there, unless the link itself is shown.
    fn operand(&self, path: &VolumePath) -> anyhow::Result<Entry> {
        let itself = self.volume.metadata(path).at(path)?;
        let follows = !self.arguments.shows_links() && itself.kind == FileKind::Symlink;
        let there = || self.volume.lookup(path).and_then(|ino| self.volume.metadata_of(ino));
        let there = follows.then(there).and_then(Result::ok);
        let metadata = match there {
            Some(there) if there.kind == FileKind::Directory => there,
            _ => itself,
        };
        let (name, ino) = (path.as_ref().to_vec(), metadata.inode.ino);
        Ok(Entry { name, ino, known: Some(self.known(path, metadata)?) })
    }

    /// The entries of a directory, and with -R the directories among them.
    fn directory(
        &mut self,
        path: &VolumePath,
        met: &mut Met,
    ) -> anyhow::Result<(Vec<Entry>, Vec<VolumePath>)> {
        let dir = self.volume.lookup(path).at(path)?;
        if self.arguments.recursive {
            met.enter(dir)?;
        }
        let listed = self.volume.entries_of(dir).at(path)?;
        let (mut entries, mut below) = (Vec::new(), Vec::new());
        for each in listed {
            entries.push(self.entry(path, each.name, each.ino)?);
        }
        if self.arguments.all {
            let above = self.volume.find_in(dir, "..").at(path)?;
            entries.push(self.entry(path, b".".to_vec(), dir)?);
            entries.push(self.entry(path, b"..".to_vec(), above)?);
        }
        list::sort(&mut entries, self.arguments);
        if self.arguments.recursive {
            let inside = entries.iter().filter(|entry| entry.is_directory() && !entry.is_dots());
            below.extend(inside.map(|entry| path.join(&entry.name)));
        }
        Ok((entries, below))
    }

    /// What a name names: where that cannot be read, the name alone.
    fn entry(&mut self, dir: &VolumePath, name: Vec<u8>, ino: Ino) -> anyhow::Result<Entry> {
        let path = dir.join(&name);
        let known = self.volume.metadata_of(ino).at(&path);
        let known = known.and_then(|metadata| self.known(&path, metadata));
        Ok(Entry { name, ino, known: self.told.of(known)? })
    }

    fn known(&self, path: &VolumePath, metadata: Metadata) -> anyhow::Result<Known> {
        let target = match metadata.kind {
            FileKind::Symlink => Some(self.volume.link_target(metadata.inode.ino).at(path)?),
            _ => None,
        };
        let there = (target.is_some() && self.arguments.classify && self.arguments.is_long())
            .then(|| self.volume.lookup(path).and_then(|ino| self.volume.metadata_of(ino)));
        let there = there.and_then(Result::ok).map(|there| there.inode.mode);
        let shows_more = self.arguments.is_long() || show::is_json();
        let more = if shows_more && self.has_list(path, &metadata)? { "+" } else { "" };
        Ok(Known { metadata, target, there, more })
    }

    /// Whether access lists say more than the permissions.
    fn has_list(&self, path: &VolumePath, metadata: &Metadata) -> anyhow::Result<bool> {
        let core = &metadata.inode;
        if !core.has_attr_fork() || metadata.kind == FileKind::Symlink {
            return Ok(false);
        }
        let list = self.volume.acl_of(core.ino, AclKind::Access).at(path)?;
        let handed_down = match metadata.kind {
            FileKind::Directory => self.volume.acl_of(core.ino, AclKind::Default).at(path)?,
            _ => None,
        };
        Ok(list.is_some_and(|list| list.is_extended()) || handed_down.is_some())
    }
}
