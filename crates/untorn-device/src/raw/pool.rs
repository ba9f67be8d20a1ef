//! Buffers of one size, cut from larger pieces of memory and used again and again.
//!
//! An allocation of its own for each page costs an allocator up to a page more, for the alignment,
//! and zeroes that nobody reads.
//!
//! Invariants: every address in `free` or in a [`PooledBuffer`] is a multiple of the size inside a
//! slab, is in one of them once, and has `size` initialised bytes. Slabs live as long as the pool,
//! and every buffer keeps the pool.

use parking_lot::Mutex;
use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fmt,
    ops::{Deref, DerefMut},
    ptr::NonNull,
    slice,
    sync::Arc,
};

/// Bytes that are asked of the system at a time, at least.
const SLAB: usize = 1 << 20;

/// Buffers of one size. What was given back is handed out again; memory goes back to the system
/// with the last of pool and buffers.
#[derive(Clone, Debug)]
pub struct BufferPool(Arc<Pool>);

struct Pool {
    size: usize,
    slab: Layout,
    slots: Mutex<Slots>,
}

#[derive(Default)]
struct Slots {
    free: Vec<NonNull<u8>>,
    slabs: Vec<NonNull<u8>>,
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
        let length = SLAB.max(size) / size * size;
        let Ok(slab) = Layout::from_size_align(length, alignment) else {
            panic!("no memory layout of {length} bytes aligned to {alignment}")
        };
        Self(Arc::new(Pool { size, slab, slots: Mutex::default() }))
    }

    /// A buffer that holds what it held before: bytes of this pool's earlier buffers, or zeroes.
    pub fn take(&self) -> PooledBuffer {
        let pool = &*self.0;
        let mut slots = pool.slots.lock();
        let start = match slots.free.pop() {
            Some(start) => start,
            None => pool.grow(&mut slots),
        };
        drop(slots);
        PooledBuffer { start, pool: Arc::clone(&self.0) }
    }

    /// A buffer that holds a copy of `bytes`, as many as its size.
    pub fn copy_of(&self, bytes: &[u8]) -> PooledBuffer {
        let mut buffer = self.take();
        buffer.copy_from_slice(bytes);
        buffer
    }
}

impl Pool {
    /// One buffer of a new slab; the others are free. Buffers that are taken one after the other
    /// follow each other in memory.
    fn grow(&self, slots: &mut Slots) -> NonNull<u8> {
        // SAFETY: the layout's size is not zero.
        let Some(slab) = NonNull::new(unsafe { alloc_zeroed(self.slab) }) else {
            handle_alloc_error(self.slab)
        };
        slots.slabs.push(slab);
        // SAFETY: the offsets are inside the slab.
        let at = |index| unsafe { slab.add(index * self.size) };
        slots.free.extend((1..self.slab.size() / self.size).rev().map(at));
        slab
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for slab in std::mem::take(&mut self.slots.get_mut().slabs) {
            // SAFETY: it came from `alloc_zeroed` with this layout and is freed once; no buffer is
            // left, as each keeps the pool.
            unsafe { dealloc(slab.as_ptr(), self.slab) }
        }
    }
}

/// A buffer of a pool; back in it when dropped.
pub struct PooledBuffer {
    start: NonNull<u8>,
    pool: Arc<Pool>,
}

// SAFETY: the buffer is the only owner of its bytes and gives out references under the usual
// borrow rules only.
unsafe impl Send for PooledBuffer {}
// SAFETY: as above.
unsafe impl Sync for PooledBuffer {}

impl Drop for PooledBuffer {
    fn drop(&mut self) {
        self.pool.slots.lock().free.push(self.start);
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
}
