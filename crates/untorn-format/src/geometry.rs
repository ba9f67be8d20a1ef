//! Every conversion between units. The only place that shifts and multiplies block numbers.
//!
//! A geometry is built from a verified superblock (or by mkfs) and never changes while a volume is
//! open. Conversions of numbers that came from a disk are checked; each returns `None` where the
//! number lies outside the volume.

use crate::units::*;

/// The numbers that place everything on a volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// log2 of the block size in bytes (10..=16).
    pub block_log: u8,
    /// log2 of the sector size in bytes (9..=15).
    pub sector_log: u8,
    /// log2 of the inode size in bytes (8..=11).
    pub inode_log: u8,
    /// log2 of inodes per block.
    pub inodes_per_block_log: u8,
    /// log2 of `ag_blocks`, rounded up.
    pub ag_block_log: u8,
    /// log2 of blocks per directory block.
    pub dir_block_log: u8,
    /// Blocks of every AG but the last.
    pub ag_blocks: u32,
    /// Allocation groups.
    pub ag_count: u32,
    /// Blocks of the data section.
    pub data_blocks: u64,
    /// First block of an internal log; zero when the log is external.
    pub log_start: FsBlock,
    /// Blocks of the log.
    pub log_blocks: u32,
}

impl Geometry {
    /// Block size in bytes.
    pub fn block_size(&self) -> usize {
        1 << self.block_log
    }
    /// Sector size in bytes.
    pub fn sector_size(&self) -> usize {
        1 << self.sector_log
    }
    /// Inode size in bytes.
    pub fn inode_size(&self) -> usize {
        1 << self.inode_log
    }
    /// Inodes per block (at least 1).
    pub fn inodes_per_block(&self) -> u32 {
        1 << self.inodes_per_block_log
    }
    /// Directory block size in bytes.
    pub fn dir_block_size(&self) -> usize {
        1 << (self.block_log + self.dir_block_log)
    }
    /// 512-byte units per block.
    pub fn sectors_per_block(&self) -> u64 {
        1 << (self.block_log - 9)
    }
    /// Blocks of AG `ag` (the last may be short); zero past the last.
    pub fn blocks_of(&self, ag: AgNumber) -> u32 {
        let before = u64::from(ag.0) * u64::from(self.ag_blocks);
        if ag.0 >= self.ag_count {
            return 0;
        }
        self.data_blocks.saturating_sub(before).min(u64::from(self.ag_blocks)) as u32
    }
    /// The volume-wide name of an AG's block. Infallible: the pair is trusted.
    pub fn fs_block(&self, ag: AgNumber, block: AgBlock) -> FsBlock {
        FsBlock(u64::from(ag.0) << self.ag_block_log | u64::from(block.0))
    }
    /// AG and block of `block`; `None` outside the volume.
    pub fn split(&self, block: FsBlock) -> Option<(AgNumber, AgBlock)> {
        let ag = AgNumber(u32::try_from(block.0 >> self.ag_block_log).ok()?);
        let in_ag = AgBlock((block.0 & ((1 << self.ag_block_log) - 1)) as u32);
        (in_ag.0 < self.blocks_of(ag)).then_some((ag, in_ag))
    }
    /// The run of `length` blocks at `block`, if it lies inside one AG.
    pub fn extent(&self, block: FsBlock, length: u64) -> Option<AgExtent> {
        let (ag, start) = self.split(block)?;
        let length = u32::try_from(length).ok().filter(|&n| n > 0)?;
        let end = start.0.checked_add(length)?;
        (end <= self.blocks_of(ag)).then_some(AgExtent { ag, start, length })
    }
    /// Device address of an AG's block.
    pub fn addr(&self, ag: AgNumber, block: AgBlock) -> DiskAddr {
        let linear = u64::from(ag.0) * u64::from(self.ag_blocks) + u64::from(block.0);
        DiskAddr(linear << (self.block_log - 9))
    }
    /// Device address of a block; `None` outside the volume.
    pub fn addr_of(&self, block: FsBlock) -> Option<DiskAddr> {
        self.split(block).map(|(ag, b)| self.addr(ag, b))
    }
    /// Device address of sector `index` of an AG (0 superblock, 1 AGF, 2 AGI, 3 AGFL).
    pub fn header_addr(&self, ag: AgNumber, index: u32) -> DiskAddr {
        let base = self.addr(ag, AgBlock(0));
        DiskAddr(base.0 + u64::from(index) * (self.sector_size() as u64 / u64::from(BASIC_BLOCK)))
    }
    /// AG and block that hold device address `addr`.
    pub fn block_at(&self, addr: DiskAddr) -> Option<(AgNumber, AgBlock)> {
        let linear = addr.0 >> (self.block_log - 9);
        let ag = AgNumber(u32::try_from(linear / u64::from(self.ag_blocks)).ok()?);
        let block = AgBlock((linear % u64::from(self.ag_blocks)) as u32);
        (block.0 < self.blocks_of(ag)).then_some((ag, block))
    }
    /// Byte offset on the volume of a device address.
    pub fn byte_of(&self, addr: DiskAddr) -> u64 {
        addr.0 << 9
    }
    /// Inode number from its AG and number there.
    pub fn ino(&self, ag: AgNumber, ino: AgIno) -> Ino {
        Ino(u64::from(ag.0) << (self.ag_block_log + self.inodes_per_block_log) | u64::from(ino.0))
    }
    /// AG and number there of `ino`; `None` outside the volume.
    pub fn split_ino(&self, ino: Ino) -> Option<(AgNumber, AgIno)> {
        let bits = self.ag_block_log + self.inodes_per_block_log;
        let ag = AgNumber(u32::try_from(ino.0 >> bits).ok()?);
        let in_ag = AgIno(u32::try_from(ino.0 & ((1 << bits) - 1)).ok()?);
        (in_ag.0 >> self.inodes_per_block_log < self.blocks_of(ag)).then_some((ag, in_ag))
    }
    /// The AG block that holds an inode, and the inode's index in it.
    pub fn inode_block(&self, ino: AgIno) -> (AgBlock, u32) {
        let index = ino.0 & (self.inodes_per_block() - 1);
        (AgBlock(ino.0 >> self.inodes_per_block_log), index)
    }
    /// First inode number of an AG block.
    pub fn first_ino(&self, block: AgBlock) -> AgIno {
        AgIno(block.0 << self.inodes_per_block_log)
    }
    /// Blocks needed to hold `bytes`.
    pub fn blocks_for(&self, bytes: u64) -> u64 {
        bytes.div_ceil(1 << self.block_log)
    }
    /// The file block that holds byte `offset`, and the byte within it.
    pub fn file_block(&self, offset: u64) -> (FileBlock, usize) {
        (FileBlock(offset >> self.block_log), (offset & ((1 << self.block_log) - 1)) as usize)
    }
    /// Byte offset of a file block; `None` on overflow.
    pub fn file_byte(&self, block: FileBlock) -> Option<u64> {
        block.0.checked_mul(1 << self.block_log)
    }
}
