//! From the host into a volume.

use super::{HOLE, Job, PIECE};
use crate::commands::mv::is_directory;
use anyhow::{Context, bail};
use rustix::fs::{lgetxattr, llistxattr, major, minor};
use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use untorn::attr::SetMode;
use untorn::{Error, File, Make, NewFile, NewMetadata, SetTime, Sync, Volume};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_format::inode::Timestamp;

/// Largest extended attribute, and largest list of their names, in bytes.
const LARGEST: usize = 64 << 10;

/// Files of several names that were copied, by device and inode of the host.
type Seen = HashMap<(u64, u64), Ino>;

impl Job<'_> {
    /// Copies `from` to the path `to`, or into it where it is a directory.
    pub(super) fn copy_in(&self, volume: &Volume, from: &[&Path], to: &str) -> anyhow::Result<()> {
        let inside = is_directory(volume, to);
        if !inside && from.len() > 1 {
            bail!("{to}: is not a directory");
        }
        let mut seen = Seen::new();
        for path in from {
            let name = path.file_name().filter(|_| inside && !is_contents(path));
            let target = match name {
                Some(name) => [to.trim_end_matches('/').as_bytes(), b"/", name.as_bytes()].concat(),
                None => to.as_bytes().to_vec(),
            };
            self.tree_into(volume, path, target, &mut seen)?;
        }
        Ok(())
    }

    /// Copies a file or a tree. Directories get their times when all below them is there.
    fn tree_into(
        &self,
        volume: &Volume,
        from: &Path,
        to: Vec<u8>,
        seen: &mut Seen,
    ) -> anyhow::Result<()> {
        let mut todo: Vec<(PathBuf, Vec<u8>)> = vec![(from.to_owned(), to)];
        let mut directories = Vec::new();
        while let Some((path, to)) = todo.pop() {
            let found = fs::symlink_metadata(&path).with_context(|| path.display().to_string())?;
            self.bar.set_message(path.display().to_string());
            let ino = self.one_into(volume, (&path, &found), &to, seen);
            let ino = ino.with_context(|| path.display().to_string())?;
            if !found.is_dir() {
                continue;
            }
            if !self.arguments.recursive {
                bail!("{}: is a directory; copy it with `untorn cp -r`", path.display());
            }
            directories.push((ino, found));
            let mut below = fs::read_dir(&path)?
                .map(|entry| Ok(entry?.file_name()))
                .collect::<std::io::Result<Vec<_>>>()?;
            // The order of the host's directory is of no matter to what is made.
            below.sort_unstable_by(|a, b| b.cmp(a));
            todo.extend(below.into_iter().map(|name| {
                let to = [to.as_slice(), b"/", name.as_bytes()].concat();
                (path.join(name), to)
            }));
        }
        directories.iter().try_for_each(|(ino, found)| times(volume, *ino, found))
    }

    /// Makes one file like that of the host at `path`, and copies what it holds.
    fn one_into(
        &self,
        volume: &Volume,
        (path, found): (&Path, &fs::Metadata),
        to: &[u8],
        seen: &mut Seen,
    ) -> anyhow::Result<Ino> {
        let key = (found.dev(), found.ino());
        if found.is_dir()
            && let Ok(ino) = volume.lookup(to)
        {
            return Ok(ino);
        }
        match volume.remove(to) {
            Ok(()) | Err(Error::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(&ino) = seen.get(&key) {
            volume.link(ino, to)?;
            return Ok(ino);
        }
        let ino =
            volume.make(to, make(path, found, &link_target(path, found)?)?, self.owned(found))?;
        if found.nlink() > 1 && !found.is_dir() {
            seen.insert(key, ino);
        }
        if found.is_file() {
            self.contents_into(&volume.file(ino)?, path)?;
        }
        attributes(volume, ino, path)?;
        times(volume, ino, found)?;
        Ok(ino)
    }

    fn owned(&self, found: &fs::Metadata) -> NewFile {
        let (uid, gid) = match (self.arguments.squash, self.arguments.owner) {
            (true, _) => (0, 0),
            (false, (uid, gid)) => (uid.unwrap_or(found.uid()), gid.unwrap_or(found.gid())),
        };
        NewFile { permissions: (found.mode() & 0o7777) as u16, uid, gid }
    }

    fn contents_into(&self, file: &File, path: &Path) -> anyhow::Result<()> {
        let mut source = fs::File::open(path)?;
        let mut piece = vec![0; PIECE];
        let mut at = 0;
        loop {
            let count = source.read(&mut piece)?;
            if count == 0 {
                break;
            }
            for (index, part) in piece[..count].chunks(HOLE).enumerate() {
                if part.iter().any(|&byte| byte != 0) {
                    file.write_cached(at + (index * HOLE) as u64, part, Sync::Visible)?;
                }
            }
            at += count as u64;
            self.bar.inc(count as u64);
        }
        if file.size()? < at {
            file.truncate(at)?;
        }
        Ok(())
    }
}

/// Whether a path names what is in a directory (`folder/.`) rather than the directory.
fn is_contents(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes == b"." || bytes.ends_with(b"/.")
}

fn link_target(path: &Path, found: &fs::Metadata) -> anyhow::Result<Vec<u8>> {
    match found.is_symlink() {
        true => Ok(fs::read_link(path)?.as_os_str().as_bytes().to_vec()),
        false => Ok(Vec::new()),
    }
}

fn make<'t>(path: &Path, found: &fs::Metadata, target: &'t [u8]) -> anyhow::Result<Make<'t>> {
    let kind = found.file_type();
    let (major, minor) = (major(found.rdev()), minor(found.rdev()));
    Ok(match kind {
        _ if kind.is_file() => Make::File,
        _ if kind.is_dir() => Make::Directory,
        _ if kind.is_symlink() => Make::Symlink(target),
        _ if kind.is_fifo() => Make::Fifo,
        _ if kind.is_socket() => Make::Socket,
        _ if kind.is_char_device() => Make::CharDevice(major, minor),
        _ if kind.is_block_device() => Make::BlockDevice(major, minor),
        _ => bail!("{}: is of a kind that XFS does not know", path.display()),
    })
}

/// Copies the extended attributes that a volume keeps as such; access lists are kept by the
/// permissions alone.
fn attributes(volume: &Volume, ino: Ino, path: &Path) -> anyhow::Result<()> {
    let mut names = vec![0; LARGEST];
    let Ok(length) = llistxattr(path, &mut names[..]) else { return Ok(()) };
    for full in names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let spaces = [
            (Namespace::User, &b"user."[..]),
            (Namespace::Trusted, b"trusted."),
            (Namespace::Security, b"security."),
        ];
        let split =
            spaces.iter().find_map(|(space, prefix)| Some((*space, full.strip_prefix(*prefix)?)));
        let Some((space, name)) = split else { continue };
        let mut value = vec![0; LARGEST];
        let length = lgetxattr(path, full, &mut value[..])?;
        volume.set_attribute(ino, (space, name), &value[..length], SetMode::Upsert)?;
    }
    Ok(())
}

fn times(volume: &Volume, ino: Ino, found: &fs::Metadata) -> anyhow::Result<()> {
    let time = |seconds, nanos: i64| {
        let nanos = u32::try_from(nanos).unwrap_or(0);
        Some(SetTime::To(Timestamp { seconds, nanos }))
    };
    let atime = time(found.atime(), found.atime_nsec());
    let mtime = time(found.mtime(), found.mtime_nsec());
    let change = NewMetadata { atime, mtime, ..NewMetadata::default() };
    Ok(volume.set_metadata_of(ino, &change)?)
}
