//! The superblock: what the volume is. Read, checked in full, and written by mkfs.
//!
//! A [`Superblock`] exists only with fields that agree with each other: its [`Geometry`] can be
//! trusted by every computation. To change counters of a live volume, edit a staged sector through
//! [`SuperblockDisk`].

mod disk;
mod quota;
#[cfg(test)]
mod tests;
mod verify;

pub(crate) use disk::SUPERBLOCK_SEAL;
pub use disk::{SUPERBLOCK_MAGIC, SuperblockDisk};
pub use quota::{Quota, QuotaFlags};

use crate::checksum;
use crate::fault::Fault;
use crate::features::{Access, Features, Unsupported};
use crate::geometry::Geometry;
use crate::inode::InodeIdentity;
use crate::kind::Identity;
use crate::units::*;
use crate::wire::be16;
use zerocopy::IntoBytes;

const WHAT: &str = "superblock";
/// Bit of `sb_flags` that forbids writing.
const READ_ONLY_FLAG: u8 = 1;

/// A superblock whose fields agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// 4 or 5.
    pub version: u8,
    /// Old feature bits of `sb_versionnum` (without the version).
    pub version_bits: u16,
    /// `sb_features2`.
    pub features2: u32,
    /// Feature bits of version 5; all zero on version 4.
    pub features: Features,
    /// Where everything lies.
    pub geometry: Geometry,
    /// UUID that users see.
    pub uuid: [u8; 16],
    /// UUID that metadata blocks carry.
    pub meta_uuid: [u8; 16],
    /// Label: up to twelve bytes, the rest zeroes.
    pub label: [u8; 12],
    /// Root directory.
    pub root_ino: Ino,
    /// The realtime section.
    pub realtime: Realtime,
    /// How the log lies on its device.
    pub log: LogShape,
    /// Whether mkfs has not finished.
    pub in_progress: bool,
    /// Most space for inodes, in percent; 0 for no limit.
    pub inode_percent: u8,
    /// Counters: right after a clean unmount.
    pub counters: Counters,
    /// Quota inodes and flags.
    pub quota: Quota,
    /// `sb_flags`: bit 0 allows mounting read-only alone.
    pub flags: u8,
    /// Alignment of inode chunks in blocks; 0 for none.
    pub inode_align: u32,
    /// Alignment of sparse inode chunks in blocks; 0 without them.
    pub sparse_align: u32,
    /// Stripe unit in blocks; 0 for none.
    pub stripe_unit: u32,
    /// Stripe width in blocks.
    pub stripe_width: u32,
    /// LSN of the last write.
    pub lsn: Lsn,
    /// Root of the metadata directory tree, with the feature metadir.
    pub metadir_ino: Ino,
}

/// The realtime section, as far as it must be kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Realtime {
    /// Blocks; zero where the volume has no realtime section.
    pub blocks: u64,
    /// Extents.
    pub extents: u64,
    /// Blocks of an extent.
    pub extent_size: u32,
    /// Blocks of the bitmap.
    pub bitmap_blocks: u32,
    /// log2 of extents.
    pub extents_log: u8,
    /// Bitmap inode.
    pub bitmap_ino: Ino,
    /// Summary inode.
    pub summary_ino: Ino,
    /// Groups (metadir).
    pub groups: u32,
    /// Extents of a group.
    pub group_extents: u32,
    /// log2 of blocks of a group.
    pub group_block_log: u8,
    /// First block of an internal section (zoned).
    pub start: u64,
    /// Blocks kept in reserve (zoned).
    pub reserved: u64,
}

/// How the log lies on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogShape {
    /// log2 of the log device's sector size in bytes (9..=15).
    pub sector_log: u8,
    /// Record alignment in bytes: 1 where records are aligned to 512 bytes alone.
    pub stripe_unit: u32,
}

/// Summary counters of the superblock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Inodes that have blocks.
    pub inodes: u64,
    /// Free inodes.
    pub free_inodes: u64,
    /// Free blocks of the data section.
    pub free_blocks: u64,
    /// Free realtime extents.
    pub free_rt_extents: u64,
}

impl Superblock {
    /// Bytes of the sector that holds a superblock, from its first 512 bytes. Only magic and the
    /// sector size are looked at.
    pub fn sector_size(bytes: &[u8]) -> Result<usize, Fault> {
        let raw = SuperblockDisk::of(bytes)?;
        if raw.magicnum.get() != SUPERBLOCK_MAGIC {
            return Err(Fault::Magic { what: WHAT, found: raw.magicnum.get().into() });
        }
        let size = be16(bytes, 102).unwrap_or(0);
        let legal = size.is_power_of_two() && (512..=32768).contains(&size);
        if legal { Ok(size.into()) } else { Err(verify::field("sb_sectsize", size.into())) }
    }
    /// Reads the superblock of AG 0 and checks it in full: checksum (version 5) and every bound.
    /// `bytes` must be its whole sector (see [`Superblock::sector_size`]); [`Fault::Short`] says
    /// how much.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let sb = Self::decode_copy(bytes)?;
        let root = sb.root_ino;
        let exists = sb.geometry.split_ino(root).is_some();
        if exists { Ok(sb) } else { Err(verify::field("sb_rootino", root.0)) }
    }
    /// Reads the copy of the superblock that another AG holds. As [`Superblock::decode`], but a
    /// copy need not know the root directory: `root_ino` may be [`NULL_INO`].
    pub fn decode_copy(bytes: &[u8]) -> Result<Self, Fault> {
        let size = Self::sector_size(bytes)?;
        let short = Fault::Short { what: WHAT, have: bytes.len(), need: size };
        let sector = bytes.get(..size).ok_or(short)?;
        let raw = SuperblockDisk::of(sector)?;
        if raw.versionnum.get() & 0xf == 5 {
            checksum::check(WHAT, sector, SUPERBLOCK_SEAL.crc)?;
        }
        verify::verify(raw)?;
        Ok(Self::from_disk(raw))
    }
    /// Where everything lies on the volume.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }
    /// What metadata at `addr` must agree with.
    pub fn identity(&self, addr: DiskAddr, newest: Option<Lsn>) -> Identity<'_> {
        Identity { geometry: &self.geometry, uuid: self.meta_uuid, addr, owner: None, newest }
    }
    /// What inode `ino` must agree with.
    pub fn inode_identity(&self, ino: Ino, newest: Option<Lsn>) -> InodeIdentity<'_> {
        let (geometry, features) = (&self.geometry, self.features);
        InodeIdentity { geometry, features, uuid: self.meta_uuid, ino, newest }
    }
    /// Whether untorn may open the volume for `access`.
    pub fn check(&self, access: Access) -> Result<(), Unsupported> {
        if self.version != 5 {
            return Err(Unsupported::Version { version: self.version });
        }
        self.features.check(access)?;
        if self.in_progress {
            return Err(Unsupported::InProgress);
        }
        let reasons = [
            ("a realtime section", self.realtime.blocks != 0),
            ("the read-only flag", self.flags & READ_ONLY_FLAG != 0),
        ];
        match reasons.into_iter().find(|(_, holds)| *holds) {
            Some((name, _)) if access == Access::Write => Err(Unsupported::ReadOnly { name }),
            _ => Ok(()),
        }
    }
    /// The label without its padding.
    pub fn label(&self) -> &[u8] {
        self.label.split(|&byte| byte == 0).next().unwrap_or_default()
    }
    fn from_disk(raw: &SuperblockDisk) -> Self {
        let features = Features {
            compat: raw.features_compat.get(),
            ro_compat: raw.features_ro_compat.get(),
            incompat: raw.features_incompat.get(),
            log_incompat: raw.features_log_incompat.get(),
        };
        let version = (raw.versionnum.get() & 0xf) as u8;
        let v5 = version == 5;
        let features = if v5 { features } else { Features::default() };
        Self {
            version,
            version_bits: raw.versionnum.get() & !0xf,
            features2: raw.features2.get(),
            features,
            geometry: geometry(raw),
            uuid: raw.uuid,
            meta_uuid: if features.has_meta_uuid() { raw.meta_uuid } else { raw.uuid },
            label: raw.fname,
            root_ino: Ino(raw.rootino.get()),
            realtime: Realtime::from_disk(raw, features),
            log: LogShape::from_disk(raw),
            in_progress: raw.inprogress != 0,
            inode_percent: raw.imax_pct,
            counters: Counters::from_disk(raw),
            quota: Quota::from_disk(raw),
            flags: raw.flags,
            inode_align: raw.inoalignmt.get(),
            sparse_align: if v5 { raw.spino_align.get() } else { 0 },
            stripe_unit: raw.unit.get(),
            stripe_width: raw.width.get(),
            lsn: if v5 { Lsn(raw.lsn.get()) } else { Lsn::default() },
            metadir_ino: if features.has_metadir() { Ino(raw.metadirino.get()) } else { Ino(0) },
        }
    }
    /// The superblock as the disk has it, without checksum: for mkfs. Seal the sector after.
    pub fn to_disk(&self) -> SuperblockDisk {
        let mut raw = SuperblockDisk::from_sizes(&self.geometry);
        raw.versionnum.set(self.version_bits | u16::from(self.version));
        raw.features2.set(self.features2);
        raw.bad_features2.set(self.features2);
        raw.features_compat.set(self.features.compat);
        raw.features_ro_compat.set(self.features.ro_compat);
        raw.features_incompat.set(self.features.incompat);
        raw.features_log_incompat.set(self.features.log_incompat);
        raw.uuid = self.uuid;
        if self.features.has_meta_uuid() {
            raw.meta_uuid = self.meta_uuid;
        }
        raw.fname = self.label;
        raw.rootino.set(self.root_ino.0);
        raw.inprogress = u8::from(self.in_progress);
        raw.imax_pct = self.inode_percent;
        raw.flags = self.flags;
        raw.inoalignmt.set(self.inode_align);
        raw.spino_align.set(self.sparse_align);
        raw.unit.set(self.stripe_unit);
        raw.width.set(self.stripe_width);
        raw.lsn.set(self.lsn.0);
        raw.metadirino.set(self.metadir_ino.0);
        self.realtime.store(&mut raw);
        self.log.store(&mut raw);
        self.counters.store(&mut raw);
        self.quota.store(&mut raw, self.version);
        raw
    }
    /// Writes the superblock into `sector` (the rest becomes zero), without checksum.
    pub fn encode(&self, sector: &mut [u8]) {
        let raw = self.to_disk();
        let (head, rest) = sector.split_at_mut(size_of::<SuperblockDisk>());
        head.copy_from_slice(raw.as_bytes());
        rest.fill(0);
    }
}

fn geometry(raw: &SuperblockDisk) -> Geometry {
    Geometry {
        block_log: raw.blocklog,
        sector_log: raw.sectlog,
        inode_log: raw.inodelog,
        inodes_per_block_log: raw.inopblog,
        ag_block_log: raw.agblklog,
        dir_block_log: raw.dirblklog,
        ag_blocks: raw.agblocks.get(),
        ag_count: raw.agcount.get(),
        data_blocks: raw.dblocks.get(),
        log_start: FsBlock(raw.logstart.get()),
        log_blocks: raw.logblocks.get(),
    }
}

impl SuperblockDisk {
    /// A superblock of zeroes with magic and the sizes of `geometry`.
    fn from_sizes(geometry: &Geometry) -> Self {
        let mut raw: Self = zerocopy::FromZeros::new_zeroed();
        raw.magicnum.set(SUPERBLOCK_MAGIC);
        raw.blocksize.set(1 << geometry.block_log);
        raw.blocklog = geometry.block_log;
        raw.sectsize.set(1 << geometry.sector_log);
        raw.sectlog = geometry.sector_log;
        raw.inodesize.set(1 << geometry.inode_log);
        raw.inodelog = geometry.inode_log;
        raw.inopblock.set(1 << geometry.inodes_per_block_log);
        raw.inopblog = geometry.inodes_per_block_log;
        raw.agblklog = geometry.ag_block_log;
        raw.dirblklog = geometry.dir_block_log;
        raw.agblocks.set(geometry.ag_blocks);
        raw.agcount.set(geometry.ag_count);
        raw.dblocks.set(geometry.data_blocks);
        raw.logstart.set(geometry.log_start.0);
        raw.logblocks.set(geometry.log_blocks);
        raw
    }
}

impl Realtime {
    fn from_disk(raw: &SuperblockDisk, features: Features) -> Self {
        let base = Self {
            blocks: raw.rblocks.get(),
            extents: raw.rextents.get(),
            extent_size: raw.rextsize.get(),
            bitmap_blocks: raw.rbmblocks.get(),
            extents_log: raw.rextslog,
            bitmap_ino: Ino(raw.rbmino.get()),
            summary_ino: Ino(raw.rsumino.get()),
            ..Self::default()
        };
        if !features.has_metadir() {
            return base;
        }
        Self {
            groups: raw.rgcount.get(),
            group_extents: raw.rgextents.get(),
            group_block_log: raw.rgblklog,
            start: raw.rtstart.get(),
            reserved: raw.rtreserved.get(),
            ..base
        }
    }
    fn store(&self, raw: &mut SuperblockDisk) {
        raw.rblocks.set(self.blocks);
        raw.rextents.set(self.extents);
        raw.rextsize.set(self.extent_size);
        raw.rbmblocks.set(self.bitmap_blocks);
        raw.rextslog = self.extents_log;
        raw.rbmino.set(self.bitmap_ino.0);
        raw.rsumino.set(self.summary_ino.0);
        raw.rgcount.set(self.groups);
        raw.rgextents.set(self.group_extents);
        raw.rgblklog = self.group_block_log;
        raw.rtstart.set(self.start);
        raw.rtreserved.set(self.reserved);
    }
}

impl LogShape {
    fn from_disk(raw: &SuperblockDisk) -> Self {
        let sector_log = if raw.logsectlog == 0 { 9 } else { raw.logsectlog };
        Self { sector_log, stripe_unit: raw.logsunit.get().max(1) }
    }
    fn store(&self, raw: &mut SuperblockDisk) {
        raw.logsunit.set(self.stripe_unit);
        // Without the bit `sector`, 512 bytes are said by two zeroes.
        if raw.versionnum.get() & verify::SECTOR_BIT != 0 {
            raw.logsectlog = self.sector_log;
            raw.logsectsize.set(1 << self.sector_log);
        }
    }
}

impl Counters {
    /// The counters of a superblock.
    pub fn from_disk(raw: &SuperblockDisk) -> Self {
        Self {
            inodes: raw.icount.get(),
            free_inodes: raw.ifree.get(),
            free_blocks: raw.fdblocks.get(),
            free_rt_extents: raw.frextents.get(),
        }
    }
    /// Writes the counters into a staged superblock.
    pub fn store(&self, raw: &mut SuperblockDisk) {
        raw.icount.set(self.inodes);
        raw.ifree.set(self.free_inodes);
        raw.fdblocks.set(self.free_blocks);
        raw.frextents.set(self.free_rt_extents);
    }
}

/// Checks a whole superblock sector against `identity`: everything that [`Superblock::decode`]
/// checks, and UUID and LSN.
pub(crate) fn verify_block(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let found = match identity.addr {
        DiskAddr(0) => Superblock::decode(bytes)?,
        _ => Superblock::decode_copy(bytes)?,
    };
    if found.meta_uuid != identity.uuid {
        return Err(Fault::Uuid { what: WHAT });
    }
    checksum::check_lsn(WHAT, found.lsn.0, identity.newest)
}
