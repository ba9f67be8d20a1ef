//! What the journal carries besides regions of buffers: snapshots of things that live in buffers
//! shared with others (inodes), recipes (a new inode chunk), and answers to intents.

use crate::cache::BlockRef;
use std::borrow::Cow;
use untorn_format::Lsn;

/// Identity of an item: a later snapshot with the same key replaces an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// Which sort of item; chosen by the layer above.
    pub class: u8,
    /// Which one of its sort.
    pub id: u64,
}

/// One log item as regions: the first is its format structure, the rest what it describes.
pub type Logged<'a> = Vec<Cow<'a, [u8]>>;

/// An immutable snapshot of something that a transaction changed.
///
/// Each snapshot holds everything that the journal needs to know about its subject, so that the
/// newest one alone can stand for all that are not written home yet.
pub trait Item: Send + Sync {
    /// What this is a snapshot of.
    fn key(&self) -> ItemKey;
    /// Appends the log items that describe the snapshot.
    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>);
    /// The buffers that it lives in; empty for items that have no home (answers to intents).
    fn homes(&self) -> &[BlockRef];
    /// Writes the snapshot into `bytes`, the content of `home`, sealed with `lsn`.
    fn apply(&self, home: &BlockRef, bytes: &mut [u8], lsn: Lsn);
}

/// Journal bytes that one log item takes, headers included; framing into records comes on top.
pub(crate) fn cost(item: &Logged<'_>) -> u64 {
    item.iter().map(|region| region.len() as u64 + OP_COST).sum()
}

/// What an item's snapshot costs in the journal.
pub(crate) fn item_cost(item: &dyn Item) -> u64 {
    let mut out = Vec::new();
    item.log(&mut out);
    out.iter().map(cost).sum()
}

/// Bytes of an op header, and of the padding that a region may need.
pub const OP_COST: u64 = 12 + 3;
