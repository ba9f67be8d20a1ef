//! From a volume to a volume: inside one by sharing blocks, from one to another, and where a volume
//! shares none, piece by piece.
//!
//! Invariant: what was there under a name stays until what replaces it is whole. A file that shares
//! no blocks has no name until then.

use super::ends::{Ends, Lengths};
use super::way::{Way, loops};
use super::{Finish, HostFile, Job, PIECE, Visit, age_beside, host_file, same_name_twice};
use crate::arguments::{Destination, VolumePath};
use crate::commands::beside::free_name_in;
use crate::commands::clone::{lies_inside, special};
use crate::commands::mv::{is_directory, is_link_to, itself};
use crate::commands::operands::Told;
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use std::collections::{HashMap, HashSet};
use std::io::Write;
use untorn::attr::SetMode;
use untorn::{AclKind, DirEntry, Make, Metadata, Name, NewFile, NewMetadata, Volume};
use untorn::{Removal, Rename, SetTime, Sync};
use untorn_format::Ino;
use untorn_format::inode::FileKind;
use untorn_image::attributes::to_host;

/// What one run made on a volume.
#[derive(Default)]
pub(super) struct Kept {
    made: HashSet<Ino>,
    /// Directories that were copied onto.
    entered: HashSet<Ino>,
    /// Files of several names that were copied, by image and inode, and what they became.
    seen: HashMap<(HostFile, Ino), Ino>,
}

/// A copy of one path.
pub(super) struct Across<'a> {
    job: &'a Job<'a>,
    source: &'a Volume,
    target: &'a Volume,
    sides: (&'a Destination, &'a Destination),
    image: HostFile,
    /// Whether the volumes are one.
    inside: bool,
    kept: &'a mut Kept,
    out: &'a mut dyn Write,
    above: Vec<Frame>,
    way: Way,
    told: Told,
}

/// Something to be copied, and where to.
struct Todo<'p> {
    ino: Ino,
    from: &'p VolumePath,
    dir: Ino,
    to: &'p VolumePath,
}

/// A directory on the way down, and what it became.
struct Frame {
    found: Metadata,
    ends: Lengths,
    made: Ino,
    finish: Finish,
    below: std::vec::IntoIter<DirEntry>,
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

impl<'a> Across<'a> {
    pub fn new(
        job: &'a Job<'a>,
        volumes: (&'a Volume, &'a Volume),
        sides: (&'a Destination, &'a Destination),
        kept: &'a mut Kept,
        out: &'a mut dyn Write,
    ) -> Self {
        let ((source, target), image) = (volumes, host_file(&sides.0.image).unwrap_or_default());
        let inside = host_file(&sides.0.image) == host_file(&sides.1.image);
        let (above, way, told) = Default::default();
        Self { job, source, target, sides, image, inside, kept, out, above, way, told }
    }

    /// Copies what is at one side to the other, or into it where it is a directory.
    pub fn copy(mut self, deeds: &mut Deeds) -> Outcome {
        let (mut ends, ino, dir) = self.first()?;
        let found = self.way.meet((self.job, self.source), &ends.from, ino)?;
        let copied = self.one(&todo(&ends, ino, dir), &found)?;
        if !matches!(copied, Copied::Left) {
            deeds.add(&ends.from).with_path("to", &ends.to);
        }
        let done = self.go_on(&ends, found, copied).and_then(|()| self.below(&mut ends));
        // Whatever happened: what was made is not left bare.
        while !self.above.is_empty() {
            let _ = self.leave(&mut ends);
        }
        done?;
        self.told.end()
    }

    /// Copies all that lies below.
    fn below(&mut self, ends: &mut Ends<VolumePath>) -> anyhow::Result<()> {
        while let Some(frame) = self.above.last_mut() {
            let Some(entry) = frame.below.next() else {
                self.leave(ends)?;
                continue;
            };
            ends.cut(frame.ends);
            ends.push(&entry.name);
            let dir = frame.made;
            let done = self.next(ends, entry.ino, dir);
            self.tell(done)?;
        }
        Ok(())
    }

    fn next(&mut self, ends: &Ends<VolumePath>, ino: Ino, dir: Ino) -> anyhow::Result<()> {
        let found = self.way.meet((self.job, self.source), &ends.from, ino)?;
        let ino = found.inode.ino;
        let is_own = self.inside && self.kept.made.contains(&ino);
        if is_own && found.kind == FileKind::Directory && self.job.arguments.follows_all() {
            let told = format!("{}: leads to a directory that this command made", ends.from);
            return Err(loops(told).into());
        }
        let copied = self.one(&todo(ends, ino, dir), &found)?;
        self.go_on(ends, found, copied)
    }

    /// What was named, and where it goes.
    fn first(&self) -> anyhow::Result<(Ends<VolumePath>, Ino, Ino)> {
        let (from, to) = self.sides;
        let (from, to) = (&from.path, self.destination(&from.path, &to.path));
        let ino = match self.job.arguments.follows_named() {
            true => self.source.lookup(from).at(from)?,
            false => itself(self.source, from)?,
        };
        let found = self.source.metadata_of(ino).at(from)?;
        self.demand_tree(from, &found, &to)?;
        let dir = self.target.lookup(to.above()).at(&to)?;
        Ok((Ends { from: from.clone(), to }, ino, dir))
    }

    /// Says what was copied; what is in it comes next.
    fn go_on(
        &mut self,
        ends: &Ends<VolumePath>,
        found: Metadata,
        copied: Copied,
    ) -> anyhow::Result<()> {
        let (made, new) = match copied {
            Copied::Left => return Ok(()),
            Copied::Made(made) => (made, true),
            Copied::Entered(made) => (made, false),
        };
        if found.kind == FileKind::Directory {
            let ino = found.inode.ino;
            self.way.enter(ino);
            // One that lists nothing is dressed all the same.
            let below = self.tell(self.source.entries_of(ino).at(&ends.from))?;
            let finish = self.job.finish(Visit::of(new, self.kept.entered.insert(made)));
            let (ends, below) = (ends.lengths(), below.unwrap_or_default().into_iter());
            self.above.push(Frame { found, ends, made, finish, below });
        }
        if new && self.job.is_verbose() {
            let (from, to) = (self.sides.0.image.display(), self.sides.1.image.display());
            writeln!(self.out, "'{from}:{}' -> '{to}:{}'", ends.from, ends.to)?;
        }
        Ok(())
    }

    /// All in the last directory is done.
    fn leave(&mut self, ends: &mut Ends<VolumePath>) -> anyhow::Result<()> {
        let Some(frame) = self.above.pop() else { return Ok(()) };
        ends.cut(frame.ends);
        self.way.leave(frame.found.inode.ino);
        if frame.finish == Finish::Dress {
            let dressed = self.dress(&frame.found, frame.made).at(&ends.to);
            self.tell(dressed)?;
        }
        Ok(())
    }

    fn tell<T>(&mut self, done: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
        self.job.bar.suspend(|| self.told.of(done))
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
        if !self.job.arguments.is_recursive() {
            let told = format!("{from}: is a directory");
            let remedy = "copy it with `untorn cp -r`";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        if self.inside && lies_inside(self.source, found.inode.ino, to)? {
            return Err(Refusal::new(Code::Invalid, format!("{to}: lies inside {from}")).into());
        }
        Ok(())
    }

    fn one(&mut self, next: &Todo<'_>, found: &Metadata) -> anyhow::Result<Copied> {
        let Todo { ino, from, dir, to } = next;
        let is_dir = found.kind == FileKind::Directory;
        let name = match to.name() {
            Some(name) => name,
            None if is_dir => return Ok(Copied::Entered(self.target.root())),
            None => return Err(untorn::Error::IsDirectory(to.to_string()).into()),
        };
        let old = match self.target.find_in(*dir, name) {
            Err(untorn::Error::NotFound(_)) => {
                let made = self.make(next, found, name)?;
                return Ok(self.made(found, made));
            }
            old => self.target.metadata_of(old.at(to)?).at(to)?,
        };
        if self.inside && old.inode.ino == *ino {
            return Err(same_file(from, to).into());
        }
        if self.inside && is_link_to(self.target, (found, from), (&old, to))? {
            return Err(same_file(from, to).into());
        }
        match (old.kind == FileKind::Directory, is_dir) {
            (true, true) => return Ok(Copied::Entered(old.inode.ino)),
            (true, false) => return Err(untorn::Error::IsDirectory(to.to_string()).into()),
            (false, true) => return Err(untorn::Error::NotDirectory(to.to_string()).into()),
            (false, false) => {}
        }
        if self.job.leaves(age_beside(found.inode.mtime, &old)) {
            return Ok(Copied::Left);
        }
        if self.kept.made.contains(&old.inode.ino) {
            return Err(same_name_twice(from).into());
        }
        let made = self.replace(next, found, (&old, name))?;
        Ok(self.made(found, made))
    }

    /// Makes it beside what has its name, and gives it that when it is whole.
    fn replace(
        &mut self,
        next: &Todo<'_>,
        found: &Metadata,
        (old, name): (&Metadata, &[u8]),
    ) -> anyhow::Result<Ino> {
        let Todo { dir, to, .. } = next;
        let beside = free_name_in(self.target, *dir)?;
        let (new, name) = (Name::In(*dir, beside.as_bytes()), Name::In(*dir, name));
        let made = self.make(next, found, beside.as_bytes())?;
        match self.target.rename(new, name, Rename::Replace).at(to) {
            Ok(gone) => drop(gone),
            Err(error) => {
                self.remove(new);
                return Err(error);
            }
        }
        if old.inode.nlink <= 1 && host_file(&self.sides.1.image) == Some(self.image) {
            // Its number may become another file's.
            self.kept.seen.remove(&(self.image, old.inode.ino));
        }
        Ok(made)
    }

    /// Something stands where it goes: it is not replaced any more.
    fn made(&mut self, found: &Metadata, made: Ino) -> Copied {
        self.kept.made.insert(made);
        if found.inode.nlink > 1 && found.kind != FileKind::Directory {
            self.kept.seen.insert((self.image, found.inode.ino), made);
        }
        Copied::Made(made)
    }

    /// Takes away what did not become whole; why is told.
    fn remove(&self, place: Name<'_>) {
        let _ = self.target.detach(place, Removal::NoDirectory);
    }

    /// Makes it under a name that nothing has, with all that is to be said of it; a directory gets
    /// that when it is full.
    fn make(&self, next: &Todo<'_>, found: &Metadata, name: &[u8]) -> anyhow::Result<Ino> {
        let Todo { ino, from, dir, to } = next;
        let place = Name::In(*dir, name);
        if let Some(&first) = self.kept.seen.get(&(self.image, *ino)) {
            self.target.link(first, place).at(to)?;
            return Ok(first);
        }
        let inode = &found.inode;
        let new = NewFile { permissions: inode.mode & 0o777, uid: inode.uid, gid: inode.gid };
        let made = match found.kind {
            FileKind::Directory => return self.target.make(place, Make::Directory, new).at(to),
            FileKind::Regular if !self.shares() => return self.file(next, found, place, new),
            FileKind::Regular => {
                let path = to.above().join(name);
                self.target.clone_file(from, &path).at(to)?.ino()
            }
            _ => {
                let link = match found.kind {
                    FileKind::Symlink => self.source.link_target(*ino).at(from)?,
                    _ => Vec::new(),
                };
                self.target.make(place, special(found, &link), new).at(to)?
            }
        };
        let dressed = self.dress(found, made).at(to);
        dressed.inspect_err(|_| self.remove(place)).map(|()| made)
    }

    /// Whether copies share the blocks of what is copied.
    fn shares(&self) -> bool {
        self.inside && self.target.superblock().features.has_reflink()
    }

    /// The bytes of a regular file, which shares no blocks: it gets its name when it is whole.
    fn file(
        &self,
        next: &Todo<'_>,
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
        self.dress(found, orphan.ino()).at(to)?;
        orphan.link(place).at(to)?;
        Ok(orphan.ino())
    }

    /// Gives owner, permissions, attributes, access lists and times.
    fn dress(&self, found: &Metadata, made: Ino) -> untorn::Result<()> {
        let ino = found.inode.ino;
        match (self.inside, found.kind) {
            // What shares blocks was made alike.
            (true, FileKind::Regular) if self.shares() => {}
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
            ..NewMetadata::default()
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

fn todo(ends: &Ends<VolumePath>, ino: Ino, dir: Ino) -> Todo<'_> {
    Todo { ino, from: &ends.from, dir, to: &ends.to }
}

fn same_file(from: &VolumePath, to: &VolumePath) -> Refusal {
    Refusal::new(Code::Invalid, format!("{from} and {to} are the same file"))
}
