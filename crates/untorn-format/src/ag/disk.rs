//! AG headers as they lie on disk.

use crate::checksum::SealAt;
use crate::fault::Fault;
use crate::wire::{U32, U64, view, view_mut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XAGF`.
pub const AGF_MAGIC: u32 = 0x5841_4746;
/// `XAGI`.
pub const AGI_MAGIC: u32 = 0x5841_4749;
/// `XAFL`.
pub const AGFL_MAGIC: u32 = 0x5841_464c;
/// Chains of unlinked inodes of an AG.
pub const UNLINKED_BUCKETS: usize = 64;

/// Where the AGF keeps checksum and LSN.
pub(crate) const AGF_SEAL: SealAt = SealAt { crc: 216, lsn: Some(208) };
/// Where the AGI keeps checksum and LSN.
pub(crate) const AGI_SEAL: SealAt = SealAt { crc: 312, lsn: Some(320) };
/// Where the AGFL keeps checksum and LSN.
pub(crate) const AGFL_SEAL: SealAt = SealAt { crc: 32, lsn: Some(24) };

/// AG free space header as it lies on disk (`xfs_agf`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AgfDisk {
    /// [`AGF_MAGIC`].
    pub magic: U32,
    /// 1.
    pub version: U32,
    /// AG number.
    pub seqno: U32,
    /// Blocks of the AG.
    pub length: U32,
    /// Root of the bnobt.
    pub bno_root: U32,
    /// Root of the cntbt.
    pub cnt_root: U32,
    /// Root of the rmapbt.
    pub rmap_root: U32,
    /// Levels of the bnobt.
    pub bno_level: U32,
    /// Levels of the cntbt.
    pub cnt_level: U32,
    /// Levels of the rmapbt.
    pub rmap_level: U32,
    /// Index in the AGFL of the first block.
    pub flfirst: U32,
    /// Index in the AGFL of the last block.
    pub fllast: U32,
    /// Blocks in the AGFL.
    pub flcount: U32,
    /// Free blocks, those of the AGFL not counted.
    pub freeblks: U32,
    /// Longest free extent.
    pub longest: U32,
    /// Blocks held by bnobt, cntbt and rmapbt, roots not counted.
    pub btreeblks: U32,
    /// The volume.
    pub uuid: [u8; 16],
    /// Blocks of the rmapbt, root counted.
    pub rmap_blocks: U32,
    /// Blocks of the refcountbt, root counted.
    pub refcount_blocks: U32,
    /// Root of the refcountbt.
    pub refcount_root: U32,
    /// Levels of the refcountbt.
    pub refcount_level: U32,
    /// Zero.
    pub spare64: [U64; 14],
    /// LSN of the last write.
    pub lsn: U64,
    /// Little-endian CRC32c.
    pub crc: [u8; 4],
    /// Zero.
    pub spare2: U32,
}
const _: () = assert!(size_of::<AgfDisk>() == 224);
const _: () = assert!(std::mem::offset_of!(AgfDisk, crc) == AGF_SEAL.crc);

impl AgfDisk {
    /// The AGF in a sector.
    pub fn of(bytes: &[u8]) -> Result<&Self, Fault> {
        view("AGF", bytes)
    }
    /// The AGF in a staged sector, to be edited.
    pub fn of_mut(bytes: &mut [u8]) -> Result<&mut Self, Fault> {
        view_mut("AGF", bytes)
    }
}

/// AG inode header as it lies on disk (`xfs_agi`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AgiDisk {
    /// [`AGI_MAGIC`].
    pub magic: U32,
    /// 1.
    pub version: U32,
    /// AG number.
    pub seqno: U32,
    /// Blocks of the AG.
    pub length: U32,
    /// Inodes that have blocks.
    pub count: U32,
    /// Root of the inobt.
    pub root: U32,
    /// Levels of the inobt.
    pub level: U32,
    /// Free inodes.
    pub freecount: U32,
    /// First inode of the chunk allocated last.
    pub newino: U32,
    /// Unused: all ones.
    pub dirino: U32,
    /// First inode of each chain of unlinked inodes.
    pub unlinked: [U32; UNLINKED_BUCKETS],
    /// The volume.
    pub uuid: [u8; 16],
    /// Little-endian CRC32c.
    pub crc: [u8; 4],
    /// Zero.
    pub pad32: U32,
    /// LSN of the last write.
    pub lsn: U64,
    /// Root of the finobt.
    pub free_root: U32,
    /// Levels of the finobt.
    pub free_level: U32,
    /// Blocks of the inobt (volumes with inobtcount).
    pub iblocks: U32,
    /// Blocks of the finobt.
    pub fblocks: U32,
}
const _: () = assert!(size_of::<AgiDisk>() == 344);
const _: () = assert!(std::mem::offset_of!(AgiDisk, crc) == AGI_SEAL.crc);

impl AgiDisk {
    /// The AGI in a sector.
    pub fn of(bytes: &[u8]) -> Result<&Self, Fault> {
        view("AGI", bytes)
    }
    /// The AGI in a staged sector, to be edited.
    pub fn of_mut(bytes: &mut [u8]) -> Result<&mut Self, Fault> {
        view_mut("AGI", bytes)
    }
}

/// Head of the AGFL as it lies on disk (`xfs_agfl`); block numbers of 32 bits follow it to the end
/// of the sector.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct AgflDisk {
    /// [`AGFL_MAGIC`].
    pub magic: U32,
    /// AG number.
    pub seqno: U32,
    /// The volume.
    pub uuid: [u8; 16],
    /// LSN of the last write.
    pub lsn: U64,
    /// Little-endian CRC32c.
    pub crc: [u8; 4],
}
const _: () = assert!(size_of::<AgflDisk>() == 36);

/// Slots of the AGFL of a volume with sectors of `sector_size` bytes.
pub fn agfl_slots(sector_size: usize) -> u32 {
    ((sector_size - size_of::<AgflDisk>()) / 4) as u32
}

/// Offset in the AGFL sector of slot `index`.
pub fn agfl_slot_offset(index: u32) -> usize {
    size_of::<AgflDisk>() + index as usize * 4
}
