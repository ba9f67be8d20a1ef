//! Free extents: the record of the bnobt and of the cntbt.

use super::{array, high32, low32};
use crate::fault::Fault;
use crate::units::AgBlock;

/// A run of free blocks of one AG.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AllocRec {
    /// First block.
    pub start: AgBlock,
    /// Length in blocks; never zero.
    pub length: u32,
}

impl AllocRec {
    /// Bytes of a record.
    pub const SIZE: usize = 8;

    /// Reads a record; zero length and a run past 2^32 blocks are faults.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let word = u64::from_be_bytes(array("free space record", bytes)?);
        let (start, length) = (high32(word), low32(word));
        if length == 0 || start.checked_add(length).is_none() {
            let (field, value) = ("ar_blockcount", u64::from(length));
            return Err(Fault::Field { what: "free space record", field, value });
        }
        Ok(Self { start: AgBlock(start), length })
    }
    /// The bytes of this record. Its key in both btrees has the same bytes.
    pub fn encode(self) -> [u8; Self::SIZE] {
        (u64::from(self.start.0) << 32 | u64::from(self.length)).to_be_bytes()
    }
    /// The block after the last.
    pub fn end(self) -> AgBlock {
        AgBlock(self.start.0.saturating_add(self.length))
    }
    /// What orders the bnobt.
    pub fn by_block(self) -> u32 {
        self.start.0
    }
    /// What orders the cntbt: length, then first block.
    pub fn by_length(self) -> (u32, u32) {
        (self.length, self.start.0)
    }
}
