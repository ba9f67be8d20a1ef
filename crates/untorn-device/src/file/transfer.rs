//! Moving bytes between memory and an open file.
//!
//! Memory that is aligned goes to the host as it is. Other memory is bounced through a buffer that
//! every thread keeps (at most [`BOUNCE_MAX`] bytes), because log records and metadata bounce
//! often and an allocation per request would show. Requests that touch each other on the device go
//! down as one call.
//!
//! Invariants: offsets and lengths are whole sectors inside the device (checked above), and so is
//! every piece that a request is split into.
//!
//! Never here: bounds, geometry, errors that name a device.

use std::{
    cell::Cell,
    fs::File,
    io::{self, ErrorKind, IoSlice, IoSliceMut},
    os::unix::fs::FileExt,
};

use rustix::io::{Errno, preadv, pwritev};

use crate::{AlignedBuffer, ReadRequest, WriteRequest};

/// Bytes bounced at a time, and kept per thread, at most.
const BOUNCE_MAX: usize = 1 << 19;
/// Bytes that a thread's first bounce buffer has.
const BOUNCE_MIN: usize = 1 << 16;
/// Alignment of bounce buffers: what any host file system is content with.
const BOUNCE_ALIGNMENT: usize = 4096;
/// Slices in one vectored call (the host's IOV_MAX is 1024).
const SLICES_MAX: usize = 512;

thread_local! {
    static BOUNCE: Cell<Option<AlignedBuffer>> = const { Cell::new(None) };
}

/// Runs `body` on `length` bytes (up to [`BOUNCE_MAX`]) of this thread's bounce buffer. A thread
/// that ends may have none any more.
fn with_bounce<T>(length: usize, alignment: usize, body: impl FnOnce(&mut [u8]) -> T) -> T {
    let kept = BOUNCE.try_with(Cell::take).ok().flatten();
    let fits = |kept: &AlignedBuffer| kept.len() >= length && kept.alignment() >= alignment;
    let mut buffer = kept.filter(fits).unwrap_or_else(|| {
        let room = length.next_power_of_two().max(BOUNCE_MIN);
        AlignedBuffer::zeroed(room, alignment.max(BOUNCE_ALIGNMENT))
    });
    let result = body(&mut buffer[..length]);
    let _ = BOUNCE.try_with(|bounce| bounce.set(Some(buffer)));
    result
}

/// An open file and the memory alignment in bytes that it wants (1: any).
pub(super) struct Channel<'a> {
    pub(super) file: &'a File,
    pub(super) alignment: usize,
}

impl Channel<'_> {
    pub(super) fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        if self.takes(bytes) {
            return self.file.read_exact_at(bytes, offset);
        }
        let offsets = (offset..).step_by(BOUNCE_MAX);
        for (offset, chunk) in offsets.zip(bytes.chunks_mut(BOUNCE_MAX)) {
            with_bounce(chunk.len(), self.alignment, |bounce| {
                self.file.read_exact_at(bounce, offset)?;
                chunk.copy_from_slice(bounce);
                io::Result::Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.takes(bytes) {
            return self.file.write_all_at(bytes, offset);
        }
        let offsets = (offset..).step_by(BOUNCE_MAX);
        for (offset, chunk) in offsets.zip(bytes.chunks(BOUNCE_MAX)) {
            with_bounce(chunk.len(), self.alignment, |bounce| {
                bounce.copy_from_slice(chunk);
                self.file.write_all_at(bounce, offset)
            })?;
        }
        Ok(())
    }

    /// Fills requests that follow each other on the device, the first at byte `offset`.
    pub(super) fn read_run(&self, offset: u64, run: &mut [ReadRequest<'_>]) -> io::Result<()> {
        if let [only] = run {
            return self.read(offset, only.bytes);
        }
        if run.iter().all(|request| self.takes(request.bytes)) {
            return self.read_vectored(offset, run);
        }
        let length = run.iter().map(|request| request.bytes.len()).sum();
        if length > BOUNCE_MAX {
            return run.iter_mut().try_for_each(|request| self.read(request.offset, request.bytes));
        }
        with_bounce(length, self.alignment, |bounce| {
            self.file.read_exact_at(bounce, offset)?;
            let mut rest = &*bounce;
            for request in run {
                let (piece, after) = rest.split_at(request.bytes.len());
                request.bytes.copy_from_slice(piece);
                rest = after;
            }
            Ok(())
        })
    }

    /// Writes requests that follow each other on the device, the first at byte `offset`.
    pub(super) fn write_run(&self, offset: u64, run: &[WriteRequest<'_>]) -> io::Result<()> {
        if let [only] = run {
            return self.write(offset, only.bytes);
        }
        if run.iter().all(|request| self.takes(request.bytes)) {
            return self.write_vectored(offset, run);
        }
        let length = run.iter().map(|request| request.bytes.len()).sum();
        if length > BOUNCE_MAX {
            return run.iter().try_for_each(|request| self.write(request.offset, request.bytes));
        }
        with_bounce(length, self.alignment, |bounce| {
            let mut rest = &mut *bounce;
            for request in run {
                let (piece, after) = rest.split_at_mut(request.bytes.len());
                piece.copy_from_slice(request.bytes);
                rest = after;
            }
            self.file.write_all_at(bounce, offset)
        })
    }

    fn takes(&self, bytes: &[u8]) -> bool {
        bytes.as_ptr().addr().is_multiple_of(self.alignment)
    }

    fn write_vectored(&self, mut offset: u64, run: &[WriteRequest<'_>]) -> io::Result<()> {
        for group in run.chunks(SLICES_MAX) {
            let mut slices: Vec<_> = group.iter().map(|r| IoSlice::new(r.bytes)).collect();
            let mut slices = &mut slices[..];
            IoSlice::advance_slices(&mut slices, 0);
            while !slices.is_empty() {
                let moved = match pwritev(self.file, slices, offset) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Err(Errno::INTR) => continue,
                    moved => moved?,
                };
                offset += moved as u64;
                IoSlice::advance_slices(&mut slices, moved);
            }
        }
        Ok(())
    }

    fn read_vectored(&self, mut offset: u64, run: &mut [ReadRequest<'_>]) -> io::Result<()> {
        for group in run.chunks_mut(SLICES_MAX) {
            let mut slices: Vec<_> = group.iter_mut().map(|r| IoSliceMut::new(r.bytes)).collect();
            let mut slices = &mut slices[..];
            IoSliceMut::advance_slices(&mut slices, 0);
            while !slices.is_empty() {
                let moved = match preadv(self.file, slices, offset) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Err(Errno::INTR) => continue,
                    moved => moved?,
                };
                offset += moved as u64;
                IoSliceMut::advance_slices(&mut slices, moved);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
