//! Out of a volume to the host.

use super::{Job, PIECE};
use anyhow::{Context, bail};
use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, Timespec, Timestamps, Uid, makedev};
use rustix::fs::{XattrFlags, chownat, lsetxattr, mknodat, utimensat};
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use untorn::{AclKind, Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::{FileKind, Timestamp};
use untorn_image::attributes::{ACCESS, DEFAULT, to_host};

/// Files of several names that were copied, and where to.
type Seen = HashMap<Ino, PathBuf>;

impl Job<'_> {
    /// Copies what is at the path `from` to `to`, or into it where it is a directory.
    pub(super) fn copy_out(&self, volume: &Volume, from: &str, to: &Path) -> anyhow::Result<()> {
        let name = from.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        let to = match to.is_dir() && !name.is_empty() {
            true => to.join(name),
            false => to.to_owned(),
        };
        let (mut seen, mut directories) = (Seen::new(), Vec::new());
        let mut todo = vec![(volume.lookup(from)?, to)];
        while let Some((ino, to)) = todo.pop() {
            let found = volume.metadata_of(ino)?;
            self.bar.set_message(to.display().to_string());
            self.one_out(volume, ino, &found, &to, &mut seen)
                .with_context(|| to.display().to_string())?;
            if found.kind != FileKind::Directory {
                continue;
            }
            if !self.arguments.recursive {
                bail!("{from}: is a directory; copy it with `untorn cp -r`");
            }
            let below = volume.entries_of(ino)?.into_iter();
            let below = below.filter(|entry| entry.name != b"." && entry.name != b"..");
            todo.extend(below.map(|entry| (entry.ino, to.join(OsStr::from_bytes(&entry.name)))));
            directories.push((ino, to, found));
        }
        // A directory that may not be written, or whose time is old, gets that when it is full.
        directories.iter().rev().try_for_each(|(ino, to, found)| {
            attributes(volume, *ino, to)?;
            dress(to, found)
        })
    }

    fn one_out(
        &self,
        volume: &Volume,
        ino: Ino,
        found: &Metadata,
        to: &Path,
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        if let Some(first) = seen.get(&ino) {
            return Ok(fs::hard_link(first, to)?);
        }
        if found.inode.nlink > 1 && found.kind != FileKind::Directory {
            seen.insert(ino, to.to_owned());
        }
        let mode = Mode::from_raw_mode(u32::from(found.inode.mode & 0o777));
        let node = |kind| {
            let (major, minor) = found.device.unwrap_or_default();
            mknodat(CWD, to, kind, mode, makedev(major, minor))
        };
        match found.kind {
            FileKind::Directory if to.is_dir() => return Ok(()),
            FileKind::Directory => return Ok(fs::create_dir(to)?),
            FileKind::Regular => self.contents_out(volume, ino, to)?,
            FileKind::Symlink => symlink(OsStr::from_bytes(&volume.link_target(ino)?), to)?,
            FileKind::Fifo => node(FileType::Fifo)?,
            FileKind::Socket => node(FileType::Socket)?,
            FileKind::CharDevice => node(FileType::CharacterDevice)?,
            FileKind::BlockDevice => node(FileType::BlockDevice)?,
        }
        attributes(volume, ino, to)?;
        dress(to, found)
    }

    fn contents_out(&self, volume: &Volume, ino: Ino, to: &Path) -> anyhow::Result<()> {
        let file = volume.file(ino)?;
        let target = fs::File::create(to)?;
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

/// Gives owner (where that may be), permissions and times.
fn dress(to: &Path, found: &Metadata) -> anyhow::Result<()> {
    let (uid, gid) = (Uid::from_raw(found.inode.uid), Gid::from_raw(found.inode.gid));
    let _ = chownat(CWD, to, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW);
    if found.kind != FileKind::Symlink {
        let mode = u32::from(found.inode.mode & 0o7777);
        fs::set_permissions(to, fs::Permissions::from_mode(mode))?;
    }
    let time = |time: Timestamp| Timespec { tv_sec: time.seconds, tv_nsec: time.nanos.into() };
    let times = Timestamps {
        last_access: time(found.inode.atime),
        last_modification: time(found.inode.mtime),
    };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}
