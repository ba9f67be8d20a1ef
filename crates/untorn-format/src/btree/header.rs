//! Headers of btree blocks, short (within an AG) and long (across the volume).

use super::layout::{BtreeKind, MAX_LEVELS};
use crate::checksum::{self, SealAt};
use crate::fault::Fault;
use crate::kind::Identity;
use crate::units::*;
use crate::wire::{U16, U32, U64, be16, view, view_mut};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Header of a block of an AG btree on v5 volumes (`xfs_btree_block`, short form).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct ShortHeader {
    /// Which btree.
    pub magic: U32,
    /// 0 is a leaf.
    pub level: U16,
    /// Entries.
    pub numrecs: U16,
    /// Block to the left on this level or [`NULL_AG_BLOCK`].
    pub leftsib: U32,
    /// Block to the right.
    pub rightsib: U32,
    /// Device address of this block.
    pub blkno: U64,
    /// LSN of the last write.
    pub lsn: U64,
    /// The volume.
    pub uuid: [u8; 16],
    /// AG number.
    pub owner: U32,
    /// Little-endian CRC32c.
    pub crc: [u8; 4],
}
const _: () = assert!(size_of::<ShortHeader>() == 56);

/// Header of a block of the bmbt on v5 volumes (`xfs_btree_block`, long form).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct LongHeader {
    /// Which btree.
    pub magic: U32,
    /// 0 is a leaf.
    pub level: U16,
    /// Entries.
    pub numrecs: U16,
    /// Block to the left on this level or [`NULL_FS_BLOCK`].
    pub leftsib: U64,
    /// Block to the right.
    pub rightsib: U64,
    /// Device address of this block.
    pub blkno: U64,
    /// LSN of the last write.
    pub lsn: U64,
    /// The volume.
    pub uuid: [u8; 16],
    /// Inode number.
    pub owner: U64,
    /// Little-endian CRC32c.
    pub crc: [u8; 4],
    /// Zero.
    pub pad: [u8; 4],
}
const _: () = assert!(size_of::<LongHeader>() == 72);

/// Where blocks of `kind` keep checksum and LSN.
pub(crate) fn seal_at(kind: BtreeKind) -> SealAt {
    match kind.is_long() {
        true => SealAt { crc: 64, lsn: Some(32) },
        false => SealAt { crc: 52, lsn: Some(24) },
    }
}

/// Neighbours of a block on its level, as the disk says them: AG blocks in AG btrees, volume
/// blocks in the bmbt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Links {
    /// To the left.
    pub left: Option<u64>,
    /// To the right.
    pub right: Option<u64>,
}

/// What a btree block's header says, in either form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// 0 is a leaf.
    pub level: u16,
    /// Entries.
    pub numrecs: u16,
    /// Neighbours.
    pub links: Links,
    /// Device address.
    pub addr: DiskAddr,
    /// AG number or inode number.
    pub owner: u64,
    /// LSN of the last write.
    pub lsn: Lsn,
}

impl Header {
    /// Reads the header of a block of `kind`; checks nothing but that it is long enough.
    pub fn decode(kind: BtreeKind, bytes: &[u8]) -> Result<Self, Fault> {
        match kind.is_long() {
            true => view::<LongHeader>(kind.name(), bytes).map(Self::from_long),
            false => view::<ShortHeader>(kind.name(), bytes).map(Self::from_short),
        }
    }
    /// Level and number of entries alone: they stand at the same place in both forms.
    #[inline]
    pub fn shape(kind: BtreeKind, bytes: &[u8]) -> Result<(u16, u16), Fault> {
        let short =
            || Fault::Short { what: kind.name(), have: bytes.len(), need: kind.header_size() };
        let header = bytes.get(..kind.header_size()).ok_or_else(short)?;
        be16(header, 4).zip(be16(header, 6)).ok_or_else(short)
    }
    /// Writes the number of entries into the header of a staged block.
    #[inline]
    pub fn set_numrecs(bytes: &mut [u8], numrecs: u16) {
        bytes[6..8].copy_from_slice(&numrecs.to_be_bytes());
    }
    fn from_short(raw: &ShortHeader) -> Self {
        let link = |block: U32| (block.get() != NULL_AG_BLOCK).then_some(u64::from(block.get()));
        Self {
            level: raw.level.get(),
            numrecs: raw.numrecs.get(),
            links: Links { left: link(raw.leftsib), right: link(raw.rightsib) },
            addr: DiskAddr(raw.blkno.get()),
            owner: u64::from(raw.owner.get()),
            lsn: Lsn(raw.lsn.get()),
        }
    }
    fn from_long(raw: &LongHeader) -> Self {
        let link = |block: U64| (block.get() != NULL_FS_BLOCK).then_some(block.get());
        Self {
            level: raw.level.get(),
            numrecs: raw.numrecs.get(),
            links: Links { left: link(raw.leftsib), right: link(raw.rightsib) },
            addr: DiskAddr(raw.blkno.get()),
            owner: raw.owner.get(),
            lsn: Lsn(raw.lsn.get()),
        }
    }
    /// Writes level, count and neighbours into the header of a staged block.
    pub fn store(&self, kind: BtreeKind, bytes: &mut [u8]) {
        if kind.is_long() {
            let raw = ours(view_mut::<LongHeader>(kind.name(), bytes));
            raw.level.set(self.level);
            raw.numrecs.set(self.numrecs);
            raw.leftsib.set(self.links.left.unwrap_or(NULL_FS_BLOCK));
            raw.rightsib.set(self.links.right.unwrap_or(NULL_FS_BLOCK));
        } else {
            let raw = ours(view_mut::<ShortHeader>(kind.name(), bytes));
            raw.level.set(self.level);
            raw.numrecs.set(self.numrecs);
            raw.leftsib.set(short_link(self.links.left));
            raw.rightsib.set(short_link(self.links.right));
        }
    }
}

fn short_link(link: Option<u64>) -> u32 {
    let Some(block) = link else { return NULL_AG_BLOCK };
    assert!(block < u64::from(NULL_AG_BLOCK), "AG block {block}");
    block as u32
}

/// Unwraps what only a buffer of our own that is too short can make fail.
fn ours<T>(found: Result<T, Fault>) -> T {
    match found {
        Ok(value) => value,
        Err(fault) => panic!("staged block: {fault}"),
    }
}

/// Initialises `bytes` (a whole block) as an empty block of `kind` at `level`: zeroes, then the
/// header without neighbours. `owner` is the AG number, or the inode number for the bmbt.
pub fn init(kind: BtreeKind, bytes: &mut [u8], level: u16, identity: &Identity<'_>, owner: u64) {
    bytes.fill(0);
    if kind.is_long() {
        let raw = ours(view_mut::<LongHeader>(kind.name(), bytes));
        raw.magic.set(kind.magic());
        raw.blkno.set(identity.addr.0);
        raw.uuid = identity.uuid;
        raw.owner.set(owner);
    } else {
        let raw = ours(view_mut::<ShortHeader>(kind.name(), bytes));
        raw.magic.set(kind.magic());
        raw.blkno.set(identity.addr.0);
        raw.uuid = identity.uuid;
        raw.owner.set(ours(u32::try_from(owner).map_err(|_| Fault::Owner {
            what: kind.name(),
            found: owner,
            expected: 0,
        })));
    }
    let links = Links { left: None, right: None };
    let header =
        Header { level, numrecs: 0, links, addr: identity.addr, owner, lsn: Lsn::default() };
    header.store(kind, bytes);
}

/// Checks a whole block of `kind`: magic, checksum, UUID, position, owner, LSN, level, count and
/// neighbours. Entries are not looked at.
pub fn verify(kind: BtreeKind, bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let what = kind.name();
    let header = Header::decode(kind, bytes)?;
    let (magic, uuid) = match kind.is_long() {
        true => view::<LongHeader>(what, bytes).map(|raw| (raw.magic, raw.uuid))?,
        false => view::<ShortHeader>(what, bytes).map(|raw| (raw.magic, raw.uuid))?,
    };
    if magic.get() != kind.magic() {
        return Err(Fault::Magic { what, found: magic.get().into() });
    }
    checksum::check(what, bytes, seal_at(kind).crc)?;
    if uuid != identity.uuid {
        return Err(Fault::Uuid { what });
    }
    if header.addr != identity.addr {
        return Err(Fault::Position { what, found: header.addr.0 });
    }
    check_owner(kind, &header, identity)?;
    checksum::check_lsn(what, header.lsn.0, identity.newest)?;
    check_bounds(kind, &header, bytes.len(), identity)
}

fn check_owner(kind: BtreeKind, header: &Header, identity: &Identity<'_>) -> Result<(), Fault> {
    let (what, found) = (kind.name(), header.owner);
    let ag = identity.geometry.block_at(identity.addr).map(|(ag, _)| u64::from(ag.0));
    let by_place = if kind.is_long() { None } else { ag };
    for expected in [identity.owner, by_place].into_iter().flatten() {
        if found != expected {
            return Err(Fault::Owner { what, found, expected });
        }
    }
    Ok(())
}

fn check_bounds(
    kind: BtreeKind,
    header: &Header,
    block_size: usize,
    identity: &Identity<'_>,
) -> Result<(), Fault> {
    let fault = |field, value| Err(Fault::Field { what: kind.name(), field, value });
    if header.level >= MAX_LEVELS {
        return fault("bb_level", header.level.into());
    }
    if usize::from(header.numrecs) > kind.max_records(block_size, header.level) {
        return fault("bb_numrecs", header.numrecs.into());
    }
    for (field, link) in [("bb_leftsib", header.links.left), ("bb_rightsib", header.links.right)] {
        match link {
            Some(block) if !in_range(kind, block, identity) => return fault(field, block),
            _ => {}
        }
    }
    Ok(())
}

/// Whether `block` names another block of the volume (bmbt) or of the same AG.
fn in_range(kind: BtreeKind, block: u64, identity: &Identity<'_>) -> bool {
    let geometry = identity.geometry;
    let here = geometry.block_at(identity.addr);
    let there = match (kind.is_long(), here) {
        (true, _) => geometry.split(FsBlock(block)),
        (false, Some((ag, _))) if block < u64::from(geometry.blocks_of(ag)) => {
            Some((ag, AgBlock(block as u32)))
        }
        _ => None,
    };
    there.is_some_and(|(_, block)| block != AgBlock(0)) && there != here
}
