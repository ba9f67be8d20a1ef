//! Kinds of metadata blocks: how each is verified when read and sealed when written.

use crate::btree::{self, BtreeKind};
use crate::checksum::{self, SealAt};
use crate::fault::Fault;
use crate::geometry::Geometry;
use crate::units::*;
use crate::{ag, attr, da, dir, dquot, inode, superblock, symlink};

/// What a metadata buffer holds. The kind travels with a buffer from its reading or creation to the
/// log (as the `blft` type code of its log item) and home again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum BlockKind {
    /// Superblock (sector 0 of an AG).
    Superblock,
    /// AG free space header.
    Agf,
    /// AG inode header.
    Agi,
    /// AG free list.
    Agfl,
    /// Free space by block.
    Bnobt,
    /// Free space by length.
    Cntbt,
    /// Inode chunks.
    Inobt,
    /// Inode chunks with free inodes.
    Finobt,
    /// Reverse mappings.
    Rmapbt,
    /// Reference counts.
    Refcountbt,
    /// File extents.
    Bmbt,
    /// Inode cluster.
    Inodes,
    /// Single-block directory.
    DirBlock,
    /// Directory data.
    DirData,
    /// Single-leaf directory index.
    DirLeaf1,
    /// Directory index leaf below a node.
    DirLeafN,
    /// Directory free index.
    DirFree,
    /// Intermediate node of a directory or attribute index.
    DaNode,
    /// Attribute leaf.
    AttrLeaf,
    /// Remote attribute value.
    AttrRemote,
    /// Remote symlink target.
    Symlink,
    /// User, group or project quota block.
    Dquot,
}

/// What a metadata block must agree with besides itself.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The volume's shape: AG-owned blocks learn their AG from it, pointers their range.
    pub geometry: &'a Geometry,
    /// `sb_meta_uuid` where the volume has it, `sb_uuid` otherwise.
    pub uuid: [u8; 16],
    /// Where the block was read from.
    pub addr: DiskAddr,
    /// The AG or inode that it was reached through, where the kind records an owner and the caller
    /// knows it.
    pub owner: Option<u64>,
    /// Largest LSN a block may carry; `None` before the log head is known.
    pub newest: Option<Lsn>,
}

impl Identity<'_> {
    /// The AG that holds the address; `None` outside the volume.
    pub fn ag(&self) -> Option<AgNumber> {
        self.geometry.block_at(self.addr).map(|(ag, _)| ag)
    }
}

impl BlockKind {
    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Superblock => "superblock",
            Self::Agf => "AGF",
            Self::Agi => "AGI",
            Self::Agfl => "AGFL",
            Self::Bnobt => "bnobt block",
            Self::Cntbt => "cntbt block",
            Self::Inobt => "inobt block",
            Self::Finobt => "finobt block",
            Self::Rmapbt => "rmapbt block",
            Self::Refcountbt => "refcountbt block",
            Self::Bmbt => "bmbt block",
            Self::Inodes => "inode cluster",
            Self::DirBlock => "block directory",
            Self::DirData => "directory data block",
            Self::DirLeaf1 => "directory leaf",
            Self::DirLeafN => "directory leaf below a node",
            Self::DirFree => "directory free index",
            Self::DaNode => "directory or attribute node",
            Self::AttrLeaf => "attribute leaf",
            Self::AttrRemote => "remote attribute value",
            Self::Symlink => "remote symlink",
            Self::Dquot => "quota block",
        }
    }
    /// The type code that the log item of such a buffer carries (`XFS_BLFT_*`). One code stands for
    /// all btrees; quota blocks take the code of user quota.
    pub fn blft(self) -> u16 {
        match self {
            Self::Dquot => 1,
            Self::Bnobt | Self::Cntbt | Self::Inobt | Self::Finobt => 4,
            Self::Rmapbt | Self::Refcountbt | Self::Bmbt => 4,
            Self::Agf => 5,
            Self::Agfl => 6,
            Self::Agi => 7,
            Self::Inodes => 8,
            Self::Symlink => 9,
            Self::DirBlock => 10,
            Self::DirData => 11,
            Self::DirFree => 12,
            Self::DirLeaf1 => 13,
            Self::DirLeafN => 14,
            Self::DaNode => 15,
            Self::AttrLeaf => 16,
            Self::AttrRemote => 17,
            Self::Superblock => 18,
        }
    }
    /// The kind that log item type code `code` says; the contents tell btrees apart. `None` for
    /// codes without a kind (0 is an untyped buffer, 19 and 20 are realtime) and for a btree code
    /// on bytes that are none.
    pub fn from_blft(code: u16, bytes: &[u8]) -> Option<Self> {
        Some(match code {
            1..=3 => Self::Dquot,
            4 => BtreeKind::from_magic(crate::wire::be32(bytes, 0)?)?.block_kind(),
            5 => Self::Agf,
            6 => Self::Agfl,
            7 => Self::Agi,
            8 => Self::Inodes,
            9 => Self::Symlink,
            10 => Self::DirBlock,
            11 => Self::DirData,
            12 => Self::DirFree,
            13 => Self::DirLeaf1,
            14 => Self::DirLeafN,
            15 => Self::DaNode,
            16 => Self::AttrLeaf,
            17 => Self::AttrRemote,
            18 => Self::Superblock,
            _ => return None,
        })
    }
    /// Where blocks of this kind keep checksum and LSN; `None` for kinds sealed piece by piece
    /// (inode clusters, quota blocks, remote attribute values).
    pub fn seal_at(self) -> Option<SealAt> {
        Some(match self {
            Self::Superblock => superblock::SUPERBLOCK_SEAL,
            Self::Agf => ag::AGF_SEAL,
            Self::Agi => ag::AGI_SEAL,
            Self::Agfl => ag::AGFL_SEAL,
            Self::Symlink => symlink::SEAL,
            Self::DirBlock | Self::DirData | Self::DirFree => dir::SEAL,
            Self::DirLeaf1 | Self::DirLeafN | Self::DaNode | Self::AttrLeaf => da::SEAL,
            Self::Inodes | Self::Dquot | Self::AttrRemote => return None,
            btree => return BtreeKind::of_block(btree).map(btree::seal_at),
        })
    }
}

/// Checks `bytes`, just read, against `kind` and `identity`: magic, checksum, UUID, position,
/// owner, LSN, and the structure's own bounds.
pub fn verify(kind: BlockKind, bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    match kind {
        BlockKind::Superblock => superblock::verify_block(bytes, identity),
        BlockKind::Agf => ag::Agf::decode(bytes, identity).map(drop),
        BlockKind::Agi => ag::Agi::decode(bytes, identity).map(drop),
        BlockKind::Agfl => ag::verify_agfl(bytes, identity),
        BlockKind::Inodes => inode::verify_cluster(bytes, identity),
        BlockKind::DirBlock | BlockKind::DirData | BlockKind::DirFree => {
            dir::verify_block(kind, bytes, identity)
        }
        BlockKind::DirLeaf1 | BlockKind::DirLeafN => dir::verify_block(kind, bytes, identity),
        BlockKind::DaNode => da::verify_block(bytes, identity),
        BlockKind::AttrLeaf | BlockKind::AttrRemote => attr::verify_block(kind, bytes, identity),
        BlockKind::Symlink => symlink::verify_block(bytes, identity),
        BlockKind::Dquot => dquot::verify_block(bytes, identity),
        _ => match BtreeKind::of_block(kind) {
            Some(btree) => btree::verify(btree, bytes, identity),
            None => Ok(()),
        },
    }
}

/// Stamps `lsn` and the checksum into `bytes`, about to be written home. Kinds that are sealed
/// piece by piece are left alone: inode clusters and quota blocks when their items are flushed,
/// remote attribute values when they are written.
pub fn seal(kind: BlockKind, bytes: &mut [u8], lsn: Lsn) {
    if let Some(at) = kind.seal_at() {
        checksum::seal(bytes, at, lsn);
    }
}
