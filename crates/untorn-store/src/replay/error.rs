//! Why a log could not be recovered.

use untorn_device::DeviceError;
use untorn_format::log::ItemError;
use untorn_format::{Corrupt, DiskAddr, Fault, Place};

use crate::journal::LogArea;

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

/// What to do about a log that only Linux can replay.
const MOUNT_WITH_LINUX: &str = "mount and unmount the volume with Linux";
/// What to do about a log of another kind of machine.
const SAME_BYTE_ORDER: &str =
    "mount and unmount the volume with Linux on a machine of the kind that wrote it";

impl RecoverError {
    pub(crate) fn foreign(what: &str) -> Self {
        Self::Unsupported { what: what.to_owned(), remedy: SAME_BYTE_ORDER }
    }
    pub(crate) fn external() -> Self {
        let what = "nothing: it is on a device of its own".to_owned();
        Self::Unsupported { what, remedy: MOUNT_WITH_LINUX }
    }
    /// An item of the transaction that starts at block `block` of the log could not be read.
    pub(crate) fn item(error: ItemError, area: &LogArea, block: u32) -> Self {
        match error {
            ItemError::Fault(fault) => fault.at(place(area, block)).into(),
            unknown => Self::Unsupported { what: unknown.to_string(), remedy: MOUNT_WITH_LINUX },
        }
    }
    pub(crate) fn realtime(what: &str) -> Self {
        Self::Unsupported { what: what.to_owned(), remedy: MOUNT_WITH_LINUX }
    }
}

/// The place of block `block` of the log.
pub(crate) fn place(area: &LogArea, block: u32) -> Place {
    Place::at(DiskAddr(area.start / 512 + u64::from(block)))
}

/// Block `block` of the log breaks `rule`.
pub(crate) fn broken(rule: &'static str, area: &LogArea, block: u32) -> Corrupt {
    Fault::Order { what: "log", rule, index: block as usize }.at(place(area, block))
}
