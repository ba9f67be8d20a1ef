//! Inodes in memory: one handle each, the published image, the owner lock, the CoW fork.
//!
//! An inode's state is the bytes that it has on disk (`inode size` of them): core and both forks.
//! There is no other copy of anything in them. A transaction stages a private copy and publishes it
//! at commit; the journal carries it as an inode item; writeback puts it into its cluster.
//!
//! Locks: `owner` protects the image and all blocks of the forks (shared to read, exclusive inside
//! a transaction). `turn` is held by whoever waits for `owner` to change the inode, and not longer.
//! `cow` protects the CoW fork and is taken inside `owner`. `ranges` serialises data I/O on byte
//! ranges and comes before all of them.
//!
//! Never here: extent maps, data I/O, directories.

mod cache;
mod cow;
mod pages;
mod protect;
mod ranges;
mod snapshot;
#[cfg(test)]
mod tests;

pub(crate) use cache::{IDLE, InodeCache};
pub(crate) use cow::{Before, CowFork, CowPiece, CowSpan, CowState, WriteId};
pub(crate) use pages::{PageBytes, PageMemory, PageRun, Pages};
pub(crate) use protect::{Change, demand_open};
pub(crate) use ranges::{RangeGuard, RangeLock, Sharing};
pub(crate) use snapshot::InodeSnapshot;

use crate::error::Result;
use parking_lot::{ArcRwLockWriteGuard, Mutex, MutexGuard, RawRwLock, RwLock};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use untorn_format::inode::{DinodeDisk, FileKind, InodeCore, InodeFlags, Timestamp};
use untorn_format::{Ino, Place};
use untorn_store::{BlockRef, Image, Sequence};

/// Where an inode lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InodeHome {
    /// The cluster buffer.
    pub cluster: BlockRef,
    /// Byte offset of the inode in it.
    pub offset: usize,
}

/// Later than every checkpoint.
const UNCOMMITTED: u64 = u64::MAX;

/// What cached writes gave a file and no commit has yet.
#[derive(Clone, Copy, Debug, Default)]
struct Unsaved {
    /// Size in bytes.
    size: u64,
    /// Last change.
    time: Option<Timestamp>,
    /// Size in bytes behind which the device is known to hold zeroes in the last block.
    clean_tail: Option<u64>,
}

/// Looks at a lock before sleeping at it, and what lies between two of them: some tens of
/// microseconds in all.
const LOOKS: usize = 64;
const PAUSE: usize = 40;
/// Naps before queueing.
const NAPS: usize = 10;
const NAP: Duration = Duration::from_micros(50);

/// The owner lock of an inode, to change it.
pub(crate) type OwnerGuard = ArcRwLockWriteGuard<RawRwLock, ()>;

/// An inode that is in use.
pub(crate) struct Inode {
    pub ino: Ino,
    pub home: InodeHome,
    /// Owner lock of the inode's bytes and of its forks' blocks.
    pub owner: Arc<RwLock<()>>,
    /// Whose turn it is to wait for `owner`: see [`Inode::lock_owner`].
    turn: Mutex<()>,
    pub cow: Mutex<CowFork>,
    pub ranges: RangeLock,
    image: RwLock<Image>,
    /// Cached pages; a lock for the map of pages, never held across I/O.
    pub pages: Mutex<Pages>,
    unsaved: Mutex<Unsaved>,
    /// When its bytes changed, where that is later than any commit says.
    lazy: Mutex<Option<Timestamp>>,
    /// Checkpoint of the last commit that changed it.
    sequence: AtomicU64,
    /// Checkpoint of the last commit that moved its blocks to another place of a file.
    moved: AtomicU64,
    /// Checkpoint of the last commit that changed its unlinked-list pointer; `UNCOMMITTED` while a
    /// transaction changes it.
    unlinked: AtomicU64,
}

impl Inode {
    /// The handle of an inode whose bytes are `image`.
    pub fn new(ino: Ino, home: InodeHome, image: Image) -> Self {
        Self {
            ino,
            home,
            owner: Arc::default(),
            turn: Mutex::default(),
            cow: Mutex::default(),
            ranges: RangeLock::default(),
            image: RwLock::new(image),
            pages: Mutex::default(),
            unsaved: Mutex::default(),
            lazy: Mutex::default(),
            sequence: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            unlinked: AtomicU64::new(0),
        }
    }

    /// Locks `owner` to change the inode.
    ///
    /// One thread at a time waits for the lock: it looks again and again for as long as a change
    /// takes, and only then sleeps. The others nap until it is their turn to wait: where several
    /// sleep at a lock, every release wakes one of them, which costs more than a rename. Nobody
    /// starves: who has napped often enough queues, and once in a millisecond or so a release
    /// hands either lock straight to who sleeps at it.
    pub fn lock_owner(&self) -> OwnerGuard {
        if let Some(guard) = self.owner.try_write_arc() {
            return guard;
        }
        let _turn = self.take_turn();
        for _ in 0..LOOKS {
            if let Some(guard) = self.owner.try_write_arc() {
                return guard;
            }
            (0..PAUSE).for_each(|_| std::hint::spin_loop());
        }
        self.owner.write_arc()
    }

    fn take_turn(&self) -> MutexGuard<'_, ()> {
        for _ in 0..NAPS {
            if let Some(turn) = self.turn.try_lock() {
                return turn;
            }
            std::thread::sleep(NAP);
        }
        self.turn.lock()
    }

    /// The published bytes.
    pub fn image(&self) -> Image {
        Arc::clone(&self.image.read())
    }

    /// What it is; nothing where the inode is free.
    pub fn kind(&self) -> Result<Option<FileKind>> {
        self.look(DinodeDisk::kind)
    }

    /// The published core.
    pub fn core(&self) -> Result<InodeCore> {
        core_of(self.ino, &self.image.read())
    }

    /// What the file is marked with.
    pub fn flags(&self) -> Result<InodeFlags> {
        self.look(|disk| InodeFlags(disk.flags.get()))
    }

    fn look<R>(&self, look: impl FnOnce(&DinodeDisk) -> R) -> Result<R> {
        let image = self.image.read();
        let disk = DinodeDisk::of(&image).map_err(|fault| fault.at(Place::inode(self.ino)))?;
        Ok(look(disk))
    }

    /// The file's size in bytes as its users see it: cached writes count before a commit has them.
    pub fn size(&self) -> Result<u64> {
        // In this order: what is no longer unsaved is in the core.
        let unsaved = self.unsaved.lock().size;
        Ok(self.look(|disk| disk.size.get())?.max(unsaved))
    }

    /// Cached writes have made the file `size` bytes long at least, at `time`. The caller holds the
    /// range from the old end on.
    pub fn note_unsaved(&self, size: u64, time: Timestamp) {
        let mut unsaved = self.unsaved.lock();
        unsaved.size = unsaved.size.max(size);
        unsaved.time = Some(time);
    }

    /// Behind a size of `size` bytes the last block is zeroes on the device, or in a page that goes
    /// there whole.
    pub fn note_clean_tail(&self, size: u64) {
        self.unsaved.lock().clean_tail = Some(size);
    }

    /// Whether that is known, the file having `size` bytes.
    pub fn has_clean_tail(&self, size: u64) -> bool {
        self.unsaved.lock().clean_tail == Some(size)
    }

    /// When cached bytes changed that no commit has yet.
    pub fn unsaved_time(&self) -> Option<Timestamp> {
        self.unsaved.lock().time
    }

    /// Only what was committed counts: all is written back, or was given up.
    pub fn forget_unsaved(&self) {
        *self.unsaved.lock() = Unsaved::default();
    }

    /// The core as users see it: with the size and time that cached writes gave it.
    pub fn visible(&self) -> Result<InodeCore> {
        let unsaved = *self.unsaved.lock();
        let mut core = self.core()?;
        core.size = core.size.max(unsaved.size);
        if let Some(time) = unsaved.time {
            (core.mtime, core.ctime) = (time, time);
        }
        if let Some(time) = self.lazy_time() {
            (core.mtime, core.ctime) = (time, core.ctime.max(time));
        }
        Ok(core)
    }

    /// Publishes `image`, committed under `sequence`.
    pub fn publish(&self, image: &Image, sequence: Sequence) {
        self.settle_lazy(image);
        *self.image.write() = Arc::clone(image);
        let (uncommitted, now) = (UNCOMMITTED, sequence.0);
        let order = Ordering::Relaxed;
        let _ = self.unlinked.compare_exchange(uncommitted, now, order, order);
        self.sequence.store(sequence.0, Ordering::Release);
    }

    /// Its bytes changed at `time`; no commit says so yet.
    pub fn note_lazy(&self, time: Timestamp) {
        *self.lazy.lock() = Some(time);
    }

    /// That time, if there is one.
    pub fn lazy_time(&self) -> Option<Timestamp> {
        *self.lazy.lock()
    }

    /// Somebody has set the time of its bytes.
    pub fn forget_lazy(&self) {
        *self.lazy.lock() = None;
    }

    /// A commit that sets the time of the bytes knows better.
    fn settle_lazy(&self, image: &Image) {
        let mut lazy = self.lazy.lock();
        let mtime = |image: &Image| core_of(self.ino, image).map(|core| core.mtime).ok();
        if lazy.is_some() && mtime(&self.image()) != mtime(image) {
            *lazy = None;
        }
    }

    /// The checkpoint that makes everything committed to this inode durable.
    pub fn sequence(&self) -> Sequence {
        Sequence(self.sequence.load(Ordering::Acquire))
    }

    /// Says that the commit under `sequence` moved blocks of it.
    pub fn note_moved(&self, sequence: Sequence) {
        self.moved.fetch_max(sequence.0, Ordering::AcqRel);
    }

    /// The checkpoint that must be durable before its blocks are written in place.
    pub fn moved(&self) -> Sequence {
        Sequence(self.moved.load(Ordering::Acquire))
    }

    /// Says that the unlinked-list pointer changes.
    pub fn note_unlinked(&self) {
        self.unlinked.store(UNCOMMITTED, Ordering::Relaxed);
    }

    /// Whether a commit into the checkpoint `open` or a later one has to carry the unlinked-list
    /// pointer: it changed since the one before. What an older checkpoint carried stays in the
    /// journal until the inode is home.
    pub fn logs_unlinked(&self, open: Sequence) -> bool {
        self.unlinked.load(Ordering::Relaxed) >= open.0
    }
}

/// The core in an inode's bytes. They were verified when they were read.
pub(crate) fn core_of(ino: Ino, image: &[u8]) -> Result<InodeCore> {
    let core = DinodeDisk::of(image).and_then(InodeCore::from_disk);
    Ok(core.map_err(|fault| fault.at(Place::inode(ino)))?)
}
