//! Inode items.

use super::Replay;
use crate::replay::error::RecoverError;
use std::sync::Arc;
use untorn_format::inode::{self, InodeCore, fork_range};
use untorn_format::log::{CORE, ForkContents, InodeItem, broot_to_disk, core_to_disk};
use untorn_format::wire::be64;
use untorn_format::{BlockKind, Fault, Fork, Lsn, Place};

const NAME: &str = "inode item";
const MAGIC: [u8; 2] = *b"IN";
const LSN: usize = 112;
const VERSION: usize = 4;
const FORK_OFFSET: usize = 82;

impl Replay {
    pub(super) fn inode(&mut self, item: &InodeItem<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        let (cluster, units) = (item.cluster, item.cluster_blocks);
        if self.first.cancelled.contains(cluster, units) {
            return Ok(());
        }
        let place = Place { addr: Some(cluster), ..Place::inode(item.ino) };
        let size = self.sb.geometry().inode_size();
        let sb = Arc::clone(&self.sb);
        let identity = sb.inode_identity(item.ino, None);
        let held = self.blocks.read(cluster, units)?;
        let offset = item.offset as usize;
        let inode = held.bytes.get_mut(offset..).and_then(|rest| rest.get_mut(..size));
        let value = item.offset.into();
        let outside = Fault::Field { what: NAME, field: "ilf_boffset", value };
        let inode = inode.ok_or_else(|| outside.at(place))?;
        if apply(item, inode, lsn).map_err(|fault| fault.at(place))? == Applied::Changed {
            InodeCore::decode(inode, &identity).map_err(|fault| fault.at(place))?;
            held.change(Some(BlockKind::Inodes), lsn);
        }
        for fork in &item.new_owner {
            self.change_owner(item, *fork)?;
        }
        Ok(())
    }
}

/// What became of an item.
#[derive(PartialEq, Eq)]
enum Applied {
    Changed,
    /// The inode was written home later than the item's transaction.
    Newer,
}

/// Puts the item into the inode. Several transactions may have the same LSN, so an inode with the
/// LSN of this one may lack what it did.
fn apply(item: &InodeItem<'_>, inode: &mut [u8], lsn: Lsn) -> Result<Applied, Fault> {
    if !inode.starts_with(&MAGIC) {
        let found = inode.first_chunk().map_or(0, |b| u16::from_be_bytes(*b)).into();
        return Err(Fault::Magic { what: "inode", found });
    }
    let written = be64(inode, LSN).unwrap_or(0);
    if written != 0 && written != u64::MAX && written > lsn.0 {
        return Ok(Applied::Newer);
    }
    let short = Fault::Short { what: "inode", have: inode.len(), need: CORE };
    let core = inode.first_chunk_mut().ok_or(short)?;
    core_to_disk(item.core, core, lsn)?;
    let (version, fork_offset) = (core[VERSION], core[FORK_OFFSET]);
    let range = |fork, inode: &[u8]| fork_range(version, fork_offset, inode.len(), fork);
    let data = range(Fork::Data, inode);
    let attr = range(Fork::Attr, inode);
    if let (Some(device), Some(field)) = (item.device, inode[data.clone()].first_chunk_mut()) {
        *field = device.to_be_bytes();
    }
    put(item.data, &mut inode[data])?;
    put(item.attr, &mut inode[attr])?;
    inode::seal(inode, lsn);
    Ok(Applied::Changed)
}

/// Puts what the item has of a fork into it. Bytes behind are left as they are.
fn put(contents: ForkContents<'_>, fork: &mut [u8]) -> Result<(), Fault> {
    match contents {
        ForkContents::Unchanged => Ok(()),
        ForkContents::Root(root) => broot_to_disk(root, fork),
        ForkContents::Local(bytes) | ForkContents::Extents(bytes) => {
            let have = fork.len();
            let need = bytes.len();
            let part = fork.get_mut(..need).ok_or(Fault::Short { what: NAME, have, need })?;
            part.copy_from_slice(bytes);
            Ok(())
        }
    }
}
