//! Why a volume could not be checked.

use untorn_device::DeviceError;

/// Why a volume could not be checked at all. What is wrong with a volume that could be checked is a
/// [`crate::Finding`].
#[derive(Clone, Debug, thiserror::Error)]
pub enum CheckError {
    /// The device holds something else.
    #[error("this is no XFS volume: there is no superblock at its start")]
    NotXfs,
    /// The volume has something that the checker does not understand; the text says what.
    #[error("cannot check this volume: {0}")]
    Unsupported(String),
    /// The journal holds changes that are not home yet.
    #[error("the journal holds changes that are not written home: it has to be replayed first")]
    DirtyJournal,
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
}
