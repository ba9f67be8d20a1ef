//! Inodes: the core as a checked value, its bytes, and where the forks lie.
//!
//! ```text
//! | core (176 bytes, v2: 100) | data fork | attribute fork, at 8 * forkoff | end of inode
//! ```
//! [`InodeCore::decode`] takes a whole inode from a cluster and checks it in full. Editing an
//! inode in place goes through [`DinodeDisk`]; [`InodeCore::encode`] writes a whole core.

mod disk;
mod flags;
mod fork;
#[cfg(test)]
mod tests;
mod time;
mod verify;

pub(crate) use disk::INODE_SEAL;
pub use disk::{CORE_SIZE, CORE_SIZE_V2, DinodeDisk, INODE_MAGIC, NEXT_UNLINKED_OFFSET};
pub use flags::{FileKind, InodeFlags, InodeFlags2};
pub use fork::{ForkFormat, attr_fork, attr_fork_mut, data_fork, data_fork_mut, fork_range};
pub use time::{TimeEncoding, Timestamp};
pub(crate) use verify::verify_cluster;

use crate::checksum;
use crate::fault::Fault;
use crate::features::Features;
use crate::geometry::Geometry;
use crate::units::*;

const WHAT: &str = "inode";

/// What an inode must agree with besides itself.
#[derive(Clone, Copy, Debug)]
pub struct InodeIdentity<'a> {
    /// The volume's shape.
    pub geometry: &'a Geometry,
    /// The volume's features.
    pub features: Features,
    /// The UUID that metadata carries.
    pub uuid: [u8; 16],
    /// The inode that was looked for.
    pub ino: Ino,
    /// Largest LSN that it may carry; `None` before the log head is known.
    pub newest: Option<Lsn>,
}

/// An inode without its forks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InodeCore {
    /// 1, 2 or 3 (v5 volumes have 3 alone).
    pub version: u8,
    /// Kind and permissions as `st_mode`; 0 for a free inode.
    pub mode: u16,
    /// Form of the data fork.
    pub format: ForkFormat,
    /// Form of the attribute fork; means nothing without one.
    pub attr_format: ForkFormat,
    /// Kind of a metadata inode with the feature metadir, else zero.
    pub metatype: u16,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Links.
    pub nlink: u32,
    /// Project.
    pub project: u32,
    /// Last read.
    pub atime: Timestamp,
    /// Last change of contents.
    pub mtime: Timestamp,
    /// Last change of the inode.
    pub ctime: Timestamp,
    /// Creation (version 3).
    pub crtime: Timestamp,
    /// Bytes of contents.
    pub size: u64,
    /// Blocks of both forks with their btrees.
    pub blocks: u64,
    /// Extent size hint in blocks.
    pub extent_size: u32,
    /// Copy-on-write extent size hint in blocks.
    pub cow_extent_size: u32,
    /// Extents of the data fork.
    pub extents: u64,
    /// Extents of the attribute fork.
    pub attr_extents: u32,
    /// Offset of the attribute fork in units of 8 bytes from the end of the core; 0 without.
    pub fork_offset: u8,
    /// Flags.
    pub flags: InodeFlags,
    /// More flags.
    pub flags2: InodeFlags2,
    /// Generation.
    pub generation: u32,
    /// Changes so far.
    pub change_count: u64,
    /// Next inode of the chain of unlinked inodes.
    pub next_unlinked: Option<AgIno>,
    /// This inode.
    pub ino: Ino,
    /// The volume.
    pub uuid: [u8; 16],
    /// LSN of the last write home.
    pub lsn: Lsn,
}

impl InodeCore {
    /// Reads a whole inode (`bytes` is exactly its size) and checks it in full: magic, checksum,
    /// UUID, number, LSN, and every field that later code builds on.
    pub fn decode(bytes: &[u8], identity: &InodeIdentity<'_>) -> Result<Self, Fault> {
        verify::verify(bytes, identity)
    }
    /// Reads a core without checking anything but the forms of its forks. For the log and the
    /// checker; everyone else uses [`InodeCore::decode`].
    pub fn from_disk(raw: &DinodeDisk) -> Result<Self, Fault> {
        let v3 = raw.version >= 3;
        let flags2 = raw.wide_flags();
        let times = encoding(flags2);
        let v3_or_zero = |value: u64| if v3 { value } else { 0 };
        let (format, extents) = raw.fork_shape(Fork::Data)?;
        let (attr_format, attr_extents) = raw.fork_shape(Fork::Attr)?;
        Ok(Self {
            version: raw.version,
            mode: raw.mode.get(),
            format,
            attr_format,
            metatype: if v3 { raw.metatype.get() } else { 0 },
            uid: raw.uid.get(),
            gid: raw.gid.get(),
            nlink: if raw.version == 1 { raw.metatype.get().into() } else { raw.nlink.get() },
            project: u32::from(raw.projid_hi.get()) << 16 | u32::from(raw.projid_lo.get()),
            atime: Timestamp::decode(raw.atime.get(), times),
            mtime: Timestamp::decode(raw.mtime.get(), times),
            ctime: Timestamp::decode(raw.ctime.get(), times),
            crtime: Timestamp::decode(v3_or_zero(raw.crtime.get()), times),
            size: raw.size.get(),
            blocks: raw.nblocks.get(),
            extent_size: raw.extsize.get(),
            cow_extent_size: if v3 { raw.cowextsize.get() } else { 0 },
            extents,
            attr_extents: attr_extents as u32,
            fork_offset: raw.forkoff,
            flags: InodeFlags(raw.flags.get()),
            flags2,
            generation: raw.generation.get(),
            change_count: v3_or_zero(raw.changecount.get()),
            next_unlinked: Some(raw.next_unlinked.get()).filter(|&n| n != NULL_AG_INO).map(AgIno),
            ino: Ino(v3_or_zero(raw.ino.get())),
            uuid: if v3 { raw.uuid } else { [0; 16] },
            lsn: Lsn(v3_or_zero(raw.lsn.get())),
        })
    }
    /// Counts a change; the count begins again at its end.
    pub fn count_change(&mut self) {
        self.change_count = self.change_count.wrapping_add(1);
    }
    /// The core of a version 3 inode as the disk has it, checksum zero.
    pub fn to_disk(&self) -> DinodeDisk {
        assert!(self.version == 3, "inodes of version {} are never written", self.version);
        let times = encoding(self.flags2);
        let mut raw: DinodeDisk = zerocopy::FromZeros::new_zeroed();
        raw.magic.set(INODE_MAGIC);
        raw.mode.set(self.mode);
        raw.version = self.version;
        raw.format = self.format.to_disk();
        raw.aformat = self.attr_format.to_disk();
        raw.metatype.set(self.metatype);
        raw.uid.set(self.uid);
        raw.gid.set(self.gid);
        raw.nlink.set(self.nlink);
        raw.projid_lo.set(self.project as u16);
        raw.projid_hi.set((self.project >> 16) as u16);
        raw.atime.set(self.atime.encode(times));
        raw.mtime.set(self.mtime.encode(times));
        raw.ctime.set(self.ctime.encode(times));
        raw.crtime.set(self.crtime.encode(times));
        raw.size.set(self.size);
        raw.nblocks.set(self.blocks);
        raw.extsize.set(self.extent_size);
        raw.cowextsize.set(self.cow_extent_size);
        self.store_extent_counts(&mut raw);
        raw.forkoff = self.fork_offset;
        raw.flags.set(self.flags.0);
        raw.flags2.set(self.flags2.0);
        raw.generation.set(self.generation);
        raw.changecount.set(self.change_count);
        raw.next_unlinked.set(self.next_unlinked.map_or(NULL_AG_INO, |ino| ino.0));
        raw.ino.set(self.ino.0);
        raw.uuid = self.uuid;
        raw.lsn.set(self.lsn.0);
        raw
    }
    fn store_extent_counts(&self, raw: &mut DinodeDisk) {
        if self.flags2.has(InodeFlags2::NREXT64) {
            raw.big_nextents.set(self.extents);
            raw.nextents.set(self.attr_extents);
        } else {
            assert!(self.extents <= max_extents(Fork::Data, self.flags2));
            assert!(u64::from(self.attr_extents) <= max_extents(Fork::Attr, self.flags2));
            raw.nextents.set(self.extents as u32);
            raw.anextents.set(self.attr_extents as u16);
        }
    }
    /// Writes the core into the inode `bytes`, leaving its forks. Seal the inode after.
    pub fn encode(&self, bytes: &mut [u8]) {
        let raw = self.to_disk();
        match DinodeDisk::of_mut(bytes) {
            Ok(place) => *place = raw,
            Err(fault) => panic!("staged inode: {fault}"),
        }
    }
    /// What the file is; `None` for a free inode.
    pub fn kind(&self) -> Option<FileKind> {
        FileKind::of(self.mode)
    }
    /// Bytes of the core: where the data fork begins.
    pub fn core_size(&self) -> usize {
        if self.version >= 3 { CORE_SIZE } else { CORE_SIZE_V2 }
    }
    /// Whether the inode has an attribute fork.
    pub fn has_attr_fork(&self) -> bool {
        self.fork_offset != 0
    }
    /// Form of a fork.
    pub fn fork_format(&self, fork: Fork) -> ForkFormat {
        match fork {
            Fork::Data => self.format,
            Fork::Attr => self.attr_format,
        }
    }
    /// Extents of a fork.
    pub fn fork_extents(&self, fork: Fork) -> u64 {
        match fork {
            Fork::Data => self.extents,
            Fork::Attr => self.attr_extents.into(),
        }
    }
    /// Whether the inode may share blocks.
    pub fn is_reflink(&self) -> bool {
        self.flags2.has(InodeFlags2::REFLINK)
    }
}

use crate::records::Fork;

fn encoding(flags2: InodeFlags2) -> TimeEncoding {
    match flags2.has(InodeFlags2::BIGTIME) {
        true => TimeEncoding::Bigtime,
        false => TimeEncoding::Legacy,
    }
}

/// Most extents that an inode with `flags2` can count in a fork.
pub fn max_extents(fork: Fork, flags2: InodeFlags2) -> u64 {
    match (fork, flags2.has(InodeFlags2::NREXT64)) {
        (Fork::Data, true) => (1 << 48) - 1,
        (Fork::Attr, true) => (1 << 32) - 1,
        (Fork::Data, false) => (1 << 31) - 1,
        (Fork::Attr, false) => (1 << 15) - 1,
    }
}

/// Stamps `lsn` and the checksum into one whole inode of a cluster.
pub fn seal(bytes: &mut [u8], lsn: Lsn) {
    checksum::seal(bytes, INODE_SEAL, lsn);
}

/// Fills `bytes` (exactly one inode) with a free inode that never was used, sealed with LSN 0: what
/// a new chunk consists of.
pub fn init_free(bytes: &mut [u8], ino: Ino, uuid: [u8; 16], generation: u32) {
    bytes.fill(0);
    match DinodeDisk::of_mut(bytes) {
        Ok(raw) => {
            raw.magic.set(INODE_MAGIC);
            raw.version = 3;
            raw.generation.set(generation);
            raw.next_unlinked.set(NULL_AG_INO);
            raw.ino.set(ino.0);
            raw.uuid = uuid;
        }
        Err(fault) => panic!("staged inode: {fault}"),
    }
    seal(bytes, Lsn(0));
}
