//! Moving the inline contents of directories and symbolic links to blocks, when attributes need
//! their place.

use super::dir_fork::DirTx;
use super::target::target_to_blocks;
use crate::ag::{Effort, pick, prepare, take};
use crate::dir;
use crate::error::{Error, Result};
use crate::inode::core_of;
use crate::tx::Tx;
use untorn_format::inode::{self, FileKind, ForkFormat};
use untorn_format::{AgExtent, AgNumber, Ino, Place, symlink};

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

/// Moves the target of a symbolic link to blocks.
fn evict_target(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    let place = Place::inode(ino);
    let core = core_of(ino, tx.inode_bytes(ino))?;
    let size = usize::try_from(core.size).unwrap_or(usize::MAX);
    let fork = inode::data_fork(tx.inode_bytes(ino)).map_err(|fault| fault.at(place))?;
    let target = fork.get(..size).unwrap_or(fork).to_vec();
    symlink::verify_target(&target).map_err(|fault| fault.at(place))?;
    target_to_blocks(tx, ino, &target)
}

/// Takes a run of free blocks, from the inode's AG if it can be.
pub(super) fn take_run(tx: &mut Tx<'_>, ino: Ino, blocks: u32) -> Result<AgExtent> {
    let count = tx.core.geometry.ag_count;
    let home = tx.core.geometry.split_ino(ino).map_or(0, |(ag, _)| ag.0);
    for ag in (0..count).map(|i| AgNumber((home + i) % count)) {
        prepare(tx, ag)?;
        if let Some(run) = pick(tx, ag, None, blocks, blocks, Effort::All)? {
            take(tx, run)?;
            tx.counters.free_blocks -= i64::from(run.length);
            tx.core.promised.spend(run.length);
            return Ok(run);
        }
    }
    let (needed, available) = (blocks.into(), tx.core.available()?);
    match blocks > 1 && available >= needed {
        true => Err(Error::NoRun { needed, available }),
        false => Err(Error::NoSpace { needed, available }),
    }
}
