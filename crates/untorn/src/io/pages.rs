//! Cached bytes of regular files.
//!
//! Never here: what a change of the map means.

use crate::core::Core;
use crate::error::Result;
use crate::inode::Inode;
use std::ops::Range;
use std::sync::Arc;

/// Writes to the device what is cached and newer than it in the bytes of `range`. The caller holds
/// the range exclusively.
pub(super) fn write_back(_core: &Arc<Core>, _inode: &Arc<Inode>, _range: Range<u64>) -> Result<()> {
    Ok(())
}

/// Forgets all cached blocks that `range` touches, written back or not. The caller holds the range
/// exclusively.
pub(super) fn forget(_core: &Arc<Core>, _inode: &Arc<Inode>, _range: Range<u64>) {}
