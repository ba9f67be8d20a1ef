//! Targets of symbolic links: inside the inode where they fit, else in blocks of their own.

use super::evict::take_run;
use crate::error::Result;
use crate::inode::core_of;
use crate::map;
use crate::tx::Tx;
use untorn_format::da::{Birth, Part};
use untorn_format::inode::{self, ForkFormat};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{BlockKind, FileBlock, Ino, Place, symlink};
use untorn_store::BlockRef;

/// Gives a new symbolic link its target.
pub(super) fn set_target(tx: &mut Tx<'_>, ino: Ino, target: &[u8]) -> Result<()> {
    let place = Place::inode(ino);
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.size = target.len() as u64;
    let fork = inode::data_fork_mut(tx.inode_mut(ino)).map_err(|fault| fault.at(place))?;
    let Some(room) = fork.get_mut(..target.len()) else {
        core.encode(tx.inode_mut(ino));
        return target_to_blocks(tx, ino, target);
    };
    room.copy_from_slice(target);
    core.format = ForkFormat::Local;
    core.encode(tx.inode_mut(ino));
    Ok(())
}

/// Puts a target into blocks in one run, since each run has a header.
pub(super) fn target_to_blocks(tx: &mut Tx<'_>, ino: Ino, target: &[u8]) -> Result<()> {
    let place = Place::inode(ino);
    let block_size = tx.core.geometry.block_size();
    let run = take_run(tx, ino, symlink::blocks_for(target.len(), block_size) as u32)?;
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    core.format = ForkFormat::Extents;
    core.extents = 0;
    core.encode(tx.inode_mut(ino));
    inode::data_fork_mut(tx.inode_mut(ino)).map_err(|fault| fault.at(place))?.fill(0);
    let start = tx.core.geometry.fs_block(run.ag, run.start);
    let (file, state) = (FileBlock(0), ExtentState::Written);
    map::map(tx, ino, Fork::Data, Extent { file, start, length: run.length, state })?;
    let block = BlockRef {
        addr: tx.core.geometry.addr(run.ag, run.start),
        length: run.length << tx.core.geometry.block_log,
        kind: BlockKind::Symlink,
        owner: Some(ino.0),
    };
    let birth = Birth { uuid: tx.core.meta_uuid(), addr: block.addr, owner: ino };
    symlink::encode(tx.buffers_mut().create(&block), &birth, Part { offset: 0, bytes: target });
    Ok(())
}
