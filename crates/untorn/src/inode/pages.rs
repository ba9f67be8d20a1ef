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
//! Pages lie in groups of 64 neighbours: what is asked of a run of pages costs one search a group.
//!
//! Locks: the holder of the file's range may read (shared) or change (exclusive) the pages in it;
//! the mutex around this struct is for the map alone and is never held across I/O. Clean pages may
//! be evicted by anybody at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use untorn_device::{BufferPool, PooledBuffer};

/// Memory that the pages of a volume take, and may take.
#[derive(Debug)]
pub(crate) struct PageMemory {
    /// Bytes that all pages together should stay below.
    pub limit: usize,
    /// Bytes of a page.
    page: usize,
    pool: BufferPool,
    used: AtomicUsize,
    dirty: AtomicUsize,
}

impl PageMemory {
    /// Nothing used of `limit` bytes; pages of `page` bytes at multiples of `alignment`.
    pub fn new(limit: usize, page: usize, alignment: usize) -> Self {
        let pool = BufferPool::new(page, alignment.min(page));
        Self { limit, page, pool, used: AtomicUsize::new(0), dirty: AtomicUsize::new(0) }
    }

    /// Memory for a page, with any bytes.
    pub fn take(&self) -> PooledBuffer {
        self.pool.take()
    }

    /// Memory for `count` pages, with any bytes, one behind the other where that can be.
    pub fn take_many(&self, count: usize) -> Vec<PooledBuffer> {
        self.pool.take_many(count)
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
pub(crate) type PageBytes = Arc<PooledBuffer>;

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

/// Pages in a group.
const GROUP: u64 = 64;

/// Neighbours, a bit for each in every set.
#[derive(Debug)]
struct Group {
    pages: [Option<PageBytes>; GROUP as usize],
    present: u64,
    dirty: u64,
    /// Looked at since the last sweep for pages to evict.
    used: u64,
}

impl Group {
    fn new() -> Self {
        Self { pages: [const { None }; GROUP as usize], present: 0, dirty: 0, used: 0 }
    }
}

/// The group of a block, and its bit there.
fn place(block: u64) -> (u64, u64) {
    (block / GROUP, 1 << (block % GROUP))
}

fn slot(block: u64) -> usize {
    (block % GROUP) as usize
}

/// The groups that `blocks` touches, each with the bits of those blocks.
fn groups(blocks: Range<u64>) -> impl Iterator<Item = (u64, u64)> {
    let last = blocks.end.div_ceil(GROUP);
    (blocks.start / GROUP..last).map(move |group| (group, mask(&blocks, group)))
}

/// The bits of `blocks` in a group.
fn mask(blocks: &Range<u64>, group: u64) -> u64 {
    let first = group * GROUP;
    let from = blocks.start.saturating_sub(first).min(GROUP);
    let to = blocks.end.saturating_sub(first).min(GROUP);
    let below = |bit: u64| if bit == GROUP { u64::MAX } else { (1 << bit) - 1 };
    below(to) & !below(from)
}

/// The numbers of the bits that are set.
fn bits(mut set: u64) -> impl Iterator<Item = u64> {
    std::iter::from_fn(move || {
        let bit = u64::from(set.trailing_zeros());
        set &= set.wrapping_sub(1);
        (bit < GROUP).then_some(bit)
    })
}

/// The cached pages of one file by block.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    groups: BTreeMap<u64, Box<Group>>,
    /// Groups with dirty pages.
    dirty: BTreeSet<u64>,
    memory: Option<Arc<PageMemory>>,
    /// Group where the next sweep begins.
    hand: u64,
    /// Where reads have come to, one after the other.
    pub course: Course,
}

/// Where reads of a file have come to that follow each other.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    /// Block after the last one read.
    pub next: u64,
    /// Blocks to be read ahead of that.
    pub window: u64,
    /// Block up to which was asked for.
    pub asked: u64,
}

impl Course {
    /// Goes on with a read of `wanted`: `most` blocks are read ahead at most.
    pub fn advance(&mut self, wanted: &Range<u64>, most: u64) {
        if wanted.end == self.next && wanted.end - wanted.start == 1 {
            // More of the block that was read last.
            return;
        }
        let follows = [wanted.start, wanted.start + 1].contains(&self.next) && wanted.start > 0;
        self.next = wanted.end;
        if !follows {
            self.asked = 0;
        }
        self.window = match follows {
            true => (2 * self.window).max(wanted.end - wanted.start).max(4).min(most),
            false if wanted.start == 0 => 4.min(most),
            false => 0,
        };
    }
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
        let (group, bit) = place(block);
        let group = self.groups.get_mut(&group)?;
        group.used |= bit;
        group.pages[slot(block)].clone()
    }

    /// The bytes of the pages of `blocks`, block by block.
    pub fn find_all(&mut self, blocks: Range<u64>) -> Vec<Option<PageBytes>> {
        let mut found = Vec::with_capacity((blocks.end - blocks.start) as usize);
        for (number, mask) in groups(blocks) {
            match self.groups.get_mut(&number) {
                Some(group) => {
                    group.used |= group.present & mask;
                    found.extend(bits(mask).map(|bit| group.pages[bit as usize].clone()));
                }
                None => found.extend(bits(mask).map(|_| None)),
            }
        }
        found
    }

    /// Whether `block` is cached.
    pub fn has(&self, block: u64) -> bool {
        let (group, bit) = place(block);
        self.groups.get(&group).is_some_and(|group| group.present & bit != 0)
    }

    /// The blocks of `blocks` that are not cached.
    pub fn missing(&self, blocks: Range<u64>) -> Vec<u64> {
        let absent = |(number, mask): (u64, u64)| {
            let present = self.groups.get(&number).map_or(0, |group| group.present);
            bits(mask & !present).map(move |bit| number * GROUP + bit)
        };
        groups(blocks).flat_map(absent).collect()
    }

    /// Whether the page of `block` is dirty.
    pub fn is_dirty(&self, block: u64) -> bool {
        let (group, bit) = place(block);
        self.groups.get(&group).is_some_and(|group| group.dirty & bit != 0)
    }

    /// Whether a page of `blocks` is dirty.
    pub fn any_dirty(&self, blocks: Range<u64>) -> bool {
        self.dirty_in(blocks).next().is_some()
    }

    /// The runs of `blocks` whose pages are not dirty.
    pub fn clean_runs(&self, blocks: Range<u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for (number, mask) in groups(blocks) {
            let dirty = self.groups.get(&number).map_or(0, |group| group.dirty);
            for block in bits(mask & !dirty).map(|bit| number * GROUP + bit) {
                match runs.last_mut().filter(|run| run.end == block) {
                    Some(run) => run.end += 1,
                    None => runs.push(block..block + 1),
                }
            }
        }
        runs
    }

    /// Groups with dirty pages among `blocks`, and which those are.
    fn dirty_in(&self, blocks: Range<u64>) -> impl Iterator<Item = (u64, u64)> {
        let groups = blocks.start / GROUP..blocks.end.div_ceil(GROUP).max(blocks.start / GROUP);
        self.dirty.range(groups).filter_map(move |&number| {
            let dirty = self.groups.get(&number)?.dirty & mask(&blocks, number);
            (dirty != 0).then_some((number, dirty))
        })
    }

    /// Whether no page is dirty.
    pub fn all_clean(&self) -> bool {
        self.dirty.is_empty()
    }

    /// Bytes of dirty pages.
    pub fn dirty_bytes(&self) -> usize {
        let of = |group: &u64| self.groups.get(group).map_or(0, |group| group.dirty.count_ones());
        let pages: u32 = self.dirty.iter().map(of).sum();
        self.memory.as_ref().map_or(0, |memory| pages as usize * memory.page)
    }

    /// Adds a page that is as the device has it, unless there is one.
    pub fn insert(&mut self, block: u64, bytes: PageBytes) {
        let (number, bit) = place(block);
        let group = self.groups.entry(number).or_insert_with(|| Box::new(Group::new()));
        if group.present & bit == 0 {
            group.present |= bit;
            group.pages[slot(block)] = Some(bytes);
            let memory = self.memory();
            memory.used.fetch_add(memory.page, Ordering::Relaxed);
        }
    }

    /// The bytes of the page of `block`, to change: it is dirty from now on. `None` without a page.
    pub fn change(&mut self, block: u64) -> Option<&mut [u8]> {
        let (number, bit) = place(block);
        let group = self.groups.get_mut(&number)?;
        let page = group.pages[slot(block)].as_mut()?;
        group.used |= bit;
        if group.dirty & bit == 0 {
            if group.dirty == 0 {
                self.dirty.insert(number);
            }
            group.dirty |= bit;
            if let Some(memory) = &self.memory {
                memory.dirty.fetch_add(memory.page, Ordering::Relaxed);
            }
        }
        let bytes: &mut PooledBuffer = Arc::make_mut(page);
        Some(bytes)
    }

    /// Runs of dirty pages in `blocks`, in order, `most` pages at most.
    pub fn dirty_runs(&self, blocks: Range<u64>, most: usize) -> Vec<PageRun> {
        let mut runs: Vec<PageRun> = Vec::new();
        let dirty = self.dirty_in(blocks).flat_map(|(number, dirty)| {
            let group = self.groups.get(&number);
            bits(dirty).filter_map(move |bit| {
                let page = group?.pages[bit as usize].as_ref()?;
                Some((number * GROUP + bit, page))
            })
        });
        for (block, page) in dirty.take(most) {
            let bytes = Arc::clone(page);
            match runs.last_mut().filter(|run| run.blocks().end == block) {
                Some(run) => run.pages.push(bytes),
                None => runs.push(PageRun { first: block, pages: vec![bytes] }),
            }
        }
        runs
    }

    /// The device has the pages of `blocks` now.
    pub fn clean(&mut self, blocks: Range<u64>) {
        let dirty: Vec<_> = self.dirty_in(blocks).collect();
        for (number, bits) in dirty {
            self.clean_bits(number, bits);
        }
    }

    /// Pages of a group are dirty no more.
    fn clean_bits(&mut self, number: u64, bits: u64) {
        let Some(group) = self.groups.get_mut(&number) else { return };
        let gone = group.dirty & bits;
        group.dirty &= !gone;
        if gone != 0 && group.dirty == 0 {
            self.dirty.remove(&number);
        }
        if gone != 0 {
            let memory = self.memory();
            memory.dirty.fetch_sub(gone.count_ones() as usize * memory.page, Ordering::Relaxed);
        }
    }

    /// Forgets the pages of `blocks`, dirty ones too.
    pub fn forget(&mut self, blocks: Range<u64>) {
        let groups = blocks.start / GROUP..blocks.end.div_ceil(GROUP).max(blocks.start / GROUP);
        let touched: Vec<u64> = self.groups.range(groups).map(|(&number, _)| number).collect();
        for number in touched {
            self.drop_bits(number, mask(&blocks, number));
        }
    }

    /// Forgets pages of a group; how many there were.
    fn drop_bits(&mut self, number: u64, gone: u64) -> usize {
        self.clean_bits(number, gone);
        let Some(group) = self.groups.get_mut(&number) else { return 0 };
        let gone = group.present & gone;
        bits(gone).for_each(|bit| group.pages[bit as usize] = None);
        group.present &= !gone;
        group.used &= !gone;
        if group.present == 0 {
            self.groups.remove(&number);
        }
        let count = gone.count_ones() as usize;
        if count > 0 {
            let memory = self.memory();
            memory.used.fetch_sub(count * memory.page, Ordering::Relaxed);
        }
        count
    }

    /// Drops clean pages that were not looked at since the last sweep, until `most` are gone or as
    /// many groups have been looked at as hold four times as many pages; how many are gone.
    pub fn evict(&mut self, most: usize) -> usize {
        let looks = (4 * most).div_ceil(GROUP as usize);
        let (mut gone, mut drops, mut stopped) = (0, Vec::new(), false);
        for (&number, group) in self.groups.range_mut(self.hand..) {
            if gone >= most || drops.len() == looks {
                stopped = true;
                break;
            }
            self.hand = number + 1;
            let spared = std::mem::take(&mut group.used) | group.dirty;
            let drop = group.present & !spared;
            gone += drop.count_ones() as usize;
            drops.push((number, drop));
        }
        if !stopped {
            self.hand = 0;
        }
        drops.into_iter().map(|(number, bits)| self.drop_bits(number, bits)).sum()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.forget(0..u64::MAX);
    }
}

#[cfg(test)]
mod tests;
