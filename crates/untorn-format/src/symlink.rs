//! Symlink targets: inline in the inode, or in blocks of their own (`xfs_dsymlink_hdr`).
//!
//! A remote target lies in one to three extents; each extent has one header, however many blocks
//! it has, and holds the part of the target that its header tells.

use crate::Fault;
use crate::checksum::SealAt;
use crate::da::stamp;
use crate::da::{Birth, Part, part};
use crate::kind::Identity;

/// `XFS_SYMLINK_MAGIC`: "XSLM".
pub(crate) const MAGIC: u32 = 0x5853_4c4d;
/// Where extents of targets keep checksum and LSN.
pub(crate) const SEAL: SealAt = stamp::REMOTE.seal;
/// Longest target in bytes.
pub const MAX_TARGET: usize = 1023;
const WHAT: &str = "symlink target";

/// Bytes of a target that an extent of `extent_size` bytes holds.
pub fn capacity(extent_size: usize) -> usize {
    part::capacity(extent_size)
}

/// Blocks to allocate for a target of `length` bytes, counted as if each block had a header.
pub fn blocks_for(length: usize, block_size: usize) -> usize {
    length.div_ceil(capacity(block_size).max(1))
}

/// Checks a target: not empty, not too long, without NUL.
pub fn verify_target(target: &[u8]) -> Result<(), Fault> {
    if target.is_empty() || target.len() > MAX_TARGET {
        return Err(Fault::Field { what: WHAT, field: "size", value: target.len() as u64 });
    }
    if target.contains(&0) {
        return Err(Fault::Field { what: WHAT, field: "target", value: 0 });
    }
    Ok(())
}

/// Reads an extent of a target. Faults: another magic number, more bytes than the extent or a
/// target holds.
pub fn parse(bytes: &[u8]) -> Result<Part<'_>, Fault> {
    Part::parse(WHAT, MAGIC, MAX_TARGET, bytes)
}

/// Checks an extent of a target just read.
pub fn verify_block(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    parse(bytes)?;
    stamp::REMOTE.verify(WHAT, bytes, identity)
}

/// Fills `extent`, all of its blocks, with a part of a target. Panics when it is longer than
/// [`capacity`].
pub fn encode(extent: &mut [u8], birth: &Birth, part: Part<'_>) {
    part.encode(extent, birth, MAGIC);
}
