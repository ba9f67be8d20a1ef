//! Buffers of one size, cut from larger pieces of memory and used again and again.
//!
//! An allocation of its own for each page costs an allocator up to a page more, for the alignment,
//! and zeroes that nobody reads. And a device moves bytes of many scattered pages at half the speed
//! of those that follow each other in memory: so slabs are huge pages where the host has them, and
//! buffers that are taken together lie together where that can be.
//!
//! Invariants: every buffer of a slab is either marked free there or owned by one
//! [`PooledBuffer`], and has `size` initialised bytes. Slabs live as long as the pool, and every
//! buffer keeps the pool.

use parking_lot::Mutex;
use rustix::mm::{Advice, madvise};
use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
    sync::Arc,
};

/// Bytes of the first slab: a volume that caches little takes little.
const FIRST: usize = 256 << 10;
/// Bytes of every other slab, and what they begin at a multiple of: a huge page.
const HUGE: usize = 2 << 20;

/// Buffers of one size. What was given back is handed out again; memory goes back to the system
/// with the last of pool and buffers.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Pool>);

struct Pool {
    size: usize,
    alignment: usize,
    slots: Mutex<Slots>,
}

/// Slabs, and how many of their buffers are free.
#[derive(Default)]
struct Slots {
    slabs: Vec<Slab>,
    free: usize,
    all: usize,
    /// Slab that single buffers were last taken from.
    last: usize,
}

struct Slab {
    start: NonNull<u8>,
    layout: Layout,
    /// A bit for each buffer that is free.
    free: Vec<u64>,
    count: usize,
}

/// Buffers of a slab that follow each other.
#[derive(Clone, Copy, Debug)]
struct Run {
    slab: usize,
    first: usize,
    length: usize,
}

// SAFETY: the addresses are this pool's own memory, reached under the mutex only.
unsafe impl Send for Pool {}
// SAFETY: as above.
unsafe impl Sync for Pool {}

impl fmt::Debug for Pool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pool").field("size", &self.size).finish_non_exhaustive()
    }
}

impl BufferPool {
    /// A pool of buffers of `size` bytes, each at a multiple of `alignment` bytes, a power of two
    /// that divides the size.
    pub fn new(size: usize, alignment: usize) -> Self {
        assert!(size > 0 && size.is_multiple_of(alignment), "{size} bytes at {alignment}");
        Self(Arc::new(Pool { size, alignment, slots: Mutex::default() }))
    }

    /// A buffer that holds what it held before: bytes of this pool's earlier buffers, or zeroes.
    pub fn take(&self) -> PooledBuffer {
        let mut slots = self.0.slots.lock();
        if slots.free == 0 {
            self.0.grow(&mut slots);
        }
        let run = slots.single();
        let start = slots.use_up(run);
        drop(slots);
        self.buffer(run, start, 0)
    }

    /// As [`BufferPool::take`], `count` buffers; as many as can be follow each other in memory.
    pub fn take_many(&self, count: usize) -> Vec<PooledBuffer> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let left = count - taken.len();
            let mut slots = self.0.slots.lock();
            let run = match slots.longest(left) {
                // Scattered buffers are used up before there are more of them.
                Some(run) if run.length == left || slots.free > left.max(slots.all / 8) => run,
                _ => {
                    let slab = self.0.grow(&mut slots);
                    let length = left.min(slots.slabs[slab].count);
                    Run { slab, first: 0, length }
                }
            };
            let start = slots.use_up(run);
            drop(slots);
            taken.extend((0..run.length).map(|index| self.buffer(run, start, index)));
        }
        taken
    }

    /// A buffer that holds a copy of `bytes`, as many as its size.
    pub fn copy_of(&self, bytes: &[u8]) -> PooledBuffer {
        let mut buffer = self.take();
        buffer.copy_from_slice(bytes);
        buffer
    }

    /// Buffer `index` of a run that was used up, in the slab that begins at `slab`.
    fn buffer(&self, run: Run, slab: NonNull<u8>, index: usize) -> PooledBuffer {
        let place = run.first + index;
        // SAFETY: the buffer lies inside its slab.
        let start = unsafe { slab.add(place * self.0.size) };
        PooledBuffer { start, slab: run.slab, place, pool: Arc::clone(&self.0) }
    }
}

impl Pool {
    /// Adds a slab of free buffers; its number.
    fn grow(&self, slots: &mut Slots) -> usize {
        let huge = !slots.slabs.is_empty();
        let (least, alignment) = match huge {
            true => (HUGE, HUGE.max(self.alignment)),
            false => (FIRST, self.alignment),
        };
        let count = least.max(self.size) / self.size;
        let Ok(layout) = Layout::from_size_align(count * self.size, alignment) else {
            panic!("no memory layout of {count} buffers of {} bytes", self.size)
        };
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else {
            handle_alloc_error(layout)
        };
        if huge {
            // SAFETY: the memory is ours, and the advice changes no byte. Without it all works.
            let _ = unsafe { madvise(start.as_ptr().cast(), layout.size(), Advice::LinuxHugepage) };
        }
        // SAFETY: these are the bytes that were just allocated.
        unsafe { start.write_bytes(0, layout.size()) };
        let mut free = vec![u64::MAX; count.div_ceil(64)];
        if let (Some(last), rest @ 1..) = (free.last_mut(), count % 64) {
            *last = (1 << rest) - 1;
        }
        slots.slabs.push(Slab { start, layout, free, count });
        slots.free += count;
        slots.all += count;
        slots.slabs.len() - 1
    }
}

impl Slots {
    /// Some free buffer; there is one.
    fn single(&mut self) -> Run {
        let count = self.slabs.len();
        for slab in (0..count).map(|step| (self.last + step) % count) {
            let free = &self.slabs[slab].free;
            if let Some(word) = free.iter().position(|&word| word != 0) {
                self.last = slab;
                let first = word * 64 + free[word].trailing_zeros() as usize;
                return Run { slab, first, length: 1 };
            }
        }
        unreachable!("a free buffer was counted")
    }

    /// The first run of `most` free buffers, or the longest.
    fn longest(&self, most: usize) -> Option<Run> {
        let mut best: Option<Run> = None;
        for (number, slab) in self.slabs.iter().enumerate() {
            for (first, length) in slab.runs() {
                let length = length.min(most);
                if best.is_none_or(|best| best.length < length) {
                    best = Some(Run { slab: number, first, length });
                }
                if length == most {
                    return best;
                }
            }
        }
        best
    }

    /// The run is free no more; where its slab begins.
    fn use_up(&mut self, run: Run) -> NonNull<u8> {
        for place in run.first..run.first + run.length {
            self.slabs[run.slab].free[place / 64] &= !(1 << (place % 64));
        }
        self.free -= run.length;
        self.slabs[run.slab].start
    }
}

impl Slab {
    /// Its runs of free buffers: the first and how many.
    fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let first = self.next(at, 0)?;
            at = self.next(first, u64::MAX).unwrap_or(self.count);
            Some((first, at - first))
        })
    }

    /// The next buffer from `at` on that is free, its bits turned by `turn`.
    fn next(&self, at: usize, turn: u64) -> Option<usize> {
        let mut word = at / 64;
        let mut mask = u64::MAX << (at % 64);
        while let Some(bits) = self.free.get(word) {
            let found = (bits ^ turn) & mask;
            if found != 0 {
                let place = word * 64 + found.trailing_zeros() as usize;
                return (place < self.count).then_some(place);
            }
            (word, mask) = (word + 1, u64::MAX);
        }
        None
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for slab in std::mem::take(&mut self.slots.get_mut().slabs) {
            // SAFETY: it came from `alloc` with this layout and is freed once; no buffer is left,
            // as each keeps the pool.
            unsafe { dealloc(slab.start.as_ptr(), slab.layout) }
        }
    }
}

/// A buffer of a pool; back in it when dropped.
pub struct PooledBuffer {
    start: NonNull<u8>,
    slab: usize,
    place: usize,
    pool: Arc<Pool>,
}

// SAFETY: the buffer is the only owner of its bytes and gives out references under the usual
// borrow rules only.
unsafe impl Send for PooledBuffer {}
// SAFETY: as above.
unsafe impl Sync for PooledBuffer {}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        let mut slots = self.pool.slots.lock();
        slots.slabs[self.slab].free[self.place / 64] |= 1 << (self.place % 64);
        slots.free += 1;
    }
}

impl Deref for PooledBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `size` bytes at `start` are ours and initialised (zeroed at birth).
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.pool.size) }
    }
}

impl DerefMut for PooledBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` is the only way to the bytes.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.pool.size) }
    }
}

impl Clone for PooledBuffer {
    fn clone(&self) -> Self {
        BufferPool(Arc::clone(&self.pool)).copy_of(self)
    }
}

impl fmt::Debug for PooledBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PooledBuffer").field("length", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::BufferPool;

    #[test]
    fn buffers_are_apart_aligned_and_zero_at_first() {
        for (size, alignment) in [(512, 8), (4096, 4096), (3 << 20, 4096)] {
            let pool = BufferPool::new(size, alignment);
            let mut buffers: Vec<_> = (0..5).map(|_| pool.take()).collect();
            for (number, buffer) in (1..).zip(&mut buffers) {
                assert!(buffer.iter().all(|&byte| byte == 0));
                assert_eq!(buffer.as_ptr().addr() % alignment, 0);
                buffer.fill(number);
            }
            for (number, buffer) in (1..).zip(&buffers) {
                assert!(buffer.len() == size && buffer.iter().all(|&byte| byte == number));
            }
        }
    }

    #[test]
    fn what_is_given_back_is_handed_out_again_and_buffers_outlive_the_pool() {
        let pool = BufferPool::new(4096, 4096);
        let first = pool.take();
        let address = first.as_ptr();
        drop(first);
        let mut again = pool.take();
        assert_eq!(again.as_ptr(), address);
        drop(pool);
        again.fill(7);
        let copy = again.clone();
        drop(again);
        assert!(copy.as_ptr() != address && copy.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn buffers_that_are_taken_together_lie_together_and_scattered_ones_are_used_up_model() {
        let pool = BufferPool::new(4096, 4096);
        let follow = |buffers: &[super::PooledBuffer]| {
            let ends = buffers
                .windows(2)
                .filter(|pair| pair[0].as_ptr().addr() + 4096 != pair[1].as_ptr().addr());
            ends.count() + 1
        };
        let all = pool.take_many(1500);
        assert!(follow(&all) <= 4, "{} runs", follow(&all));
        let (kept, given): (Vec<_>, Vec<_>) =
            all.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
        drop(given);
        let slabs = pool.0.slots.lock().slabs.len();
        let scattered = pool.take_many(600);
        assert_eq!(pool.0.slots.lock().slabs.len(), slabs, "memory grows while much is free");
        drop(kept);
        drop(scattered);
        assert!(follow(&pool.take_many(1000)) <= 4);
        let slots = pool.0.slots.lock();
        let marked: u32 =
            slots.slabs.iter().flat_map(|slab| &slab.free).map(|w| w.count_ones()).sum();
        assert_eq!((slots.free, slots.all), (marked as usize, marked as usize));
    }
}
