//! Blocks of remote attribute values (`xfs_attr3_rmt_hdr`): each filesystem block has a header and
//! a part of the value. They are written before and outside the journal and carry no LSN.

use super::MAX_VALUE;
use crate::checksum;
use crate::da::stamp;
use crate::da::{Birth, Part, part};
use crate::kind::Identity;
use crate::{Fault, Lsn};

/// `XFS_ATTR3_RMT_MAGIC`: "XARM".
pub(crate) const MAGIC: u32 = 0x5841_524d;
const WHAT: &str = "remote attribute value";

/// Bytes of a value that one block of `block_size` bytes holds.
pub fn capacity(block_size: usize) -> usize {
    part::capacity(block_size)
}

/// Blocks that a value of `length` bytes takes.
pub fn blocks_for(length: usize, block_size: usize) -> usize {
    length.div_ceil(capacity(block_size).max(1))
}

/// Reads a block of a value. Faults: another magic number, more bytes than the block or a value
/// holds.
pub fn parse(bytes: &[u8]) -> Result<Part<'_>, Fault> {
    Part::parse(WHAT, MAGIC, MAX_VALUE, bytes)
}

/// Checks a block of a value just read.
pub fn verify(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    parse(bytes)?;
    stamp::REMOTE.verify(WHAT, bytes, identity)
}

/// Fills `block`, one filesystem block, with a part of a value and seals it: it goes to the device
/// as it is. Panics when the part is longer than [`capacity`].
pub fn encode(block: &mut [u8], birth: &Birth, part: Part<'_>) {
    part.encode(block, birth, MAGIC);
    checksum::seal(block, stamp::REMOTE.seal, Lsn(u64::MAX));
}
