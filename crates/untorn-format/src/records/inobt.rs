//! Inode chunks: the record of the inobt and of the finobt.

use super::array;
use crate::fault::Fault;
use crate::units::AgIno;

/// Inodes of a chunk.
pub const INODES_PER_CHUNK: u32 = 64;
/// Inodes that one bit of a hole mask stands for.
pub const INODES_PER_HOLE_BIT: u32 = 4;

/// How a volume writes the counts of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChunkForm {
    /// A 32-bit count of free inodes.
    Full,
    /// Hole mask, count of inodes, count of free inodes (volumes with sparse inodes).
    Sparse,
}

/// 64 inode numbers, some of them free, some without blocks behind them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InobtRec {
    /// First inode of the chunk: a multiple of 64 less the alignment of sparse chunks.
    pub start: AgIno,
    /// One bit for each four inodes: set where they have no blocks. Zero for a full chunk.
    pub holes: u16,
    /// Inodes that have blocks.
    pub count: u8,
    /// Inodes that are free; those without blocks do not count.
    pub free_count: u8,
    /// One bit for each inode, set where it is free; set too where it has no blocks.
    pub free: u64,
}

impl InobtRec {
    /// Bytes of a record.
    pub const SIZE: usize = 16;

    /// Reads a record of `form`; counts that disagree with the masks are faults.
    pub fn decode(bytes: &[u8], form: ChunkForm) -> Result<Self, Fault> {
        let raw: [u8; Self::SIZE] = array("inode chunk record", bytes)?;
        let word = u128::from_be_bytes(raw);
        let middle = (word >> 64) as u32;
        let mut rec = Self {
            start: AgIno((word >> 96) as u32),
            holes: (middle >> 16) as u16,
            count: (middle >> 8) as u8,
            free_count: middle as u8,
            free: word as u64,
        };
        if form == ChunkForm::Full {
            let wide = middle > INODES_PER_CHUNK;
            (rec.holes, rec.count) = (0, INODES_PER_CHUNK as u8);
            rec.check(wide, "ir_freecount", u64::from(middle))?;
        }
        rec.verify()?;
        Ok(rec)
    }
    fn check(&self, bad: bool, field: &'static str, value: u64) -> Result<(), Fault> {
        if bad { Err(Fault::Field { what: "inode chunk record", field, value }) } else { Ok(()) }
    }
    /// Checks that the counts agree with the masks.
    pub fn verify(&self) -> Result<(), Fault> {
        let allocated = self.allocated();
        let holes_free = !allocated & !self.free == 0;
        self.check(u32::from(self.count) != allocated.count_ones(), "ir_count", self.count.into())?;
        self.check(!holes_free, "ir_free", self.free)?;
        let free = (self.free & allocated).count_ones();
        self.check(u32::from(self.free_count) != free, "ir_freecount", self.free_count.into())?;
        self.check(
            self.start.0.checked_add(INODES_PER_CHUNK).is_none(),
            "ir_startino",
            self.start.0.into(),
        )
    }
    /// The bytes of this record in `form`. Its key is the first inode number as four bytes.
    pub fn encode(self, form: ChunkForm) -> [u8; Self::SIZE] {
        let middle = match form {
            ChunkForm::Full => {
                assert!(self.holes == 0, "a chunk with holes has no full form");
                u32::from(self.free_count)
            }
            ChunkForm::Sparse => {
                u32::from(self.holes) << 16
                    | u32::from(self.count) << 8
                    | u32::from(self.free_count)
            }
        };
        let word =
            u128::from(self.start.0) << 96 | u128::from(middle) << 64 | u128::from(self.free);
        word.to_be_bytes()
    }
    /// One bit for each inode, set where it has blocks.
    pub fn allocated(&self) -> u64 {
        let quads = (0..16).filter(|bit| self.holes >> bit & 1 == 0);
        quads.fold(0, |mask, bit| mask | 0xf << (bit * INODES_PER_HOLE_BIT))
    }
    /// The lowest free inode that has blocks, as an index in the chunk.
    pub fn first_free(&self) -> Option<u32> {
        let free = self.free & self.allocated();
        (free != 0).then(|| free.trailing_zeros())
    }
}
