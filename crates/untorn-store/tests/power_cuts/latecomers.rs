//! What others do while the store writes: what comes late must not be undone, nor undo.

use super::volume::{BLOCK, SMALL, Shape, UUID, recovered, write_home};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock, Weak};
use untorn_device::{BlockDevice, DeviceGeometry, Discarded, Result, WriteRequest};
use untorn_format::da::{Birth, Part};
use untorn_format::{BlockKind, Ino, Lsn, inode, symlink};
use untorn_store::{BlockRef, Item, ItemKey, Logged, Store, StoreError, StoreOptions};
use untorn_torture::disk::SimDisk;

type Once = Box<dyn FnOnce(&Arc<Store>) + Send>;

/// A disk that lets somebody else act, once, while a batch goes home or a flush runs.
struct Interrupted {
    disk: Arc<SimDisk>,
    store: OnceLock<Weak<Store>>,
    batch: Mutex<Option<Once>>,
    flush: Mutex<Option<Once>>,
}

impl Interrupted {
    fn new(shape: &Shape) -> (Arc<Self>, Arc<Store>) {
        let (disk, _) = shape.format();
        let (store, batch, flush) = Default::default();
        let device = Arc::new(Self { disk, store, batch, flush });
        let sb = shape.superblock();
        let journal = recovered(device.clone(), shape).journal;
        let (geometry, tail) = (sb.geometry.clone(), journal.head());
        let options = StoreOptions::default();
        let store = Store::new(device.clone(), geometry, sb.meta_uuid, journal, tail, options);
        let store = Arc::new(store);
        assert!(device.store.set(Arc::downgrade(&store)).is_ok());
        (device, store)
    }

    fn at(&self, place: &Mutex<Option<Once>>) {
        let act = place.lock().take();
        if let (Some(act), Some(store)) = (act, self.store.get().and_then(Weak::upgrade)) {
            act(&store);
        }
    }
}

impl BlockDevice for Interrupted {
    fn geometry(&self) -> DeviceGeometry {
        self.disk.geometry()
    }
    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.disk.read_at(offset, bytes)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.disk.write_at(offset, bytes)
    }
    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        self.at(&self.batch);
        requests.iter().try_for_each(|one| self.disk.write_at(one.offset, one.bytes))
    }
    fn flush(&self) -> Result<()> {
        self.at(&self.flush);
        self.disk.flush()
    }
    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.disk.discard(offset, length)
    }
}

/// Something that lives in a cluster of inodes.
struct Tenant {
    homes: [BlockRef; 1],
}

impl Item for Tenant {
    fn key(&self) -> ItemKey {
        ItemKey { class: 1, id: 9 }
    }
    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>) {
        out.push(vec![vec![0x77; 64].into()]);
    }
    fn homes(&self) -> &[BlockRef] {
        &self.homes
    }
    fn apply(&self, _: &BlockRef, _: &mut [u8], _: Lsn) {}
}

/// The cluster of inodes at block 0 of `shape`, on the device.
fn cluster(device: &dyn BlockDevice, shape: &Shape) -> BlockRef {
    let (sb, addr) = (shape.superblock(), shape.addr(0));
    let mut bytes = vec![0; BLOCK];
    for (index, inode) in bytes.chunks_exact_mut(512).enumerate() {
        let ino = Ino(addr.0 / 8 * 8 + index as u64);
        inode::init_free(inode, ino, sb.meta_uuid, 1);
    }
    device.write_at(addr.0 * 512, &bytes).unwrap();
    BlockRef { addr, length: BLOCK as u32, kind: BlockKind::Inodes, owner: None }
}

#[test]
fn a_cluster_that_is_freed_while_its_inodes_go_home_is_not_remembered() {
    let (device, store) = Interrupted::new(&SMALL);
    let home = cluster(&*device, &SMALL);
    let mut transaction = store.begin(8 << 10).unwrap();
    transaction.log(Arc::new(Tenant { homes: [home] }));
    let sequence = transaction.commit().unwrap().sequence;
    store.force(sequence).unwrap();
    *device.batch.lock() = Some(Box::new(move |store| {
        let mut transaction = store.begin(8 << 10).unwrap();
        transaction.cancel(&home);
        transaction.commit().unwrap();
    }));
    store.push_all().unwrap();
    store.force_all().unwrap();
    // Somebody uses the block past the store, as values of attributes are written.
    let mut bytes = vec![0; BLOCK];
    let birth = Birth { uuid: UUID, addr: SMALL.addr(0), owner: Ino(200) };
    symlink::encode(&mut bytes, &birth, Part { offset: 0, bytes: b"target" });
    write_home(&*device, SMALL.addr(0), bytes, Lsn(0));
    let found = store.cache().read(&SMALL.buffer(0));
    assert!(found.is_ok(), "{:?}", found.err());
}

#[test]
fn nothing_is_written_behind_the_record_that_says_that_the_volume_was_closed() {
    let shape = Shape { log_blocks: 2048, ..SMALL };
    let (device, store) = Interrupted::new(&shape);
    // So much that whoever wants the most has to wait for room.
    let mut transaction = store.begin(256 << 10).unwrap();
    (0..shape.blocks)
        .for_each(|block| transaction.stage(&shape.buffer(block)).unwrap()[128..].fill(1));
    transaction.commit().unwrap();
    let most = store.largest_transaction();
    let latecomer: Arc<Mutex<Option<std::thread::JoinHandle<_>>>> = Arc::default();
    let begun = Arc::clone(&latecomer);
    *device.flush.lock() = Some(Box::new(move |store| {
        let store = Arc::clone(store);
        *begun.lock() = Some(std::thread::spawn(move || store.begin(most).map(drop)));
        // Until it waits for the store.
        std::thread::sleep(std::time::Duration::from_millis(100));
    }));
    store.close().unwrap();
    let refused = latecomer.lock().take().unwrap().join().unwrap();
    assert!(matches!(refused, Err(StoreError::Stopped(_))), "{refused:?}");
    let replayed = recovered(device.clone(), &shape);
    assert!(replayed.was_clean, "the log ends in something else");
}
