//! File extents: the packed record of the bmbt, of inline extent lists and of log items.

use super::array;
use crate::fault::Fault;
use crate::units::{FileBlock, FsBlock};

/// Which fork of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fork {
    /// The file's contents.
    Data,
    /// Its extended attributes.
    Attr,
}

/// Whether the blocks of an extent have been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ExtentState {
    /// The blocks hold the file's bytes.
    Written,
    /// The blocks are allocated and read as zeroes.
    Unwritten,
}

/// A run of file blocks mapped to a run of volume blocks.
///
/// On disk 128 bits: unwritten flag (1), file block (54), volume block (52), length (21).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// First block of the file (54 bits).
    pub file: FileBlock,
    /// First block of the volume (52 bits).
    pub start: FsBlock,
    /// Length in blocks: 1 to [`Extent::MAX_LENGTH`].
    pub length: u32,
    /// Whether the blocks were written.
    pub state: ExtentState,
}

impl Extent {
    /// Bytes of a record.
    pub const SIZE: usize = 16;
    /// Longest extent in blocks (21 bits).
    pub const MAX_LENGTH: u32 = (1 << 21) - 1;
    /// Largest file block that can be mapped (54 bits).
    pub const MAX_FILE_BLOCK: FileBlock = FileBlock((1 << 54) - 1);
    /// Largest volume block that can be mapped (52 bits).
    pub const MAX_START: FsBlock = FsBlock((1 << 52) - 1);

    /// Reads a record; a zero length and a range past the last block that a file or a volume can
    /// have are faults.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let word = u128::from_be_bytes(array("extent record", bytes)?);
        let extent = Self {
            file: FileBlock((word >> 73) as u64 & Self::MAX_FILE_BLOCK.0),
            start: FsBlock((word >> 21) as u64 & Self::MAX_START.0),
            length: word as u32 & Self::MAX_LENGTH,
            state: match word >> 127 {
                0 => ExtentState::Written,
                _ => ExtentState::Unwritten,
            },
        };
        let outside = extent.file_end().0 > Self::MAX_FILE_BLOCK.0 + 1
            || extent.end().0 > Self::MAX_START.0 + 1;
        if extent.length == 0 || outside {
            let value = u64::from(extent.length);
            return Err(Fault::Field { what: "extent record", field: "br_blockcount", value });
        }
        Ok(extent)
    }
    /// The bytes of this record. Its btree key is the first file block as eight bytes.
    pub fn encode(self) -> [u8; Self::SIZE] {
        assert!(self.length != 0 && self.length <= Self::MAX_LENGTH);
        assert!(self.file <= Self::MAX_FILE_BLOCK && self.start <= Self::MAX_START);
        let unwritten = u128::from(self.state == ExtentState::Unwritten);
        let word = unwritten << 127
            | u128::from(self.file.0) << 73
            | u128::from(self.start.0) << 21
            | u128::from(self.length);
        word.to_be_bytes()
    }
    /// The file block after the last.
    pub fn file_end(self) -> FileBlock {
        FileBlock(self.file.0 + u64::from(self.length))
    }
    /// The volume block after the last (may be the first of nothing at the end of an AG).
    pub fn end(self) -> FsBlock {
        FsBlock(self.start.0 + u64::from(self.length))
    }
    /// Whether `next` goes on where this ends, in the file, on the volume and in state. Says
    /// nothing of the length of the two together.
    pub fn continues_as(self, next: Self) -> bool {
        self.file_end() == next.file && self.end() == next.start && self.state == next.state
    }
}
