//! The Linux-compatible door: `pwritev2` with `RWF_ATOMIC`, as Linux 6.18 XFS answers it.
//!
//! Same rules in the same order, checked before anything is touched. Two answers differ on purpose:
//! a write that a size limit would shorten is refused (Linux may write a part of it), and an
//! append is checked at the place it really gets.
//!
//! Facts, as behaviour: `generic_atomic_write_valid`, the write entry of XFS,
//! `generic_write_checks`.

use super::atomic::{append_atomic_at, write_atomic};
use super::commit::JOURNAL_PER_BLOCK;
use super::{Sync, demand_regular, largest_file};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use std::sync::Arc;

/// Where a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// To this byte.
    At(u64),
    /// Behind the end of the file (`O_APPEND`, `RWF_APPEND`), wherever that is.
    Append,
}

/// Whether a file was opened with `O_DIRECT`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    /// It was.
    #[default]
    Direct,
    /// It was not.
    Cached,
}

/// Whether a write may wait (`RWF_NOWAIT`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// It may.
    #[default]
    Allowed,
    /// It may not wait for others, for writeback, or for metadata: what would is refused. Memory
    /// and the device's way with the bytes themselves are no waiting.
    Refused,
}

/// What comes with an `RWF_ATOMIC` write besides bytes and place.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxWrite {
    /// How the file was opened.
    pub caching: Caching,
    /// `RWF_NOWAIT`.
    pub wait: Wait,
    /// `O_DSYNC`, `RWF_DSYNC`.
    pub sync: Sync,
    /// `RLIMIT_FSIZE` in bytes, where there is one.
    pub size_limit: Option<u64>,
}

/// Why an `RWF_ATOMIC` write was refused. Nothing was touched. Each names the error number that
/// Linux answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AtomicRefusal {
    /// EINVAL.
    #[error("shorter than the smallest atomic write of this file")]
    TooShort,
    /// EINVAL.
    #[error("longer than the largest atomic write of this file; use write_atomic")]
    TooLong,
    /// EINVAL.
    #[error("more than one buffer; use a batch")]
    Buffers,
    /// EINVAL.
    #[error("the length is no power of two; use write_atomic")]
    Length,
    /// EINVAL.
    #[error("the offset is no multiple of the length; use write_atomic")]
    Alignment,
    /// EOPNOTSUPP.
    #[error("the file was not opened for direct I/O")]
    NotDirect,
    /// EAGAIN.
    #[error("the write would have to wait")]
    WouldWait,
    /// EFBIG.
    #[error("the write begins at or behind the largest size that the file may have")]
    BehindLimit,
    /// EINVAL: a part of an atomic write is never written.
    #[error("the largest size that the file may have would shorten the write")]
    Shortened,
}

/// What an `RWF_ATOMIC` write may be, as `statx` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtomicWriteLimits {
    /// Smallest length in bytes: one block.
    pub unit_min: u64,
    /// Largest length in bytes, a power of two: what one transaction carries if every block lies
    /// alone.
    pub unit_max: u64,
    /// Largest length that a device does by itself: 0, no hardware is relied on.
    pub unit_max_opt: u64,
    /// Buffers in one write.
    pub segments_max: u32,
}

/// Largest request of Linux: `MAX_RW_COUNT`, in whole pages below 2 GiB.
const MAX_RW_COUNT: u64 = (1 << 31) - 4096;

fn power_below(value: u64) -> u64 {
    value.checked_ilog2().map_or(0, |log| 1 << log)
}

impl Core {
    /// What an `RWF_ATOMIC` write may be.
    pub fn atomic_write_limits(&self) -> AtomicWriteLimits {
        let block = self.geometry.block_size() as u64;
        let journal = self.largest_transaction.saturating_sub(64 * 1024);
        let blocks = power_below(journal / JOURNAL_PER_BLOCK)
            .min(power_below(self.limits.most_usable().into()))
            .min(power_below(MAX_RW_COUNT / block))
            .max(1);
        let (unit_max_opt, segments_max) = (0, 1);
        AtomicWriteLimits { unit_min: block, unit_max: blocks * block, unit_max_opt, segments_max }
    }
}

fn refuse<T>(refusal: AtomicRefusal) -> Result<T> {
    Err(Error::AtomicRefused(refusal))
}

/// Does an `RWF_ATOMIC` write; its length.
pub(crate) fn write_linux(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    position: Position,
    buffers: &[&[u8]],
    how: &LinuxWrite,
) -> Result<usize> {
    demand_regular(inode)?;
    let length: u64 = buffers.iter().map(|buffer| buffer.len() as u64).sum();
    if length == 0 {
        return Ok(0);
    }
    let limits = core.atomic_write_limits();
    if length < limits.unit_min {
        return refuse(AtomicRefusal::TooShort);
    }
    if length > limits.unit_max {
        return refuse(AtomicRefusal::TooLong);
    }
    let &[bytes] = buffers else { return refuse(AtomicRefusal::Buffers) };
    if !length.is_power_of_two() {
        return refuse(AtomicRefusal::Length);
    }
    if let Position::At(offset) = position
        && !offset.is_multiple_of(length)
    {
        return refuse(AtomicRefusal::Alignment);
    }
    if how.caching == Caching::Cached {
        return refuse(AtomicRefusal::NotDirect);
    }
    let largest = largest_file(core).min(how.size_limit.unwrap_or(u64::MAX));
    if how.wait == Wait::Refused {
        let place = match position {
            Position::At(offset) => offset,
            Position::Append => inode.size()?,
        };
        // What is refused anyway is not to be tried again.
        return refuse(match place < largest {
            true => AtomicRefusal::WouldWait,
            false => AtomicRefusal::BehindLimit,
        });
    }
    let demand_place = |offset: u64| match offset {
        offset if offset >= largest => refuse(AtomicRefusal::BehindLimit),
        offset if length > largest - offset => refuse(AtomicRefusal::Shortened),
        offset if !offset.is_multiple_of(length) => refuse(AtomicRefusal::Alignment),
        _ => Ok(()),
    };
    match position {
        Position::At(offset) => {
            demand_place(offset)?;
            write_atomic(core, inode, offset, bytes, how.sync)?;
        }
        Position::Append => {
            append_atomic_at(core, inode, bytes, how.sync, demand_place)?;
        }
    }
    Ok(bytes.len())
}
