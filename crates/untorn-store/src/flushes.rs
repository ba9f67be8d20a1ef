//! What was written to the device outside the journal, and what of it a flush has made durable.
//!
//! A flush covers every write that returned before it began, whoever made it: the flush that ends
//! one checkpoint often saves the first flush of the next.
//!
//! Invariant: `durable` never exceeds what `written` was when a flush began that has returned.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts writes; a moment is how many there had been.
pub(crate) struct Flushes {
    written: AtomicU64,
    durable: AtomicU64,
}

impl Flushes {
    /// Something was written before anybody counted.
    pub fn new() -> Self {
        Self { written: AtomicU64::new(1), durable: AtomicU64::new(0) }
    }

    /// A write returned.
    pub fn note_write(&self) {
        self.written.fetch_add(1, Ordering::AcqRel);
    }

    /// The moment: a flush that begins now covers all before it.
    pub fn moment(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// A flush that began at `moment` returned.
    pub fn note_flush(&self, moment: u64) {
        self.durable.fetch_max(moment, Ordering::AcqRel);
    }

    /// Whether all that was written before `moment` is durable.
    pub fn covers(&self, moment: u64) -> bool {
        self.durable.load(Ordering::Acquire) >= moment
    }
}
