//! Cached bytes of a file: one page is one block.
//!
//! A page is up to date as a whole, dirty as a whole and backed by space as a whole, so nothing
//! between blocks and pages ever has to be tracked. Bytes past the end of the file are zero.
//!
//! A page is *dirty* when the device does not have its bytes yet. Dirty pages over a hole or over
//! shared blocks have a piece of the CoW fork under them (`Delalloc` or `Waiting`); all others lie
//! over blocks that are the file's alone and are written in place. What a page lies over cannot
//! change while it is dirty: every change of the map takes the range over first.
//!
//! Locks: the holder of the file's range may read (shared) or change (exclusive) the pages in it;
//! the mutex around this struct is for the map alone and is never held across I/O. Clean pages may
//! be evicted by anybody at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use untorn_device::AlignedBuffer;

/// Memory that the pages of a volume take, and may take.
#[derive(Debug)]
pub(crate) struct PageMemory {
    /// Bytes that all pages together should stay below.
    pub limit: usize,
    used: AtomicUsize,
    dirty: AtomicUsize,
}

impl PageMemory {
    /// Nothing used of `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0), dirty: AtomicUsize::new(0) }
    }

    /// Bytes of all pages.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes of dirty pages.
    pub fn dirty(&self) -> usize {
        self.dirty.load(Ordering::Relaxed)
    }
}

/// The bytes of a page. Shared while they are being read or written back.
pub(crate) type PageBytes = Arc<AlignedBuffer>;

#[derive(Debug)]
struct Page {
    bytes: PageBytes,
    /// Looked at since the last sweep for pages to evict.
    used: bool,
}

/// Pages that follow each other.
#[derive(Debug)]
pub(crate) struct PageRun {
    /// Block of the first.
    pub first: u64,
    /// Their bytes.
    pub pages: Vec<PageBytes>,
}

impl PageRun {
    /// The blocks.
    pub fn blocks(&self) -> Range<u64> {
        self.first..self.first + self.pages.len() as u64
    }
}

/// The cached pages of one file by block.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    pages: BTreeMap<u64, Page>,
    dirty: BTreeSet<u64>,
    memory: Option<Arc<PageMemory>>,
    /// Where the next sweep begins.
    hand: u64,
    /// Block after the last one read, and blocks read ahead there.
    pub next_read: u64,
    /// Blocks that the last readahead fetched.
    pub window: u64,
}

impl Pages {
    /// Says whose memory the pages are; whether they had an owner before.
    pub fn charge_to(&mut self, memory: &Arc<PageMemory>) -> bool {
        let known = self.memory.is_some();
        self.memory.get_or_insert_with(|| Arc::clone(memory));
        known
    }

    fn memory(&self) -> &PageMemory {
        match &self.memory {
            Some(memory) => memory,
            None => unreachable!("pages are charged before the first is put in"),
        }
    }

    /// The bytes of the page of `block`.
    pub fn get(&mut self, block: u64) -> Option<PageBytes> {
        let page = self.pages.get_mut(&block)?;
        page.used = true;
        Some(Arc::clone(&page.bytes))
    }

    /// Whether `block` is cached.
    pub fn has(&self, block: u64) -> bool {
        self.pages.contains_key(&block)
    }

    /// Whether the page of `block` is dirty.
    pub fn is_dirty(&self, block: u64) -> bool {
        self.dirty.contains(&block)
    }

    /// Whether a page of `blocks` is dirty.
    pub fn any_dirty(&self, blocks: Range<u64>) -> bool {
        self.dirty.range(blocks).next().is_some()
    }

    /// Whether no page is dirty.
    pub fn all_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Bytes of dirty pages.
    pub fn dirty_bytes(&self) -> usize {
        // Pages are all of one size.
        let page = self.pages.values().next().map_or(0, |page| page.bytes.len());
        self.dirty.len() * page
    }

    /// Adds a page that is as the device has it, unless there is one.
    pub fn insert(&mut self, block: u64, bytes: PageBytes) {
        let length = bytes.len();
        if let std::collections::btree_map::Entry::Vacant(entry) = self.pages.entry(block) {
            entry.insert(Page { bytes, used: false });
            self.memory().used.fetch_add(length, Ordering::Relaxed);
        }
    }

    /// The bytes of the page of `block`, to change: it is dirty from now on. `None` without a page.
    pub fn change(&mut self, block: u64) -> Option<&mut [u8]> {
        let page = self.pages.get_mut(&block)?;
        page.used = true;
        let length = page.bytes.len();
        if self.dirty.insert(block)
            && let Some(memory) = &self.memory
        {
            memory.dirty.fetch_add(length, Ordering::Relaxed);
        }
        let bytes: &mut AlignedBuffer = Arc::make_mut(&mut page.bytes);
        Some(bytes)
    }

    /// Runs of dirty pages in `blocks`, in order, `most` pages at most.
    pub fn dirty_runs(&self, blocks: Range<u64>, most: usize) -> Vec<PageRun> {
        let mut runs: Vec<PageRun> = Vec::new();
        for &block in self.dirty.range(blocks).take(most) {
            let Some(page) = self.pages.get(&block) else { continue };
            let bytes = Arc::clone(&page.bytes);
            match runs.last_mut().filter(|run| run.blocks().end == block) {
                Some(run) => run.pages.push(bytes),
                None => runs.push(PageRun { first: block, pages: vec![bytes] }),
            }
        }
        runs
    }

    /// The device has the pages of `blocks` now.
    pub fn clean(&mut self, blocks: Range<u64>) {
        for block in blocks {
            if self.dirty.remove(&block)
                && let Some(page) = self.pages.get(&block)
            {
                self.memory().dirty.fetch_sub(page.bytes.len(), Ordering::Relaxed);
            }
        }
    }

    /// Forgets the pages of `blocks`, dirty ones too.
    pub fn forget(&mut self, blocks: Range<u64>) {
        let gone: Vec<u64> = self.pages.range(blocks).map(|(&block, _)| block).collect();
        gone.into_iter().for_each(|block| self.drop_page(block));
    }

    fn drop_page(&mut self, block: u64) {
        let Some(page) = self.pages.remove(&block) else { return };
        let length = page.bytes.len();
        self.memory().used.fetch_sub(length, Ordering::Relaxed);
        if self.dirty.remove(&block) {
            self.memory().dirty.fetch_sub(length, Ordering::Relaxed);
        }
    }

    /// Drops up to `most` clean pages that were not looked at since the last sweep; how many.
    pub fn evict(&mut self, most: usize) -> usize {
        let mut gone = Vec::new();
        let mut looked = 0;
        for (&block, page) in self.pages.range_mut(self.hand..) {
            if gone.len() == most || looked == 4 * most {
                break;
            }
            looked += 1;
            self.hand = block + 1;
            let spared = std::mem::take(&mut page.used) || self.dirty.contains(&block);
            if !spared {
                gone.push(block);
            }
        }
        if looked < 4 * most && gone.len() < most {
            self.hand = 0;
        }
        gone.iter().for_each(|&block| self.drop_page(block));
        gone.len()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.forget(0..u64::MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(byte: u8) -> PageBytes {
        Arc::new(AlignedBuffer::copy_of(&[byte; 512], 8))
    }

    #[test]
    fn memory_is_charged_for_pages_and_returned_with_them() {
        let memory = Arc::new(PageMemory::new(1 << 20));
        let mut pages = Pages::default();
        pages.charge_to(&memory);
        (0..8).for_each(|block| pages.insert(block, page(1)));
        pages.insert(3, page(9));
        pages.change(2).unwrap()[0] = 7;
        assert_eq!((memory.used(), memory.dirty()), (8 * 512, 512));
        pages.forget(2..4);
        assert_eq!((memory.used(), memory.dirty()), (6 * 512, 0));
        drop(pages);
        assert_eq!(memory.used(), 0);
    }

    #[test]
    fn dirty_pages_and_pages_in_use_survive_a_sweep() {
        let memory = Arc::new(PageMemory::new(1 << 20));
        let mut pages = Pages::default();
        pages.charge_to(&memory);
        (0..6).for_each(|block| pages.insert(block, page(1)));
        pages.change(1);
        pages.get(2);
        assert_eq!(pages.evict(16), 4);
        assert!(pages.has(1) && pages.has(2));
        assert_eq!(pages.evict(16), 1, "what was spared once is not spared again");
        assert!(pages.has(1) && !pages.has(2));
    }

    #[test]
    fn a_page_that_is_being_written_back_keeps_its_bytes() {
        let mut pages = Pages::default();
        pages.charge_to(&Arc::new(PageMemory::new(1 << 20)));
        pages.insert(5, page(1));
        pages.change(5).unwrap()[0] = 2;
        let runs = pages.dirty_runs(0..10, 10);
        pages.change(5).unwrap()[0] = 3;
        assert_eq!((runs[0].first, runs[0].pages[0][0]), (5, 2));
        assert_eq!(pages.get(5).unwrap()[0], 3);
    }
}
