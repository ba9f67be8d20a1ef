//! The free list of an AG: a ring of block numbers in the AGFL whose ends stand in the AGF.
//!
//! ```text
//! AGFL  | head | slot 0 | slot 1 | ...          | slot n-1 |
//! AGF     flfirst ^..........^ fllast, flcount blocks between them, around the end
//! ```

use super::Preamble;
use super::disk::{AGFL_MAGIC, AGFL_SEAL, AgfDisk, AgflDisk, agfl_slot_offset, agfl_slots};
use crate::fault::Fault;
use crate::kind::Identity;
use crate::units::*;
use crate::wire::be32;

const WHAT: &str = "AGFL";

/// Which slots of the AGFL are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgflRing {
    /// Slot of the first block.
    pub first: u32,
    /// Slot of the last block; one before `first` when empty.
    pub last: u32,
    /// Blocks in the list.
    pub count: u32,
    /// Slots there are.
    pub slots: u32,
}

impl AgflRing {
    /// The ring that an AGF describes; ends outside the AGFL, and a count that is not what lies
    /// between them, are faults.
    pub fn from_agf(raw: &AgfDisk, slots: u32) -> Result<Self, Fault> {
        let ring = Self {
            first: raw.flfirst.get(),
            last: raw.fllast.get(),
            count: raw.flcount.get(),
            slots,
        };
        let fault = |field, value: u32| Fault::Field { what: "AGF", field, value: value.into() };
        if ring.first >= slots {
            return Err(fault("agf_flfirst", ring.first));
        }
        if ring.last >= slots {
            return Err(fault("agf_fllast", ring.last));
        }
        let between = (ring.last + slots - ring.first) % slots + 1;
        let agrees = ring.count == between || ring.count == 0;
        if agrees { Ok(ring) } else { Err(fault("agf_flcount", ring.count)) }
    }
    /// A ring of `count` blocks from slot 0: what mkfs makes.
    pub fn fresh(count: u32, slots: u32) -> Self {
        assert!(count <= slots);
        Self { first: 0, last: (count + slots - 1) % slots, count, slots }
    }
    /// Writes the ends and the count into a staged AGF.
    pub fn store(&self, raw: &mut AgfDisk) {
        raw.flfirst.set(self.first);
        raw.fllast.set(self.last);
        raw.flcount.set(self.count);
    }
    /// The slots in use, first to last.
    pub fn in_use(&self) -> impl Iterator<Item = u32> + use<> {
        let ring = *self;
        (0..ring.count).map(move |i| (ring.first + i) % ring.slots)
    }
    /// Takes the first slot off the ring; its block is the caller's. `None` when empty.
    pub fn pop(&mut self) -> Option<u32> {
        let slot = self.first;
        self.count = self.count.checked_sub(1)?;
        self.first = (slot + 1) % self.slots;
        Some(slot)
    }
    /// Adds a slot at the end; the caller writes its block there. `None` when full.
    pub fn push(&mut self) -> Option<u32> {
        if self.count >= self.slots {
            return None;
        }
        self.count += 1;
        self.last = (self.last + 1) % self.slots;
        Some(self.last)
    }
    /// The blocks of the list, first to last; a block outside `1..ag_blocks` is a fault.
    pub fn blocks(&self, agfl: &[u8], ag_blocks: u32) -> Result<Vec<AgBlock>, Fault> {
        self.in_use().map(|slot| block_in(agfl, slot, ag_blocks)).collect()
    }
}

fn block_in(agfl: &[u8], slot: u32, ag_blocks: u32) -> Result<AgBlock, Fault> {
    let at = agfl_slot_offset(slot);
    let short = Fault::Short { what: WHAT, have: agfl.len(), need: at + 4 };
    let block = be32(agfl, at).ok_or(short)?;
    match block {
        block if (1..ag_blocks).contains(&block) => Ok(AgBlock(block)),
        block => Err(Fault::Field { what: WHAT, field: "agfl_bno", value: block.into() }),
    }
}

/// Fills a sector with an AGFL of `blocks` from slot 0, the rest of the slots empty, without
/// checksum.
pub fn init_agfl(sector: &mut [u8], ag: AgNumber, uuid: [u8; 16], blocks: &[AgBlock]) {
    let slots = agfl_slots(sector.len()) as usize;
    assert!(blocks.len() <= slots);
    sector.fill(0xff);
    let head =
        AgflDisk { magic: AGFL_MAGIC.into(), seqno: ag.0.into(), uuid, lsn: 0.into(), crc: [0; 4] };
    let (place, rest) = sector.split_at_mut(size_of::<AgflDisk>());
    place.copy_from_slice(zerocopy::IntoBytes::as_bytes(&head));
    for (slot, block) in rest.chunks_exact_mut(4).zip(blocks) {
        slot.copy_from_slice(&block.0.to_be_bytes());
    }
}

/// Checks an AGFL: preamble, and every slot a block of the AG or empty.
pub(crate) fn verify_agfl(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let raw = crate::wire::view::<AgflDisk>(WHAT, bytes)?;
    let preamble = Preamble {
        what: WHAT,
        magic: raw.magic.get(),
        expected_magic: AGFL_MAGIC,
        uuid: raw.uuid,
        seqno: raw.seqno.get(),
        lsn: raw.lsn.get(),
        crc_at: AGFL_SEAL.crc,
    };
    let ag = preamble.verify(bytes, identity)?;
    let blocks = identity.geometry.blocks_of(ag);
    for slot in 0..agfl_slots(identity.geometry.sector_size()) {
        if be32(bytes, agfl_slot_offset(slot)) != Some(NULL_AG_BLOCK) {
            block_in(bytes, slot, blocks)?;
        }
    }
    Ok(())
}
