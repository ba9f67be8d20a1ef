//! The identity fields of self-describing blocks: where each header keeps its checksum, address,
//! LSN, UUID and owner, the one check of them, and what a new block gets.

use crate::bytes::view;
use crate::checksum::{self, SealAt};
use crate::kind::Identity;
use crate::wire::{U32, U64};
use crate::{DiskAddr, Fault, Ino};
use std::mem::offset_of;
use zerocopy::byteorder::little_endian;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Header of directory data and free blocks (`xfs_dir3_blk_hdr`).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct DirHeader {
    pub(crate) magic: U32,
    pub(crate) crc: little_endian::U32,
    pub(crate) addr: U64,
    pub(crate) lsn: U64,
    pub(crate) uuid: [u8; 16],
    pub(crate) owner: U64,
}
const _: () = assert!(size_of::<DirHeader>() == 48);

/// Header of remote attribute values and remote symlink targets (`xfs_attr3_rmt_hdr`,
/// `xfs_dsymlink_hdr`), in front of `bytes` bytes of a value from byte `offset` on.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct RemoteHeader {
    pub(crate) magic: U32,
    pub(crate) offset: U32,
    pub(crate) bytes: U32,
    pub(crate) crc: little_endian::U32,
    pub(crate) uuid: [u8; 16],
    pub(crate) owner: U64,
    pub(crate) addr: U64,
    pub(crate) lsn: U64,
}
const _: () = assert!(size_of::<RemoteHeader>() == 56);

/// Byte offsets of the identity fields in one header layout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stamp {
    pub(crate) seal: SealAt,
    addr: usize,
    lsn: usize,
    uuid: usize,
    owner: usize,
}

macro_rules! stamp {
    ($header:ty) => {
        Stamp {
            seal: SealAt { crc: offset_of!($header, crc), lsn: Some(offset_of!($header, lsn)) },
            addr: offset_of!($header, addr),
            lsn: offset_of!($header, lsn),
            uuid: offset_of!($header, uuid),
            owner: offset_of!($header, owner),
        }
    };
}

/// Layout of [`DirHeader`].
pub(crate) const DIR: Stamp = stamp!(DirHeader);
/// Layout of [`super::BlockInfo`].
pub(crate) const DA: Stamp = stamp!(super::BlockInfo);
/// Layout of [`RemoteHeader`].
pub(crate) const REMOTE: Stamp = stamp!(RemoteHeader);

/// What a new block says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Birth {
    /// UUID that metadata of the volume carries.
    pub uuid: [u8; 16],
    /// Where the block lies.
    pub addr: DiskAddr,
    /// Inode that it belongs to.
    pub owner: Ino,
}

impl Birth {
    pub(crate) fn write_info(&self, info: &mut super::BlockInfo, magic: u16) {
        info.magic.set(magic);
        info.addr.set(self.addr.0);
        info.uuid = self.uuid;
        info.owner.set(self.owner.0);
    }
    pub(crate) fn write_dir(&self, header: &mut DirHeader, magic: u32) {
        header.magic.set(magic);
        header.addr.set(self.addr.0);
        header.uuid = self.uuid;
        header.owner.set(self.owner.0);
    }
    pub(crate) fn write_remote(&self, header: &mut RemoteHeader, magic: u32) {
        header.magic.set(magic);
        header.addr.set(self.addr.0);
        header.uuid = self.uuid;
        header.owner.set(self.owner.0);
    }
}

impl Stamp {
    /// Writes where the block lies.
    pub(crate) fn set_addr(
        &self,
        what: &'static str,
        bytes: &mut [u8],
        addr: DiskAddr,
    ) -> Result<(), Fault> {
        let (need, have) = (self.addr + size_of::<U64>(), bytes.len());
        let field = bytes.get_mut(self.addr..need).ok_or(Fault::Short { what, have, need })?;
        field.copy_from_slice(&addr.0.to_be_bytes());
        Ok(())
    }
    /// Checks checksum, UUID, position, owner and LSN of `bytes` against `identity`.
    pub(crate) fn verify(
        &self,
        what: &'static str,
        bytes: &[u8],
        identity: &Identity<'_>,
    ) -> Result<(), Fault> {
        checksum::check(what, bytes, self.seal.crc)?;
        if *view::<[u8; 16]>(what, bytes, self.uuid)? != identity.uuid {
            return Err(Fault::Uuid { what });
        }
        let number = |at| view::<U64>(what, bytes, at).map(|value| value.get());
        let found = number(self.addr)?;
        if found != identity.addr.0 {
            return Err(Fault::Position { what, found });
        }
        let found = number(self.owner)?;
        if let Some(expected) = identity.owner.filter(|&expected| found != expected) {
            return Err(Fault::Owner { what, found, expected });
        }
        checksum::check_lsn(what, number(self.lsn)?, identity.newest)
    }
}
