//! How many allocation groups a volume has and how large they are.

use super::error::{Result, demand, refuse};
use super::options::Groups;
use super::stripe::Disks;

/// Fewest bytes of a group.
pub(crate) const SMALLEST: u64 = 16 << 20;
/// More bytes than any group has: the largest is a block smaller.
const LARGEST: u64 = 1 << 40;
/// Highest number of groups: the numbers are 32 bits wide and all ones means none.
const MOST: u64 = u32::MAX as u64 - 1;

/// Number and size of the groups of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Division {
    /// Blocks of every group but the last.
    pub blocks: u32,
    /// Groups.
    pub count: u32,
    /// Blocks of all groups: less than was asked for where the last would be too small.
    pub data_blocks: u64,
}

impl Division {
    /// Groups of `blocks` blocks as long as `data_blocks` last. A last group below the smallest is
    /// left out.
    pub(super) fn of(blocks: u64, data_blocks: u64, block_log: u8) -> Result<Self> {
        let most = (LARGEST - 1) >> block_log;
        let bytes = blocks.saturating_mul(1 << block_log);
        demand(blocks << block_log >= SMALLEST, "group size", bytes, "must be at least 16 MiB")?;
        demand(blocks <= most, "group size", bytes, "must be less than 1 TiB")?;
        let fits = "must not be larger than the volume";
        demand(blocks <= data_blocks, "group size", bytes, fits)?;
        let short = data_blocks % blocks;
        let kept = if short << block_log < SMALLEST { data_blocks - short } else { data_blocks };
        let count = kept.div_ceil(blocks);
        let division = u32::try_from(blocks).ok().zip(u32::try_from(count).ok());
        match division {
            Some((blocks, number)) if count <= MOST => {
                Ok(Self { blocks, count: number, data_blocks: kept })
            }
            _ => refuse("group size", bytes, "makes more than 2^32 groups"),
        }
    }
}

/// The divisions of a volume of `data_blocks` blocks that are to be tried, best first: one where
/// the caller chose, otherwise that of mkfs.xfs and then ever fewer groups.
pub(super) fn divisions(
    groups: Groups,
    data_blocks: u64,
    block_log: u8,
    disks: Disks,
) -> Result<Vec<Division>> {
    match groups {
        Groups::Count(count) => {
            demand(count > 0, "group count", count, "must be at least 1")?;
            let blocks = data_blocks.div_ceil(count.into());
            let small = "makes groups of less than 16 MiB";
            demand(blocks << block_log >= SMALLEST, "group count", count, small)?;
            Ok(vec![Division::of(blocks, data_blocks, block_log)?])
        }
        Groups::Size(bytes) => {
            let whole = bytes.is_multiple_of(1 << block_log);
            demand(whole, "group size", bytes, "must be a multiple of the block size")?;
            Ok(vec![Division::of(bytes >> block_log, data_blocks, block_log)?])
        }
        Groups::Default => {
            let bytes = data_blocks << block_log;
            let shift = match disks {
                Disks::One => default_shift(bytes),
                Disks::Many => many_shift(bytes),
            };
            let shifts = (0..=shift).rev();
            let most = (LARGEST - 1) >> block_log;
            let sizes = shifts.map(|shift| data_blocks.div_ceil(1 << shift).min(most));
            sizes.map(|blocks| Division::of(blocks, data_blocks, block_log)).collect()
        }
    }
}

/// log2 of the number of groups that mkfs.xfs makes of `bytes` on a single disk, where the size of
/// a group does not bound it.
fn default_shift(bytes: u64) -> u32 {
    const MIB: u64 = 1 << 20;
    const TIB: u64 = 1 << 40;
    match bytes {
        size if size < 32 * MIB => 0,
        size if size < 64 * MIB => 1,
        size if size < 4 * TIB => 2,
        // As large as they can be.
        _ => 0,
    }
}

/// The same for a stripe of many disks.
fn many_shift(bytes: u64) -> u32 {
    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;
    match bytes {
        size if size < 32 * MIB => 0,
        size if size < 64 * MIB => 1,
        size if size < 128 * MIB => 2,
        size if size <= 8 * GIB => 3,
        size if size <= 512 * GIB => 4,
        size if size < 32 << 40 => 5,
        // As large as they can be.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn default(bytes: u64) -> (u32, u64) {
        let all = divisions(Groups::Default, bytes >> 12, 12, Disks::One).unwrap();
        (all[0].count, u64::from(all[0].blocks))
    }

    #[test]
    fn four_groups_are_made_below_4_tib_and_the_largest_possible_above() {
        assert_eq!(default(1 << 30), (4, 65536));
        assert_eq!(default((4 << 40) - 4096), (4, (1 << 28) - 1));
        assert_eq!(default(10 << 40), (10, (1 << 28) - 1));
    }
}
