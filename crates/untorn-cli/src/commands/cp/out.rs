//! Out of a volume to the host.

use super::{Job, PIECE, age};
use crate::arguments::{Destination, VolumePath};
use crate::commands::beside::free_name;
use crate::commands::met::Met;
use crate::commands::mv::itself;
use crate::failure::{self, At, Code, End, Refusal};
use crate::show;
use anyhow::bail;
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, makedev};
use rustix::fs::{XattrFlags, chownat, lsetxattr, mknodat, utimensat};
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{
    DirBuilderExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, symlink,
};
use std::path::{Path, PathBuf};
use untorn::{AclKind, Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::{FileKind, Timestamp};
use untorn_image::attributes::{ACCESS, DEFAULT, to_host};

/// Files of several names that were copied, and where to.
pub(super) type Seen = HashMap<Ino, PathBuf>;

/// What became of something that is copied.
enum Copied {
    /// It stands there.
    New,
    /// A directory stands there already.
    Entered,
    /// What stands there stays.
    Left,
    /// It was told of.
    Failed,
}

/// Permissions while something is not all there.
const PRIVATE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

impl Job<'_> {
    /// Copies what is at the path `from` to `to`, or into it where it is a directory. What the host
    /// does not let this user make is told of and left out.
    pub(super) fn copy_out(
        &self,
        (volume, seen): (&Volume, &mut Seen),
        side: &Destination,
        to: &Path,
        out: &mut dyn Write,
    ) -> anyhow::Result<End> {
        let from = &side.path;
        let (to, top) = self.ends(volume, from, to)?;
        // What the user made, and now names, stays what it is.
        let stays = Some(to.clone()).filter(|to| to.is_dir());
        let (mut end, mut directories, mut met) = (End::Well, Vec::new(), Met::default());
        let mut todo = vec![(top, from.clone(), to)];
        while let Some((ino, from, to)) = todo.pop() {
            let ino = match self.led(volume, (&side.path, &from), ino) {
                Err(error) if failure::is_of_one(&error) => {
                    self.bar.suspend(|| failure::tell(&error));
                    end = End::Found;
                    continue;
                }
                led => led?,
            };
            let found = volume.metadata_of(ino)?;
            self.bar.set_message(shown(&to));
            let made = self.one_out(volume, ino, &found, &to, seen);
            match self.told(made, &found, &to, ino == top)? {
                Copied::Failed => {
                    end = End::Found;
                    continue;
                }
                Copied::Left => continue,
                Copied::New if self.is_verbose() => {
                    writeln!(out, "'{}:{from}' -> '{}'", side.image.display(), shown(&to))?;
                }
                Copied::New | Copied::Entered => {}
            }
            if found.kind != FileKind::Directory {
                continue;
            }
            self.enter(&mut met, ino)?;
            let below = volume.entries_of(ino)?.into_iter();
            let below = below.filter(|entry| entry.name != b"." && entry.name != b"..");
            todo.extend(below.map(|entry| {
                let to = to.join(OsStr::from_bytes(&entry.name));
                (entry.ino, from.join(&entry.name), to)
            }));
            if stays.as_ref() != Some(&to) {
                directories.push((ino, to, found));
            }
        }
        // A directory that may not be written, or whose time is old, gets that when it is full.
        let mut full = directories.iter().rev();
        full.try_for_each(|(ino, to, found)| dress(volume, *ino, to, found))?;
        Ok(end)
    }

    /// Where what is at `from` goes, and what that is.
    fn ends(
        &self,
        volume: &Volume,
        from: &VolumePath,
        to: &Path,
    ) -> anyhow::Result<(PathBuf, Ino)> {
        // No name in the target: `..` would lead out of it.
        let name = from.name().filter(|name| ![&b"."[..], b".."].contains(name));
        let into = !self.arguments.no_target_directory && to.is_dir();
        let to = match name.filter(|_| into) {
            Some(name) => to.join(OsStr::from_bytes(name)),
            None => destination(to)?,
        };
        let top = match self.arguments.follows_named() {
            true => volume.lookup(from).at(from)?,
            false => itself(volume, from)?,
        };
        if volume.metadata_of(top)?.kind == FileKind::Directory && !self.arguments.recursive {
            let told = format!("{from}: is a directory");
            let remedy = "copy it with `untorn cp -r`";
            return Err(Refusal::new(Code::IsADirectory, told).or(remedy).into());
        }
        Ok((to, top))
    }

    /// Tells what failed of one thing below what was named: the rest is copied all the same.
    fn told(
        &self,
        made: anyhow::Result<Copied>,
        found: &Metadata,
        to: &Path,
        is_top: bool,
    ) -> anyhow::Result<Copied> {
        let error = match made {
            Ok(made) => return Ok(made),
            Err(error) if found.device.is_some() && is_forbidden(&error) => {
                let told = format!("{}: left out: {error}", shown(to));
                self.bar.suspend(|| failure::warn(Code::LeftOut, told));
                return Ok(Copied::Failed);
            }
            Err(error) => error.context(shown(to)),
        };
        if is_top || !failure::is_of_one(&error) {
            return Err(error);
        }
        self.bar.suspend(|| failure::tell(&error));
        Ok(Copied::Failed)
    }

    fn one_out(
        &self,
        volume: &Volume,
        ino: Ino,
        found: &Metadata,
        to: &Path,
        seen: &mut Seen,
    ) -> anyhow::Result<Copied> {
        self.demand_no_image(to)?;
        demand_replaceable(to, found)?;
        if is_directory(to) {
            return Ok(Copied::Entered);
        }
        if let Ok(old) = fs::symlink_metadata(to) {
            let (old, new) = ((old.mtime(), old.mtime_nsec()), found.inode.mtime);
            if self.leaves(age((new.seconds, new.nanos.into()), old)) {
                return Ok(Copied::Left);
            }
        }
        let at = beside(to)?;
        let made = self.make(volume, (ino, found), &at, seen).and_then(|()| {
            let more_names = found.inode.nlink > 1 && found.kind != FileKind::Directory;
            if at != to {
                fs::rename(&at, to)?;
            }
            if more_names && !seen.contains_key(&ino) {
                seen.insert(ino, to.to_owned());
            }
            Ok(())
        });
        if at != to {
            // Gone, unless something failed; or it was another name of what stands there.
            let _ = fs::remove_file(&at);
        }
        made.map(|()| Copied::New)
    }

    /// Makes it at `to`, where nothing is, with all that is to be said of it.
    fn make(
        &self,
        volume: &Volume,
        (ino, found): (Ino, &Metadata),
        to: &Path,
        seen: &Seen,
    ) -> anyhow::Result<()> {
        if let Some(first) = seen.get(&ino) {
            return Ok(fs::hard_link(first, to)?);
        }
        // Nobody else's until all is said of it.
        let mode = Mode::from_raw_mode(PRIVATE);
        let node = |kind| {
            let (major, minor) = found.device.unwrap_or_default();
            mknodat(CWD, to, kind, mode, makedev(major, minor))
        };
        match found.kind {
            FileKind::Directory => {
                return Ok(fs::DirBuilder::new().mode(PRIVATE_DIRECTORY).create(to)?);
            }
            FileKind::Regular => self.contents_out(volume, ino, to)?,
            FileKind::Symlink => symlink(OsStr::from_bytes(&volume.link_target(ino)?), to)?,
            FileKind::Fifo => node(FileType::Fifo)?,
            FileKind::Socket => node(FileType::Socket)?,
            FileKind::CharDevice => node(FileType::CharacterDevice)?,
            FileKind::BlockDevice => node(FileType::BlockDevice)?,
        }
        dress(volume, ino, to, found)
    }

    /// Refuses to replace an image that is copied from.
    fn demand_no_image(&self, to: &Path) -> anyhow::Result<()> {
        let found = fs::symlink_metadata(to).ok().map(|found| (found.dev(), found.ino()));
        match found.is_some_and(|found| self.images.contains(&found)) {
            true => bail!("is the image that is copied from; choose another name"),
            false => Ok(()),
        }
    }

    fn contents_out(&self, volume: &Volume, ino: Ino, to: &Path) -> anyhow::Result<()> {
        let file = volume.file(ino)?;
        let target = create(to)?;
        target.set_len(file.size()?)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        while let Some(start) = file.seek_data(at)? {
            let end = file.seek_hole(start)?.unwrap_or(file.size()?);
            at = start;
            while at < end {
                let count = (end - at).min(PIECE as u64) as usize;
                let count = file.read_at(at, &mut piece[..count])?;
                if count == 0 {
                    return Ok(());
                }
                target.write_all_at(&piece[..count], at)?;
                at += count as u64;
                self.bar.inc(count as u64);
            }
        }
        Ok(())
    }
}

/// A path whose end a volume chose, for a terminal.
fn shown(path: &Path) -> String {
    show::printable(path.as_os_str().as_bytes())
}

/// Where the path that the user names really is: a link there is followed, none that is found below
/// is. One that leads to nothing with a name (`/dev/stdout` before a pipe) is not replaced.
fn destination(to: &Path) -> anyhow::Result<PathBuf> {
    match fs::canonicalize(to) {
        Ok(real) => Ok(real),
        Err(_) if fs::symlink_metadata(to).is_err() => Ok(to.to_owned()),
        Err(error) => {
            let told = format!("{}: is a link that leads to no file: {error}", to.display());
            let remedy = "name a file; `untorn cat` writes to a pipe";
            Err(Refusal::new(Code::Invalid, told).or(remedy).into())
        }
    }
}

/// Whether the path itself is a directory, not a link to one: a damaged volume may name a link and
/// a directory alike.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// Refuses to replace what is not replaced: directories, and devices other than the one that comes.
fn demand_replaceable(to: &Path, comes: &Metadata) -> anyhow::Result<()> {
    let Ok(found) = fs::symlink_metadata(to) else { return Ok(()) };
    let (is, kind) = (found.file_type(), comes.kind);
    let same_kind = is.is_char_device() && kind == FileKind::CharDevice
        || is.is_block_device() && kind == FileKind::BlockDevice;
    let number = comes.device.map(|(major, minor)| makedev(major, minor));
    let same = same_kind && number == Some(found.rdev());
    if (is.is_char_device() || is.is_block_device()) && !same {
        bail!("is a device, which is not replaced; choose another name");
    }
    match (found.is_dir(), kind == FileKind::Directory) {
        (true, false) => bail!("is a directory, and what is copied is none; remove it"),
        (false, true) => bail!("is no directory, and what is copied is one; remove it"),
        _ => Ok(()),
    }
}

/// Where something is made that shall stand at `to`: beside what stands there until it is whole. A
/// link, which is never written through, a pipe and an earlier copy are replaced so.
fn beside(to: &Path) -> anyhow::Result<PathBuf> {
    if fs::symlink_metadata(to).is_err() {
        return Ok(to.to_owned());
    }
    let name = free_name(|name| Ok(fs::symlink_metadata(to.with_file_name(name)).is_err()))?;
    Ok(to.with_file_name(name))
}

/// A new empty file.
fn create(path: &Path) -> anyhow::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    Ok(options.write(true).create_new(true).mode(PRIVATE).open(path)?)
}

/// Whether the host forbade it to this user.
fn is_forbidden(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Errno>().is_some_and(|&errno| errno == Errno::PERM)
}

/// Copies extended attributes and access lists, those that the host takes.
fn attributes(volume: &Volume, ino: Ino, to: &Path) -> anyhow::Result<()> {
    // A host that does not keep them, or not for this user, is told of by nobody's cp.
    let set = |name: &[u8], value: &[u8]| {
        let _ = lsetxattr(to, name, value, XattrFlags::empty());
    };
    for listed in volume.attributes(ino)? {
        if let Some(name) = to_host(listed.namespace, &listed.name) {
            set(&name, &listed.value);
        }
    }
    for (kind, name) in [(AclKind::Access, ACCESS), (AclKind::Default, DEFAULT)] {
        if let Some(acl) = volume.acl_of(ino, kind)? {
            set(name, &acl.encode_carried());
        }
    }
    Ok(())
}

/// Gives owner (where that may be), attributes, permissions and times.
fn dress(volume: &Volume, ino: Ino, to: &Path, found: &Metadata) -> anyhow::Result<()> {
    let (uid, gid) = (Uid::from_raw(found.inode.uid), Gid::from_raw(found.inode.gid));
    // Bits that lend an owner's rights go with the owner.
    let kept = match chownat(CWD, to, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(()) => 0o7777,
        Err(_) => 0o1777,
    };
    // Behind the owner: with a new one the host takes a program's capabilities away.
    attributes(volume, ino, to)?;
    if found.kind != FileKind::Symlink {
        let mode = u32::from(found.inode.mode & kept);
        fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    }
    let time = |time: Timestamp| Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() };
    let times = Timestamps {
        last_access: time(found.inode.atime),
        last_modification: time(found.inode.mtime),
    };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
