//! The AGF as a checked value.

use super::agfl::AgflRing;
use super::disk::{AGF_MAGIC, AGF_SEAL, AgfDisk, agfl_slots};
use super::{Preamble, TreeFields, TreeRoot};
use crate::fault::Fault;
use crate::kind::Identity;
use crate::units::*;

const WHAT: &str = "AGF";

/// Free space of an AG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agf {
    /// The AG.
    pub ag: AgNumber,
    /// Blocks of the AG.
    pub length: u32,
    /// Free space by block.
    pub bnobt: TreeRoot,
    /// Free space by length.
    pub cntbt: TreeRoot,
    /// Reverse mappings, where the volume has them.
    pub rmapbt: Option<TreeRoot>,
    /// Reference counts, where the volume has them.
    pub refcountbt: Option<TreeRoot>,
    /// The ring of the AGFL.
    pub free_list: AgflRing,
    /// Free blocks, those of the AGFL not counted.
    pub free_blocks: u32,
    /// Longest free extent.
    pub longest: u32,
    /// Blocks of bnobt, cntbt and rmapbt, roots not counted.
    pub btree_blocks: u32,
    /// Blocks of the rmapbt, root counted.
    pub rmap_blocks: u32,
    /// Blocks of the refcountbt, root counted.
    pub refcount_blocks: u32,
    /// LSN of the last write.
    pub lsn: Lsn,
}

impl Agf {
    /// Reads the AGF in a sector and checks it in full.
    pub fn decode(bytes: &[u8], identity: &Identity<'_>) -> Result<Self, Fault> {
        let raw = AgfDisk::of(bytes)?;
        let ag = preamble(raw).verify(bytes, identity)?;
        let agf = Self::from_disk(raw, ag, identity.geometry.sector_size())?;
        agf.check_counts(raw, identity.geometry.blocks_of(ag))?;
        Ok(agf)
    }
    fn from_disk(raw: &AgfDisk, ag: AgNumber, sector_size: usize) -> Result<Self, Fault> {
        let length = raw.length.get();
        let tree =
            |names, block: u32, levels: u32| TreeRoot::optional(names, block, levels, length);
        Ok(Self {
            ag,
            length,
            bnobt: TreeRoot::required(
                TreeFields(WHAT, "agf_bno_root", "agf_bno_level"),
                raw.bno_root.get(),
                raw.bno_level.get(),
                length,
            )?,
            cntbt: TreeRoot::required(
                TreeFields(WHAT, "agf_cnt_root", "agf_cnt_level"),
                raw.cnt_root.get(),
                raw.cnt_level.get(),
                length,
            )?,
            rmapbt: tree(
                TreeFields(WHAT, "agf_rmap_root", "agf_rmap_level"),
                raw.rmap_root.get(),
                raw.rmap_level.get(),
            )?,
            refcountbt: tree(
                TreeFields(WHAT, "agf_refcount_root", "agf_refcount_level"),
                raw.refcount_root.get(),
                raw.refcount_level.get(),
            )?,
            free_list: AgflRing::from_agf(raw, agfl_slots(sector_size))?,
            free_blocks: raw.freeblks.get(),
            longest: raw.longest.get(),
            btree_blocks: raw.btreeblks.get(),
            rmap_blocks: raw.rmap_blocks.get(),
            refcount_blocks: raw.refcount_blocks.get(),
            lsn: Lsn(raw.lsn.get()),
        })
    }
    fn check_counts(&self, raw: &AgfDisk, blocks: u32) -> Result<(), Fault> {
        let checks = [
            ("agf_versionnum", raw.version.get(), raw.version.get() == 1),
            ("agf_length", self.length, self.length == blocks),
            ("agf_freeblks", self.free_blocks, self.free_blocks <= self.length),
            ("agf_longest", self.longest, self.longest <= self.free_blocks),
            ("agf_btreeblks", self.btree_blocks, self.btree_blocks <= self.length),
            ("agf_rmap_blocks", self.rmap_blocks, self.rmap_blocks <= self.length),
            ("agf_refcount_blocks", self.refcount_blocks, self.refcount_blocks <= self.length),
        ];
        match checks.into_iter().find(|(_, _, holds)| !holds) {
            Some((field, value, _)) => Err(Fault::Field { what: WHAT, field, value: value.into() }),
            None => Ok(()),
        }
    }
    /// The AGF as the disk has it, without checksum: for mkfs. Seal the sector after.
    pub fn to_disk(&self, uuid: [u8; 16]) -> AgfDisk {
        let mut raw: AgfDisk = zerocopy::FromZeros::new_zeroed();
        let root = |tree: Option<TreeRoot>| tree.map_or((0, 0), |t| (t.block.0, t.levels.into()));
        raw.magic.set(AGF_MAGIC);
        raw.version.set(1);
        raw.seqno.set(self.ag.0);
        raw.length.set(self.length);
        raw.bno_root.set(self.bnobt.block.0);
        raw.bno_level.set(self.bnobt.levels.into());
        raw.cnt_root.set(self.cntbt.block.0);
        raw.cnt_level.set(self.cntbt.levels.into());
        let (block, levels) = root(self.rmapbt);
        raw.rmap_root.set(block);
        raw.rmap_level.set(levels);
        let (block, levels) = root(self.refcountbt);
        raw.refcount_root.set(block);
        raw.refcount_level.set(levels);
        self.free_list.store(&mut raw);
        raw.freeblks.set(self.free_blocks);
        raw.longest.set(self.longest);
        raw.btreeblks.set(self.btree_blocks);
        raw.rmap_blocks.set(self.rmap_blocks);
        raw.refcount_blocks.set(self.refcount_blocks);
        raw.uuid = uuid;
        raw.lsn.set(self.lsn.0);
        raw
    }
}

fn preamble(raw: &AgfDisk) -> Preamble {
    Preamble {
        what: WHAT,
        magic: raw.magic.get(),
        expected_magic: AGF_MAGIC,
        uuid: raw.uuid,
        seqno: raw.seqno.get(),
        lsn: raw.lsn.get(),
        crc_at: AGF_SEAL.crc,
    }
}
