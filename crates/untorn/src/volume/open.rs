//! Opening and closing.

use super::{Closer, FreedBlocks, Recovery, Volume, probe};
use crate::ag::{Ag, EmptyChunks, LateChanges};
use crate::background::{Background, Worker};
use crate::clock::Clock;
use crate::core::{Core, Counters};
use crate::error::{Error, Result};
use crate::inode::{self, InodeCache};
use crate::io::{self, LazyTimes, PageCache, Readers, Times};
use crate::namespace::KnownNames;
use crate::recover;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use untorn_device::{BlockDevice, Latch, OverlayDevice};
use untorn_format::features::{self, Unsupported};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Place, Superblock};
use untorn_store::replay::{self, RecoverError, Replayed};
use untorn_store::{Store, StoreOptions};

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing; the journal is recovered on the device.
    #[default]
    ReadWrite,
    /// Reading: nothing on the device is touched; the journal is recovered in memory.
    ReadOnly,
}

/// How to open a volume.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// For what.
    pub access: Access,
    /// Limits of the metadata store.
    pub store: StoreOptions,
    /// Bytes that cached file contents may take.
    pub page_bytes: usize,
    /// Journal bytes that one transaction may take; what the journal can carry by default, and
    /// never more. With less, long calls hold up others less, and what must be one transaction may
    /// be refused earlier.
    pub largest_transaction: Option<u64>,
    /// Whether the device hears at once of blocks that are free.
    pub freed: FreedBlocks,
    /// What is done while nobody asks.
    pub background: Background,
    /// When the times of writes in place go to the journal.
    pub times: Times,
    /// What becomes of chunks of inodes that nobody uses.
    pub empty_chunks: EmptyChunks,
    /// Inodes kept in memory that nobody uses, about: 1 KiB each, and 2 KiB where their files were
    /// read or written. Those in use come on top. For each, up to two names are known without a
    /// look into their directory: about 100 bytes and the name itself each. The default of 131,072
    /// takes 150 MiB where a process has met as many files.
    pub idle_inodes: usize,
    /// Where the times in inodes come from.
    pub clock: Clock,
}

impl Default for OpenOptions {
    fn default() -> Self {
        let (access, store, largest_transaction, freed, background) = Default::default();
        let (empty_chunks, clock, times) = Default::default();
        let (page_bytes, idle_inodes) = (128 << 20, inode::IDLE);
        Self {
            access,
            store,
            page_bytes,
            largest_transaction,
            freed,
            background,
            empty_chunks,
            idle_inodes,
            clock,
            times,
        }
    }
}

impl Volume {
    /// Opens the volume that begins at byte 0 of `device`. A journal that a crash left is
    /// recovered; the volume is then as its last durable transaction left it.
    pub fn open(device: Arc<dyn BlockDevice>, options: OpenOptions) -> Result<Self> {
        let superblock = probe(&*device)?;
        let (device, wanted): (Arc<dyn BlockDevice>, _) = match options.access {
            Access::ReadWrite if device.geometry().read_only => {
                return Err(Error::ReadOnly("its device cannot be written".to_owned()));
            }
            Access::ReadWrite => (Arc::new(Latch::new(device)), features::Access::Write),
            Access::ReadOnly => (Arc::new(OverlayDevice::new(device)), features::Access::Read),
        };
        admit(&superblock, wanted)?;
        let replayed = replay::recover(Arc::clone(&device), &superblock).map_err(unrecovered)?;
        // A replay may have changed the superblock.
        let superblock = probe(&*device)?;
        let mut recovery = Recovery {
            was_clean: replayed.was_clean,
            transactions: replayed.transactions,
            items: replayed.items,
            ..Recovery::default()
        };
        let intents = replayed.intents.clone();
        let core = Arc::new(build(device, superblock, replayed, options)?);
        core.store.set_closing(Box::new(LateChanges(Arc::downgrade(&core))));
        let finished = recover::finish(&core, &intents, options.access)?;
        recovery.intents = finished.intents;
        recovery.unlinked = finished.unlinked;
        recovery.staging_blocks = finished.staging_blocks;
        recover::count(&core, options.access)?;
        let open = Mutex::new(options.access == Access::ReadWrite);
        let closer = Arc::new(Closer { core: Arc::clone(&core), open });
        Ok(Self { core, closer, access: options.access, recovery })
    }
}

/// `sb_versionnum` bit of volumes whose names ignore case.
const ASCII_CI: u16 = 0x4000;

fn admit(superblock: &Superblock, access: features::Access) -> Result<()> {
    superblock.check(access).map_err(|unsupported| Error::Unsupported {
        remedy: remedy(&unsupported).to_owned(),
        what: unsupported.to_string(),
    })?;
    if superblock.version_bits & ASCII_CI != 0 {
        return Err(Error::Unsupported {
            what: "a volume whose names ignore case (ascii-ci)".to_owned(),
            remedy: "mount the volume on Linux before 6.18 and copy it".to_owned(),
        });
    }
    if superblock.geometry.log_start.0 == 0 {
        return Err(Error::Unsupported {
            what: "an external log".to_owned(),
            remedy: "mount the volume on Linux with logdev= instead".to_owned(),
        });
    }
    Ok(())
}

fn remedy(unsupported: &Unsupported) -> &'static str {
    match unsupported {
        Unsupported::UnknownRoCompat { .. }
        | Unsupported::UnknownLogIncompat { .. }
        | Unsupported::ReadOnly { .. } => "open it for reading, or mount it on Linux instead",
        Unsupported::InProgress => "let the tool finish, or make the volume again",
        _ => "mount the volume on Linux instead",
    }
}

pub(super) fn unrecovered(error: RecoverError) -> Error {
    match error {
        RecoverError::Device(error) => Error::Device(error),
        RecoverError::Corrupt(corrupt) => Error::Corrupt(corrupt),
        RecoverError::Unsupported { what, remedy } => {
            Error::Unsupported { what, remedy: remedy.to_owned() }
        }
    }
}

fn build(
    device: Arc<dyn BlockDevice>,
    superblock: Superblock,
    replayed: Replayed,
    options: OpenOptions,
) -> Result<Core> {
    let oldest = replayed.intents.iter().map(|pending| pending.lsn).min();
    let tail = oldest.unwrap_or_else(|| replayed.journal.head());
    let geometry = superblock.geometry.clone();
    let head = replayed.journal.head();
    let store = Store::new(
        device,
        geometry.clone(),
        superblock.meta_uuid,
        replayed.journal,
        tail,
        options.store,
    );
    store.cache().set_newest(head);
    let limits = superblock.limits();
    let readers = match options.background {
        Background::On(_) => Readers::Threads,
        Background::Off => Readers::None,
    };
    let (block, device) = (geometry.block_size(), store.device().geometry());
    let pages = PageCache::new(options.page_bytes, block, &device, readers);
    let most = options.largest_transaction.unwrap_or(u64::MAX);
    Ok(Core {
        largest_transaction: most.min(store.largest_transaction()),
        store,
        ags: (0..geometry.ag_count).map(|_| Ag::default()).collect(),
        geometry,
        features: superblock.features,
        layout: limits.inode_layout(),
        limits,
        superblock,
        inodes: InodeCache::new(options.idle_inodes),
        names: KnownNames::new(options.idle_inodes),
        pages,
        counters: Counters::default(),
        later: Mutex::default(),
        hurry: Default::default(),
        promised: Arc::default(),
        worker: Worker::new(options.background),
        lazy: LazyTimes::new(options.times),
        clock: options.clock,
        freed: options.freed,
        deaf: AtomicBool::new(false),
        unshared: AtomicU64::new(0),
        writes: AtomicU64::new(0),
        empty_chunks: options.empty_chunks,
        moves: Mutex::default(),
        next_ag: AtomicU64::new(0),
        quota_uncounted: Mutex::new(false),
    })
}

/// Writes the counters to the superblock and closes the journal.
pub(super) fn unmount(core: &Arc<Core>) -> Result<()> {
    core.worker.end();
    core.pages.ahead.end();
    io::flush_all(core)?;
    io::save_all_times(core, None)?;
    core.store.quiesce()?;
    // What was cached while this waited.
    io::flush_all(core)?;
    io::save_all_times(core, None)?;
    recover::finish_removals(core)?;
    core.inodes.all().iter().for_each(|inode| inode.cow.lock().drop_idle());
    let header = core.header(AgNumber(0), BlockKind::Superblock);
    core.transact(4096, &[], |tx| {
        tx.lock_ag(AgNumber(0))?;
        let bytes = tx.stage(&header)?;
        let raw =
            SuperblockDisk::of_mut(bytes).map_err(|fault| fault.at(Place::at(header.addr)))?;
        let count = |value: &std::sync::atomic::AtomicI64| {
            u64::try_from(value.load(Ordering::Relaxed)).unwrap_or(0)
        };
        raw.icount.set(count(&core.counters.inodes));
        raw.ifree.set(count(&core.counters.free_inodes));
        raw.fdblocks.set(count(&core.counters.free_blocks));
        Ok(())
    })?;
    Ok(core.store.close()?)
}
