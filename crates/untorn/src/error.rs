//! What goes wrong, as the caller of the library sees it.

use std::sync::Arc;
use untorn_device::DeviceError;
use untorn_format::{AgNumber, Corrupt, Ino};
use untorn_store::StoreError;

/// An error of the library: the machine's (`Device`), the volume's (`Corrupt`, `Unsupported`) or
/// the caller's (the rest).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The volume is damaged.
    #[error("{0}; check the volume before writing to it")]
    Corrupt(#[from] Corrupt),
    /// There is no volume at that place.
    #[error("this is no XFS volume: no XFSB at its start")]
    NotXfs,
    /// The device ends before the volume does.
    #[error("the volume has {needed} bytes but the device only {size}: the image is cut short")]
    CutShort {
        /// Bytes of the volume.
        needed: u64,
        /// Bytes of the device.
        size: u64,
    },
    /// A chain of deleted files that nobody freed yet is damaged. Nothing on it was changed.
    #[error(
        "the chain of deleted files in bucket {bucket} of AG {ag} is damaged ({cause}): run \
         xfs_repair (where it finds a log to replay, mount and unmount the volume on Linux first); \
         for reading the volume opens as it is"
    )]
    UnlinkedChain {
        /// Allocation group.
        ag: AgNumber,
        /// Which of its 64 chains.
        bucket: usize,
        /// What is wrong.
        cause: Corrupt,
    },
    /// The volume or the request needs something that is not handled here.
    #[error("{what} is not supported: {remedy}")]
    Unsupported {
        /// What it is.
        what: String,
        /// What to do instead.
        remedy: String,
    },
    /// A write failed earlier: the volume takes no more writes until it is opened again.
    #[error("the volume was stopped by an earlier failure ({0}); open it again to recover it")]
    Stopped(Arc<StoreError>),
    /// There is not enough free space. Nothing was changed.
    #[error("no space left on the volume: {needed} blocks needed, {available} available")]
    NoSpace {
        /// Blocks that were asked for.
        needed: u64,
        /// Blocks that files may still take.
        available: u64,
    },
    /// There is enough free space, but not in one run, as a block of a directory or the target of
    /// a symbolic link needs it. Nothing was changed.
    #[error(
        "no {needed} free blocks in a row, as a directory block or a long symbolic link needs \
         them: the {available} free ones lie in shorter pieces; remove or move files first"
    )]
    NoRun {
        /// Blocks in a row that were asked for.
        needed: u64,
        /// Blocks that files may still take.
        available: u64,
    },
    /// One atomic change is larger than what one journal transaction can carry. Nothing changed.
    #[error("the change needs {need} bytes of journal in one transaction; the limit is {limit}")]
    TooLarge {
        /// Bytes of journal that it needs.
        need: u64,
        /// Bytes that one transaction can have.
        limit: u64,
    },
    /// A block has as many users as can be counted. Sharing it further was refused.
    #[error("block {0} has as many users as can be counted: copy the bytes instead")]
    TooShared(u64),
    /// A file was changed since it was looked at. Nothing was done.
    #[error("{0}: was changed meanwhile")]
    Changed(String),
    /// No such file or directory.
    #[error("{0}: no such file or directory")]
    NotFound(String),
    /// No such attribute.
    #[error("{0}: no such attribute")]
    NoAttribute(String),
    /// The name is taken.
    #[error("{0}: exists already")]
    Exists(String),
    /// A directory was needed.
    #[error("{0}: not a directory")]
    NotDirectory(String),
    /// Something other than a directory was needed.
    #[error("{0}: is a directory")]
    IsDirectory(String),
    /// A regular file was needed.
    #[error("{0}: not a regular file")]
    NotRegular(String),
    /// The directory still has entries.
    #[error("{0}: directory is not empty")]
    NotEmpty(String),
    /// An inode has as many names as can be counted.
    #[error("{0}: has as many links as can be counted: copy it instead")]
    TooManyLinks(String),
    /// A directory keeps what is in it in one project.
    #[error(
        "{name}: belongs to project {from}, and what is in the directory belongs to project {to}: \
         copy it, or change its project first"
    )]
    CrossProject {
        /// The name that it would have had.
        name: String,
        /// Its project.
        from: u32,
        /// The directory's.
        to: u32,
    },
    /// Too many symbolic links on the way.
    #[error("{0}: too many levels of symbolic links")]
    SymlinkLoop(String),
    /// An `RWF_ATOMIC` write was refused as Linux refuses it. Nothing was touched.
    #[error("the atomic write was refused: {0}")]
    AtomicRefused(crate::io::AtomicRefusal),
    /// A call that may not wait would have had to. Nothing was changed.
    #[error("the call would have to wait: {0}; let it wait, or try again")]
    WouldWait(&'static str),
    /// A name, offset, length or option that cannot be.
    #[error("{0}")]
    Invalid(String),
    /// The file is protected from this change by a flag of its inode.
    #[error("{0}: clear the flag first; nothing was changed")]
    Protected(String),
    /// The volume is open for reading only.
    #[error("the volume is open for reading only: {0}")]
    ReadOnly(String),
    /// The operation needs an owner that it may not wait for: it starts again with it. Never
    /// leaves the library.
    #[doc(hidden)]
    #[error("internal: operation must start again")]
    Restart(Owner),
    /// The transaction outgrew its journal reservation: it starts again with more. Never leaves
    /// the library.
    #[doc(hidden)]
    #[error("internal: operation must start again with more journal")]
    Outgrown(u64),
}

/// Who owns metadata blocks, in lock order.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// An inode: its forks' blocks, its directory and attribute blocks.
    Inode(Ino),
    /// An allocation group: headers, btrees, free list, unlinked chains.
    Ag(AgNumber),
    /// The same, where no change of what lies in files may wait.
    Contents(AgNumber),
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Device(error) => Self::Device(error),
            StoreError::Corrupt(error) => Self::Corrupt(error),
            StoreError::TooLarge { need, limit } => Self::TooLarge { need, limit },
            StoreError::Outgrown { need } => Self::Outgrown(need),
            StoreError::Stopped(first) => Self::Stopped(first),
        }
    }
}

/// Result of the library.
pub type Result<T> = std::result::Result<T, Error>;
