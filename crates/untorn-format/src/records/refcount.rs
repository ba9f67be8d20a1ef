//! Reference counts of shared blocks, and blocks staged for copy-on-write.

use super::array;
use crate::fault::Fault;
use crate::units::AgBlock;

/// What a reference count record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RefcountDomain {
    /// Blocks that two or more files share.
    Shared,
    /// Blocks set aside for a copy-on-write that has not finished.
    Cow,
}

/// A run of blocks of one AG with one number of owners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RefcountRec {
    /// What the record is about; on disk the top bit of the start.
    pub domain: RefcountDomain,
    /// First block (31 bits).
    pub start: AgBlock,
    /// Length in blocks; never zero.
    pub length: u32,
    /// Owners: two or more for shared blocks, one for staged blocks.
    pub refs: u32,
}

impl RefcountRec {
    /// Bytes of a record.
    pub const SIZE: usize = 12;
    /// Most owners that a record can count. Blocks with as many are not shared further.
    pub const MAX_REFS: u32 = u32::MAX;
    const COW: u32 = 1 << 31;

    /// Reads a record; a zero length, a wrap, and owners that do not fit the domain are faults.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let raw: [u8; Self::SIZE] = array("reference count record", bytes)?;
        let mut wide = [0; 16];
        wide[4..].copy_from_slice(&raw);
        let word = u128::from_be_bytes(wide);
        let start = (word >> 64) as u32;
        let domain = match start & Self::COW {
            0 => RefcountDomain::Shared,
            _ => RefcountDomain::Cow,
        };
        let start = AgBlock(start & !Self::COW);
        let rec = Self { domain, start, length: (word >> 32) as u32, refs: word as u32 };
        rec.verify()?;
        Ok(rec)
    }
    fn verify(&self) -> Result<(), Fault> {
        let fault = |field, value: u32| {
            Err(Fault::Field { what: "reference count record", field, value: value.into() })
        };
        if self.length == 0 || self.start.0.checked_add(self.length).is_none() {
            return fault("rc_blockcount", self.length);
        }
        match (self.domain, self.refs) {
            (RefcountDomain::Shared, 2..) | (RefcountDomain::Cow, 1) => Ok(()),
            (_, refs) => fault("rc_refcount", refs),
        }
    }
    /// The bytes of this record.
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[..4].copy_from_slice(&self.key().to_be_bytes());
        out[4..8].copy_from_slice(&self.length.to_be_bytes());
        out[8..].copy_from_slice(&self.refs.to_be_bytes());
        out
    }
    /// The key: start with the domain in the top bit, so that staged blocks come last.
    pub fn key(self) -> u32 {
        assert!(self.start.0 & Self::COW == 0, "an AG has fewer than 2^31 blocks");
        self.start.0 | if self.domain == RefcountDomain::Cow { Self::COW } else { 0 }
    }
    /// The block after the last.
    pub fn end(self) -> AgBlock {
        AgBlock(self.start.0.saturating_add(self.length))
    }
}
