//! The AGI as a checked value.

use super::disk::{AGI_MAGIC, AGI_SEAL, AgiDisk, UNLINKED_BUCKETS};
use super::{Preamble, TreeFields, TreeRoot};
use crate::fault::Fault;
use crate::geometry::Geometry;
use crate::kind::Identity;
use crate::units::*;
use crate::wire::U32;

const WHAT: &str = "AGI";

/// Inodes of an AG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agi {
    /// The AG.
    pub ag: AgNumber,
    /// Blocks of the AG.
    pub length: u32,
    /// Inodes that have blocks.
    pub count: u32,
    /// Free inodes.
    pub free_count: u32,
    /// Inode chunks.
    pub inobt: TreeRoot,
    /// Inode chunks with free inodes, where the volume has the tree.
    pub finobt: Option<TreeRoot>,
    /// Blocks of the inobt, root counted (volumes with inobtcount).
    pub inobt_blocks: u32,
    /// Blocks of the finobt, root counted (volumes with inobtcount).
    pub finobt_blocks: u32,
    /// First inode of the chunk allocated last.
    pub newest_chunk: Option<AgIno>,
    /// First inode of each chain of unlinked inodes.
    pub unlinked: [Option<AgIno>; UNLINKED_BUCKETS],
    /// LSN of the last write.
    pub lsn: Lsn,
}

impl Agi {
    /// The chain that an unlinked inode belongs to.
    pub fn bucket_of(ino: AgIno) -> usize {
        ino.0 as usize % UNLINKED_BUCKETS
    }
    /// Reads the AGI in a sector and checks it in full.
    pub fn decode(bytes: &[u8], identity: &Identity<'_>) -> Result<Self, Fault> {
        let raw = AgiDisk::of(bytes)?;
        let ag = preamble(raw).verify(bytes, identity)?;
        let agi = Self::from_disk(raw, ag)?;
        agi.check_counts(raw, identity.geometry)?;
        Ok(agi)
    }
    fn from_disk(raw: &AgiDisk, ag: AgNumber) -> Result<Self, Fault> {
        let length = raw.length.get();
        Ok(Self {
            ag,
            length,
            count: raw.count.get(),
            free_count: raw.freecount.get(),
            inobt: TreeRoot::required(
                TreeFields(WHAT, "agi_root", "agi_level"),
                raw.root.get(),
                raw.level.get(),
                length,
            )?,
            finobt: TreeRoot::optional(
                TreeFields(WHAT, "agi_free_root", "agi_free_level"),
                raw.free_root.get(),
                raw.free_level.get(),
                length,
            )?,
            inobt_blocks: raw.iblocks.get(),
            finobt_blocks: raw.fblocks.get(),
            newest_chunk: from_link(raw.newino),
            unlinked: raw.unlinked.map(from_link),
            lsn: Lsn(raw.lsn.get()),
        })
    }
    fn check_counts(&self, raw: &AgiDisk, geometry: &Geometry) -> Result<(), Fault> {
        let blocks = geometry.blocks_of(self.ag);
        let inodes = u64::from(blocks) << geometry.inodes_per_block_log;
        let exists = |ino: &AgIno| u64::from(ino.0) < inodes;
        let lost = self.unlinked.iter().flatten().find(|ino| !exists(ino));
        let checks = [
            ("agi_versionnum", raw.version.get(), raw.version.get() == 1),
            ("agi_length", self.length, self.length == blocks),
            ("agi_count", self.count, u64::from(self.count) <= inodes),
            ("agi_freecount", self.free_count, self.free_count <= self.count),
            ("agi_iblocks", self.inobt_blocks, self.inobt_blocks <= self.length),
            ("agi_fblocks", self.finobt_blocks, self.finobt_blocks <= self.length),
            ("agi_unlinked", lost.map_or(0, |ino| ino.0), lost.is_none()),
        ];
        match checks.into_iter().find(|(_, _, holds)| !holds) {
            Some((field, value, _)) => Err(Fault::Field { what: WHAT, field, value: value.into() }),
            None => Ok(()),
        }
    }
    /// The AGI as the disk has it, without checksum: for mkfs. Seal the sector after.
    pub fn to_disk(&self, uuid: [u8; 16]) -> AgiDisk {
        let mut raw: AgiDisk = zerocopy::FromZeros::new_zeroed();
        raw.magic.set(AGI_MAGIC);
        raw.version.set(1);
        raw.seqno.set(self.ag.0);
        raw.length.set(self.length);
        raw.count.set(self.count);
        raw.freecount.set(self.free_count);
        raw.root.set(self.inobt.block.0);
        raw.level.set(self.inobt.levels.into());
        if let Some(tree) = self.finobt {
            raw.free_root.set(tree.block.0);
            raw.free_level.set(tree.levels.into());
        }
        raw.iblocks.set(self.inobt_blocks);
        raw.fblocks.set(self.finobt_blocks);
        raw.newino = to_link(self.newest_chunk);
        raw.dirino.set(NULL_AG_INO);
        raw.unlinked = self.unlinked.map(to_link);
        raw.uuid = uuid;
        raw.lsn.set(self.lsn.0);
        raw
    }
}

fn from_link(link: U32) -> Option<AgIno> {
    (link.get() != NULL_AG_INO).then_some(AgIno(link.get()))
}

fn to_link(ino: Option<AgIno>) -> U32 {
    ino.map_or(NULL_AG_INO, |ino| ino.0).into()
}

fn preamble(raw: &AgiDisk) -> Preamble {
    Preamble {
        what: WHAT,
        magic: raw.magic.get(),
        expected_magic: AGI_MAGIC,
        uuid: raw.uuid,
        seqno: raw.seqno.get(),
        lsn: raw.lsn.get(),
        crc_at: AGI_SEAL.crc,
    }
}
