//! Reservations: free blocks that are promised and not chosen.
//!
//! A cached write reserves the blocks that its writeback will claim, and those by which the file's
//! map may grow, so that space runs out at the write and never behind it. A claim without a
//! reservation of its own makes one first.
//!
//! What is promised and what the AGs offer is compared under one short lock. The room is counted
//! again only when what is known of it runs out: it is told of everything that takes blocks and of
//! nothing that frees them, so it errs to the safe side.

use crate::core::Core;
use crate::error::{Error, Result};
use parking_lot::Mutex;
use std::fmt;
use std::sync::Arc;

#[derive(Debug, Default)]
struct State {
    /// Blocks that could still be promised when that was last counted, less what went since.
    left: u64,
    /// Blocks promised.
    promised: u64,
}

/// What is promised of a volume's free blocks.
#[derive(Debug, Default)]
pub(crate) struct Promised {
    state: Mutex<State>,
}

impl Promised {
    /// Blocks promised.
    pub fn blocks(&self) -> u64 {
        self.state.lock().promised
    }

    /// `blocks` went that nobody had reserved.
    pub fn spend(&self, blocks: u32) {
        let mut state = self.state.lock();
        state.left = state.left.saturating_sub(blocks.into());
    }
}

/// Blocks promised to whoever holds this value; dropping it gives the promise back.
pub(crate) struct Reserve {
    from: Arc<Promised>,
    blocks: u64,
}

impl Reserve {
    /// How many.
    pub fn blocks(&self) -> u64 {
        self.blocks
    }

    /// Keeps `count` blocks; the rest is returned.
    pub fn split(&mut self, count: u64) -> Reserve {
        assert!(count <= self.blocks, "a reservation is split inside itself");
        let rest = self.blocks - count;
        self.blocks = count;
        Reserve { from: Arc::clone(&self.from), blocks: rest }
    }

    /// Two reservations as one.
    pub fn join(&mut self, mut other: Reserve) {
        self.blocks += std::mem::take(&mut other.blocks);
    }
}

impl Drop for Reserve {
    fn drop(&mut self) {
        if self.blocks > 0 {
            self.from.state.lock().promised -= self.blocks;
        }
    }
}

impl fmt::Debug for Reserve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reserve({})", self.blocks)
    }
}

impl Core {
    /// Reserves `blocks`, giving up idle blocks and waiting for busy ones before it refuses. Call
    /// it with no CoW fork and no owner locked.
    pub fn reserve(self: &Arc<Self>, blocks: u64) -> Result<Reserve> {
        if let Some(reserve) = self.try_reserve(blocks)? {
            return Ok(reserve);
        }
        self.inodes.all().iter().for_each(|inode| inode.cow.lock().drop_idle());
        if let Some(reserve) = self.try_reserve(blocks)? {
            return Ok(reserve);
        }
        if self.busy_blocks() > 0 {
            self.settle_busy()?;
            if let Some(reserve) = self.try_reserve(blocks)? {
                return Ok(reserve);
            }
        }
        let available = self.available()?;
        Err(Error::NoSpace { needed: blocks, available })
    }

    /// A reservation of no blocks, for others to join.
    pub fn nothing_reserved(&self) -> Reserve {
        Reserve { from: Arc::clone(&self.promised), blocks: 0 }
    }

    /// Reserves `blocks` where that can be had for nothing.
    pub fn try_reserve(&self, blocks: u64) -> Result<Option<Reserve>> {
        let mut state = self.promised.state.lock();
        if state.left < blocks {
            state.left = self.free_for_data()?.saturating_sub(state.promised);
        }
        if state.left < blocks {
            return Ok(None);
        }
        state.left -= blocks;
        state.promised += blocks;
        Ok(Some(Reserve { from: Arc::clone(&self.promised), blocks }))
    }

    /// Keeps `blocks` back for good, by running `keep`, where nobody was promised them; whether
    /// that was so.
    pub(super) fn keep_back(&self, blocks: u64, keep: impl FnOnce()) -> Result<bool> {
        let mut state = self.promised.state.lock();
        if blocks > 0 && state.left < blocks {
            state.left = self.free_for_data()?.saturating_sub(state.promised);
        }
        if state.left < blocks {
            return Ok(false);
        }
        state.left -= blocks;
        keep();
        Ok(true)
    }

    /// Free blocks that nobody has claimed or reserved.
    pub fn available(&self) -> Result<u64> {
        Ok(self.free_for_data()?.saturating_sub(self.promised.blocks()))
    }
}
