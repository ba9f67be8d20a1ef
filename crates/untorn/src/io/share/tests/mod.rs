//! Sharing and exchanging on small volumes in memory, each judged by the checker at the end.
//!
//! Random sequences against shadows, power cuts and Linux are tests of `untorn-torture`
//! (`tests/sharing`). Here are the rules, the limits, and the known hazards of such code. Those
//! that cannot exist here:
//! - H38, H43, H44 (a fork or a mapping looked at, used after a wait): both maps are looked at
//!   inside the transaction that changes them, with both files' ranges held.
//! - H79 (no blocks for a moment): counts change with the map, once, at the commit.
//! - H80, H99 (quota): usage is not kept; its marks go before the first write.
//! - H82 (hints that change under reservations): taking a file over leaves it without any.
//! - H83 (an end taken for a length): ranges are `Range`, lengths are never passed beside them.
//! - H84, H86, H88 to H93 (order, continuation, chains and relogging of intents): none are
//!   written; counts, reverse mappings and free space change in one transaction.
//! - H94 (an intent that forgets a state): of Linux's intents `recover` takes the state as it is.
//! - H95, H96 (the sweep of staged blocks): see `recover`.
//!
//! H69 (extents that cannot be counted) is tested beside the map, the counts of H87 beside the
//! tree.

mod calls;
mod hazards;

use crate::core::Core;
use crate::io::share::remap::edit;
use crate::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::inode::InodeCore;

const BLOCK: u64 = 4096;

/// A volume and its device.
struct Bench {
    device: Arc<MemoryDevice>,
    volume: Volume,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {}, OpenOptions::default())
    }

    fn with(choose: impl Fn(&mut mkfs::Options), open: OpenOptions) -> Self {
        let device = Arc::new(MemoryDevice::new(48 << 20));
        let mut options = mkfs::Options {
            contents: mkfs::Contents::Zeroed,
            groups: mkfs::Groups::Count(3),
            ..mkfs::Options::default()
        };
        choose(&mut options);
        mkfs::make(&*device, &options).unwrap();
        let volume = Volume::open(device.clone(), open).unwrap();
        Self { device, volume }
    }

    /// With transactions of little journal.
    fn cramped() -> Self {
        let open = OpenOptions { largest_transaction: Some(24 << 10), ..OpenOptions::default() };
        Self::with(|_| {}, open)
    }

    fn core(&self) -> &Arc<Core> {
        self.volume.core()
    }

    fn file(&self, name: &str) -> File {
        self.volume.create_file(name, NewFile::default()).unwrap()
    }

    /// A file whose block `n` is full of `n + first`, in pieces: other files' blocks lie between.
    fn shattered(&self, name: &str, blocks: u64, first: u8) -> File {
        let (file, other) = (self.file(name), self.file(&format!("{name}-between")));
        for at in 0..blocks {
            let bytes = [(at as u8).wrapping_add(first); BLOCK as usize];
            for file in [&file, &other] {
                file.write_atomic(at * BLOCK, &bytes, Sync::Visible).unwrap();
            }
        }
        file
    }

    /// A file in one piece.
    fn whole(&self, name: &str, bytes: &[u8]) -> File {
        let file = self.file(name);
        file.write_atomic(0, bytes, Sync::Visible).unwrap();
        file
    }

    /// Changes a file's core as nobody else may.
    fn set(&self, file: &File, change: impl Fn(&mut InodeCore)) {
        let inode = file.inode();
        let set = self
            .core()
            .transact(4096, std::slice::from_ref(inode), |tx| edit(tx, inode.ino, &change));
        set.unwrap();
    }

    /// Nothing is left in memory of what was done, the volume closes, the checker finds nothing.
    fn judge(self, what: &str) {
        let Self { device, volume } = self;
        volume.sync().unwrap();
        volume.core().inodes.all().iter().for_each(|inode| inode.cow.lock().drop_idle());
        assert_eq!(volume.core().promised.blocks(), 0, "{what}: promises are left");
        let claimed = |ag: &crate::ag::Ag| ag.held.lock().claimed();
        assert_eq!(
            volume.core().ags.iter().map(claimed).sum::<u32>(),
            0,
            "{what}: claims are left"
        );
        volume.close().unwrap();
        check(&*device, what);
    }
}

fn check(device: &dyn BlockDevice, what: &str) {
    let report = untorn_check::check(device, &untorn_check::Options::default()).unwrap();
    let findings = report.findings;
    assert!(findings.is_empty(), "{what}: {:?}", &findings[..findings.len().min(4)]);
}

fn contents(file: &File) -> Vec<u8> {
    let mut bytes = vec![0; file.size().unwrap() as usize];
    assert_eq!(file.read_at(0, &mut bytes).unwrap(), bytes.len());
    bytes
}
