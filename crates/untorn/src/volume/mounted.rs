//! What Linux tells of a volume's space where it has it mounted.
//!
//! Linux hides free blocks: a pool for emergencies, a share of each group for trees that must never
//! fail to grow, and what its free-space trees need. Inodes that are not there yet count as free
//! where blocks for them are.

use super::{Space, Volume};
use crate::error::Result;
use untorn_format::AgNumber;

/// Most blocks of the pool for emergencies; a twentieth of a small volume.
const POOL: u64 = 8192;
/// Blocks set aside in each group for free list and free-space trees.
const SET_ASIDE: u64 = 8;
/// Most inodes that numbers can tell apart.
const MOST_INODES: u64 = (1 << 56) - 1;

impl Volume {
    /// Space and inodes as statfs(2) and df(1) show them once Linux has mounted the volume for
    /// writing. Inodes that could still be made count as free ones.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{OpenOptions, Volume, mkfs};
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(300 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let (here, there) = (volume.space()?, volume.space_on_linux()?);
    /// assert!(there.blocks == here.blocks && there.free < here.free);
    /// assert!(there.inodes > here.inodes);
    /// # Ok::<(), untorn::Error>(())
    /// ```
    pub fn space_on_linux(&self) -> Result<Space> {
        let here = self.space()?;
        let groups = self.core.geometry.ag_count;
        let kept = (0..groups).map(|ag| self.core.kept_by_linux(AgNumber(ag)));
        let kept: u64 = kept.sum::<Result<u64>>()?;
        let pool = (self.core.geometry.data_blocks / 20).min(POOL);
        let hidden = kept + pool.min(here.free) + SET_ASIDE * u64::from(groups);
        let free = here.free.saturating_sub(hidden);
        let inodes = self.possible_inodes(free, here.inodes);
        let used = here.inodes.saturating_sub(here.free_inodes);
        let free_inodes = inodes.saturating_sub(used);
        Ok(Space { free, available: free, inodes, free_inodes, ..here })
    }

    /// Inodes that there are, and those that `free` blocks could hold, up to their share.
    fn possible_inodes(&self, free: u64, there: u64) -> u64 {
        let geometry = &self.core.geometry;
        let per_block = u64::from(geometry.inodes_per_block());
        let all = there.saturating_add(free.saturating_mul(per_block)).min(MOST_INODES);
        let percent = u64::from(self.core.superblock.inode_percent);
        // Whole chunks of 64 inodes.
        let chunk = (64 / per_block).max(1);
        let share = geometry.data_blocks.saturating_mul(percent) / 100 / chunk * chunk;
        let most = if percent == 0 { MOST_INODES } else { share.saturating_mul(per_block) };
        all.min(most).max(there)
    }
}
