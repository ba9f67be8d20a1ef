//! The stripe of the device beneath: what it asks of groups, log and inodes.
//!
//! Groups are whole numbers of units, so that each begins with one; and, where nobody chose their
//! size, not of widths, so that not all begin on the same disk.

use super::error::{Result, demand, refuse};
use super::groups::{Division, SMALLEST};
use super::options::{Groups, Stripe};

/// Largest stripe unit of the log, in bytes.
const LARGEST_LOG_UNIT: u64 = 256 << 10;
/// What it is where the stripe unit of the data is larger.
const USUAL_LOG_UNIT: u64 = 32 << 10;

/// How many disks store the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disks {
    One,
    Many,
}

/// A stripe in blocks; zeroes for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Striped {
    /// Blocks that go to one disk.
    pub unit: u32,
    /// Blocks that go to all disks.
    pub width: u32,
}

impl Striped {
    /// The stripe that was chosen.
    pub(super) fn of(stripe: Option<Stripe>, block_log: u8) -> Result<Self> {
        let Some(Stripe { unit, width }) = stripe else { return Ok(Self::default()) };
        let whole = unit > 0 && unit.is_multiple_of(1 << block_log);
        demand(whole, "stripe unit", unit, "must be a multiple of the block size")?;
        let whole = width > 0 && width.is_multiple_of(unit);
        demand(whole, "stripe width", width, "must be a multiple of the stripe unit")?;
        match (u32::try_from(unit >> block_log), u32::try_from(width >> block_log)) {
            (Ok(unit), Ok(width)) if width <= i32::MAX as u32 => Ok(Self { unit, width }),
            _ => refuse("stripe width", width, "must be less than 2^31 blocks"),
        }
    }
    pub(super) fn disks(self) -> Disks {
        if self.width > 0 { Disks::Many } else { Disks::One }
    }
    /// Alignment in blocks of the first inodes, where `chunk` is that of all: the stripe unit's
    /// where every chunk that is aligned to it is well aligned, too. Linux and xfs_repair compute
    /// the place of the root directory in the same way.
    pub(super) fn inode_align(self, chunk: u32) -> u32 {
        let fits = chunk > 1 && self.unit > 0 && self.unit.is_multiple_of(chunk);
        if fits { self.unit } else { chunk }
    }
    /// Stripe unit of a log that nobody chose one for, in bytes.
    pub(super) fn log_unit(self, block_log: u8) -> u32 {
        let bytes = u64::from(self.unit) << block_log;
        let unit = match bytes {
            bytes if bytes > LARGEST_LOG_UNIT || !bytes.is_power_of_two() => {
                USUAL_LOG_UNIT.max(1 << block_log)
            }
            bytes => bytes,
        };
        // At most 256 KiB: cannot be cut.
        unit as u32
    }
    /// The division with its groups aligned to the stripe.
    pub(super) fn align(
        self,
        groups: Groups,
        division: Division,
        data_blocks: u64,
        block_log: u8,
    ) -> Result<Division> {
        if self.unit == 0 {
            return Ok(division);
        }
        let (unit, width) = (u64::from(self.unit), u64::from(self.width));
        let rule = "must not be larger than the volume";
        demand(unit <= data_blocks, "stripe unit", unit << block_log, rule)?;
        let blocks = u64::from(division.blocks);
        if division.count == 1 {
            // What is left over would be no whole unit.
            let blocks = blocks - blocks % unit;
            return Division::of(blocks, blocks, block_log);
        }
        let whole = blocks.is_multiple_of(unit);
        let most = ((1u64 << 40) - 1) >> block_log;
        let aligned = match (whole, blocks.next_multiple_of(unit)) {
            (true, _) => blocks,
            (false, up) if up <= most && up <= data_blocks => up,
            (false, _) => blocks - blocks % unit,
        };
        let least = SMALLEST >> block_log;
        let staggered = match groups {
            Groups::Default if unit < aligned && unit != width && aligned.is_multiple_of(width) => {
                if aligned - unit < least {
                    aligned + unit
                } else {
                    aligned - unit
                }
            }
            _ => aligned,
        };
        Division::of(staggered, data_blocks, block_log)
    }
}
