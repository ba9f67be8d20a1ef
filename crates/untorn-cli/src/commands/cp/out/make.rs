//! Makes one file of the host, and gives what belongs to it.

use super::host::{Dir, Made};
use super::{Copied, Out};
use crate::arguments::VolumePath;
use crate::commands::beside::free_name;
use crate::commands::cp::{HostFile, PIECE};
use crate::failure::At;
use rustix::fs::{FileType, Gid, Mode, Timespec, Timestamps, Uid, makedev};
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use untorn::{AclKind, Metadata};
use untorn_format::inode::{FileKind, Timestamp};
use untorn_image::attributes::{ACCESS, DEFAULT, to_host};

/// What just got a name that nothing had.
enum New {
    /// It was there under another.
    Linked(HostFile),
    File(File),
    /// What cannot be opened, by what it is.
    Other(FileType),
}

impl Out<'_> {
    /// Makes it beside its place, which it takes when it is whole. A link, which is never written
    /// through, a pipe and an earlier copy are replaced so.
    pub(super) fn put(
        &mut self,
        dir: &Dir,
        (found, from): (&Metadata, &VolumePath),
        to: &Path,
    ) -> anyhow::Result<Copied> {
        let (name, ino) = (to.file_name().unwrap_or_default(), found.inode.ino);
        let beside = free_name(|name| Ok(dir.find(OsStr::new(name))?.is_none()))?;
        let beside = OsStr::new(&beside);
        // Where this fails, what has the name is somebody else's.
        let new = self.make(dir, (found, from), beside)?;
        let made = self.fill(dir, (found, from), (new, beside)).and_then(|made| {
            dir.rename(beside, name)?;
            Ok(made)
        });
        if made.is_err() {
            // What failed is told.
            let _ = dir.remove(beside);
        }
        let made = made?;
        self.kept.made.insert(made);
        if found.inode.nlink > 1 {
            let first = || (to.to_owned(), made);
            self.kept.seen.entry((self.image, ino)).or_insert_with(first);
        }
        Ok(Copied::Made)
    }

    /// Makes it under a name that nothing has, and no more.
    fn make(
        &self,
        dir: &Dir,
        (found, from): (&Metadata, &VolumePath),
        name: &OsStr,
    ) -> anyhow::Result<New> {
        let ino = found.inode.ino;
        if let Some((path, first)) = self.kept.seen.get(&(self.image, ino)) {
            return dir.hard_link(path, name).map(|()| New::Linked(*first));
        }
        let node = |kind| {
            let (major, minor) = found.device.unwrap_or_default();
            dir.node(name, kind, makedev(major, minor)).map(|()| New::Other(kind))
        };
        match found.kind {
            FileKind::Regular | FileKind::Directory => {
                dir.create(name).map(|file| New::File(file.into()))
            }
            FileKind::Symlink => {
                let target = self.volume.link_target(ino).at(from)?;
                let made = dir.link(name, OsStr::from_bytes(&target));
                made.map(|()| New::Other(FileType::Symlink))
            }
            FileKind::Fifo => node(FileType::Fifo),
            FileKind::Socket => node(FileType::Socket),
            FileKind::CharDevice => node(FileType::CharacterDevice),
            FileKind::BlockDevice => node(FileType::BlockDevice),
        }
    }

    /// Gives what was made all that is to be said of it.
    fn fill(
        &self,
        dir: &Dir,
        (found, from): (&Metadata, &VolumePath),
        (new, name): (New, &OsStr),
    ) -> anyhow::Result<HostFile> {
        let made = match new {
            New::Linked(first) => return dir.demand(first, name).map(|()| first),
            New::File(file) => {
                self.contents(found, from, &file)?;
                Made::Open(file.into())
            }
            New::Other(kind) => dir.placed(name, kind)?,
        };
        self.dress(&made, found, from)?;
        made.id()
    }

    fn contents(&self, found: &Metadata, from: &VolumePath, target: &File) -> anyhow::Result<()> {
        let file = self.volume.file(found.inode.ino).at(from)?;
        let size = file.size().at(from)?;
        target.set_len(size)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while let Some(start) = file.seek_data(at).at(from)? {
            let end = file.seek_hole(start).at(from)?.unwrap_or(size);
            at = start;
            while at < end {
                let count = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
                let Some(room) = piece.get_mut(..count) else { break };
                let count = file.read_at(at, room).at(from)?;
                let Some(read) = room.get(..count).filter(|read| !read.is_empty()) else { break };
                target.write_all_at(read, at)?;
                at += count as u64;
                self.job.bar.inc(count as u64);
            }
            at = at.max(end);
        }
        Ok(())
    }

    /// Gives owner (where that may be), attributes, permissions and times.
    pub(super) fn dress(
        &self,
        made: &Made,
        found: &Metadata,
        from: &VolumePath,
    ) -> anyhow::Result<()> {
        let inode = &found.inode;
        // Bits that lend an owner's rights go with the owner.
        let kept = match made.own(Uid::from_raw(inode.uid), Gid::from_raw(inode.gid)) {
            Ok(()) => 0o7777,
            Err(_) => 0o1777,
        };
        // Behind the owner: with a new one the host takes a program's capabilities away.
        self.attributes(made, found, from)?;
        if found.kind != FileKind::Symlink {
            made.permit(Mode::from_raw_mode((inode.mode & kept).into()))?;
        }
        let time = |time: Timestamp| Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() };
        let times =
            Timestamps { last_access: time(inode.atime), last_modification: time(inode.mtime) };
        made.date(&times)
    }

    /// Copies extended attributes and access lists, those that the host takes.
    fn attributes(&self, made: &Made, found: &Metadata, from: &VolumePath) -> anyhow::Result<()> {
        let ino = found.inode.ino;
        for listed in self.volume.attributes(ino).at(from)? {
            if let Some(name) = to_host(listed.namespace, &listed.name) {
                made.set_attribute(&name, &listed.value);
            }
        }
        for (kind, name) in [(AclKind::Access, ACCESS), (AclKind::Default, DEFAULT)] {
            if let Some(acl) = self.volume.acl_of(ino, kind).at(from)? {
                made.set_attribute(name, &acl.encode_carried());
            }
        }
        Ok(())
    }
}
