//! Intents to exchange the blocks of two files: XMI.

use super::super::bytes::{Reader, Writer};
use super::{field, fork_flag, fork_of};
use crate::fault::Fault;
use crate::records::Fork;
use crate::units::{FileBlock, Ino};

const ATTR_FORK: u32 = 1 << 0;

/// What else an exchange does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeFlag {
    /// Set the file sizes at the end.
    SetSizes,
    /// Exchange only where the first file's blocks are written.
    FirstWritten,
    /// The first file shares no blocks afterwards: clear its reflink flag.
    ClearFirstReflink,
    /// The second file shares no blocks afterwards: clear its reflink flag.
    ClearSecondReflink,
}

const FLAGS: [(u32, ExchangeFlag); 4] = [
    (1 << 1, ExchangeFlag::SetSizes),
    (1 << 2, ExchangeFlag::FirstWritten),
    (1 << 3, ExchangeFlag::ClearFirstReflink),
    (1 << 4, ExchangeFlag::ClearSecondReflink),
];

/// Blocks to exchange. Each pair is the first file's value, then the second's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The files.
    pub inodes: [Ino; 2],
    /// Their generations: an inode with another one is another file.
    pub generations: [u32; 2],
    /// First block of each range.
    pub offsets: [FileBlock; 2],
    /// Length of the ranges in blocks.
    pub blocks: u64,
    /// Sizes in bytes at the end, for [`ExchangeFlag::SetSizes`].
    pub sizes: [u64; 2],
    /// The forks whose blocks are exchanged.
    pub fork: Fork,
    /// What else is done.
    pub flags: Vec<ExchangeFlag>,
}

impl Exchange {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        let inodes = [Ino(reader.u64()?), Ino(reader.u64()?)];
        let generations = [reader.u32()?, reader.u32()?];
        let offsets = [FileBlock(reader.u64()?), FileBlock(reader.u64()?)];
        let blocks = reader.u64()?;
        let bits = reader.u64()?;
        let sizes = [reader.u64()?, reader.u64()?];
        let known = FLAGS.iter().fold(ATTR_FORK, |all, (bit, _)| all | bit);
        let set = u32::try_from(bits)
            .ok()
            .filter(|set| set & !known == 0)
            .ok_or(field("xmi_flags", bits))?;
        let flags = FLAGS.iter().filter(|(bit, _)| set & bit != 0).map(|&(_, flag)| flag).collect();
        let fork = fork_of(set, ATTR_FORK);
        Ok(Self { inodes, generations, offsets, blocks, sizes, fork, flags })
    }
    pub(super) fn write(&self, writer: Writer) -> Writer {
        let bit = |flag| FLAGS.iter().find(|(_, known)| *known == flag).map_or(0, |&(bit, _)| bit);
        let set = self.flags.iter().fold(fork_flag(self.fork, ATTR_FORK), |s, &f| s | bit(f));
        let [first, second] = self.inodes;
        let writer = writer.u64(first.0).u64(second.0);
        let [first, second] = self.generations;
        let writer = writer.u32(first).u32(second);
        let [first, second] = self.offsets;
        let writer = writer.u64(first.0).u64(second.0).u64(self.blocks).u64(set.into());
        let [first, second] = self.sizes;
        writer.u64(first).u64(second)
    }
}
