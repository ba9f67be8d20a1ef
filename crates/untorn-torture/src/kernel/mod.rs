//! Linux as the judge: volumes made by mkfs.xfs, filled, crashed and read by the kernel, and the
//! verdicts of xfs_repair and xfs_db.
//!
//! Needs root, loop devices, XFS in the kernel and xfsprogs. A test begins with
//! `if !kernel::demand() { return; }`: [`demand`] says in one line why the tier cannot run, and
//! panics instead where `UNTORN_DEMAND_KERNEL=1`.
//!
//! Nothing that this module makes outlives it: a loop device clears itself when its last user is
//! gone, a mount is undone on drop, and mounts of a process that was killed are undone by the next
//! process that calls [`demand`].
//!
//! Never here: knowledge of untorn.

mod aligned;
mod command;
mod exchange;
mod fill;
mod judge;
mod life;
mod mount;
mod scratch;
mod storm;
mod tier;
mod volume;
mod walk;

#[cfg(test)]
mod tests;

pub use aligned::Aligned;
pub use exchange::Exchanger;
pub use fill::{Recipe, fill};
pub use judge::{
    Verdict, linux_recovers, xfs_bmap, xfs_db, xfs_logprint, xfs_project, xfs_repair_n,
};
pub use life::{Life, Outcome, RWF_ATOMIC};
pub use mount::{Access, Caching, Flush, LoopDevice, MountOptions, Mounted};
pub use scratch::{Scratch, copy_image, scratch_root};
pub use storm::{Aftermath, Storm, unfinished_intents, workload_during_crash};
pub use tier::{Tier, demand, tier};
pub use volume::{Extra, MkfsOptions, make_volume, remove_exchange_range};
pub use walk::tree;
