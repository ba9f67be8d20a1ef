//! Metadata buffers: verified when read, immutable while published.
//!
//! The cache maps a device address to an image (`Arc<[u8]>`). Images never change: whoever wants to
//! change one stages a copy and publishes it. A reader keeps the image it got for as long as it
//! likes.
//!
//! Invariants: an entry that is dirty (its image is not on the device yet) is never evicted. Two
//! overlapping buffers of different length never exist: callers always ask for whole buffers.
//!
//! Locks: one reader-writer lock a shard, held for a map operation and never across I/O.
//! Never here: writing to the device (see `writeback`), knowledge of the journal.

use crate::address::AddrMap;
use crate::error::Result;
use crate::txn::Change;
use parking_lot::RwLock;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use untorn_device::BlockDevice;
use untorn_format::kind::{self, Identity};
use untorn_format::{BlockKind, DiskAddr, Fault, Geometry, Lsn, Place};

/// A verified, immutable metadata buffer.
pub type Image = Arc<[u8]>;

/// Which metadata buffer is wanted, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockRef {
    /// Device address.
    pub addr: DiskAddr,
    /// Length in bytes.
    pub length: u32,
    /// What it holds.
    pub kind: BlockKind,
    /// The AG number or inode number that it must name as its owner, if known.
    pub owner: Option<u64>,
}

/// Whether an image is on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dirty {
    Yes,
    No,
}

struct Entry {
    image: Image,
    kind: BlockKind,
    dirty: Dirty,
    recent: AtomicBool,
}

#[derive(Default)]
struct Shard {
    entries: AddrMap<Entry>,
    bytes: usize,
    /// Counts removals: a read that was under way during one does not publish what it read.
    removals: u64,
}

const SHARDS: usize = 16;

/// The metadata cache of one volume.
pub struct Cache {
    device: Arc<dyn BlockDevice>,
    geometry: Geometry,
    uuid: [u8; 16],
    shards: [RwLock<Shard>; SHARDS],
    limit: AtomicUsize,
    newest: AtomicU64,
}

impl Cache {
    /// An empty cache over `device` that keeps at most about `limit` bytes of clean images.
    pub fn new(
        device: Arc<dyn BlockDevice>,
        geometry: Geometry,
        uuid: [u8; 16],
        limit: usize,
    ) -> Self {
        Self {
            device,
            geometry,
            uuid,
            shards: std::array::from_fn(|_| RwLock::default()),
            limit: AtomicUsize::new(limit),
            newest: AtomicU64::new(u64::MAX),
        }
    }

    /// Says how far the journal has come: blocks stamped with a later LSN are corrupt.
    pub fn set_newest(&self, lsn: Lsn) {
        self.newest.store(lsn.0, Ordering::Relaxed);
    }

    /// How far the journal has come, once that is known.
    pub fn newest(&self) -> Option<Lsn> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest != u64::MAX).then_some(Lsn(newest))
    }

    fn shard(&self, addr: DiskAddr) -> &RwLock<Shard> {
        let mixed = addr.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 60;
        &self.shards[mixed as usize % SHARDS]
    }

    /// The image of `block`: published, or read from the device and verified.
    pub fn read(&self, block: &BlockRef) -> Result<Image> {
        loop {
            let removals = {
                let shard = self.shard(block.addr).read();
                if let Some(entry) = shard.entries.get(&block.addr) {
                    return entry.hit(block);
                }
                shard.removals
            };
            let image = self.load(block)?;
            let mut shard = self.shard(block.addr).write();
            if shard.removals != removals && !shard.entries.contains_key(&block.addr) {
                continue;
            }
            if !shard.entries.contains_key(&block.addr) {
                self.insert(&mut shard, block, Arc::clone(&image), Dirty::No);
            }
            if let Some(entry) = shard.entries.get(&block.addr) {
                return entry.hit(block);
            }
            return Ok(image);
        }
    }

    fn load(&self, block: &BlockRef) -> Result<Image> {
        let mut bytes = vec![0; block.length as usize];
        self.device.read_at(block.addr.0 << 9, &mut bytes)?;
        let identity = Identity {
            geometry: &self.geometry,
            uuid: self.uuid,
            addr: block.addr,
            owner: block.owner,
            newest: self.newest(),
        };
        let place = || Place::at(block.addr);
        kind::verify(block.kind, &bytes, &identity).map_err(|fault| fault.at(place()))?;
        Ok(bytes.into())
    }

    fn insert(&self, shard: &mut Shard, block: &BlockRef, image: Image, dirty: Dirty) {
        shard.bytes += image.len();
        let recent = AtomicBool::new(true);
        let entry = Entry { image, kind: block.kind, dirty, recent };
        if let Some(old) = shard.entries.insert(block.addr, entry) {
            shard.bytes -= old.image.len();
        }
        let limit = self.limit.load(Ordering::Relaxed) / SHARDS;
        if shard.bytes > limit {
            shard.evict(limit - limit / 8, block.addr);
        }
    }

    /// Publishes what a committed change says of its buffer.
    pub(crate) fn apply(&self, change: &Change) {
        match change {
            Change::Image { block, image, .. } | Change::Unlogged { block, image } => {
                self.publish(block, Arc::clone(image), Dirty::Yes);
            }
            Change::Cancel { block } => self.remove(block.addr),
        }
    }

    /// Publishes an image that was just written home.
    pub(crate) fn publish_home(&self, block: &BlockRef, image: Image) {
        self.publish(block, image, Dirty::No);
    }

    fn publish(&self, block: &BlockRef, image: Image, dirty: Dirty) {
        let mut shard = self.shard(block.addr).write();
        match shard.entries.get_mut(&block.addr) {
            Some(entry) if entry.image.len() == image.len() => {
                entry.image = image;
                entry.kind = block.kind;
                entry.dirty = dirty;
            }
            _ => self.insert(&mut shard, block, image, dirty),
        }
    }

    /// Says that `image` of `addr` is on the device; if it is still the published one, it is clean.
    pub(crate) fn mark_clean(&self, addr: DiskAddr, image: &Image) {
        if let Some(entry) = self.shard(addr).write().entries.get_mut(&addr)
            && Arc::ptr_eq(&entry.image, image)
        {
            entry.dirty = Dirty::No;
        }
    }

    /// Forgets `addr`: its block was freed.
    pub(crate) fn remove(&self, addr: DiskAddr) {
        let mut shard = self.shard(addr).write();
        if let Some(old) = shard.entries.remove(&addr) {
            shard.bytes -= old.image.len();
            shard.removals += 1;
        }
    }

    /// Bytes of images held now.
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(|s| s.read().bytes).sum()
    }
}

impl Entry {
    fn hit(&self, block: &BlockRef) -> Result<Image> {
        // Most hits find it set: the line stays shared among readers.
        if !self.recent.load(Ordering::Relaxed) {
            self.recent.store(true, Ordering::Relaxed);
        }
        if alike(self.kind, block.kind) && self.image.len() == block.length as usize {
            return Ok(Arc::clone(&self.image));
        }
        // One block reached as two different things: two structures claim it.
        let value = u64::from(self.kind.blft());
        let fault = Fault::Field { what: block.kind.name(), field: "block in use as", value };
        Err(fault.at(Place::at(block.addr)).into())
    }
}

/// Whether a buffer read as one kind may be asked for as the other. The root of a hashed index is a
/// node or a leaf; only its bytes tell.
fn alike(a: BlockKind, b: BlockKind) -> bool {
    use BlockKind::{AttrLeaf, DaNode, DirLeaf1, DirLeafN};
    let index = |kind| matches!(kind, AttrLeaf | DaNode | DirLeaf1 | DirLeafN);
    a == b || (index(a) && index(b) && (a == DaNode || b == DaNode))
}

impl Shard {
    /// Drops clean images that were not used since the last pass until `goal` bytes are left.
    fn evict(&mut self, goal: usize, keep: DiskAddr) {
        for _ in 0..2 {
            let mut bytes = self.bytes;
            let mut removed = 0;
            self.entries.retain(|&addr, entry| {
                let evictable = bytes > goal
                    && addr != keep
                    && entry.dirty == Dirty::No
                    && !entry.recent.swap(false, Ordering::Relaxed);
                if evictable {
                    bytes -= entry.image.len();
                    removed += 1;
                }
                !evictable
            });
            self.bytes = bytes;
            self.removals += removed;
            if bytes <= goal {
                return;
            }
        }
    }
}
