//! From a volume to a volume: inside one by sharing blocks, from one to another piece by piece.
//!
//! Invariant: what was there under a name stays until what replaces it is whole. A file from
//! another volume has no name until then.

use super::{Job, PIECE, age_beside, same_name_twice};
use crate::arguments::{Destination, VolumePath};
use crate::commands::beside::free_name_in;
use crate::commands::clone::lies_inside;
use crate::commands::met::Met;
use crate::commands::mv::{is_directory, itself};
use crate::failure::{self, At, Code, End, Refusal};
use crate::show::Deeds;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use untorn::attr::SetMode;
use untorn::{AclKind, Make, Metadata, Name, NewFile, NewMetadata, Volume};
use untorn::{Removal, Rename, SetTime, Sync};
use untorn_format::Ino;
use untorn_format::inode::FileKind;
use untorn_image::attributes::to_host;

/// A copy of one path.
pub(super) struct Across<'a> {
    pub job: &'a Job<'a>,
    pub source: &'a Volume,
    pub target: &'a Volume,
    /// Whether they are one.
    pub inside: bool,
    /// Files of several names that were copied, and what they became.
    pub seen: &'a mut HashMap<Ino, Ino>,
    /// What was made under the paths that were typed.
    pub made: &'a mut HashSet<(Ino, Vec<u8>)>,
}

/// Something to be copied, and where to.
struct Todo {
    ino: Ino,
    from: VolumePath,
    dir: Ino,
    to: VolumePath,
}

/// The way down a tree: what comes next, the directories that were met, those that were made.
#[derive(Default)]
struct Way {
    todo: Vec<Todo>,
    met: Met,
    full: Vec<(Todo, Metadata, Ino)>,
}

/// What became of it.
enum Copied {
    /// It stands there.
    Made(Ino),
    /// A directory stands there already.
    Entered(Ino),
    /// What stands there stays.
    Left,
}

impl Across<'_> {
    /// Copies what is at one side to the other, or into it where it is a directory.
    pub fn copy(
        mut self,
        sides: (&Destination, &Destination),
        deeds: &mut Deeds,
        out: &mut dyn Write,
    ) -> anyhow::Result<End> {
        let (first, mut way, mut end) = (self.first(sides)?, Way::default(), End::Well);
        let copied = self.one(&first)?;
        if !matches!(copied, Copied::Left) {
            deeds.add(&first.from).with_path("to", &first.to);
        }
        self.go_on((first, copied), &mut way, sides, out)?;
        while let Some(next) = way.todo.pop() {
            let led = self.job.led(self.source, (&sides.0.path, &next.from), next.ino);
            let next = led.map(|ino| Todo { ino, ..next });
            match next.and_then(|next| Ok((self.one(&next)?, next))) {
                Ok((copied, next)) => self.go_on((next, copied), &mut way, sides, out)?,
                Err(error) if failure::is_of_one(&error) => {
                    failure::tell(&error);
                    end = End::Found;
                }
                Err(error) => return Err(error),
            }
        }
        // Times and permissions of a directory when it is full.
        for (next, found, made) in way.full.iter().rev() {
            self.dress(next.ino, found, *made).at(&next.to)?;
        }
        Ok(end)
    }

    /// What was named, and where it goes.
    fn first(&mut self, sides: (&Destination, &Destination)) -> anyhow::Result<Todo> {
        let (from, to) = (&sides.0.path, self.destination(&sides.0.path, &sides.1.path));
        let ino = match self.job.arguments.follows_named() {
            true => self.source.lookup(from).at(from)?,
            false => itself(self.source, from)?,
        };
        let found = self.source.metadata_of(ino).at(from)?;
        self.demand_tree(from, &found, &to)?;
        let dir = self.target.lookup(to.above()).at(&to)?;
        let place = (dir, to.name().unwrap_or_default().to_vec());
        if !self.made.insert(place) && found.kind != FileKind::Directory {
            return Err(same_name_twice(from).into());
        }
        Ok(Todo { ino, from: from.clone(), dir, to })
    }

    /// Says what was copied; what is in it comes next.
    fn go_on(
        &self,
        (next, copied): (Todo, Copied),
        way: &mut Way,
        (from, to): (&Destination, &Destination),
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let (made, new) = match copied {
            Copied::Left => return Ok(()),
            Copied::Made(made) => (made, true),
            Copied::Entered(made) => (made, false),
        };
        if new && self.job.is_verbose() {
            let (image, other) = (from.image.display(), to.image.display());
            writeln!(out, "'{image}:{}' -> '{other}:{}'", next.from, next.to)?;
        }
        let found = self.source.metadata_of(next.ino).at(&next.from)?;
        if found.kind != FileKind::Directory {
            return Ok(());
        }
        self.job.enter(&mut way.met, next.ino)?;
        for below in self.source.entries_of(next.ino).at(&next.from)? {
            let (from, to) = (next.from.join(&below.name), next.to.join(&below.name));
            way.todo.push(Todo { ino: below.ino, from, dir: made, to });
        }
        if new {
            way.full.push((next, found, made));
        }
        Ok(())
    }

    /// Where it goes: what has no name of its own goes into the directory.
    fn destination(&self, from: &VolumePath, to: &VolumePath) -> VolumePath {
        let into = !self.job.arguments.no_target_directory && is_directory(self.target, to);
        let own = from.name().filter(|name| ![&b"."[..], b".."].contains(name));
        match own {
            Some(name) if into => to.join(name),
            _ => to.clone(),
        }
    }

    /// Refuses a directory where no tree is copied, and one that would come to lie in itself.
    fn demand_tree(
        &self,
        from: &VolumePath,
        found: &Metadata,
        to: &VolumePath,
    ) -> anyhow::Result<()> {
        if found.kind != FileKind::Directory {
            return match to.ends_with_slash() && to.name().is_some() {
                true => Err(untorn::Error::NotDirectory(to.to_string()).into()),
                false => Ok(()),
            };
        }
        if !self.job.arguments.recursive {
            let told = format!("{from}: is a directory");
            let remedy = "copy it with `untorn cp -r`";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        if self.inside && lies_inside(self.source, found.inode.ino, to)? {
            return Err(Refusal::new(Code::Invalid, format!("{to}: lies inside {from}")).into());
        }
        Ok(())
    }

    fn one(&mut self, next: &Todo) -> anyhow::Result<Copied> {
        let Todo { ino, from, dir, to } = next;
        let found = self.source.metadata_of(*ino).at(from)?;
        let is_dir = found.kind == FileKind::Directory;
        let name = match to.name() {
            Some(name) => name,
            None if is_dir => return Ok(Copied::Entered(self.target.root())),
            None => return Err(untorn::Error::IsDirectory(to.to_string()).into()),
        };
        let old = match self.target.find_in(*dir, name) {
            Err(untorn::Error::NotFound(_)) => {
                return self.make(next, &found, name).map(Copied::Made);
            }
            old => self.target.metadata_of(old.at(to)?).at(to)?,
        };
        match (old.kind == FileKind::Directory, is_dir) {
            (true, true) => return Ok(Copied::Entered(old.inode.ino)),
            (true, false) => return Err(untorn::Error::IsDirectory(to.to_string()).into()),
            (false, true) => return Err(untorn::Error::NotDirectory(to.to_string()).into()),
            (false, false) => {}
        }
        if self.inside && old.inode.ino == *ino {
            return Err(same_file(from, to).into());
        }
        if self.job.leaves(age_beside(found.inode.mtime, &old)) {
            return Ok(Copied::Left);
        }
        let beside = free_name_in(self.target, *dir)?;
        let made = self.make(next, &found, beside.as_bytes()).and_then(|made| {
            let (new, name) = (Name::In(*dir, beside.as_bytes()), Name::In(*dir, name));
            drop(self.target.rename(new, name, Rename::Replace).at(to)?);
            Ok(made)
        });
        if let Ok(left) = self.target.find_in(*dir, &beside) {
            // Not whole, or another name of what stands there.
            let is_other = made.as_ref().is_ok_and(|&made| made == left);
            let gone = self.target.detach(Name::In(*dir, beside.as_bytes()), Removal::NoDirectory);
            if is_other {
                gone.map(drop).at(to)?;
            }
        }
        made.map(Copied::Made)
    }

    /// Makes it under a name that nothing has, with all that is to be said of it; a directory gets
    /// that when it is full.
    fn make(&mut self, next: &Todo, found: &Metadata, name: &[u8]) -> anyhow::Result<Ino> {
        let Todo { ino, from, dir, to } = next;
        let place = Name::In(*dir, name);
        if let Some(&first) = self.seen.get(ino) {
            self.target.link(first, place).at(to)?;
            return Ok(first);
        }
        let inode = &found.inode;
        let new = NewFile { permissions: inode.mode & 0o777, uid: inode.uid, gid: inode.gid };
        let made = match found.kind {
            FileKind::Directory => self.target.make(place, Make::Directory, new).at(to)?,
            FileKind::Regular if self.inside => {
                let path = to.above().join(name);
                let made = self.target.clone_file(from, &path).at(to)?.ino();
                self.dress(*ino, found, made).at(to)?;
                made
            }
            FileKind::Regular => self.file(next, found, place, new)?,
            _ => {
                let link = match found.kind {
                    FileKind::Symlink => self.source.link_target(*ino).at(from)?,
                    _ => Vec::new(),
                };
                let made = self.target.make(place, special(found, &link), new).at(to)?;
                self.dress(*ino, found, made).at(to)?;
                made
            }
        };
        if inode.nlink > 1 && found.kind != FileKind::Directory {
            self.seen.insert(*ino, made);
        }
        Ok(made)
    }

    /// A regular file from another volume: it gets its name when it is whole.
    fn file(
        &self,
        next: &Todo,
        found: &Metadata,
        place: Name<'_>,
        new: NewFile,
    ) -> anyhow::Result<Ino> {
        let Todo { ino, from, dir, to } = next;
        let source = self.source.file(*ino).at(from)?;
        let orphan = self.target.make_unnamed(*dir, new).at(to)?;
        let file = orphan.file().at(to)?;
        let (size, mut piece, mut at) = (source.size().at(from)?, vec![0; PIECE], 0);
        file.truncate(size).at(to)?;
        while let Some(start) = source.seek_data(at).at(from)? {
            let end = source.seek_hole(start).at(from)?.unwrap_or(size);
            at = start;
            while at < end {
                let count = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                let Some(room) = piece.get_mut(..count) else { break };
                let count = source.read_at(at, room).at(from)?;
                let Some(read) = room.get(..count).filter(|read| !read.is_empty()) else { break };
                file.write_at(at, read, Sync::Visible).at(to)?;
                at += count as u64;
                self.job.bar.inc(count as u64);
            }
            at = at.max(end);
        }
        self.dress(*ino, found, orphan.ino()).at(to)?;
        orphan.link(place).at(to)?;
        Ok(orphan.ino())
    }

    /// Gives owner, permissions, attributes, access lists and times.
    fn dress(&self, ino: Ino, found: &Metadata, made: Ino) -> untorn::Result<()> {
        match (self.inside, found.kind) {
            // What shares blocks was made alike.
            (true, FileKind::Regular) => {}
            (true, _) => self.target.make_alike(ino, made)?,
            (false, _) => self.attributes(ino, made)?,
        }
        let (inode, is_link) = (&found.inode, found.kind == FileKind::Symlink);
        let set = |time| Some(SetTime::To(time));
        let (uid, gid) = self.job.owners.of((inode.uid, inode.gid));
        let change = NewMetadata {
            permissions: Some(inode.mode & 0o7777).filter(|_| !is_link),
            uid: Some(uid),
            gid: Some(gid),
            atime: set(inode.atime),
            mtime: set(inode.mtime),
            crtime: None,
        };
        self.target.set_metadata_of(made, &change)
    }

    /// Attributes and access lists, in the place of what the directory handed down.
    fn attributes(&self, ino: Ino, made: Ino) -> untorn::Result<()> {
        for one in self.source.attributes(ino)? {
            if to_host(one.namespace, &one.name).is_some() {
                let key = (one.namespace, &one.name[..]);
                self.target.set_attribute(made, key, &one.value, SetMode::Upsert)?;
            }
        }
        for kind in [AclKind::Access, AclKind::Default] {
            let acl = self.source.acl_of(ino, kind)?;
            let acl = acl.and_then(|acl| self.job.owners.of_acl(&acl));
            if acl.is_some() || self.target.acl_of(made, kind)?.is_some() {
                self.target.set_acl_of(made, kind, acl.as_ref())?;
            }
        }
        Ok(())
    }
}

fn special<'t>(found: &Metadata, target: &'t [u8]) -> Make<'t> {
    let (major, minor) = found.device.unwrap_or_default();
    match found.kind {
        FileKind::Symlink => Make::Symlink(target),
        FileKind::CharDevice => Make::CharDevice(major, minor),
        FileKind::BlockDevice => Make::BlockDevice(major, minor),
        FileKind::Socket => Make::Socket,
        _ => Make::Fifo,
    }
}

fn same_file(from: &VolumePath, to: &VolumePath) -> Refusal {
    Refusal::new(Code::Invalid, format!("{from} and {to} are the same file"))
}
