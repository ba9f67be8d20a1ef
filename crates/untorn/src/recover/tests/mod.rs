//! Intents that no kernel writes: recovery ends with an answer or a fault, whatever they say. Quota
//! is counted again where a recovery changed what files have.

mod halves;

use crate::mkfs;
use crate::{Error, ExtentKind, NewFile, OpenOptions, Sync, Volume, probe};
use std::borrow::Cow;
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::log::{
    Exchange, ExchangeFlag, FreeExtent, Intent, MapOp, MapUpdate, RefcountOp, RefcountUpdate,
    RmapOp, RmapUpdate, Work,
};
use untorn_format::records::Fork;
use untorn_format::superblock::{QuotaFlags, SuperblockDisk};
use untorn_format::{AgNumber, BlockKind, FileBlock, FsBlock, Ino, Lsn};
use untorn_store::{BlockRef, Item, ItemKey, Logged};

/// An intent on its way into the journal.
pub(crate) struct Left(pub Intent);

impl Item for Left {
    fn key(&self) -> ItemKey {
        ItemKey { class: 77, id: self.0.id }
    }
    fn log<'a>(&'a self, out: &mut Vec<Logged<'a>>) {
        out.push(self.0.encode().into_iter().map(Cow::Owned).collect());
    }
    fn homes(&self) -> &[BlockRef] {
        &[]
    }
    fn apply(&self, _: &BlockRef, _: &mut [u8], _: Lsn) {
        unreachable!("an intent has no home")
    }
}

/// A volume with a file of some blocks, closed; the file.
fn volume() -> (MemoryDevice, Ino) {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, uuid: Some([3; 16]), ..mkfs::Options::default() };
    mkfs::make(&*device, &options).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    let ino = file.ino();
    for block in [0, 2, 4] {
        file.write_at(block * 4096, &[7; 4096], Sync::Durable).unwrap();
    }
    drop(file);
    volume.close().unwrap();
    (device.snapshot(), ino)
}

/// What becomes of a volume whose journal holds `work`.
fn finished(device: &MemoryDevice, work: Work) -> Result<(), Error> {
    let device: Arc<dyn BlockDevice> = Arc::new(device.snapshot());
    leave(&device, work);
    let volume = Volume::open(device, OpenOptions::default())?;
    assert_eq!(volume.recovery().intents, 1);
    volume.abandon();
    Ok(())
}

/// Puts `work`, as an intent that nobody finished, into the journal.
fn leave(device: &Arc<dyn BlockDevice>, work: Work) {
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    log(&volume, work);
    volume.sync().unwrap();
    volume.abandon();
}

/// Commits `work` as an intent.
fn log(volume: &Volume, work: Work) {
    let left = Arc::new(Left(Intent { id: 0xffff_8881_0a0b_0c00, work }));
    let commit = |tx: &mut crate::tx::Tx<'_>| {
        tx.buffers_mut().log(left.clone());
        Ok(())
    };
    volume.core().transact(128 << 10, &[], commit).unwrap();
}

/// Demands that every work is refused as damage.
fn demand_refused(works: impl IntoIterator<Item = Work>) {
    let (device, _) = volume();
    for work in works {
        let told = format!("{work:?}");
        let outcome = finished(&device, work);
        assert!(matches!(outcome, Err(Error::Corrupt(_))), "{told}: {outcome:?}");
    }
}

/// A change of a mapping that can be made but for what a test changes.
fn update(op: MapOp, ino: Ino) -> MapUpdate {
    let (start, offset, length) = (FsBlock(3000), FileBlock(7), 1);
    let (fork, unwritten, realtime) = (Fork::Data, false, false);
    MapUpdate { op, ino, start, offset, length, fork, unwritten, realtime }
}

/// Places and lengths that no file has.
fn no_ranges() -> impl Iterator<Item = (FileBlock, u32)> {
    let behind = [1 << 54, u64::MAX / 512, u64::MAX - 3, u64::MAX];
    let behind = behind.map(|block| (FileBlock(block), 1));
    let across = [1, 3].map(|before| (FileBlock((1 << 54) - before), 4));
    across.into_iter().chain(behind).chain([(FileBlock(0), 0), (FileBlock(u64::MAX), u32::MAX)])
}

/// Runs of blocks that no file can own.
fn no_runs() -> impl Iterator<Item = (FsBlock, u32)> {
    let starts = [1 << 40, u64::MAX].map(|start| (FsBlock(start), 1));
    let lengths = [0, 1 << 21, 1 << 31, u32::MAX].map(|length| (FsBlock(3000), length));
    starts.into_iter().chain(lengths).chain([(FsBlock(0), 1)])
}

const MAP_OPS: [MapOp; 2] = [MapOp::Map, MapOp::Unmap];

#[test]
fn mappings_that_cannot_be_are_refused() {
    let (device, ino) = volume();
    let one = |update| Work::Map(vec![update]);
    for op in MAP_OPS {
        let good = update(op, ino);
        finished(&device, one(good)).unwrap();
        demand_refused(
            no_ranges().map(|(offset, length)| one(MapUpdate { offset, length, ..good })),
        );
        demand_refused(no_runs().map(|(start, length)| one(MapUpdate { start, length, ..good })));
    }
}

#[test]
fn mappings_of_what_has_no_extents_are_refused() {
    let (_, ino) = volume();
    for op in MAP_OPS {
        // Free, the root directory with its names inside, of no AG; a fork that is not there.
        let inos = [140, 128, u64::MAX].map(|ino| update(op, Ino(ino)));
        let fork = MapUpdate { fork: Fork::Attr, ..update(op, ino) };
        demand_refused(inos.into_iter().chain([fork]).map(|update| Work::Map(vec![update])));
    }
}

#[test]
fn reverse_mappings_that_cannot_be_are_refused() {
    let (device, ino) = volume();
    let one = |update| Work::Rmap(vec![update]);
    let mapped = RmapUpdate {
        op: RmapOp::Map,
        owner: ino.0,
        start: FsBlock(3000),
        offset: FileBlock(7),
        length: 1,
        fork: Fork::Data,
        bmbt: false,
        unwritten: false,
    };
    finished(&device, one(mapped)).unwrap();
    for op in [RmapOp::Map, RmapOp::Unmap, RmapOp::Convert] {
        let good = RmapUpdate { op, ..mapped };
        demand_refused(
            no_ranges().map(|(offset, length)| one(RmapUpdate { offset, length, ..good })),
        );
        demand_refused(no_runs().map(|(start, length)| one(RmapUpdate { start, length, ..good })));
        let nobody = RmapUpdate { owner: u64::MAX, ..good };
        let attributes = RmapUpdate { fork: Fork::Attr, unwritten: true, ..good };
        demand_refused([one(nobody), one(attributes)]);
    }
}

#[test]
fn runs_that_cannot_be_counted_or_freed_are_refused() {
    use RefcountOp::{AllocCow, Decrease, FreeCow, Increase};
    for op in [Increase, Decrease, AllocCow, FreeCow] {
        let work = |(start, length)| Work::Refcount(vec![RefcountUpdate { op, start, length }]);
        demand_refused(no_runs().map(work));
    }
    demand_refused(no_runs().map(|(start, length)| Work::Free(vec![FreeExtent { start, length }])));
    // Free already, and twice.
    let free = FreeExtent { start: FsBlock(3000), length: 4 };
    demand_refused([Work::Free(vec![free]), Work::Free(vec![free, free])]);
}

#[test]
fn exchanges_that_cannot_be_are_refused() {
    let (device, ino) = volume();
    let volume = Volume::open(Arc::new(device.snapshot()), OpenOptions::default()).unwrap();
    let generation = volume.metadata_of(ino).unwrap().inode.generation;
    volume.close().unwrap();
    let good = Exchange {
        inodes: [ino; 2],
        generations: [generation; 2],
        offsets: [FileBlock(0), FileBlock(4)],
        blocks: 3,
        sizes: [20480; 2],
        fork: Fork::Data,
        flags: vec![ExchangeFlag::SetSizes],
    };
    finished(&device, Work::Exchange(good.clone())).unwrap();
    // Linux says -1 where sizes are to stay.
    let stays = Exchange { sizes: [u64::MAX; 2], flags: Vec::new(), ..good.clone() };
    finished(&device, Work::Exchange(stays)).unwrap();
    let ranges = no_ranges().map(|(from, length)| Exchange {
        offsets: [FileBlock(0), from],
        blocks: length.into(),
        ..good.clone()
    });
    let bad = [
        Exchange { blocks: 5, ..good.clone() },
        Exchange { blocks: u64::MAX, ..good.clone() },
        Exchange { sizes: [20480, u64::MAX], ..good.clone() },
        Exchange { generations: [generation, generation ^ 1], ..good.clone() },
        Exchange { inodes: [ino, Ino(128)], ..good.clone() },
        Exchange { inodes: [ino, Ino(140)], ..good.clone() },
        Exchange { fork: Fork::Attr, ..good.clone() },
    ];
    demand_refused(ranges.chain(bad).map(Work::Exchange));
}

#[test]
fn h94_a_recovered_mapping_is_unwritten_where_its_intent_says_so() {
    let (device, ino) = volume();
    for unwritten in [false, true] {
        let device: Arc<dyn BlockDevice> = Arc::new(device.snapshot());
        let work = Work::Map(vec![MapUpdate { unwritten, ..update(MapOp::Map, ino) }]);
        leave(&device, work);
        let volume = Volume::open(device, OpenOptions::default()).unwrap();
        let extents = volume.extents_of(ino).unwrap();
        let found = extents.iter().find(|extent| extent.offset == 7 * 4096).unwrap();
        let expected = if unwritten { ExtentKind::Unwritten } else { ExtentKind::Written };
        assert_eq!(found.kind, expected);
        volume.abandon();
    }
}

/// The marks of a volume on which Linux accounts and has counted what users have.
const COUNTED: u16 = QuotaFlags::USER | QuotaFlags::USER_CHECKED;

/// Whether the first opening of a volume with those marks and what `leave` does to it leaves them.
fn stays_counted(leave: impl Fn(&Volume)) -> bool {
    let device = Arc::new(volume().0);
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let header = volume.core().header(AgNumber(0), BlockKind::Superblock);
    let account = |tx: &mut crate::tx::Tx<'_>| {
        tx.lock_ag(AgNumber(0))?;
        SuperblockDisk::of_mut(tx.stage(&header)?).unwrap().qflags.set(COUNTED);
        Ok(())
    };
    volume.core().transact(4096, &[], account).unwrap();
    leave(&volume);
    volume.sync().unwrap();
    volume.abandon();
    let left: Arc<dyn BlockDevice> = Arc::new(device.snapshot());
    Volume::open(left.clone(), OpenOptions::default()).unwrap().close().unwrap();
    probe(&*left).unwrap().quota.flags.0 == COUNTED
}

#[test]
fn quota_is_counted_again_where_a_recovery_freed_something() {
    assert!(stays_counted(|_| ()), "nothing was freed");
    let unnamed = |volume: &Volume| {
        std::mem::forget(volume.make_unnamed(volume.root(), NewFile::default()).unwrap());
    };
    assert!(!stays_counted(unnamed), "an inode without a name was freed");
}

#[test]
fn quota_is_counted_again_where_a_recovery_finished_an_intent() {
    let intent = |volume: &Volume| {
        let work = Work::Map(vec![update(MapOp::Map, volume.lookup("/file").unwrap())]);
        log(volume, work);
    };
    assert!(!stays_counted(intent));
}
