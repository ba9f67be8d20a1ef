//! A committed inode as the journal and its cluster see it.

use super::{Inode, InodeHome};
use std::borrow::Cow;
use std::sync::Arc;
use untorn_format::inode::{self, DinodeDisk, ForkFormat, InodeCore};
use untorn_format::log::{ForkContents, InodeItem, broot_to_log, core_to_log};
use untorn_format::records::{Extent, Fork};
use untorn_format::{BlockKind, Lsn};
use untorn_store::{BlockRef, Image, Item, ItemKey, Logged, Sequence, unlinked_pointer};

const CLASS: u8 = 1;

/// The bytes of an inode at a commit. Holds its handle, so that an inode that is not home stays in
/// the inode cache.
pub(crate) struct InodeSnapshot {
    inode: Arc<Inode>,
    image: Image,
    homes: [BlockRef; 1],
    logs_unlinked: bool,
}

impl InodeSnapshot {
    /// The snapshot of `inode` with the bytes `image`, for the checkpoint `open` or a later one.
    pub fn new(inode: &Arc<Inode>, image: &Image, open: Sequence) -> Self {
        Self {
            inode: Arc::clone(inode),
            image: Arc::clone(image),
            homes: [inode.home.cluster],
            logs_unlinked: inode.logs_unlinked(open),
        }
    }

    fn regions(&self) -> Vec<Vec<u8>> {
        let fault = |fault| panic!("committed inode {}: {fault}", self.inode.ino);
        let core = DinodeDisk::of(&self.image).and_then(InodeCore::from_disk);
        let core = core.unwrap_or_else(fault);
        let contents = |fork| Contents::of(&core, &self.image, fork);
        let (data, attr) = (contents(Fork::Data), contents(Fork::Attr));
        let Some(disk) = self.image.first_chunk() else {
            unreachable!("an inode is longer than its core")
        };
        let InodeHome { cluster, offset } = self.inode.home;
        let item = InodeItem {
            ino: self.inode.ino,
            cluster: cluster.addr,
            cluster_blocks: cluster.length / 512,
            offset: offset as u32,
            core: &core_to_log(disk),
            device: device(&core, &self.image),
            data: data.as_logged(),
            attr: attr.as_logged(),
            new_owner: Vec::new(),
        };
        item.encode()
    }
}

/// What the journal carries of one fork.
enum Contents<'a> {
    None,
    Local(&'a [u8]),
    Extents(&'a [u8]),
    Root(Vec<u8>),
}

impl<'a> Contents<'a> {
    fn of(core: &InodeCore, image: &'a [u8], fork: Fork) -> Self {
        let bytes = match fork {
            Fork::Data => inode::data_fork(image),
            Fork::Attr if core.has_attr_fork() => inode::attr_fork(image),
            Fork::Attr => return Self::None,
        };
        let bytes = bytes.unwrap_or_default();
        match core.fork_format(fork) {
            ForkFormat::Local => {
                let length = local_length(core, bytes, fork);
                Self::Local(bytes.get(..length).unwrap_or(bytes))
            }
            ForkFormat::Extents => {
                let length = core.fork_extents(fork) as usize * Extent::SIZE;
                Self::Extents(bytes.get(..length).unwrap_or(bytes))
            }
            ForkFormat::Btree => match broot_to_log(bytes) {
                Ok(root) => Self::Root(root),
                Err(fault) => panic!("committed B+tree root: {fault}"),
            },
            _ => Self::None,
        }
    }

    fn as_logged(&self) -> ForkContents<'_> {
        match self {
            Self::Local(bytes) if !bytes.is_empty() => ForkContents::Local(bytes),
            Self::Extents(bytes) if !bytes.is_empty() => ForkContents::Extents(bytes),
            Self::Root(bytes) => ForkContents::Root(bytes),
            _ => ForkContents::Unchanged,
        }
    }
}

/// Bytes of an inline fork in use: all of a directory or symlink; an attribute fork says its own.
fn local_length(core: &InodeCore, bytes: &[u8], fork: Fork) -> usize {
    match fork {
        Fork::Data => core.size as usize,
        Fork::Attr => bytes.first_chunk().map_or(0, |b| u16::from_be_bytes(*b).into()),
    }
}

fn device(core: &InodeCore, image: &[u8]) -> Option<u32> {
    let fork = inode::data_fork(image).ok()?;
    let bytes = fork.first_chunk().filter(|_| core.format == ForkFormat::Dev)?;
    Some(u32::from_be_bytes(*bytes))
}

impl Item for InodeSnapshot {
    fn key(&self) -> ItemKey {
        ItemKey { class: CLASS, id: self.inode.ino.0 }
    }

    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>) {
        out.push(self.regions().into_iter().map(Cow::Owned).collect());
        if self.logs_unlinked {
            let InodeHome { cluster, offset } = self.inode.home;
            out.push(unlinked_pointer(&cluster, offset, &self.image));
        }
    }

    fn homes(&self) -> &[BlockRef] {
        &self.homes
    }

    fn apply(&self, home: &BlockRef, bytes: &mut [u8], lsn: Lsn) {
        assert_eq!(home.kind, BlockKind::Inodes, "inodes live in clusters");
        let offset = self.inode.home.offset;
        let Some(place) = bytes.get_mut(offset..offset + self.image.len()) else {
            unreachable!("an inode lies inside its cluster")
        };
        place.copy_from_slice(&self.image);
        inode::seal(place, lsn);
    }
}
