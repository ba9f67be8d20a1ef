//! Who says that a run of blocks is his: collected from every structure but the reverse mappings,
//! and compared with them in the end.
//!
//! A claim is a reverse mapping packed into 24 bytes, with two marks that reverse mappings have
//! not: whether the blocks may be shared, and whether the file says that it shares.

use std::fmt;
use untorn_format::records::{RmapOwner, RmapRec, RmapRole};
use untorn_format::units::*;
use untorn_format::{Extent, ExtentState, Fork};

/// Whether other files may have the same blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// They may not: metadata, unwritten blocks, volumes without reference counts.
    Never,
    /// They may not, since the file lacks the flag that says so; another file's claim is then
    /// a fault of the flag, not of the blocks.
    Unflagged,
    /// They may.
    Flagged,
}

/// A run of blocks of one AG that somebody claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// First block.
    pub(crate) start: u32,
    /// Length in blocks; never zero.
    pub(crate) length: u32,
    /// The owner, as [`RmapOwner::to_disk`] says it.
    owner: u64,
    /// File block below the marks.
    detail: u64,
}

const ATTR: u64 = 1 << 63;
const BMBT: u64 = 1 << 62;
const UNWRITTEN: u64 = 1 << 61;
const SHAREABLE: u64 = 1 << 60;
const FLAGGED: u64 = 1 << 59;
const MARKS: u64 = SHAREABLE | FLAGGED;
const FLAGS: u64 = ATTR | BMBT | UNWRITTEN | MARKS;

impl Claim {
    /// A claim of somebody who is no inode.
    pub(crate) fn special(start: AgBlock, length: u32, owner: RmapOwner) -> Self {
        Self { start: start.0, length, owner: owner.to_disk(), detail: 0 }
    }

    /// Blocks that the free space btrees say are free: never part of a comparison with reverse
    /// mappings.
    pub(crate) fn free(start: AgBlock, length: u32) -> Self {
        Self::special(start, length, RmapOwner::Null)
    }

    /// Whether this is free space.
    pub(crate) fn is_free(&self) -> bool {
        self.owner == RmapOwner::Null.to_disk()
    }

    /// A block of a bmbt.
    pub(crate) fn bmbt(start: AgBlock, ino: Ino, fork: Fork) -> Self {
        let detail = BMBT | if fork == Fork::Attr { ATTR } else { 0 };
        Self { start: start.0, length: 1, owner: ino.0, detail }
    }

    /// An extent of a fork, whose run in its AG is `run`.
    pub(crate) fn extent(
        run: AgExtent,
        extent: Extent,
        ino: Ino,
        fork: Fork,
        sharing: Sharing,
    ) -> Self {
        let fork = if fork == Fork::Attr { ATTR } else { 0 };
        let unwritten = if extent.state == ExtentState::Unwritten { UNWRITTEN } else { 0 };
        let marks = match sharing {
            Sharing::Never => 0,
            Sharing::Unflagged => SHAREABLE,
            Sharing::Flagged => SHAREABLE | FLAGGED,
        };
        let detail = extent.file.0 & !FLAGS | fork | unwritten | marks;
        Self { start: run.start.0, length: run.length, owner: ino.0, detail }
    }

    /// What a reverse mapping says.
    pub(crate) fn of_rmap(rec: &RmapRec) -> Self {
        let fork = if rec.fork == Fork::Attr { ATTR } else { 0 };
        let bmbt = if rec.role == RmapRole::BmbtBlock { BMBT } else { 0 };
        let unwritten = if rec.state == ExtentState::Unwritten { UNWRITTEN } else { 0 };
        let detail = rec.offset.0 & !FLAGS | fork | bmbt | unwritten;
        Self { start: rec.start.0, length: rec.length, owner: rec.owner.to_disk(), detail }
    }

    /// The block after the last.
    pub(crate) fn end(&self) -> u32 {
        self.start.saturating_add(self.length)
    }

    /// Whether other claims to the same blocks may be right.
    pub(crate) fn is_shareable(&self) -> bool {
        self.detail & SHAREABLE != 0
    }

    /// Whether the file has the flag of files that share.
    pub(crate) fn is_flagged(&self) -> bool {
        self.detail & FLAGGED != 0
    }

    /// The inode that claims, if one does.
    pub(crate) fn inode(&self) -> Option<Ino> {
        (self.owner >> 63 == 0).then_some(Ino(self.owner))
    }

    fn has_offset(&self) -> bool {
        self.inode().is_some() && self.detail & BMBT == 0
    }

    /// This claim as a reverse mapping: without the marks.
    fn bare(mut self) -> Self {
        self.detail &= !MARKS;
        self
    }

    /// What orders claims so that those which go on from each other are neighbours.
    fn key(&self) -> (u64, u64, u64, u32) {
        (self.owner, self.detail & FLAGS & !MARKS, self.detail & !FLAGS, self.start)
    }

    /// Whether `next` goes on where this ends, with the same owner and use.
    fn continues_as(&self, next: &Self) -> bool {
        let (owner, flags, offset, _) = self.key();
        let (next_owner, next_flags, next_offset, start) = next.key();
        let expected = if self.has_offset() { offset + u64::from(self.length) } else { 0 };
        self.end() == start
            && self.length.checked_add(next.length).is_some()
            && (owner, flags, expected) == (next_owner, next_flags, next_offset)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(ino) = self.inode() else { return f.write_str(special_name(self.owner)) };
        let fork = if self.detail & ATTR == 0 { "data" } else { "attribute" };
        let state = if self.detail & UNWRITTEN == 0 { "" } else { ", unwritten" };
        match self.detail & BMBT {
            0 => {
                let offset = self.detail & !FLAGS;
                write!(f, "inode {ino} ({fork} fork, file block {offset}{state})")
            }
            _ => write!(f, "inode {ino} (bmbt of its {fork} fork)"),
        }
    }
}

fn special_name(owner: u64) -> &'static str {
    match RmapOwner::from_disk(owner) {
        Some(RmapOwner::Fs) => "the AG headers",
        Some(RmapOwner::Log) => "the log",
        Some(RmapOwner::Ag) => "free space and reverse mapping btrees and the free list",
        Some(RmapOwner::Inobt) => "the inode btrees",
        Some(RmapOwner::Inodes) => "inode chunks",
        Some(RmapOwner::Refcount) => "the reference count btree",
        Some(RmapOwner::Null) => "free space",
        Some(RmapOwner::Cow) => "staged copy-on-write",
        _ => "an unknown owner",
    }
}

/// Claims to the blocks of each AG.
pub(crate) struct Claims {
    groups: Vec<Vec<Claim>>,
}

impl Claims {
    pub(crate) fn new(groups: u32) -> Self {
        Self { groups: vec![Vec::new(); groups as usize] }
    }

    /// Adds a claim to blocks of `ag`; one that goes on from the claim before is joined to it.
    pub(crate) fn add(&mut self, ag: AgNumber, claim: Claim) {
        let Some(group) = self.groups.get_mut(ag.0 as usize) else { return };
        match group.last_mut() {
            Some(last)
                if last.continues_as(&claim) && last.detail & MARKS == claim.detail & MARKS =>
            {
                last.length += claim.length;
            }
            _ => group.push(claim),
        }
    }

    /// Takes the claims of `ag`.
    pub(crate) fn take(&mut self, ag: AgNumber) -> Vec<Claim> {
        self.groups.get_mut(ag.0 as usize).map(std::mem::take).unwrap_or_default()
    }
}

/// The same claims by owner and offset, each as long as can be: two lists that say the same are
/// equal, however their runs were cut.
pub(crate) fn canonical(claims: impl Iterator<Item = Claim>) -> Vec<Claim> {
    let mut claims: Vec<Claim> = claims.map(Claim::bare).collect();
    claims.sort_unstable_by_key(Claim::key);
    claims.dedup_by(|next, claim| {
        let joins = claim.continues_as(next);
        if joins {
            claim.length += next.length;
        }
        joins
    });
    claims
}

/// The order of two claims of canonical lists; equal claims say the same.
pub(crate) fn order(a: &Claim, b: &Claim) -> std::cmp::Ordering {
    (a.key(), a.length).cmp(&(b.key(), b.length))
}
