//! Makes volumes: writes a complete, empty, valid XFS v5 volume onto a device.
//!
//! Sizes and places are those of mkfs.xfs for a plain file, so that xfs_repair finds everything
//! where it looks for it; but volumes may be as small as Linux mounts. The parts, each a step:
//!
//! ```text
//! options -> plan (groups, heights -> reservation -> journal, layout) -> image, inodes -> write
//! ```
//! Never here: a mounted volume. Nothing is read but the signatures of what is overwritten.

mod error;
mod fixed;
mod groups;
mod heights;
mod identity;
mod image;
mod inodes;
mod journal;
mod layout;
mod more;
mod options;
mod plan;
mod presets;
mod reservation;
mod signatures;
mod stripe;
#[cfg(test)]
mod tests;
mod write;

pub use error::{MkfsError, Result};
pub(crate) use groups::SMALLEST as SMALLEST_GROUP;
pub(crate) use identity::identify;
pub(crate) use more::NewGroups;
pub use options::{
    Contents, Discard, FeatureSet, Groups, Inherit, Log, LogRoom, Options, Overwrite, RootHints,
    Stripe,
};
pub use presets::Linux;

use untorn_device::{BlockDevice, DeviceGeometry};
use untorn_format::Superblock;

/// A volume that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// Its superblock.
    pub superblock: Superblock,
}

/// Makes a volume on `device` as `options` say and flushes it. Where it refuses, nothing was
/// written.
///
/// ```
/// use untorn::mkfs::{self, Contents, Options};
/// use untorn_device::MemoryDevice;
///
/// let device = MemoryDevice::new(64 << 20);
/// let options = Options { contents: Contents::Zeroed, ..Options::default() };
/// let made = mkfs::make(&device, &options)?;
/// assert_eq!(made.superblock.geometry.ag_count, 4);
/// # Ok::<(), mkfs::MkfsError>(())
/// ```
pub fn make(device: &dyn BlockDevice, options: &Options) -> Result<Made> {
    let plan = plan::Plan::new(options, &device.geometry())?;
    write::write(device, options, &plan)?;
    Ok(Made { superblock: plan.superblock })
}

/// What `device` holds, where that is known: [`make`] refuses to overwrite it unless forced.
pub fn holds(device: &dyn BlockDevice) -> Result<Option<&'static str>> {
    signatures::find(device)
}

/// What [`make`] would make on a device of this geometry. Nothing is read, so nothing is known of
/// what lies on it.
///
/// ```
/// use untorn::mkfs::{self, Options};
/// use untorn_device::DeviceGeometry;
///
/// let device =
///     DeviceGeometry { size: 1 << 60, sector_size: 512, memory_alignment: 1, read_only: false };
/// let planned = mkfs::rehearse(&device, &Options::default())?;
/// assert_eq!(planned.superblock.geometry.ag_count, (1 << 20) + 1);
/// # Ok::<(), mkfs::MkfsError>(())
/// ```
pub fn rehearse(device: &DeviceGeometry, options: &Options) -> Result<Made> {
    Ok(Made { superblock: plan::Plan::new(options, device)?.superblock })
}
