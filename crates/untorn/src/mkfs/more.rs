//! Groups behind the end of a volume that grows.

use untorn_device::BlockDevice;
use untorn_format::inode::Timestamp;
use untorn_format::{AgNumber, Geometry, Superblock};

use super::fixed::FixedBlocks;
use super::heights::Heights;
use super::layout::Layout;
use super::options::Inherit;
use super::plan::{Plan, Root};
use super::write;

/// The groups that a volume has when it has grown, and had not before.
pub(crate) struct NewGroups {
    plan: Plan,
    first: u32,
}

impl NewGroups {
    /// The groups that `after` has and the volume of `before` has not.
    pub(crate) fn new(before: &Superblock, after: &Geometry) -> Self {
        let superblock = Superblock { geometry: after.clone(), ..before.clone() };
        let features = before.features;
        let layout = Layout {
            geometry: after.clone(),
            fixed: FixedBlocks::new(after, features),
            free_list: Heights::new(after, features).free_list(),
            inode_align: 0,
        };
        let root = Root {
            time: Timestamp::default(),
            extent_size: 0,
            cow_extent_size: 0,
            project: None,
            realtime: Inherit::No,
            dax: Inherit::No,
        };
        Self { plan: Plan { superblock, layout, root }, first: before.geometry.ag_count }
    }
    /// Blocks that they have free, free lists counted.
    pub(crate) fn free_blocks(&self) -> u64 {
        let geometry = &self.plan.layout.geometry;
        let groups = (self.first..geometry.ag_count).map(AgNumber);
        let fixed = u64::from(self.plan.layout.fixed.end());
        groups.map(|ag| u64::from(geometry.blocks_of(ag)) - fixed).sum()
    }
    /// Writes them. Volatile until flushed.
    pub(crate) fn write(&self, device: &dyn BlockDevice) -> untorn_device::Result<()> {
        write::groups(device, &self.plan, self.first..self.plan.layout.geometry.ag_count)
    }
}
