//! Inodes that no name leads to but that are not freed yet: 64 chains an AG, so that a crash cannot
//! lose them.
//!
//! A chain begins in the AGI and goes on through `di_next_unlinked`. The inode that goes on a chain
//! or off it is locked by the caller; so is the one before it.

use super::{edit_agi, prepare};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use untorn_format::ag::{Agi, AgiDisk};
use untorn_format::{AgIno, AgNumber, BlockKind, Ino, NULL_AG_INO, Place};

/// AG, number there and chain of an inode.
fn place(tx: &Tx<'_>, ino: Ino) -> Result<(AgNumber, AgIno, usize)> {
    let outside = || {
        let fault = untorn_format::Fault::Field { what: "inode", field: "di_ino", value: ino.0 };
        Error::from(fault.at(Place::inode(ino)))
    };
    let (ag, in_ag) = tx.core.geometry.split_ino(ino).ok_or_else(outside)?;
    Ok((ag, in_ag, Agi::bucket_of(in_ag)))
}

/// First inode of a chain.
pub(crate) fn first(tx: &mut Tx<'_>, ag: AgNumber, bucket: usize) -> Result<Option<AgIno>> {
    let header = tx.core.header(ag, BlockKind::Agi);
    let image = tx.read(&header)?;
    let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    let head = agi.unlinked.get(bucket).map_or(NULL_AG_INO, |head| head.get());
    Ok((head != NULL_AG_INO).then_some(AgIno(head)))
}

/// First inode of a published chain.
pub(crate) fn published_first(core: &Core, ag: AgNumber, bucket: usize) -> Result<Option<AgIno>> {
    let header = core.header(ag, BlockKind::Agi);
    let image = core.store.cache().read(&header)?;
    let agi = AgiDisk::of(&image).map_err(|fault| fault.at(Place::at(header.addr)))?;
    let head = agi.unlinked.get(bucket).map_or(NULL_AG_INO, |head| head.get());
    Ok((head != NULL_AG_INO).then_some(AgIno(head)))
}

/// Makes `next` the first inode of the chain of `ino`. What was first before.
pub(crate) fn set_first(tx: &mut Tx<'_>, ino: Ino, next: Option<AgIno>) -> Result<Option<AgIno>> {
    let (ag, _, bucket) = place(tx, ino)?;
    prepare(tx, ag)?;
    let old = first(tx, ag, bucket)?;
    edit_agi(tx, ag, |agi| {
        if let Some(head) = agi.unlinked.get_mut(bucket) {
            head.set(next.map_or(NULL_AG_INO, |next| next.0));
        }
    })?;
    Ok(old)
}
