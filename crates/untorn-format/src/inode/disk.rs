//! The inode core as it lies on disk (`xfs_dinode`).

use crate::checksum::SealAt;
use crate::fault::Fault;
use crate::inode::{FileKind, ForkFormat, InodeFlags2, max_extents};
use crate::records::Fork;
use crate::wire::{U16, U32, U64, view, view_mut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `IN`.
pub const INODE_MAGIC: u16 = 0x494e;
/// Bytes of the core of version 3 inodes; the forks follow.
pub const CORE_SIZE: usize = 176;
/// Bytes of the core of version 1 and 2 inodes.
pub const CORE_SIZE_V2: usize = 100;
/// Where a version 3 inode keeps checksum and LSN.
pub(crate) const INODE_SEAL: SealAt = SealAt { crc: 100, lsn: Some(112) };

/// The core of a version 3 inode. Version 2 inodes end before `crc`, where their forks begin.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DinodeDisk {
    /// [`INODE_MAGIC`].
    pub magic: U16,
    /// Kind of file and permissions; zero for a free inode.
    pub mode: U16,
    /// 1 to 3.
    pub version: u8,
    /// Form of the data fork.
    pub format: u8,
    /// Links of version 1 inodes; kind of a metadata inode with the feature metadir.
    pub metatype: U16,
    /// Owner.
    pub uid: U32,
    /// Group.
    pub gid: U32,
    /// Links.
    pub nlink: U32,
    /// Project, low half.
    pub projid_lo: U16,
    /// Project, high half.
    pub projid_hi: U16,
    /// Extents of the data fork with nrext64; else zero (version 2: the last two bytes count
    /// flushes).
    pub big_nextents: U64,
    /// Last read.
    pub atime: U64,
    /// Last change of contents.
    pub mtime: U64,
    /// Last change of the inode.
    pub ctime: U64,
    /// Bytes of contents.
    pub size: U64,
    /// Blocks of both forks with their btrees.
    pub nblocks: U64,
    /// Extent size hint in blocks.
    pub extsize: U32,
    /// Extents of the data fork; those of the attribute fork with nrext64.
    pub nextents: U32,
    /// Extents of the attribute fork; zero with nrext64.
    pub anextents: U16,
    /// Offset of the attribute fork from the end of the core in units of 8 bytes; 0 without.
    pub forkoff: u8,
    /// Form of the attribute fork.
    pub aformat: u8,
    /// Unused.
    pub dmevmask: U32,
    /// Unused.
    pub dmstate: U16,
    /// Flags.
    pub flags: U16,
    /// Generation.
    pub generation: U32,
    /// Next inode of the chain of unlinked inodes.
    pub next_unlinked: U32,
    /// Little-endian CRC32c of the whole inode.
    pub crc: [u8; 4],
    /// Changes so far.
    pub changecount: U64,
    /// LSN of the last write.
    pub lsn: U64,
    /// More flags.
    pub flags2: U64,
    /// Copy-on-write extent size hint in blocks.
    pub cowextsize: U32,
    /// Zero.
    pub pad2: [u8; 12],
    /// Creation.
    pub crtime: U64,
    /// This inode.
    pub ino: U64,
    /// The volume.
    pub uuid: [u8; 16],
}
const _: () = assert!(size_of::<DinodeDisk>() == CORE_SIZE);
const _: () = assert!(std::mem::offset_of!(DinodeDisk, crc) == INODE_SEAL.crc);
const _: () = assert!(std::mem::offset_of!(DinodeDisk, lsn) == 112);
/// Offset of `di_next_unlinked`, which is logged by itself.
pub const NEXT_UNLINKED_OFFSET: usize = 96;
const _: () = assert!(std::mem::offset_of!(DinodeDisk, next_unlinked) == NEXT_UNLINKED_OFFSET);

impl DinodeDisk {
    /// The core at the start of an inode.
    pub fn of(bytes: &[u8]) -> Result<&Self, Fault> {
        view("inode", bytes)
    }
    /// The core at the start of a staged inode, to be edited.
    pub fn of_mut(bytes: &mut [u8]) -> Result<&mut Self, Fault> {
        view_mut("inode", bytes)
    }
    /// What the file is; `None` for a free inode.
    pub fn kind(&self) -> Option<FileKind> {
        FileKind::of(self.mode.get())
    }
    /// The flags that version 3 has.
    pub fn wide_flags(&self) -> InodeFlags2 {
        InodeFlags2(if self.version >= 3 { self.flags2.get() } else { 0 })
    }
    /// The form of a fork and its number of extents.
    pub fn fork_shape(&self, fork: Fork) -> Result<(ForkFormat, u64), Fault> {
        let wide = self.wide_flags().has(InodeFlags2::NREXT64);
        let extents = match (fork, wide) {
            (Fork::Data, true) => self.big_nextents.get(),
            (Fork::Data, false) | (Fork::Attr, true) => self.nextents.get().into(),
            (Fork::Attr, false) => self.anextents.get().into(),
        };
        let format = match fork {
            Fork::Data => ForkFormat::from_disk("di_format", self.format)?,
            Fork::Attr => ForkFormat::from_disk("di_aformat", self.aformat)?,
        };
        Ok((format, extents))
    }
    /// Gives a fork of a staged inode another form and number of extents, which its flags must be
    /// able to count.
    pub fn set_fork_shape(&mut self, fork: Fork, format: ForkFormat, extents: u64) {
        let flags2 = self.wide_flags();
        assert!(extents <= max_extents(fork, flags2), "{extents} extents can be counted");
        match (fork, flags2.has(InodeFlags2::NREXT64)) {
            (Fork::Data, true) => self.big_nextents.set(extents),
            (Fork::Data, false) | (Fork::Attr, true) => self.nextents.set(extents as u32),
            (Fork::Attr, false) => self.anextents.set(extents as u16),
        }
        match fork {
            Fork::Data => self.format = format.to_disk(),
            Fork::Attr => self.aformat = format.to_disk(),
        }
    }
}
