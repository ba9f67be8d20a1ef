//! Quota items.

use super::Replay;
use crate::replay::error::RecoverError;
use untorn_format::checksum;
use untorn_format::log::{QUOTA_RECORD, QuotaItem};
use untorn_format::{BlockKind, Fault, Lsn, Place};

/// A record with what surrounds it on disk (`xfs_dqblk`): where its checksum and LSN are.
const RECORD_ON_DISK: usize = 136;
const CRC: usize = 108;
const LSN: usize = 112;

impl Replay {
    pub(super) fn quota(&mut self, item: &QuotaItem<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        let fault = |field, value: u64| {
            let what = "quota item";
            RecoverError::from(Fault::Field { what, field, value }.at(Place::at(item.addr)))
        };
        let kind = item.kind().ok_or_else(|| fault("d_type", 0))?;
        if self.first.quota_off.contains(&kind) {
            return Ok(());
        }
        if item.blocks != 1 {
            return Err(fault("qlf_len", item.blocks.into()));
        }
        let units = self.sb.geometry().sectors_per_block() as u32;
        if self.first.cancelled.contains(item.addr, units) {
            return Ok(());
        }
        let held = self.blocks.read(item.addr, units)?;
        let offset = item.offset as usize;
        let record = held.bytes.get_mut(offset..).and_then(|rest| rest.get_mut(..RECORD_ON_DISK));
        let record = record.ok_or_else(|| fault("qlf_boffset", item.offset.into()))?;
        let written = record[LSN..].first_chunk().map_or(0, |b| u64::from_be_bytes(*b));
        if written != 0 && written != u64::MAX && written >= lsn.0 {
            return Ok(());
        }
        record[..QUOTA_RECORD].copy_from_slice(item.record);
        checksum::stamp(record, CRC);
        held.change(Some(BlockKind::Dquot), lsn);
        Ok(())
    }
}
