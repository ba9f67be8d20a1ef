//! Regular files of an open volume.

use super::Volume;
use crate::error::Result;
use crate::inode::Inode;
use crate::io::{self, How, Sync, Wait, WriteOptions};
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::inode::InodeFlags;

/// An open regular file. Its methods may be called from many threads.
pub struct File {
    pub(super) volume: Volume,
    pub(super) inode: Arc<Inode>,
}

impl File {
    pub(super) fn new(volume: Volume, inode: Arc<Inode>) -> Self {
        Self { volume, inode }
    }

    #[cfg(test)]
    pub(crate) fn inode(&self) -> &Arc<Inode> {
        &self.inode
    }

    /// Its inode number.
    pub fn ino(&self) -> Ino {
        self.inode.ino
    }

    /// Its size in bytes.
    pub fn size(&self) -> Result<u64> {
        self.inode.size()
    }

    /// Fills `bytes` from byte `offset`; how many bytes there were before the end of the file.
    /// Every atomic write is seen whole or not at all.
    pub fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<usize> {
        io::read_at(&self.volume.core, &self.inode, offset, bytes, Wait::Allowed)
    }

    /// Writes `bytes` at byte `offset`, whole or not at all, whatever offset and length: after a
    /// power cut, a crash or an error at any time, all of them are new or all are old, and the
    /// file's size with them.
    ///
    /// *Untorn*, not *durable*: with [`Sync::Visible`] the write may be undone, whole, by a power
    /// cut before the next [`File::sync`]. Two writes that were not synced may survive in either
    /// order.
    pub fn write_atomic(&self, offset: u64, bytes: &[u8], sync: Sync) -> Result<()> {
        self.volume.demand_write("write")?;
        io::write_atomic(&self.volume.core, &self.inode, offset, bytes, self.at_least(sync)?)
    }

    /// Appends `bytes`, whole or not at all; where they begin.
    pub fn append_atomic(&self, bytes: &[u8], sync: Sync) -> Result<u64> {
        self.volume.demand_write("append")?;
        io::append_atomic(&self.volume.core, &self.inode, bytes, self.at_least(sync)?)
    }

    /// Writes `bytes` at byte `offset` in place where that can be. A power cut may tear the write.
    pub fn write_at(&self, offset: u64, bytes: &[u8], sync: Sync) -> Result<()> {
        let options = WriteOptions { how: How::Direct, sync, ..WriteOptions::at(offset) };
        self.write(options, bytes).map(drop)
    }

    /// Fills `bytes` from byte `offset` through the page cache; how many there were before the end
    /// of the file.
    pub fn read_cached(&self, offset: u64, bytes: &mut [u8]) -> Result<usize> {
        io::read_cached(&self.volume.core, &self.inode, offset, bytes, Wait::Allowed)
    }

    /// Writes `bytes` at byte `offset` into the page cache. Every reader sees them at once; the
    /// device gets them at [`File::sync`], when memory runs short, or when the volume is closed. A
    /// power cut before that may leave any part of the write. Space for them is set aside here:
    /// where there is none, the write is refused and no later call fails for it.
    pub fn write_cached(&self, offset: u64, bytes: &[u8], sync: Sync) -> Result<()> {
        self.write(WriteOptions { sync, ..WriteOptions::at(offset) }, bytes).map(drop)
    }

    /// What `sync` asks for, or what the file itself does: all changes of a file that is marked
    /// synchronous are durable.
    pub(super) fn at_least(&self, sync: Sync) -> Result<Sync> {
        at_least(&self.inode, sync)
    }

    /// Makes everything done to the file so far durable: bytes, size and mappings.
    pub fn sync(&self) -> Result<()> {
        io::fsync(&self.volume.core, &self.inode)
    }
}

/// What `sync` asks for, or what the file `inode` itself does.
pub(super) fn at_least(inode: &Inode, sync: Sync) -> Result<Sync> {
    let marked = inode.flags()?.has(InodeFlags::SYNC);
    Ok(if marked { Sync::Complete } else { sync })
}
