//! The headers of an allocation group: free space (AGF), inodes (AGI) and the free list (AGFL).
//!
//! The `Disk` structures are views for editing staged sectors; [`Agf`] and [`Agi`] are the same as
//! checked values. Sectors 1, 2 and 3 of each AG hold AGF, AGI and AGFL.

mod agf;
mod agfl;
mod agi;
mod disk;
#[cfg(test)]
mod tests;

pub use agf::Agf;
pub(crate) use agfl::verify_agfl;
pub use agfl::{AgflRing, init_agfl};
pub use agi::Agi;
pub use disk::{
    AGF_MAGIC, AGFL_MAGIC, AGI_MAGIC, AgfDisk, AgflDisk, AgiDisk, UNLINKED_BUCKETS,
    agfl_slot_offset, agfl_slots,
};
pub(crate) use disk::{AGF_SEAL, AGFL_SEAL, AGI_SEAL};

use crate::btree::MAX_LEVELS;
use crate::checksum;
use crate::fault::Fault;
use crate::kind::Identity;
use crate::units::*;

/// Where a btree of an AG begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeRoot {
    /// Root block.
    pub block: AgBlock,
    /// Levels: 1 where the root is a leaf.
    pub levels: u16,
}

/// Name of a header and of the fields that describe a tree, for faults.
struct TreeFields(&'static str, &'static str, &'static str);

impl TreeRoot {
    /// A tree that the header must have.
    fn required(
        fields: TreeFields,
        block: u32,
        levels: u32,
        ag_blocks: u32,
    ) -> Result<Self, Fault> {
        let TreeFields(what, root_field, level_field) = fields;
        if block == 0 || block >= ag_blocks {
            return Err(Fault::Field { what, field: root_field, value: block.into() });
        }
        match u16::try_from(levels) {
            Ok(levels @ 1..=MAX_LEVELS) => Ok(Self { block: AgBlock(block), levels }),
            _ => Err(Fault::Field { what, field: level_field, value: levels.into() }),
        }
    }
    /// A tree that volumes without its feature do not have: root and levels are zero.
    fn optional(
        fields: TreeFields,
        block: u32,
        levels: u32,
        ag_blocks: u32,
    ) -> Result<Option<Self>, Fault> {
        if block == 0 && levels == 0 {
            return Ok(None);
        }
        Self::required(fields, block, levels, ag_blocks).map(Some)
    }
}

/// What every AG header begins with.
struct Preamble {
    what: &'static str,
    magic: u32,
    expected_magic: u32,
    uuid: [u8; 16],
    seqno: u32,
    lsn: u64,
    crc_at: usize,
}

impl Preamble {
    /// Checks magic, checksum, UUID, AG number and LSN; returns the AG.
    fn verify(self, bytes: &[u8], identity: &Identity<'_>) -> Result<AgNumber, Fault> {
        let what = self.what;
        if self.magic != self.expected_magic {
            return Err(Fault::Magic { what, found: self.magic.into() });
        }
        let need = identity.geometry.sector_size();
        let sector = bytes.get(..need).ok_or(Fault::Short { what, have: bytes.len(), need })?;
        checksum::check(what, sector, self.crc_at)?;
        if self.uuid != identity.uuid {
            return Err(Fault::Uuid { what });
        }
        checksum::check_lsn(what, self.lsn, identity.newest)?;
        let outside = Fault::Position { what, found: identity.addr.0 };
        let ag = identity.ag().ok_or(outside)?;
        match self.seqno == ag.0 {
            true => Ok(ag),
            false => Err(Fault::Owner { what, found: self.seqno.into(), expected: ag.0.into() }),
        }
    }
}
