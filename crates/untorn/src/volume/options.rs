//! Reads and writes of files that say how they are done.

use super::File;
use crate::error::Result;
use crate::io::{self, Caching, ReadOptions, WriteOptions};

impl File {
    /// Writes `bytes` as `options` say; the byte where they begin.
    ///
    /// A write that may not wait is refused with [`crate::Error::WouldWait`], nothing changed,
    /// unless it is a cached one over bytes that are in memory and have their space, or a direct
    /// one over written blocks that are the file's alone. Atomic and durable writes always wait.
    pub fn write(&self, options: WriteOptions, bytes: &[u8]) -> Result<u64> {
        self.volume.demand_write("write")?;
        let options = WriteOptions { sync: self.at_least(options.sync)?, ..options };
        io::write(&self.volume.core, &self.inode, options, bytes)
    }

    /// Fills `bytes` as `options` say; how many there were before the end of the file. A read that
    /// may not wait is refused with [`crate::Error::WouldWait`] where others write the same bytes,
    /// where a direct one would have to write back cached bytes first, or where a cached one does
    /// not find all its bytes in memory.
    pub fn read(&self, options: ReadOptions, bytes: &mut [u8]) -> Result<usize> {
        let ReadOptions { offset, caching, wait } = options;
        match caching {
            Caching::Direct => io::read_at(&self.volume.core, &self.inode, offset, bytes, wait),
            Caching::Cached => io::read_cached(&self.volume.core, &self.inode, offset, bytes, wait),
        }
    }
}
