//! Blocks that were freed: what must not be replayed.
//!
//! A block that was freed may hold file data by the time of the crash. So every item for a block
//! that comes before the block's (last) cancel item is left out.

use std::collections::HashMap;
use untorn_format::DiskAddr;

/// How many cancel items for each block are still to come, by address and length in 512-byte units.
#[derive(Debug, Default)]
pub(crate) struct Cancelled {
    left: HashMap<(DiskAddr, u32), u32>,
}

impl Cancelled {
    /// Counts a cancel item (first pass).
    pub(crate) fn count(&mut self, addr: DiskAddr, blocks: u32) {
        *self.left.entry((addr, blocks)).or_default() += 1;
    }
    /// Whether a cancel item for the block is still to come.
    pub(crate) fn contains(&self, addr: DiskAddr, blocks: u32) -> bool {
        self.left.contains_key(&(addr, blocks))
    }
    /// Goes past a cancel item (second pass).
    pub(crate) fn pass(&mut self, addr: DiskAddr, blocks: u32) {
        if let Some(left) = self.left.get_mut(&(addr, blocks)) {
            *left -= 1;
            if *left == 0 {
                self.left.remove(&(addr, blocks));
            }
        }
    }
}
