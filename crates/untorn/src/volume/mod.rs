//! Open volumes: the library's public face.
//!
//! Opening probes the superblock, recovers the journal, finishes what a crash left, and counts what
//! is free. Closing leaves a journal that needs no replay.

mod alike;
mod atomic;
mod attributes;
mod change;
mod extents;
mod file;
mod listing;
mod mounted;
mod names;
mod naming;
mod open;
mod options;
mod parents;
mod probe;
mod replace;
mod sharing;
mod space_calls;
mod traits;
mod trim;
mod whole;

pub use atomic::Atomic;
pub use extents::{ExtentKind, FileExtent};
pub use file::File;
pub use listing::Listing;
pub use names::{DirEntry, Metadata, NewFile};
pub use naming::{Name, Orphan};
pub use open::{Access, OpenOptions};
pub use parents::Parent;
pub use probe::probe;
pub use traits::{FileFlag, FileFlags, Traits};
pub use trim::{FreedBlocks, Trim};
pub use whole::{Grown, Label, NewUuid, grow, set_label, set_uuid};

use crate::ag::settle_waiting;
use crate::core::Core;
use crate::error::{Error, Result};
use crate::quota;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use untorn_format::{Ino, Superblock};

/// What opening a volume found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// The journal ended in an unmount record: nothing had to be done.
    pub was_clean: bool,
    /// Transactions replayed.
    pub transactions: u64,
    /// Items of theirs.
    pub items: u64,
    /// Intents that a crash had left unfinished, finished now.
    pub intents: u64,
    /// Inodes freed that were deleted while open.
    pub unlinked: u64,
    /// Blocks given back that a copy-on-write had set aside.
    pub staging_blocks: u64,
}

/// Space and inodes of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Block size in bytes.
    pub block_size: u32,
    /// Blocks of the data section, the log not counted.
    pub blocks: u64,
    /// Free blocks.
    pub free: u64,
    /// Free blocks that files may take now.
    pub available: u64,
    /// Allocated inodes.
    pub inodes: u64,
    /// Free ones among them.
    pub free_inodes: u64,
}

/// An open XFS volume. Cheap to clone; all clones are one volume.
#[derive(Clone)]
pub struct Volume {
    core: Arc<Core>,
    closer: Arc<Closer>,
    access: Access,
    recovery: Recovery,
}

/// Closes the volume when the last handle goes, if nobody did before.
struct Closer {
    core: Arc<Core>,
    /// Whether there is something to close. Held while that is done: whoever comes second learns
    /// how it ended. A close that failed may be tried again.
    open: Mutex<bool>,
}

impl Closer {
    fn close(&self) -> Result<()> {
        let mut open = self.open.lock();
        if *open {
            open::unmount(&self.core)?;
            *open = false;
        }
        Ok(())
    }
}

impl Drop for Closer {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the volume was not closed cleanly");
            // Nobody can try again. What is cached holds the volume, which holds what is cached.
            give_up(&self.core, "the volume could not be closed");
        }
    }
}

/// Writes nothing more, and forgets what only memory has.
fn give_up(core: &Arc<Core>, reason: &str) {
    core.store.stop(untorn_device::DeviceError::Unusable(reason.to_owned()).into());
    core.worker.end();
    core.pages.ahead.end();
    crate::io::give_up_all(core);
    core.names.clear();
}

impl Volume {
    /// What opening found and did.
    pub fn recovery(&self) -> Recovery {
        self.recovery
    }

    /// The superblock as it was when the volume was opened.
    pub fn superblock(&self) -> &Superblock {
        &self.core.superblock
    }

    /// The root directory's inode number.
    pub fn root(&self) -> Ino {
        self.core.superblock.root_ino
    }

    /// Space and inodes, used and free.
    pub fn space(&self) -> Result<Space> {
        // What is kept back for changes that wait comes free with them. Where they fail, the next
        // change of the volume hears of it.
        let _ = settle_waiting(&self.core);
        let counters = &self.core.counters;
        let count = |value: &std::sync::atomic::AtomicI64| {
            u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0)
        };
        Ok(Space {
            block_size: self.core.geometry.block_size() as u32,
            blocks: self.core.geometry.data_blocks - self.log_blocks(),
            free: count(&counters.free_blocks),
            available: self.core.available()?,
            inodes: count(&counters.inodes),
            free_inodes: count(&counters.free_inodes),
        })
    }

    #[cfg(test)]
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    fn log_blocks(&self) -> u64 {
        match self.core.geometry.log_start.0 {
            0 => 0,
            _ => u64::from(self.core.geometry.log_blocks),
        }
    }

    /// The regular file `ino`.
    pub fn file(&self, ino: Ino) -> Result<File> {
        let inode = self.core.inode_by_number(ino)?;
        crate::io::demand_regular(&inode)?;
        Ok(File::new(self.clone(), inode))
    }

    /// Makes everything done so far durable.
    pub fn sync(&self) -> Result<()> {
        crate::io::flush_all(&self.core)?;
        crate::io::save_all_times(&self.core, None)?;
        self.core.store.force_all()?;
        Ok(self.core.store.flush_data()?)
    }

    /// Refuses where the volume was opened for reading; before the first write gives up quota
    /// counts that are not kept here.
    pub(crate) fn demand_write(&self, what: &str) -> Result<()> {
        match self.access {
            Access::ReadWrite => {
                self.core.worker.start(&self.core);
                quota::uncount(&self.core)
            }
            Access::ReadOnly => Err(Error::ReadOnly(what.to_owned())),
        }
    }

    /// Ends all writing and leaves a journal that needs no replay. Files that are still open can
    /// be read but not written. Dropping the last handle of a volume does the same, but cannot say
    /// what went wrong. A close that failed left everything in memory: it can be tried again from
    /// another handle.
    pub fn close(self) -> Result<()> {
        self.closer.close()
    }

    /// Stops writing at once, as a power cut would: nothing more reaches the device.
    pub fn abandon(self) {
        let reason = "the volume was abandoned";
        self.core.store.stop(untorn_device::DeviceError::Unusable(reason.to_owned()).into());
        *self.closer.open.lock() = false;
        give_up(&self.core, reason);
    }
}
