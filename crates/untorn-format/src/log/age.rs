//! How old a metadata block is: its LSN, and whose it is, by nothing but its own bytes.
//!
//! Recovery compares it with the LSN of the transaction that it replays. It must not trust the
//! kind that the log says: the block may have been something else when it was last written.

use crate::ag::{AGF_MAGIC, AGFL_MAGIC, AGI_MAGIC, AgfDisk, AgflDisk, AgiDisk};
use crate::btree::{BtreeKind, LongHeader, ShortHeader};
use crate::checksum;
use crate::da::{self, BlockInfo};
use crate::kind::BlockKind;
use crate::superblock::{SUPERBLOCK_MAGIC, SuperblockDisk};
use crate::units::Lsn;
use crate::wire::{be32, be64};
use std::mem::offset_of;

/// `xfs_dir3_blk_hdr`: single-block directories, directory data, free indexes.
const DIRECTORY: Fields = Fields { lsn: 16, uuid: 24 };
/// `xfs_dsymlink_hdr`.
const SYMLINK: Fields = Fields { lsn: 48, uuid: 16 };
/// Offsets of the fields that tell.
#[derive(Clone, Copy)]
struct Fields {
    lsn: usize,
    uuid: usize,
}

macro_rules! fields {
    ($disk:ty, $uuid:ident) => {
        Fields { lsn: offset_of!($disk, lsn), uuid: offset_of!($disk, $uuid) }
    };
}

/// LSN and UUID of the block that `bytes` are; `None` where they do not say: inode clusters and
/// quota blocks, which tell record by record, remote attribute values, which are not logged, and
/// what is no metadata. A superblock's UUID is `sb_meta_uuid` where `meta_uuid` says that the
/// volume has one.
pub fn block_age(bytes: &[u8], meta_uuid: bool) -> Option<(Lsn, [u8; 16])> {
    let fields = fields(bytes, meta_uuid)?;
    let lsn = Lsn(be64(bytes, fields.lsn)?);
    let uuid = bytes.get(fields.uuid..)?.first_chunk()?;
    Some((lsn, *uuid))
}

/// Whether the block that `bytes` are was written whole: its checksum is right. A power cut in the
/// middle of its way home leaves some sectors of before and some of after; its LSN then says
/// nothing.
pub fn is_whole(bytes: &[u8]) -> bool {
    kind(bytes)
        .and_then(BlockKind::seal_at)
        .is_some_and(|at| checksum::check("block", bytes, at.crc).is_ok())
}

/// A kind that has its checksum where the block that `bytes` are has it.
fn kind(bytes: &[u8]) -> Option<BlockKind> {
    let magic = be32(bytes, 0)?;
    if let Some(tree) = BtreeKind::from_magic(magic) {
        return Some(tree.block_kind());
    }
    Some(match &magic.to_be_bytes() {
        b"XDB3" | b"XDD3" | b"XDF3" => BlockKind::DirData,
        b"XSLM" => BlockKind::Symlink,
        _ => match magic {
            AGF_MAGIC => BlockKind::Agf,
            AGI_MAGIC => BlockKind::Agi,
            AGFL_MAGIC => BlockKind::Agfl,
            SUPERBLOCK_MAGIC => BlockKind::Superblock,
            _ => da::kind_of(bytes)?,
        },
    })
}

fn fields(bytes: &[u8], meta_uuid: bool) -> Option<Fields> {
    let magic = be32(bytes, 0)?;
    if let Some(tree) = BtreeKind::from_magic(magic) {
        return Some(match tree.is_long() {
            true => fields!(LongHeader, uuid),
            false => fields!(ShortHeader, uuid),
        });
    }
    match &magic.to_be_bytes() {
        b"XDB3" | b"XDD3" | b"XDF3" => return Some(DIRECTORY),
        b"XSLM" => return Some(SYMLINK),
        _ => {}
    }
    Some(match magic {
        AGF_MAGIC => fields!(AgfDisk, uuid),
        AGI_MAGIC => fields!(AgiDisk, uuid),
        AGFL_MAGIC => fields!(AgflDisk, uuid),
        SUPERBLOCK_MAGIC if meta_uuid => fields!(SuperblockDisk, meta_uuid),
        SUPERBLOCK_MAGIC => fields!(SuperblockDisk, uuid),
        _ => da::kind_of(bytes).map(|_| fields!(BlockInfo, uuid))?,
    })
}
