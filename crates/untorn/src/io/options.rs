//! Reads and writes that say how they are done.

use super::{Caching, Position, Sync, Wait};
use super::{append_atomic, write_atomic, write_cached, write_plain};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use std::sync::Arc;

/// Which way the bytes of a write go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// Into the page cache, and to the device later. A power cut may leave any part.
    #[default]
    Cached,
    /// To the device, in place where that can be. A power cut may tear the write.
    Direct,
    /// To the device, out of place: whole or not at all.
    Atomic,
}

/// What a write asks for besides its bytes.
///
/// ```
/// # use std::sync::Arc;
/// # use untorn::{How, NewFile, OpenOptions, Sync, Volume, WriteOptions, mkfs};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
/// # mkfs::make(&*device, &mkfs::Options::default())?;
/// # let volume = Volume::open(device, OpenOptions::default())?;
/// let log = volume.create_file("/log", NewFile::default())?;
/// let first = log.write(WriteOptions::append(), b"cached\n")?;
/// let whole = WriteOptions { how: How::Atomic, sync: Sync::Durable, ..WriteOptions::append() };
/// let second = log.write(whole, b"whole\n")?;
/// assert_eq!((first, second), (0, 7));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Where: writes to [`Position::Append`] never get the same bytes, whichever way they go.
    pub at: Position,
    /// Which way.
    pub how: How,
    /// When it returns.
    pub sync: Sync,
    /// Whether it may wait.
    pub wait: Wait,
}

impl WriteOptions {
    /// A cached write at byte `offset`.
    pub fn at(offset: u64) -> Self {
        Self::to(Position::At(offset))
    }

    /// A cached write behind the end of the file.
    pub fn append() -> Self {
        Self::to(Position::Append)
    }

    fn to(at: Position) -> Self {
        Self { at, how: How::default(), sync: Sync::default(), wait: Wait::default() }
    }
}

/// What a read asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// First byte.
    pub offset: u64,
    /// Through the page cache or around it.
    pub caching: Caching,
    /// Whether it may wait.
    pub wait: Wait,
}

/// Writes `bytes` as `options` say; the byte where they begin.
pub(crate) fn write(
    core: &Arc<Core>,
    inode: &Arc<Inode>,
    options: WriteOptions,
    bytes: &[u8],
) -> Result<u64> {
    let WriteOptions { at, how, sync, wait } = options;
    if wait == Wait::Refused {
        demand_prompt(how, sync)?;
    }
    match (how, at) {
        (How::Cached, _) => write_cached(core, inode, at, bytes, sync, wait),
        (How::Direct, _) => write_plain(core, inode, at, bytes, sync, wait),
        (How::Atomic, Position::Append) => append_atomic(core, inode, bytes, sync),
        (How::Atomic, Position::At(offset)) => {
            write_atomic(core, inode, offset, bytes, sync).map(|()| offset)
        }
    }
}

/// Refuses writes that wait whatever the file is like.
fn demand_prompt(how: How, sync: Sync) -> Result<()> {
    if sync != Sync::Visible {
        return Err(Error::WouldWait("durable bytes wait for the device"));
    }
    match how {
        How::Atomic => Err(Error::WouldWait("an atomic write takes new blocks")),
        How::Cached | How::Direct => Ok(()),
    }
}
