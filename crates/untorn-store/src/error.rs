//! Why the store could not do what it was asked.

use crate::journal::JournalError;
use std::sync::Arc;
use untorn_device::DeviceError;
use untorn_format::Corrupt;

/// An error of the store. Cheap to clone: the error that stopped a store is told to all callers.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The volume is damaged.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// One transaction needs more of the journal than it can ever hold.
    #[error("the transaction needs {need} bytes of journal, the most that one can have is {limit}")]
    TooLarge {
        /// Bytes that it needs.
        need: u64,
        /// Bytes that there are.
        limit: u64,
    },
    /// A transaction outgrew its reservation and there was no room at once: begin again with
    /// `need`.
    #[error("the transaction needs {need} bytes of journal, more than it had reserved")]
    Outgrown {
        /// Bytes that it needs.
        need: u64,
    },
    /// A write to the journal or home failed earlier; nothing more is written.
    #[error("the volume was stopped by an earlier failure: {0}")]
    Stopped(Arc<StoreError>),
}

impl From<JournalError> for StoreError {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Device(error) => Self::Device(error),
            JournalError::Full { need, free } => Self::TooLarge { need, limit: free },
        }
    }
}

/// Result of a store request.
pub type Result<T> = std::result::Result<T, StoreError>;
