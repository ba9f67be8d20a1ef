//! The only unsafe code of this crate, with [`pool`]: memory at a chosen alignment, and two system
//! calls that have no safe binding: a block ioctl, and the question who holds a record lock.
//!
//! Invariants: an [`AlignedBuffer`] owns `length` initialised bytes at an address that is a
//! multiple of its alignment, allocated with exactly the layout that frees them. An empty buffer
//! owns one byte, so that there is one case only.
//!
//! Never here: I/O on the buffer, growth.

#![allow(unsafe_code)]

mod pool;

pub use pool::{BufferPool, PooledBuffer};

use std::{
    alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error},
    fmt, io,
    ops::{Deref, DerefMut},
    os::fd::{AsFd, AsRawFd},
    ptr::NonNull,
    slice,
};

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// Owned bytes at an aligned address, for requests that a device makes without a copy.
pub struct AlignedBuffer {
    start: NonNull<u8>,
    length: usize,
    layout: Layout,
}

// SAFETY: the buffer is the only owner of its memory and gives out references under the usual
// borrow rules only, so it moves and is shared between threads like a `Box<[u8]>`.
unsafe impl Send for AlignedBuffer {}
// SAFETY: as above.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// `length` bytes of zeros at a multiple of `alignment` bytes, which must be a power of two.
    pub fn zeroed(length: usize, alignment: usize) -> Self {
        let Ok(layout) = Layout::from_size_align(length.max(1), alignment) else {
            panic!("no memory layout of {length} bytes aligned to {alignment}")
        };
        // SAFETY: the layout's size is not zero.
        let start = unsafe { alloc_zeroed(layout) };
        match NonNull::new(start) {
            Some(start) => Self { start, length, layout },
            None => handle_alloc_error(layout),
        }
    }

    /// A copy of `bytes` at a multiple of `alignment` bytes, which must be a power of two.
    pub fn copy_of(bytes: &[u8], alignment: usize) -> Self {
        let mut buffer = Self::zeroed(bytes.len(), alignment);
        buffer.copy_from_slice(bytes);
        buffer
    }

    /// The power of two, in bytes, that the address is a multiple of.
    pub fn alignment(&self) -> usize {
        self.layout.align()
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: `start` came from `alloc_zeroed` with this layout and is freed once.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: `length` bytes at `start` are ours and initialised (zeroed at birth).
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and `&mut self` is the only way to the memory.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.length) }
    }
}

impl Clone for AlignedBuffer {
    fn clone(&self) -> Self {
        Self::copy_of(self, self.alignment())
    }
}

impl fmt::Debug for AlignedBuffer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("AlignedBuffer")
            .field("length", &self.len())
            .field("alignment", &self.alignment())
            .finish()
    }
}

/// `BLKDISCARD` of linux/fs.h: `_IO(0x12, 119)`, given a pointer to offset and length in bytes.
const BLKDISCARD: Opcode = opcode::none(0x12, 119);

/// Tells a block node that `length` bytes from byte `offset` are not needed.
pub(crate) fn discard_on_node(node: impl AsFd, offset: u64, length: u64) -> rustix::io::Result<()> {
    // SAFETY: the kernel reads two u64 through the pointer and writes nothing; on a descriptor
    // that is no block node it answers ENOTTY.
    unsafe {
        let request = Setter::<{ BLKDISCARD }, [u64; 2]>::new([offset, length]);
        ioctl(node, request)
    }
}

/// Whether somebody holds a record lock (fcntl(2)) on a byte of `file` through another opening of
/// it.
pub(crate) fn is_record_locked(file: impl AsFd) -> io::Result<bool> {
    // A write lock of all bytes: any other is in its way. A length of 0 goes to the end.
    let mut lock = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the descriptor is open while it is borrowed; the call writes to `lock` alone, which
    // is what it expects.
    match unsafe { libc::fcntl(file, libc::F_OFD_GETLK, &raw mut lock) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(lock.l_type != libc::F_UNLCK as libc::c_short),
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuffer;

    #[test]
    fn memory_lies_at_the_alignment_and_is_zero() {
        for alignment in [1, 512, 4096, 1 << 16] {
            let buffer = AlignedBuffer::zeroed(5000, alignment);
            assert_eq!(buffer.as_ptr().addr() % alignment, 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn an_empty_buffer_is_empty_and_drops() {
        assert_eq!(AlignedBuffer::zeroed(0, 4096).clone().len(), 0);
    }

    #[test]
    fn a_clone_has_the_bytes_and_the_alignment_but_not_the_memory() {
        let mut first = AlignedBuffer::copy_of(b"abc", 512);
        let second = first.clone();
        first[0] = b'z';
        assert_eq!((&*second, second.alignment()), (&b"abc"[..], 512));
    }
}
