//! Why a device could not do what it was asked.
//!
//! Every error says in words what happened and, where the user can do something, what to do.

use std::{io, path::PathBuf, sync::Arc};

/// What the device was asked to do when it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Opening it.
    Open,
    /// Reading bytes.
    Read,
    /// Writing bytes.
    Write,
    /// Making earlier writes durable.
    Flush,
    /// Giving space back.
    Discard,
}

/// Why a device could not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DeviceError {
    /// The host would not open it.
    #[error("{}: {source}", path.display())]
    Open {
        /// What was to be opened.
        path: PathBuf,
        /// The host's error.
        source: Arc<io::Error>,
    },
    /// The host refused or the medium failed.
    #[error("{operation:?} of {length} bytes at byte {offset} failed: {source}")]
    Io {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// The host's error.
        source: Arc<io::Error>,
    },
    /// The request reaches past the end of the device.
    #[error(
        "{operation:?} of {length} bytes at byte {offset} reaches past the end of the device \
         ({size} bytes)"
    )]
    OutOfRange {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// Size of the device in bytes.
        size: u64,
    },
    /// Offset or length is not a multiple of the sector size.
    #[error(
        "{operation:?} of {length} bytes at byte {offset} is not aligned to {sector_size}-byte \
         sectors"
    )]
    Misaligned {
        /// What was asked.
        operation: Operation,
        /// Byte offset on the device.
        offset: u64,
        /// Length in bytes.
        length: u64,
        /// Sector size in bytes.
        sector_size: u32,
    },
    /// The device was opened read-only.
    #[error("the device was opened read-only")]
    ReadOnly,
    /// Somebody else has the device: the text says who.
    #[error("{0}")]
    Busy(String),
    /// An earlier write or flush failed; nothing more is written (see the first error).
    #[error("the device was stopped by an earlier failure: {0}")]
    Stopped(Arc<DeviceError>),
    /// Not a device, partition or window that can be opened: the text says why and what to do.
    #[error("{0}")]
    Unusable(String),
}

/// Result of a device request.
pub type Result<T> = std::result::Result<T, DeviceError>;
