//! Recovery of a log: head and tail, two passes, blocks written home, intents handed up.
//!
//! Never here: finishing intents, unlinked inodes, counters. The filesystem above does that with
//! the code that performs the operations live.

use crate::journal::Journal;
use std::sync::Arc;
use untorn_device::{BlockDevice, DeviceError};
use untorn_format::log::Intent;
use untorn_format::{Corrupt, Lsn, Superblock};

/// An operation that the log says was begun and not finished.
#[derive(Clone, Debug)]
pub struct PendingIntent {
    /// LSN of the checkpoint that holds it: the tail may not pass it before it is done.
    pub lsn: Lsn,
    /// What is to be done.
    pub intent: Intent,
}

/// A recovered log.
pub struct Replayed {
    /// The journal, ready to be written behind its head.
    pub journal: Journal,
    /// Unfinished operations, in log order.
    pub intents: Vec<PendingIntent>,
    /// Complete transactions that were replayed.
    pub transactions: u64,
    /// Items of theirs.
    pub items: u64,
    /// The log ended in an unmount record: nothing was replayed.
    pub was_clean: bool,
}

/// Why a log could not be recovered.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RecoverError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The log, or a block that it changes, is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// The log holds something that is not handled here.
    #[error("the log holds {what}: {remedy}")]
    Unsupported {
        /// What it holds.
        what: String,
        /// What to do about it.
        remedy: &'static str,
    },
}

/// Finds the head of the log, replays what is not home, writes it home durably and clears what a
/// torn write left ahead of the head.
pub fn recover(device: Arc<dyn BlockDevice>, sb: &Superblock) -> Result<Replayed, RecoverError> {
    let _ = (device, sb);
    todo!()
}
