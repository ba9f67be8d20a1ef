//! The copies of the superblock, where the first one is no use: every group but the first begins
//! with one.
//!
//! Nobody says where they are then. The first group's headers tell how long a group is; failing
//! these, a volume of so large a device has groups of usual sizes. A handful of sectors is looked
//! at, never the whole device.

use crate::error::CheckError;
use std::fmt;
use untorn_device::BlockDevice;
use untorn_format::Superblock;
use untorn_format::ag::{AGF_MAGIC, AGI_MAGIC, AgfDisk, AgiDisk};
use untorn_format::superblock::SuperblockDisk;

/// Sizes that a sector or a block can have, as powers of two.
const LOGS: std::ops::RangeInclusive<u32> = 9..=16;
/// Most groups of a volume whose headers say nothing that are thought of.
const MOST_GUESSED: u64 = 64;

/// What the copies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copies {
    /// Those that the volume has.
    pub(crate) all: u64,
    /// Those that are sound, checksum and bounds, and say the same as one another.
    pub(crate) agree: u64,
    /// Those that are sound and say something else.
    pub(crate) differ: u64,
}

/// How many are of use, and what for.
impl fmt::Display for Copies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of its {} copies are sound and agree", self.agree, self.all)?;
        if self.differ > 0 {
            write!(f, ", {} say something else", self.differ)?;
        }
        f.write_str(
            "; xfs_repair puts it back from them (`xfs_repair -n` shows what it would do); \
             `untorn db` reads by a copy meanwhile",
        )
    }
}

/// Looks for copies of the superblock; `None` where there is none that is sound.
pub(crate) fn superblock_copies(device: &dyn BlockDevice) -> Result<Option<Copies>, CheckError> {
    for at in candidates(device)? {
        if let Some(found) = copy_at(device, at)? {
            return count(device, &found).map(Some);
        }
    }
    Ok(None)
}

/// Counts the copies that say what `model` says.
fn count(device: &dyn BlockDevice, model: &Superblock) -> Result<Copies, CheckError> {
    let geometry = &model.geometry;
    let groups = u64::from(geometry.ag_count);
    let mut copies = Copies { all: groups.saturating_sub(1), agree: 0, differ: 0 };
    let length = u64::from(geometry.ag_blocks) << geometry.block_log;
    let at = |group: u64| group.saturating_mul(length);
    // A hostile copy may tell of billions of groups: none lies behind the device.
    for at in (1..groups).map(at).take_while(|&at| at < device.geometry().size) {
        match copy_at(device, at)? {
            Some(copy) if says_the_same(&copy, model) => copies.agree += 1,
            Some(_) => copies.differ += 1,
            None => {}
        }
    }
    Ok(copies)
}

/// Counters are those of some time, so they differ.
fn says_the_same(one: &Superblock, other: &Superblock) -> bool {
    one.geometry == other.geometry && one.uuid == other.uuid && one.features == other.features
}

/// The sound copy at a byte of the device.
fn copy_at(device: &dyn BlockDevice, at: u64) -> Result<Option<Superblock>, CheckError> {
    let Some(sector) = read(device, at, 512)? else { return Ok(None) };
    let Ok(size) = Superblock::sector_size(&sector) else { return Ok(None) };
    let Some(sector) = read(device, at, size as u64)? else { return Ok(None) };
    Ok(Superblock::decode_copy(&sector).ok())
}

/// Bytes, in whole sectors of the device; nothing where they do not lie on it.
fn read(device: &dyn BlockDevice, at: u64, length: u64) -> Result<Option<Vec<u8>>, CheckError> {
    let geometry = device.geometry();
    let sector = u64::from(geometry.sector_size);
    let length = length.max(sector);
    let fits = at.checked_add(length).is_some_and(|end| end <= geometry.size);
    if !fits || !at.is_multiple_of(sector) {
        return Ok(None);
    }
    let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
    device.read_at(at, &mut bytes)?;
    Ok(Some(bytes))
}

/// Where the second group may begin, what is most likely first, and then the third.
fn candidates(device: &dyn BlockDevice) -> Result<Vec<u64>, CheckError> {
    let mut at = Vec::new();
    if let Some(bytes) = read(device, 0, 512)?
        && let Ok(first) = SuperblockDisk::of(&bytes)
    {
        let blocks = u64::from(first.agblocks.get());
        at.push(blocks.saturating_mul(first.blocksize.get().into()));
    }
    for blocks in group_lengths(device)? {
        at.extend(LOGS.map(|log| blocks << log));
    }
    let size = device.geometry().size;
    for groups in 2..=MOST_GUESSED {
        at.extend(LOGS.map(|log| (size >> log).div_ceil(groups) << log));
    }
    // The longest group.
    at.push(1 << 40);
    at.extend(at.clone().iter().map(|at| at.saturating_mul(2)));
    at.retain(|&at| at > 0 && at < size);
    Ok(at)
}

/// Blocks of a group, as the headers behind the first superblock tell.
fn group_lengths(device: &dyn BlockDevice) -> Result<Vec<u64>, CheckError> {
    let mut lengths = Vec::new();
    for sector in LOGS.map(|log| 1_u64 << log) {
        if let Some(bytes) = read(device, sector, 512)?
            && let Ok(agf) = AgfDisk::of(&bytes)
            && agf.magic.get() == AGF_MAGIC
        {
            lengths.push(agf.length.get().into());
        }
        if let Some(bytes) = read(device, 2 * sector, 512)?
            && let Ok(agi) = AgiDisk::of(&bytes)
            && agi.magic.get() == AGI_MAGIC
        {
            lengths.push(agi.length.get().into());
        }
    }
    Ok(lengths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use untorn_device::MemoryDevice;

    #[test]
    fn a_device_without_a_volume_has_no_copies() {
        for size in [0, 512, 4096, 1 << 20, 300 << 20] {
            assert_eq!(superblock_copies(&MemoryDevice::new(size)).unwrap(), None, "{size}");
        }
    }
}
