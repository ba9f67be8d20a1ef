//! The second pass: what each item does.
//!
//! Items of a transaction are applied in the order of Linux: buffers, then everything else, then
//! buffers that carry only unlinked pointers (an inode must be flushed as free before it leaves its
//! chain), then cancel items (which end the cancelling of what other items need).
//!
//! Never here: the order of transactions, where blocks are kept.

mod buffer;
mod create;
mod inode;
mod owner;
mod pieces;
mod quota;

use super::cancelled::Cancelled;
use super::error::RecoverError;
use super::held::{HeldBlocks, Leaving};
use super::intents::Intents;
use super::transaction::Transaction;
use pieces::Pieces;
use std::collections::BTreeSet;
use std::sync::Arc;
use untorn_device::BlockDevice;
use untorn_format::log::{BufferUse, Item, QuotaKind};
use untorn_format::{DiskAddr, Lsn, Superblock};

use crate::journal::LogArea;

/// Items that are looked at together, so that their blocks are read in one batch.
const TOGETHER: usize = 256;

/// What the first pass found out.
#[derive(Debug, Default)]
pub(crate) struct FirstPass {
    /// Blocks that were freed.
    pub(crate) cancelled: Cancelled,
    /// Quotas that were switched off.
    pub(crate) quota_off: BTreeSet<QuotaKind>,
}

impl FirstPass {
    /// Looks at a transaction. Items that are not known are refused here, before anything changes.
    pub(crate) fn look(
        &mut self,
        transaction: &Transaction,
        area: &LogArea,
    ) -> Result<(), RecoverError> {
        for regions in transaction.items() {
            match decode(&regions, transaction, area)? {
                Item::Buffer(buffer) if buffer.format.usage == BufferUse::Cancel => {
                    self.cancelled.count(buffer.format.addr, buffer.format.blocks.into());
                }
                Item::QuotaOff(off) => self.quota_off.extend(off.kinds),
                _ => {}
            }
        }
        Ok(())
    }
}

fn decode<'t>(
    regions: &[&'t [u8]],
    transaction: &Transaction,
    area: &LogArea,
) -> Result<Item<'t>, RecoverError> {
    let block = transaction.lsn.block();
    Item::decode(regions).map_err(|error| RecoverError::item(error, area, block))
}

/// The second pass.
pub(crate) struct Replay {
    /// The volume as the log has made it so far: growing it changes where its last group ends.
    pub(crate) sb: Arc<Superblock>,
    area: LogArea,
    blocks: HeldBlocks,
    first: FirstPass,
    pieces: Pieces,
    pub(crate) intents: Intents,
    pub(crate) transactions: u64,
    pub(crate) items: u64,
}

/// When an item is applied relative to the others of its transaction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    Buffers,
    Others,
    UnlinkedPointers,
    Cancels,
}

fn turn(item: &Item<'_>) -> Turn {
    match item {
        Item::Buffer(buffer) => match buffer.format.usage {
            BufferUse::Regular | BufferUse::Quota(_) => Turn::Buffers,
            BufferUse::UnlinkedPointers => Turn::UnlinkedPointers,
            BufferUse::Cancel => Turn::Cancels,
        },
        // Inodes of the same transaction live in the chunk that it creates.
        Item::InodeCreate(_) => Turn::Buffers,
        _ => Turn::Others,
    }
}

impl Replay {
    pub(crate) fn new(
        device: Arc<dyn BlockDevice>,
        sb: &Superblock,
        area: LogArea,
        first: FirstPass,
    ) -> Self {
        let sb = Arc::new(sb.clone());
        Self {
            sb: Arc::clone(&sb),
            area,
            blocks: HeldBlocks::new(device, sb),
            first,
            pieces: Pieces::default(),
            intents: Intents::default(),
            transactions: 0,
            items: 0,
        }
    }
    /// Replays a transaction.
    pub(crate) fn transaction(&mut self, transaction: &Transaction) -> Result<(), RecoverError> {
        let area = self.area;
        let mut items = transaction
            .items()
            .map(|regions| decode(&regions, transaction, &area))
            .collect::<Result<Vec<_>, _>>()?;
        items.sort_by_key(turn);
        self.pieces.look(&items, &self.sb);
        for together in items.chunks(TOGETHER) {
            let wanted = together.iter().filter_map(|item| self.wanted(item)).collect();
            self.blocks.prefetch(wanted)?;
            for item in together {
                self.item(item, transaction.lsn)?;
            }
            if self.blocks.is_full() {
                self.blocks.write_home(Leaving::Early)?;
            }
        }
        self.transactions += 1;
        self.items += transaction.len() as u64;
        Ok(())
    }
    /// The block that an item will read.
    fn wanted(&self, item: &Item<'_>) -> Option<(DiskAddr, u32)> {
        let (addr, blocks) = match item {
            Item::Buffer(buffer) => (buffer.format.addr, buffer.format.blocks.into()),
            Item::Inode(inode) => (inode.cluster, inode.cluster_blocks),
            _ => return None,
        };
        (!self.first.cancelled.contains(addr, blocks)).then_some((addr, blocks))
    }
    fn item(&mut self, item: &Item<'_>, lsn: Lsn) -> Result<(), RecoverError> {
        match item {
            Item::Buffer(item) => self.buffer(item, lsn),
            Item::Inode(item) => self.inode(item, lsn),
            Item::Quota(item) => self.quota(item, lsn),
            Item::InodeCreate(item) => self.create(item, lsn),
            Item::QuotaOff(_) => Ok(()),
            Item::Intent(intent) => {
                self.intents.begin(lsn, intent);
                Ok(())
            }
            Item::Done(done) => {
                self.intents.finish(*done);
                Ok(())
            }
        }
    }
    /// Writes home what is still held. Volatile until flushed.
    pub(crate) fn write_home(&mut self) -> Result<u64, RecoverError> {
        self.join_pieces()?;
        self.blocks.write_home(Leaving::Done)
    }
}
