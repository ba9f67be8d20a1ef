//! Reads a mounted volume whole into a [`Tree`].

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{SeekFrom, seek};
use rustix::io::Errno;

use crate::tree::{Content, DeviceNumber, Entry, Kind, PIECE, Timestamp, Tree};

/// Everything at and below `root`, which is the empty path of the tree.
pub fn tree(root: &Path) -> Result<Tree> {
    let mut found = Tree::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let entry = entry(&path).with_context(|| format!("cannot read {}", path.display()))?;
        if entry.kind == Kind::Directory {
            for child in fs::read_dir(&path)? {
                waiting.push(child?.path());
            }
        }
        found.insert(path.strip_prefix(root)?.to_owned(), entry);
    }
    Ok(found)
}

fn entry(path: &Path) -> Result<Entry> {
    let metadata = fs::symlink_metadata(path)?;
    let kind = kind(&metadata)?;
    Ok(Entry {
        kind,
        mode: (metadata.mode() & 0o7777) as u16,
        uid: metadata.uid(),
        gid: metadata.gid(),
        nlink: u32::try_from(metadata.nlink())?,
        ino: Some(metadata.ino()),
        size: metadata.size(),
        rdev: device_number(kind, &metadata),
        target: match kind {
            Kind::Symlink => Some(fs::read_link(path)?.as_os_str().as_bytes().to_vec()),
            _ => None,
        },
        xattrs: xattrs(path)?,
        content: match kind {
            Kind::Regular => Some(content(path)?),
            _ => None,
        },
        mtime: Timestamp {
            seconds: metadata.mtime(),
            nanoseconds: u32::try_from(metadata.mtime_nsec())?,
        },
    })
}

fn kind(metadata: &Metadata) -> Result<Kind> {
    let kind = metadata.file_type();
    Ok(match () {
        () if kind.is_file() => Kind::Regular,
        () if kind.is_dir() => Kind::Directory,
        () if kind.is_symlink() => Kind::Symlink,
        () if kind.is_char_device() => Kind::CharacterDevice,
        () if kind.is_block_device() => Kind::BlockDevice,
        () if kind.is_fifo() => Kind::Fifo,
        () if kind.is_socket() => Kind::Socket,
        () => bail!("no known kind of file: {kind:?}"),
    })
}

fn device_number(kind: Kind, metadata: &Metadata) -> Option<DeviceNumber> {
    let number = metadata.rdev();
    matches!(kind, Kind::CharacterDevice | Kind::BlockDevice).then(|| DeviceNumber {
        major: rustix::fs::major(number),
        minor: rustix::fs::minor(number),
    })
}

fn xattrs(path: &Path) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut list = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(path, &mut list[..])?;
    let names = list[..length].split(|&b| b == 0).filter(|name| !name.is_empty());
    names.map(|name| Ok((name.to_vec(), xattr(path, name)?))).collect()
}

fn xattr(path: &Path, name: &[u8]) -> Result<Vec<u8>> {
    let mut value = vec![0; 1 << 16];
    let length = rustix::fs::lgetxattr(path, name, &mut value[..])?;
    value.truncate(length);
    Ok(value)
}

/// Reads the pieces that hold data; holes are skipped, not read.
fn content(path: &Path) -> Result<Content> {
    let file = File::open(path)?;
    let mut content = Content::new();
    let mut bytes = vec![0; PIECE as usize];
    let mut next = 0;
    while let Some(index) = next_piece(&file, next)? {
        let length = read_up_to(&file, &mut bytes, index * PIECE)?;
        content.add_piece(index, &bytes[..length]);
        next = index + 1;
    }
    Ok(content)
}

/// The first piece at or after `index` that holds any data.
fn next_piece(file: &File, index: u64) -> Result<Option<u64>> {
    match seek(file, SeekFrom::Data(index * PIECE)) {
        Ok(offset) => Ok(Some(offset / PIECE)),
        Err(Errno::NXIO) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}
