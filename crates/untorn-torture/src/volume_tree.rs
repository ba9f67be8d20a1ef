//! What a volume holds as untorn reads it: the other side of a comparison with Linux.

use crate::tree::{Content, DeviceNumber, Entry, Kind, PIECE, Timestamp, Tree};
use anyhow::{Context, Result};
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_format::inode::FileKind;

/// Everything below the root of `volume`, which is the empty path.
pub fn volume_tree(volume: &Volume) -> Result<Tree> {
    let mut tree = Tree::new();
    let mut todo = vec![(PathBuf::new(), volume.root())];
    let mut above = HashSet::new();
    while let Some((path, ino)) = todo.pop() {
        let entry = entry(volume, ino).with_context(|| path.display().to_string())?;
        if entry.kind == Kind::Directory {
            anyhow::ensure!(above.insert(ino), "{} is below itself", path.display());
            for below in volume.entries_of(ino).with_context(|| path.display().to_string())? {
                todo.push((path.join(OsStr::from_bytes(&below.name)), below.ino));
            }
        }
        tree.insert(path, entry);
    }
    Ok(tree)
}

/// A whole tree of the image at `image`, opened for reading only.
pub fn image_tree(image: &Path) -> Result<Tree> {
    let device = untorn_device::FileDevice::open(image, untorn_device::Access::ReadOnly)?;
    let options = untorn::OpenOptions { access: untorn::Access::ReadOnly, ..Default::default() };
    volume_tree(&Volume::open(std::sync::Arc::new(device), options)?)
}

fn entry(volume: &Volume, ino: Ino) -> Result<Entry> {
    let Metadata { inode, kind, device } = volume.metadata_of(ino)?;
    let content = match kind {
        FileKind::Regular => Some(content(volume, ino, inode.size)?),
        _ => None,
    };
    let target = match kind {
        FileKind::Symlink => Some(volume.link_target(ino)?),
        _ => None,
    };
    Ok(Entry {
        kind: kind_of(kind),
        mode: inode.mode & 0o7777,
        uid: inode.uid,
        gid: inode.gid,
        nlink: inode.nlink,
        ino: Some(ino.0),
        size: inode.size,
        rdev: device.map(|(major, minor)| DeviceNumber { major, minor }),
        target,
        xattrs: attributes(volume, ino)?,
        content,
        mtime: Timestamp { seconds: inode.mtime.seconds, nanoseconds: inode.mtime.nanos },
    })
}

fn kind_of(kind: FileKind) -> Kind {
    match kind {
        FileKind::Regular => Kind::Regular,
        FileKind::Directory => Kind::Directory,
        FileKind::Symlink => Kind::Symlink,
        FileKind::CharDevice => Kind::CharacterDevice,
        FileKind::BlockDevice => Kind::BlockDevice,
        FileKind::Fifo => Kind::Fifo,
        FileKind::Socket => Kind::Socket,
    }
}

fn attributes(volume: &Volume, ino: Ino) -> Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let prefix = |namespace| match namespace {
        Namespace::User => Some(&b"user."[..]),
        Namespace::Trusted => Some(&b"trusted."[..]),
        Namespace::Security => Some(&b"security."[..]),
        Namespace::Parent => None,
    };
    let listed = volume.attributes(ino)?.into_iter();
    Ok(listed
        .filter_map(|attr| Some(([prefix(attr.namespace)?, &attr.name].concat(), attr.value)))
        .collect())
}

/// Reads the pieces that are mapped; holes are zeroes without being read.
fn content(volume: &Volume, ino: Ino, size: u64) -> Result<Content> {
    let file = volume.file(ino)?;
    let mut content = Content::new();
    let mut buffer = vec![0; PIECE as usize];
    let mut next = 0;
    for extent in volume.extents_of(ino)? {
        if extent.kind != untorn::ExtentKind::Written {
            continue;
        }
        let end = (extent.offset + extent.length).min(size);
        for index in (extent.offset / PIECE).max(next)..end.div_ceil(PIECE) {
            let count = file.read_at(index * PIECE, &mut buffer)?;
            content.add_piece(index, &buffer[..count]);
            next = index + 1;
        }
    }
    Ok(content)
}

/// A tree of Linux's without what only Linux makes up: attributes that it translates.
pub fn as_stored(mut tree: Tree) -> Tree {
    for entry in tree.values_mut() {
        entry.xattrs.retain(|name, _| !name.starts_with(b"system."));
    }
    tree
}
