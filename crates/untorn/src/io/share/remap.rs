//! Making blocks of one file those of another as well: transactions of bounded size, from left to
//! right.
//!
//! A step takes what is mapped alike in both files from some block on: the other file's blocks gain
//! a user, those that they replace lose one. Holes and blocks that read as zeroes become holes. A
//! transaction makes as many steps as the journal can carry; where it turns out that it cannot, it
//! is dropped and fewer are tried, down to one step of one block.

use super::rules::Blocks;
use crate::ag::{Reserve, Users, lend, prepare_all, release};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::{Inode, core_of};
use crate::map::{self, Mapping, MappingState};
use crate::tx::Tx;
use std::sync::Arc;
use untorn_format::btree::BtreeKind;
use untorn_format::inode::{InodeCore, InodeFlags2};
use untorn_format::records::{Extent, ExtentState, Fork};
use untorn_format::{FileBlock, Ino};

/// Journal bytes that a transaction is expected to take, to begin with.
pub(super) const EXPECTED: u64 = 64 * 1024;
/// Journal bytes that a step takes at least, on average.
const STEP: u64 = 256;
/// Most steps of a transaction: what it stages stays in memory until its commit.
const MOST_STEPS: u64 = 1 << 20;

/// Blocks that `dest` shall share with `source`.
pub(super) struct Job<'a> {
    pub source: &'a Arc<Inode>,
    pub dest: &'a Arc<Inode>,
    pub blocks: Blocks,
    pub after: After,
}

/// What else changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Nothing: the bytes are those that were.
    Nothing,
    /// Times; with the last step the size, to `end` bytes at least, and the hint for copy-on-write,
    /// if there is one.
    Contents { end: u64, hint: Option<u32> },
}

/// How much one transaction tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    steps: u64,
    blocks: u64,
}

impl Pace {
    /// As much as the journal may carry.
    pub fn new(core: &Core) -> Self {
        let steps = (core.largest_transaction / STEP).clamp(1, MOST_STEPS);
        Self { steps, blocks: u64::MAX }
    }

    /// All in one transaction or not at all.
    pub fn whole() -> Self {
        Self { steps: u64::MAX, blocks: u64::MAX }
    }

    /// Less than what was tried and needed `need` of `limit` bytes; `None` below one block.
    fn slower(self, tried: Tried, need: u64, limit: u64) -> Option<Self> {
        if tried.steps > 1 {
            let share = u128::from(tried.steps) * u128::from(limit) * 7 / 8;
            let steps = share / u128::from(need.max(1));
            let steps = u64::try_from(steps).unwrap_or(u64::MAX).clamp(1, tried.steps - 1);
            return Some(Self { steps, ..self });
        }
        (tried.blocks > 1).then_some(Self { blocks: tried.blocks / 2, ..self })
    }

    fn faster(self) -> Self {
        let steps = self.steps.saturating_mul(2).min(MOST_STEPS);
        Self { steps, blocks: self.blocks.saturating_mul(2) }
    }
}

/// How far a transaction came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Tried {
    steps: u64,
    blocks: u64,
}

/// Shares the blocks of `job` from block `done` on: how many, by one transaction.
pub(super) fn share_some(
    core: &Arc<Core>,
    job: &Job<'_>,
    done: u64,
    pace: &mut Pace,
) -> Result<u64> {
    let inodes = [Arc::clone(job.source), Arc::clone(job.dest)];
    let _room = room_for_maps(core, &inodes)?;
    loop {
        let mut tried = Tried::default();
        let outcome = core.transact(EXPECTED, &inodes, |tx| {
            tried = Tried::default();
            share_in(tx, job, done, *pace, &mut tried)
        });
        match outcome {
            Ok(_) => {
                *pace = pace.faster();
                return Ok(tried.blocks);
            }
            Err(Error::TooLarge { need, limit }) => {
                let slower = pace.slower(tried, need, limit);
                *pace = slower.ok_or(Error::TooLarge { need, limit })?;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Reserves what the maps of files may grow by when each gets the extents of all: blocks that are
/// promised to cached writes stay theirs.
pub(super) fn room_for_maps(core: &Arc<Core>, inodes: &[Arc<Inode>]) -> Result<Reserve> {
    let mut extents = 0;
    for inode in inodes {
        extents += inode.core()?.extents;
    }
    let growth = core.limits.blocks_for(BtreeKind::Bmbt, extents + 2);
    let levels = u64::from(core.limits.bmbt_levels(Fork::Data));
    core.reserve(growth + inodes.len() as u64 * levels)
}

/// Shares all of `job`.
pub(super) fn share_all(core: &Arc<Core>, job: &Job<'_>) -> Result<()> {
    let mut pace = Pace::new(core);
    let mut done = 0;
    while done < job.blocks.blocks {
        done += share_some(core, job, done, &mut pace)?;
    }
    Ok(())
}

/// Shares all of `job` as a part of a transaction that has locked both files.
pub(super) fn share_whole(tx: &mut Tx<'_>, job: &Job<'_>) -> Result<()> {
    share_in(tx, job, 0, Pace::whole(), &mut Tried::default())
}

fn share_in(
    tx: &mut Tx<'_>,
    job: &Job<'_>,
    done: u64,
    pace: Pace,
    tried: &mut Tried,
) -> Result<()> {
    let before = core_of(job.dest.ino, tx.inode_bytes(job.dest.ino))?;
    let users = if before.is_reflink() { Users::Several } else { Users::One };
    mark_shared(tx, job.source.ino)?;
    mark_shared(tx, job.dest.ino)?;
    let left = job.blocks.blocks - done;
    while tried.blocks < left.min(pace.blocks) && tried.steps < pace.steps {
        let most = left.min(pace.blocks) - tried.blocks;
        tried.blocks += step(tx, job, done + tried.blocks, most, users)?;
        tried.steps += 1;
    }
    let whole = tried.blocks == left;
    if let After::Contents { end, hint } = job.after {
        touch(tx, job.dest.ino, if whole { end } else { 0 })?;
        if let Some(hint) = hint.filter(|_| whole) {
            edit(tx, job.dest.ino, |core| {
                core.flags2 = core.flags2.with(InodeFlags2::COWEXTSIZE);
                core.cow_extent_size = hint;
            })?;
        }
    }
    Ok(())
}

/// Times after a change of contents, and a size of `end` bytes at least.
pub(super) fn touch(tx: &mut Tx<'_>, ino: Ino, end: u64) -> Result<()> {
    let now = tx.core.clock.now();
    edit(tx, ino, |core| {
        core.size = core.size.max(end);
        (core.mtime, core.ctime) = (now, now);
        core.count_change();
    })
}

/// Changes the core of a locked inode.
pub(super) fn edit(tx: &mut Tx<'_>, ino: Ino, change: impl FnOnce(&mut InodeCore)) -> Result<()> {
    let mut core = core_of(ino, tx.inode_bytes(ino))?;
    change(&mut core);
    core.encode(tx.inode_mut(ino));
    Ok(())
}

/// From now on blocks of the file may have other users.
pub(super) fn mark_shared(tx: &mut Tx<'_>, ino: Ino) -> Result<()> {
    if core_of(ino, tx.inode_bytes(ino))?.is_reflink() {
        return Ok(());
    }
    edit(tx, ino, |core| core.flags2 = core.flags2.with(InodeFlags2::REFLINK))
}

/// Deals with what lies alike in both files from block `at` of the job on: how many blocks, `most`
/// at most.
fn step(tx: &mut Tx<'_>, job: &Job<'_>, at: u64, most: u64, users: Users) -> Result<u64> {
    let (from, to) = (FileBlock(job.blocks.from.0 + at), FileBlock(job.blocks.to.0 + at));
    let limit = FileBlock(from.0 + most);
    let source = map::mapping_at(tx, job.source.ino, Fork::Data, from, limit)?;
    let limit = FileBlock(to.0 + source.length);
    let dest = map::mapping_at(tx, job.dest.ino, Fork::Data, to, limit)?;
    let source = Mapping { length: dest.length, ..source };
    if source.state != dest.state {
        replace(tx, job.dest, &source, &dest, users)?;
    }
    Ok(dest.length)
}

/// Puts the blocks of `source` in the place of those of `dest`, a mapping of the same length.
fn replace(
    tx: &mut Tx<'_>,
    inode: &Inode,
    source: &Mapping,
    dest: &Mapping,
    users: Users,
) -> Result<()> {
    let core = Arc::clone(tx.core);
    let run = |start, length: u64| core.ag_extent(start, length as u32);
    let new = match source.state {
        MappingState::Written(start) => Some((start, run(start, source.length)?)),
        MappingState::Hole | MappingState::Unwritten(_) => None,
    };
    let old = match dest.state {
        MappingState::Written(start) | MappingState::Unwritten(start) => {
            Some(run(start, dest.length)?)
        }
        MappingState::Hole => None,
    };
    prepare_all(tx, new.iter().map(|(_, run)| *run).chain(old))?;
    if let Some((_, run)) = new {
        lend(tx, run)?;
    }
    if let Some(run) = old {
        map::unmap(tx, inode.ino, Fork::Data, dest.first..dest.end())?;
        release(tx, run, users)?;
    }
    if let Some((start, run)) = new {
        let (file, state) = (dest.first, ExtentState::Written);
        let extent = Extent { file, start, length: run.length, state };
        map::map(tx, inode.ino, Fork::Data, extent)?;
    }
    Ok(())
}
