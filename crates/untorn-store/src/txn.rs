//! Transactions: private staged copies, published together or not at all.
//!
//! A transaction holds a reservation of journal space. It reads through its own staged images,
//! edits them, and `commit` publishes all of them and adds their changed chunks to the open
//! checkpoint in one step. Dropping it publishes nothing.
//!
//! The caller holds the locks of the owners of everything it stages, from the first read that it
//! bases an edit on until after the commit.

use crate::address::{AddrMap, NumberHash};
use crate::cache::{BlockRef, Image};
use crate::chunks::Chunks;
use crate::error::{Result, StoreError};
use crate::item::{Item, item_cost};
use crate::store::{Reservation, Sequence, Store};
use std::cell::Cell;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use untorn_format::{Fault, Place};

/// Buffers that most transactions do not need more of.
const BUFFERS: usize = 14;

thread_local! {
    /// The empty table of the last transaction, for the next one.
    static SPARE: Cell<Option<AddrMap<Staged>>> = const { Cell::new(None) };
}

/// What a commit runs once the journal holds it durably.
pub type OnDurable = Box<dyn FnOnce() + Send>;

pub(crate) enum Change {
    /// The buffer is (also) this now.
    Image { block: BlockRef, image: Image, chunks: Chunks },
    /// The buffer's block was freed.
    Cancel { block: BlockRef },
    /// The buffer is this now; a logged item describes it.
    Unlogged { block: BlockRef, image: Image },
}

impl Change {
    /// Journal bytes that it takes at most.
    pub(crate) fn cost(&self) -> u64 {
        match self {
            Self::Image { block, chunks, .. } => chunks.cost(block.length as usize),
            Self::Cancel { block } => Chunks::default().cost(block.length as usize),
            Self::Unlogged { .. } => 0,
        }
    }
}

/// All that a transaction publishes.
pub(crate) struct Commit {
    pub changes: Vec<Change>,
    pub items: Vec<(Arc<dyn Item>, u64)>,
    pub on_durable: Vec<OnDurable>,
    pub put_off: PutOff,
}

struct Staged {
    block: BlockRef,
    /// What it was when staged; nothing for a buffer that the transaction created.
    base: Option<Image>,
    /// What it will be; nothing once freed.
    image: Option<Image>,
}

/// A set of changes that is not visible to anybody yet.
pub struct Transaction<'s> {
    store: &'s Store,
    reservation: Reservation<'s>,
    staged: AddrMap<Staged>,
    unlogged: Vec<Change>,
    /// Snapshots and what they cost.
    items: Vec<(Arc<dyn Item>, u64)>,
    on_durable: Vec<OnDurable>,
    put_off: PutOff,
}

/// How a transaction changes what is put off until the open checkpoint closes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PutOff {
    /// Journal bytes that it may take, at most, once it is done.
    pub promise: u64,
    /// Journal bytes that it is likely to take.
    pub expected: u64,
    /// Bytes of earlier promises that the transaction keeps.
    pub kept: u64,
}

impl std::ops::Add for PutOff {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            promise: self.promise + other.promise,
            expected: self.expected + other.expected,
            kept: self.kept + other.kept,
        }
    }
}

/// A transaction that was committed. The store is not closed while this lives.
pub struct Committed<'s> {
    /// The checkpoint that makes it durable.
    pub sequence: Sequence,
    _open: Reservation<'s>,
}

impl<'s> Transaction<'s> {
    pub(crate) fn new(store: &'s Store, reservation: Reservation<'s>) -> Self {
        // A thread that ends may have none any more.
        let spare = SPARE.try_with(Cell::take).ok().flatten();
        let staged = spare
            .unwrap_or_else(|| AddrMap::with_capacity_and_hasher(BUFFERS, NumberHash::default()));
        let (unlogged, items, on_durable, put_off) = Default::default();
        Self { store, reservation, staged, unlogged, items, on_durable, put_off }
    }

    /// The buffer as this transaction sees it.
    pub fn read(&self, block: &BlockRef) -> Result<Image> {
        match self.staged.get(&block.addr) {
            Some(Staged { image: Some(image), .. }) => Ok(Arc::clone(image)),
            Some(_) => Err(freed(block)),
            None => self.store.cache().read(block),
        }
    }

    /// A private copy of the buffer, to edit.
    pub fn stage(&mut self, block: &BlockRef) -> Result<&mut [u8]> {
        let staged = match self.staged.entry(block.addr) {
            Entry::Occupied(staged) => staged.into_mut(),
            Entry::Vacant(place) => {
                let base = self.store.cache().read(block)?;
                let image = Some(Arc::clone(&base));
                place.insert(Staged { block: *block, image, base: Some(base) })
            }
        };
        Ok(Arc::make_mut(staged.image.as_mut().ok_or_else(|| freed(block))?))
    }

    /// A new buffer of zeroes in a block that was just allocated: not read, journaled whole.
    pub fn create(&mut self, block: &BlockRef) -> &mut [u8] {
        let zeroes: Image = vec![0; block.length as usize].into();
        let staged = Staged { block: *block, base: None, image: None };
        let entry = self.staged.entry(block.addr).or_insert(staged);
        *entry = Staged { block: *block, base: None, image: Some(zeroes) };
        Arc::make_mut(entry.image.get_or_insert_with(|| Arc::from([])))
    }

    /// A new buffer whose content a logged item describes (an inode chunk). The item's homes must
    /// include it.
    pub fn create_unlogged(&mut self, block: &BlockRef, image: Image) {
        assert_eq!(image.len(), block.length as usize, "an image is as long as its buffer");
        self.unlogged.push(Change::Unlogged { block: *block, image });
    }

    /// Says that the block of a metadata buffer was freed: replay must never write an older image
    /// of it over what comes to live there.
    pub fn cancel(&mut self, block: &BlockRef) {
        let staged = Staged { block: *block, base: None, image: None };
        self.staged.insert(block.addr, staged);
    }

    /// Adds a snapshot that the commit journals.
    pub fn log(&mut self, item: Arc<dyn Item>) {
        let cost = item_cost(&*item);
        self.items.push((item, cost));
    }

    /// Adds a snapshot that takes at most `cost` bytes of journal, headers of its regions included
    /// ([`crate::OP_COST`] each): what it takes exactly is not worked out.
    pub fn log_at_most(&mut self, item: Arc<dyn Item>, cost: u64) {
        debug_assert!(item_cost(&*item) <= cost, "{} of {cost} bytes", item_cost(&*item));
        self.items.push((item, cost));
    }

    /// Runs `action` once this transaction is durable, after its commit.
    pub fn on_durable(&mut self, action: OnDurable) {
        self.on_durable.push(action);
    }

    /// Says what else is put off with this transaction until the checkpoint that it goes into
    /// closes (see [`crate::Closing`]), and what of that it does itself.
    pub fn put_off(&mut self, change: PutOff) {
        self.put_off = change;
    }

    /// Whether nothing was staged or logged.
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty() && self.items.is_empty()
    }

    /// Journal bytes that committing this would take.
    pub fn cost(&self) -> u64 {
        let items: u64 = self.items.iter().map(|(_, cost)| cost).sum();
        let unlogged: u64 = self.unlogged.iter().map(Change::cost).sum();
        self.staged.values().map(Staged::cost).sum::<u64>() + unlogged + items
    }

    /// Publishes everything in one step. The result names the checkpoint to force for durability;
    /// whoever publishes more elsewhere keeps it until that is done.
    ///
    /// Fails, publishing nothing, when the transaction outgrew its reservation and the journal has
    /// no more room at once (`StoreError::Outgrown`: begin again with what it names), or when the
    /// store was stopped.
    pub fn commit(self) -> Result<Committed<'s>> {
        let Self { store, mut reservation, mut staged, unlogged, items, on_durable, put_off } =
            self;
        let mut changes = unlogged;
        changes.extend(staged.drain().filter_map(|(_, staged)| staged.change()));
        if staged.capacity() <= 2 * BUFFERS {
            let _ = SPARE.try_with(|spare| spare.set(Some(staged)));
        }
        let commit = Commit { changes, items, on_durable, put_off };
        let sequence = store.publish(commit, &mut reservation)?;
        Ok(Committed { sequence, _open: reservation })
    }
}

impl Staged {
    fn cost(&self) -> u64 {
        let (block, base, image) = (self.block, self.base.clone(), self.image.clone());
        Self { block, base, image }.change().map_or(0, |change| change.cost())
    }

    fn change(self) -> Option<Change> {
        let Self { block, base, image } = self;
        let Some(image) = image else {
            return Some(Change::Cancel { block });
        };
        let chunks = match base {
            Some(base) => Chunks::between(&base, &image),
            None => Chunks::all(image.len()),
        };
        (!chunks.is_empty()).then_some(Change::Image { block, image, chunks })
    }
}

/// The block is in use and free at once: two structures claim it.
fn freed(block: &BlockRef) -> StoreError {
    let what = block.kind.name();
    let fault = Fault::Field { what, field: "block freed while in use", value: block.addr.0 };
    fault.at(Place::at(block.addr)).into()
}
