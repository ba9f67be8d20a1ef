//! Quota items: one record of one user, group or project, and the switching off of a quota.

use super::buffer::QuotaKind;
use super::bytes::{Reader, Writer};
use super::item::ItemKind;
use crate::fault::Fault;
use crate::units::DiskAddr;

const NAME: &str = "quota item";
/// Bytes of the record that is logged (`xfs_disk_dquot`): big-endian, as on disk.
pub const QUOTA_RECORD: usize = 104;
const FLAGS: usize = 5;
const KINDS: [(u8, QuotaKind); 3] =
    [(0x01, QuotaKind::User), (0x02, QuotaKind::Project), (0x04, QuotaKind::Group)];
const OFF_KINDS: [(u32, QuotaKind); 3] =
    [(0x0001, QuotaKind::User), (0x0008, QuotaKind::Project), (0x0040, QuotaKind::Group)];

/// A quota record's new contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaItem<'a> {
    /// User, group or project.
    pub id: u32,
    /// Where the block of records lies.
    pub addr: DiskAddr,
    /// Its length in filesystem blocks: always 1.
    pub blocks: u32,
    /// Byte offset of the record in the block.
    pub offset: u32,
    /// The record.
    pub record: &'a [u8; QUOTA_RECORD],
}

impl<'a> QuotaItem<'a> {
    /// Reads an item.
    pub fn decode(regions: &[&'a [u8]]) -> Result<Self, Fault> {
        let [format, record, ..] = regions else {
            return Err(Fault::Short { what: NAME, have: regions.len(), need: 2 });
        };
        let short = Fault::Short { what: NAME, have: record.len(), need: QUOTA_RECORD };
        let record = record.first_chunk().ok_or(short)?;
        let mut reader = Reader::new(NAME, format);
        reader.skip(4)?;
        Ok(Self {
            id: reader.u32()?,
            addr: DiskAddr(reader.u64()?),
            blocks: reader.u32()?,
            offset: reader.u32()?,
            record,
        })
    }
    /// The item's regions.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let format = Writer::item(ItemKind::Quota.code(), 2)
            .u32(self.id)
            .u64(self.addr.0)
            .u32(self.blocks)
            .u32(self.offset)
            .done();
        vec![format, self.record.to_vec()]
    }
    /// Which quota the record counts for; `None` where its type is none of them.
    pub fn kind(&self) -> Option<QuotaKind> {
        let flags = self.record[FLAGS];
        KINDS.iter().find(|(bit, _)| flags & bit != 0).map(|&(_, kind)| kind)
    }
}

/// Quotas that were switched off: their items are not to be replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaOff {
    /// Which.
    pub kinds: Vec<QuotaKind>,
}

impl QuotaOff {
    /// Reads an item.
    pub fn decode(regions: &[&[u8]]) -> Result<Self, Fault> {
        let format = regions.first().copied().unwrap_or_default();
        let mut reader = Reader::new(NAME, format);
        reader.skip(4)?;
        let flags = reader.u32()?;
        let kinds = OFF_KINDS.iter().filter(|(bit, _)| flags & bit != 0);
        Ok(Self { kinds: kinds.map(|&(_, kind)| kind).collect() })
    }
    /// The item's region.
    pub fn encode(&self) -> Vec<Vec<u8>> {
        let named = |kind| OFF_KINDS.iter().find(|(_, known)| *known == kind);
        let flags =
            self.kinds.iter().filter_map(|&kind| named(kind)).fold(0, |all, (bit, _)| all | bit);
        vec![Writer::item(ItemKind::QuotaOff.code(), 1).u32(flags).zeroes(12).done()]
    }
}
