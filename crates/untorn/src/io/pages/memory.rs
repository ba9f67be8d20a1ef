//! The page cache of a volume: its limit, whose pages are dirty, which pages go first.
//!
//! Locks: the list of dirty files and the list for eviction have one each, held for list operations
//! only.

use super::super::blocks::alignment;
use super::ahead::{Ahead, Readers};
use crate::core::Core;
use crate::error::Result;
use crate::inode::{Inode, PageMemory};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::Instant;
use untorn_device::DeviceGeometry;
use untorn_format::Ino;

/// Pages looked at in one file before the sweep goes on to the next.
const SWEEP: usize = 256;

/// The cached pages of one volume.
pub(crate) struct PageCache {
    pub memory: Arc<PageMemory>,
    pub ahead: Ahead,
    /// Files with dirty pages, kept in memory until they are written back, and since when.
    dirty: Mutex<BTreeMap<Ino, (Arc<Inode>, Instant)>>,
    /// Files that have had pages, in the order of the next sweep.
    sweep: Mutex<VecDeque<Weak<Inode>>>,
}

impl PageCache {
    /// An empty cache that may take `limit` bytes, for a volume with blocks of `block` bytes.
    pub fn new(limit: usize, block: usize, device: &DeviceGeometry, readers: Readers) -> Self {
        Self {
            memory: Arc::new(PageMemory::new(limit, block, alignment(device, block))),
            ahead: Ahead::new(readers),
            dirty: Mutex::default(),
            sweep: Mutex::default(),
        }
    }

    /// Prepares `inode` for pages.
    pub fn adopt(&self, inode: &Arc<Inode>) {
        if !inode.pages.lock().charge_to(&self.memory) {
            self.sweep.lock().push_back(Arc::downgrade(inode));
        }
    }

    /// Says that `inode` has dirty pages.
    pub fn note_dirty(&self, inode: &Arc<Inode>) {
        let now = || (Arc::clone(inode), Instant::now());
        self.dirty.lock().entry(inode.ino).or_insert_with(now);
    }

    /// Says that `inode` may have no dirty pages left.
    pub fn note_clean(&self, inode: &Inode) {
        let mut dirty = self.dirty.lock();
        if inode.pages.lock().all_clean() {
            dirty.remove(&inode.ino);
        }
    }

    /// The pages of `ino` are gone.
    pub fn forget(&self, ino: Ino) {
        self.dirty.lock().remove(&ino);
    }

    /// Files with dirty pages.
    pub fn dirty_files(&self) -> Vec<Arc<Inode>> {
        self.dirty.lock().values().map(|(inode, _)| Arc::clone(inode)).collect()
    }

    /// Files whose pages are dirty since `moment` or longer; where much is dirty, those dirty for
    /// longest besides, until little would be.
    pub fn dirty_since(&self, moment: Option<Instant>) -> Vec<Arc<Inode>> {
        let dirty = self.dirty.lock();
        let mut files: Vec<_> = dirty.values().collect();
        files.sort_unstable_by_key(|(_, since)| *since);
        let mut over = match self.is_filling() {
            true => self.memory.dirty().saturating_sub(self.memory.limit / 8),
            false => 0,
        };
        let mut old = Vec::new();
        for (inode, since) in files {
            if moment.is_none_or(|moment| *since > moment) && over == 0 {
                break;
            }
            over = over.saturating_sub(inode.pages.lock().dirty_bytes());
            old.push(Arc::clone(inode));
        }
        old
    }

    /// Whether so much is dirty that it should be written back soon.
    pub fn is_filling(&self) -> bool {
        self.memory.dirty() > self.memory.limit / 4
    }

    /// Whether so much is dirty that writers should write some of it back first.
    pub fn is_pressed(&self) -> bool {
        self.memory.dirty() > self.memory.limit / 2
    }

    /// Drops clean pages until the cache is inside its limit or has no more of them.
    pub fn shrink(&self) {
        let mut left = 2 * self.sweep.lock().len();
        while self.memory.used() > self.memory.limit && left > 0 {
            let Some(next) = self.sweep.lock().pop_front() else { return };
            let Some(inode) = next.upgrade() else { continue };
            let gone = inode.pages.lock().evict(SWEEP);
            self.sweep.lock().push_back(next);
            left = if gone > 0 { 2 * self.sweep.lock().len() } else { left - 1 };
        }
    }

    /// Keeps a writer from filling memory with dirty pages: writes back until less than a quarter
    /// of the limit is dirty. Files that cannot be written back are told of only where the others
    /// do not suffice. Call it with nothing locked.
    pub fn relieve(&self, core: &Arc<Core>) -> Result<()> {
        if self.is_pressed() {
            let mut failed = Ok(());
            for inode in self.dirty_files() {
                let flushed = super::flush_range(core, &inode, 0..u64::MAX);
                failed = failed.and(flushed);
                if self.memory.dirty() < self.memory.limit / 4 {
                    break;
                }
            }
            if self.is_pressed() {
                failed?;
            }
        }
        if self.memory.used() > self.memory.limit {
            self.shrink();
        }
        Ok(())
    }
}
