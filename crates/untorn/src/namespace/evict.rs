//! Moving the inline contents of directories and symbolic links to blocks, when attributes need
//! their place.

use super::forks::DirTx;
use crate::ag::{pick, prepare, take};
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::map;
use crate::tx::Tx;
use untorn_format::da::{Birth, Part};
use untorn_format::inode::{self, FileKind, ForkFormat};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{AgExtent, AgNumber, BlockKind, FileBlock, Ino, Place, symlink};
use untorn_store::BlockRef;

/// Sees to it that inline contents of a data fork fit `room` bytes: what does not moves to blocks.
pub(super) fn evict_inline(tx: &mut Tx<'_>, ino: Ino, room: usize) -> Result<()> {
    let core = core_of(ino, tx.inode_bytes(ino))?;
    if core.format != ForkFormat::Local || core.size <= room as u64 {
        return Ok(());
    }
    match core.kind() {
        Some(FileKind::Directory) => dir::leave_inode(&mut DirTx { tx, ino }),
        _ => evict_target(tx, ino),
    }
}

/// Moves the target of a symbolic link to blocks in one run, since each run has a header.
fn evict_target(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    let place = Place::inode(ino);
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    let size = usize::try_from(core.size).unwrap_or(usize::MAX);
    let fork = inode::data_fork(tx.inode_bytes(ino)).map_err(|fault| fault.at(place))?;
    let target = fork.get(..size).unwrap_or(fork).to_vec();
    symlink::verify_target(&target).map_err(|fault| fault.at(place))?;
    let run = take_run(tx, ino, symlink::blocks_for(size, tx.core.geometry.block_size()) as u32)?;
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
    symlink::encode(tx.buffers_mut().create(&block), &birth, Part { offset: 0, bytes: &target });
    Ok(())
}

/// Takes a run of free blocks, from the inode's AG if it can be.
pub(super) fn take_run(tx: &mut Tx<'_>, ino: Ino, blocks: u32) -> Result<AgExtent> {
    let count = tx.core.geometry.ag_count;
    let home = tx.core.geometry.split_ino(ino).map_or(0, |(ag, _)| ag.0);
    for ag in (0..count).map(|i| AgNumber((home + i) % count)) {
        prepare(tx, ag)?;
        if let Some(run) = pick(tx, ag, None, blocks, blocks)? {
            take(tx, run)?;
            tx.counters.free_blocks -= i64::from(run.length);
            tx.core.promised.spend(run.length);
            return Ok(run);
        }
    }
    Err(Error::NoSpace { needed: blocks.into(), available: 0 })
}
