//! The superblock as it lies on disk (`xfs_dsb`).

use crate::checksum::SealAt;
use crate::fault::Fault;
use crate::wire::{U16, U32, U64, view, view_mut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFSB`.
pub const SUPERBLOCK_MAGIC: u32 = 0x5846_5342;
/// Where the superblock keeps checksum and LSN.
pub(crate) const SUPERBLOCK_SEAL: SealAt = SealAt { crc: 224, lsn: Some(240) };

/// The superblock as it lies on disk, up to Linux 6.18. Names are those of the disk without `sb_`.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct SuperblockDisk {
    /// [`SUPERBLOCK_MAGIC`].
    pub magicnum: U32,
    /// Bytes of a block.
    pub blocksize: U32,
    /// Blocks of the data section.
    pub dblocks: U64,
    /// Blocks of the realtime section.
    pub rblocks: U64,
    /// Realtime extents.
    pub rextents: U64,
    /// UUID that users see.
    pub uuid: [u8; 16],
    /// First block of the internal log, or zero.
    pub logstart: U64,
    /// Root directory.
    pub rootino: U64,
    /// Realtime bitmap inode.
    pub rbmino: U64,
    /// Realtime summary inode.
    pub rsumino: U64,
    /// Blocks of a realtime extent.
    pub rextsize: U32,
    /// Blocks of an AG.
    pub agblocks: U32,
    /// AGs.
    pub agcount: U32,
    /// Blocks of the realtime bitmap.
    pub rbmblocks: U32,
    /// Blocks of the log.
    pub logblocks: U32,
    /// Version in the low four bits, old feature bits above.
    pub versionnum: U16,
    /// Bytes of a sector.
    pub sectsize: U16,
    /// Bytes of an inode.
    pub inodesize: U16,
    /// Inodes of a block.
    pub inopblock: U16,
    /// Label, padded with zeroes.
    pub fname: [u8; 12],
    /// log2 of `blocksize`.
    pub blocklog: u8,
    /// log2 of `sectsize`.
    pub sectlog: u8,
    /// log2 of `inodesize`.
    pub inodelog: u8,
    /// log2 of `inopblock`.
    pub inopblog: u8,
    /// log2 of `agblocks`, rounded up.
    pub agblklog: u8,
    /// log2 of `rextents`.
    pub rextslog: u8,
    /// Not zero while mkfs runs.
    pub inprogress: u8,
    /// Most space for inodes, in percent.
    pub imax_pct: u8,
    /// Inodes that have blocks.
    pub icount: U64,
    /// Free inodes.
    pub ifree: U64,
    /// Free blocks of the data section.
    pub fdblocks: U64,
    /// Free realtime extents.
    pub frextents: U64,
    /// User quota inode.
    pub uquotino: U64,
    /// Group quota inode.
    pub gquotino: U64,
    /// Quota flags.
    pub qflags: U16,
    /// Misc flags.
    pub flags: u8,
    /// Zero.
    pub shared_vn: u8,
    /// Alignment of inode chunks in blocks.
    pub inoalignmt: U32,
    /// Stripe unit in blocks.
    pub unit: U32,
    /// Stripe width in blocks.
    pub width: U32,
    /// log2 of blocks of a directory block.
    pub dirblklog: u8,
    /// log2 of `logsectsize`, or zero for 512 bytes.
    pub logsectlog: u8,
    /// Bytes of a sector of the log, or zero for 512.
    pub logsectsize: U16,
    /// Stripe unit of the log in bytes; 0 or 1 for none.
    pub logsunit: U32,
    /// More old feature bits.
    pub features2: U32,
    /// Copy of `features2`, for the history of a misplaced field.
    pub bad_features2: U32,
    /// Compatible features.
    pub features_compat: U32,
    /// Read-only compatible features.
    pub features_ro_compat: U32,
    /// Incompatible features.
    pub features_incompat: U32,
    /// Features of the log.
    pub features_log_incompat: U32,
    /// Little-endian CRC32c of the sector.
    pub crc: [u8; 4],
    /// Alignment of sparse inode chunks in blocks.
    pub spino_align: U32,
    /// Project quota inode.
    pub pquotino: U64,
    /// LSN of the last write.
    pub lsn: U64,
    /// UUID in metadata, with the feature meta_uuid; zeroes otherwise.
    pub meta_uuid: [u8; 16],
    /// Root of the metadata directory tree, with the feature metadir.
    pub metadirino: U64,
    /// Realtime groups.
    pub rgcount: U32,
    /// Realtime extents of a group.
    pub rgextents: U32,
    /// log2 of blocks of a realtime group.
    pub rgblklog: u8,
    /// Zero.
    pub pad: [u8; 7],
    /// First block of an internal realtime section (zoned).
    pub rtstart: U64,
    /// Realtime blocks kept in reserve (zoned).
    pub rtreserved: U64,
}
const _: () = assert!(size_of::<SuperblockDisk>() == 304);
const _: () = assert!(std::mem::offset_of!(SuperblockDisk, crc) == SUPERBLOCK_SEAL.crc);
const _: () = assert!(std::mem::offset_of!(SuperblockDisk, lsn) == 240);
const _: () = assert!(std::mem::offset_of!(SuperblockDisk, icount) == 128);

impl SuperblockDisk {
    /// The superblock in a sector.
    pub fn of(bytes: &[u8]) -> Result<&Self, Fault> {
        view("superblock", bytes)
    }
    /// The superblock in a staged sector, to be edited.
    pub fn of_mut(bytes: &mut [u8]) -> Result<&mut Self, Fault> {
        view_mut("superblock", bytes)
    }
}
