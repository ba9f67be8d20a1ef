//! The AG's free list: blocks kept aside for the free-space and reverse-mapping btrees, which may
//! need a block to record that a block was taken.
//!
//! Blocks of the list belong to the AG in the reverse mappings, whether a btree uses them or not.
//! [`fix`] runs before anything is taken from or given to free space.

use super::space;
use super::trees::{edit_agf, look_agf};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::tx::Tx;
use untorn_format::ag::{AgfDisk, AgflRing, agfl_slot_offset, agfl_slots};
use untorn_format::limits::FreeListLevels;
use untorn_format::records::{RmapOwner, RmapRec};
use untorn_format::{AgBlock, AgExtent, AgNumber, BlockKind, Fault, Place};

/// Blocks more than needed that the list may keep before some are given back.
const SLOP: u32 = 8;

fn with_ring<R>(tx: &mut Tx<'_>, ag: AgNumber, edit: impl FnOnce(&mut AgflRing) -> R) -> Result<R> {
    let slots = agfl_slots(tx.core.geometry.sector_size());
    let place = Place { ag: Some(ag), ..Place::default() };
    edit_agf(tx, ag, |agf| {
        let mut ring = AgflRing::from_agf(agf, slots)?;
        let result = edit(&mut ring);
        ring.store(agf);
        Ok(result)
    })?
    .map_err(|fault: Fault| fault.at(place).into())
}

/// Blocks on the list.
pub(super) fn length(tx: &Tx<'_>, ag: AgNumber) -> Result<u32> {
    look_agf(tx, ag, |agf| agf.flcount.get())
}

/// Takes a block off the list.
pub(super) fn pop(tx: &mut Tx<'_>, ag: AgNumber) -> Result<AgBlock> {
    let slot = with_ring(tx, ag, AgflRing::pop)?;
    let slot = slot.ok_or(Error::NoSpace { needed: 1, available: 0 })?;
    let agfl = tx.core.header(ag, BlockKind::Agfl);
    let image = tx.read(&agfl)?;
    let offset = agfl_slot_offset(slot);
    let bytes = image.get(offset..).and_then(|b| b.first_chunk());
    let block = bytes.map(|b| u32::from_be_bytes(*b)).unwrap_or(u32::MAX);
    if block < 4 || block >= tx.core.geometry.blocks_of(ag) {
        let fault = Fault::Field { what: "AGFL", field: "agfl_bno", value: block.into() };
        return Err(fault.at(Place::at(agfl.addr)).into());
    }
    Ok(AgBlock(block))
}

/// Puts a block of the AG's onto the list.
pub(super) fn push(tx: &mut Tx<'_>, ag: AgNumber, block: AgBlock) -> Result<()> {
    let slot = with_ring(tx, ag, AgflRing::push)?;
    let agfl = tx.core.header(ag, BlockKind::Agfl);
    let place = Place::at(agfl.addr);
    let Some(slot) = slot else {
        let fault = Fault::Field { what: "AGF", field: "agf_flcount", value: u64::MAX };
        return Err(fault.at(place).into());
    };
    let bytes = tx.stage(&agfl)?;
    let offset = agfl_slot_offset(slot);
    match bytes.get_mut(offset..).and_then(|b| b.first_chunk_mut()) {
        Some(entry) => *entry = block.0.to_be_bytes(),
        None => unreachable!("the ring has as many slots as the sector"),
    }
    Ok(())
}

/// Blocks that the list must have so that any one change of free space can be recorded.
fn needed(core: &Core, ag: AgNumber, agf: &AgfDisk) -> u32 {
    let levels = |levels: u32| u16::try_from(levels).unwrap_or(u16::MAX);
    core.ag(ag).wants(core, ag).free_list.needed(FreeListLevels {
        bnobt: levels(agf.bno_level.get()),
        cntbt: levels(agf.cnt_level.get()),
        rmapbt: levels(agf.rmap_level.get()),
    })
}

/// Fills the list up to what it needs, or gives back what it has too much. A list that an AG
/// without a free block cannot fill stays short, for what comes may give blocks back: only who then
/// wants one of the list, and finds none, has no space.
pub(super) fn fix(tx: &mut Tx<'_>, ag: AgNumber) -> Result<()> {
    loop {
        let core = tx.core;
        let look = |agf: &AgfDisk| (agf.flcount.get(), needed(core, ag, agf));
        let (count, needed) = look_agf(tx, ag, look)?;
        if count < needed {
            if fill(tx, ag, needed - count)? == Filled::Short {
                return Ok(());
            }
        } else if count > needed + SLOP {
            let block = pop(tx, ag)?;
            space::disown(tx, ag, RmapRec::special(block, 1, RmapOwner::Ag))?;
            space::give(tx, AgExtent { ag, start: block, length: 1 })?;
        } else {
            return Ok(());
        }
    }
}

/// What became of a list that wants blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filled {
    /// It has some more.
    More,
    /// The AG has no free block.
    Short,
}

/// Puts up to `count` free blocks onto the list.
fn fill(tx: &mut Tx<'_>, ag: AgNumber, count: u32) -> Result<Filled> {
    let picked = space::pick(tx, ag, None, count, 1, space::Effort::All)?;
    let Some(extent) = picked else { return Ok(Filled::Short) };
    space::take(tx, extent)?;
    tx.core.promised.spend(extent.length);
    // Onto the list first: that they are on it may have to be recorded in one of them.
    (extent.start.0..extent.end().0).try_for_each(|block| push(tx, ag, AgBlock(block)))?;
    space::own(tx, ag, RmapRec::special(extent.start, extent.length, RmapOwner::Ag))?;
    Ok(Filled::More)
}
