//! Allocation groups: headers, free list, free space, claims; inode chunks; reverse mappings;
//! reference counts.
//!
//! An AG owns its metadata: whoever stages any of it holds [`Ag::owner`]. What is held in memory
//! only (claimed and busy blocks) has a lock of its own, the last in every order.
//!
//! Never here: files, extent maps, directories.

mod claim;
mod files;
mod freelist;
mod held;
mod inodes;
mod later;
mod refcount;
mod reserve;
mod rmap;
mod space;
#[cfg(test)]
pub(crate) mod tests;
mod trees;
mod trim;
pub(crate) mod unlinked;

pub(crate) use claim::Claim;
pub(crate) use files::{
    Contents, FewRuns, Users, any_staged, free_unknown, free_unowned, lend, next_staged,
    prepare_all, prepare_or_put_off, release, share, shared_run, stage, unstage,
};
pub(crate) use held::{Held, Hold, Walk};
pub use inodes::EmptyChunks;
pub(crate) use inodes::{allocate as allocate_inode, free as free_inode, is_allocated};
pub(crate) use later::{
    Change as LaterChange, Changes as LaterChanges, Hurry, LateChanges, Later, Update, is_sound,
    may_wait, settle, settle_if_short, settle_waiting,
};
pub(crate) use reserve::{Promised, Reserve};
pub(crate) use space::{
    Effort, allocate_block, disown, free_block, is_any_free, own, own_mapped, pick, prepare,
    prepare_contents, take,
};
pub(crate) use trees::{Published, edit_agf, edit_agi};
pub(crate) use trim::{discard, trim_some};

use crate::core::Core;
use parking_lot::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};
use untorn_format::AgNumber;
use untorn_format::limits::FreeListNeed;

/// One allocation group of an open volume.
#[derive(Debug, Default)]
pub(crate) struct Ag {
    /// Owner lock of the AG's metadata.
    pub owner: Mutex<()>,
    /// Blocks that are free on disk and not for the picking.
    pub held: Arc<Mutex<Held>>,
    /// Changes of its trees that wait until the open checkpoint closes.
    pub later: Mutex<Later>,
    /// Blocks kept back for them; none where none wait.
    pub growth: AtomicU32,
    /// Where the search for blocks without a better place starts.
    pub rotor: AtomicU32,
    /// What follows from its size, worked out when it is first asked for.
    wants: OnceLock<Wants>,
}

/// Blocks that an AG's metadata may come to need.
#[derive(Clone, Copy, Debug)]
struct Wants {
    finobt: u32,
    refcountbt: u32,
    rmapbt: u32,
    free_list: FreeListNeed,
}

impl Ag {
    fn wants(&self, core: &Core, ag: AgNumber) -> &Wants {
        let limits = &core.limits;
        self.wants.get_or_init(|| Wants {
            finobt: limits.finobt_reserve(ag, 0).wanted,
            refcountbt: limits.refcount_reserve(ag, 0).wanted,
            rmapbt: limits.rmap_reserve(ag, 0).wanted,
            free_list: limits.free_list(),
        })
    }
}
