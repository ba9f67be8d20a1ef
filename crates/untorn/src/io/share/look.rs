//! Looking at the bytes of files that are owned: nothing of them is cached, nobody else writes.

use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use crate::io::blocks::{byte_of, read_bytes};
use crate::map::{Mapping, MappingState, find, published};
use untorn_format::FileBlock;
use untorn_format::records::Fork;

/// Bytes of each file in memory at a time.
pub(super) const PIECE: u64 = 1 << 20;

/// What lies at block `at` of a file, up to `limit` at most.
pub(super) fn mapping(
    core: &Core,
    inode: &Inode,
    at: FileBlock,
    limit: FileBlock,
) -> Result<Mapping> {
    let _owner = inode.owner.read();
    let image = inode.image();
    find(&mut published(core, inode.ino, &image, Fork::Data)?, at, limit)
}

/// Fills `bytes` with the file's from byte `offset` on, all before the end of the file.
pub(super) fn read(core: &Core, inode: &Inode, offset: u64, bytes: &mut [u8]) -> Result<()> {
    let end = offset + bytes.len() as u64;
    let limit = FileBlock(core.geometry.blocks_for(end));
    let mut at = offset;
    while at < end {
        let (block, skip) = core.geometry.file_block(at);
        let mapping = mapping(core, inode, block, limit)?;
        let to = (mapping.end().0 << core.geometry.block_log).min(end);
        let part = &mut bytes[(at - offset) as usize..(to - offset) as usize];
        match mapping.state {
            MappingState::Hole | MappingState::Unwritten(_) => part.fill(0),
            MappingState::Written(start) => {
                core.ag_extent(start, mapping.length as u32)?;
                read_bytes(core, byte_of(core, start)? + skip as u64, part)?;
            }
        }
        at = to;
    }
    Ok(())
}

/// Whether `length` bytes of two files are the same, from a block's start on in each.
pub(super) fn same_bytes(
    core: &Core,
    one: (&Inode, u64),
    other: (&Inode, u64),
    length: u64,
) -> Result<bool> {
    let mut done = 0;
    while done < length {
        let left = core.geometry.blocks_for(length - done);
        let look = |(inode, start): (&Inode, u64), blocks: u64| {
            let (at, _) = core.geometry.file_block(start + done);
            mapping(core, inode, at, FileBlock(at.0 + blocks))
        };
        let first = look(one, left)?;
        let second = look(other, first.length)?;
        let bytes = (second.length << core.geometry.block_log).min(length - done);
        done += match alike(first.state, second.state) {
            true => bytes,
            false => {
                let piece = bytes.min(PIECE);
                if !compare(core, (one.0, one.1 + done), (other.0, other.1 + done), piece)? {
                    return Ok(false);
                }
                piece
            }
        };
    }
    Ok(true)
}

/// Whether two mappings hold the same bytes for certain, without a look.
fn alike(one: MappingState, other: MappingState) -> bool {
    match (one, other) {
        (MappingState::Written(one), MappingState::Written(other)) => one == other,
        (MappingState::Written(_), _) | (_, MappingState::Written(_)) => false,
        _ => true,
    }
}

fn compare(core: &Core, one: (&Inode, u64), other: (&Inode, u64), length: u64) -> Result<bool> {
    let (mut first, mut second) = (vec![0; length as usize], vec![0; length as usize]);
    read(core, one.0, one.1, &mut first)?;
    read(core, other.0, other.1, &mut second)?;
    Ok(first == second)
}
