//! Quota blocks: records of 136 bytes side by side, each with its own checksum. untorn keeps no
//! quota; it verifies what it may have to replay into and leaves the rest to the kernel.

#[cfg(test)]
mod tests;

use crate::checksum;
use crate::fault::Fault;
use crate::kind::Identity;
use crate::wire::{U16, U32, U64, view};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `DQ`.
pub const DQUOT_MAGIC: u16 = 0x4451;
/// Bytes of a record in its block.
pub const DQUOT_SIZE: usize = size_of::<DquotDisk>();
const CRC_AT: usize = 108;
const WHAT: &str = "quota record";

/// A quota record as it lies on disk (`xfs_dqblk`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DquotDisk {
    /// [`DQUOT_MAGIC`].
    pub magic: U16,
    /// 1.
    pub version: u8,
    /// Bit 0 user, bit 1 project, bit 2 group, bit 7 bigtime.
    pub kind: u8,
    /// User, group or project.
    pub id: U32,
    /// Most blocks, hard.
    pub blk_hardlimit: U64,
    /// Most blocks, soft.
    pub blk_softlimit: U64,
    /// Most inodes, hard.
    pub ino_hardlimit: U64,
    /// Most inodes, soft.
    pub ino_softlimit: U64,
    /// Blocks held.
    pub bcount: U64,
    /// Inodes held.
    pub icount: U64,
    /// When the soft limit of inodes begins to bite.
    pub itimer: U32,
    /// When the soft limit of blocks begins to bite.
    pub btimer: U32,
    /// Warnings for inodes.
    pub iwarns: U16,
    /// Warnings for blocks.
    pub bwarns: U16,
    /// Zero.
    pub pad0: U32,
    /// Most realtime blocks, hard.
    pub rtb_hardlimit: U64,
    /// Most realtime blocks, soft.
    pub rtb_softlimit: U64,
    /// Realtime blocks held.
    pub rtbcount: U64,
    /// When the soft limit of realtime blocks begins to bite.
    pub rtbtimer: U32,
    /// Warnings for realtime blocks.
    pub rtbwarns: U16,
    /// Zero.
    pub pad: U16,
    /// Zero.
    pub fill: [u8; 4],
    /// Little-endian CRC32c of this record.
    pub crc: [u8; 4],
    /// LSN of the last write.
    pub lsn: U64,
    /// The volume.
    pub uuid: [u8; 16],
}
const _: () = assert!(size_of::<DquotDisk>() == 136);
const _: () = assert!(std::mem::offset_of!(DquotDisk, crc) == CRC_AT);

/// Checks every record of a quota block.
pub(crate) fn verify_block(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    if bytes.len() < DQUOT_SIZE {
        return Err(Fault::Short { what: WHAT, have: bytes.len(), need: DQUOT_SIZE });
    }
    bytes.chunks_exact(DQUOT_SIZE).try_for_each(|record| verify_record(record, identity))
}

fn verify_record(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let raw = view::<DquotDisk>(WHAT, bytes)?;
    if raw.magic.get() != DQUOT_MAGIC {
        return Err(Fault::Magic { what: WHAT, found: raw.magic.get().into() });
    }
    if raw.version != 1 {
        return Err(Fault::Field { what: WHAT, field: "d_version", value: raw.version.into() });
    }
    checksum::check(WHAT, bytes, CRC_AT)?;
    if raw.uuid != identity.uuid {
        return Err(Fault::Uuid { what: WHAT });
    }
    checksum::check_lsn(WHAT, raw.lsn.get(), identity.newest)
}

/// Stamps LSN and checksum into one record.
pub fn seal(record: &mut [u8], lsn: crate::units::Lsn) {
    assert!(record.len() == DQUOT_SIZE, "a quota record has {DQUOT_SIZE} bytes");
    checksum::seal(record, checksum::SealAt { crc: CRC_AT, lsn: Some(112) }, lsn);
}
