//! What goes wrong between a source and a volume, and where.

use std::io;
use std::path::{Path, PathBuf};
use untorn::mkfs::MkfsError;

/// Result of what is done here.
pub type Result<T> = std::result::Result<T, Error>;

/// An error: the host's, the archive's, the source's or the volume's.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host refused something.
    #[error("{path}: {source}")]
    Host {
        /// What it is about.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// An archive, or one of its entries, is not what it should be.
    #[error("{name}: {what}")]
    Entry {
        /// The entry's name; the archive where it is about the whole.
        name: String,
        /// What is wrong and what to do.
        what: String,
    },
    /// An archive is compressed.
    #[error("{name}: is compressed: unpack it first (`{tool}`)")]
    Compressed {
        /// The archive.
        name: String,
        /// What unpacks it to its standard output.
        tool: &'static str,
    },
    /// Two parts of a source contradict each other, or it changed while it was read.
    #[error("{path}: {what}")]
    Source {
        /// The path.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The volume refused something.
    #[error(transparent)]
    Volume(Box<AtPath>),
    /// The volume is too small for the tree.
    #[error("{path}: no space left on the volume of {size} bytes")]
    NoRoom {
        /// Where space ran out.
        path: String,
        /// Bytes of the volume.
        size: u64,
        /// Bytes of a volume that is surely large enough.
        needed: u64,
    },
    /// The volume could not be opened or closed.
    #[error(transparent)]
    Open(#[from] untorn::Error),
    /// The volume could not be made.
    #[error(transparent)]
    Mkfs(#[from] MkfsError),
    /// A device failed.
    #[error(transparent)]
    Device(#[from] untorn_device::DeviceError),
}

/// What a volume refused, and where.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}")]
pub struct AtPath {
    /// Path on the volume.
    pub path: String,
    /// What it said.
    pub source: untorn::Error,
}

/// Makes what the host said an error about `path`.
pub(crate) fn at_host(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Host { path, source }
}

/// An archive's entry is wrong.
pub(crate) fn entry<T>(name: &[u8], what: impl Into<String>) -> Result<T> {
    Err(Error::Entry { name: shown(name), what: what.into() })
}

/// A name for people.
pub(crate) fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}
