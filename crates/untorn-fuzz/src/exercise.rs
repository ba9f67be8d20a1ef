//! Everything that can be done with a volume, whatever it holds.
//!
//! Errors are answers: what counts is that one comes, for a bounded price.

use crate::budget::Budget;
use std::sync::Arc;
use untorn::attr::SetMode;
use untorn::{Access, Background, Clock, NewFile, OpenOptions, SizeRule, Sync, Volume};
use untorn_check::{Journal, Options};
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::Ino;
use untorn_format::attr::Namespace;
use untorn_format::inode::{FileKind, Timestamp};
use untorn_format::records::Fork;

/// Requests that all work with one of these volumes may take: it is some thousand blocks large.
const REQUESTS: u64 = 400_000;
/// Inodes of a walk: more than a volume here has.
const INODES: usize = 2_000;

/// Checks the volume, reads all of it, changes it, checks it again.
pub(crate) fn exercise(device: MemoryDevice) {
    let device = Arc::new(device);
    within(&device, |device| {
        let check = |journal| {
            untorn_check::check(&*device, &Options { journal, ..Options::default() }).is_ok()
        };
        // Where a clean journal was found, the other way is the same once more.
        let _ = check(Journal::MustBeClean) || check(Journal::AsItLies);
    });
    within(&device, |device| {
        if let Ok(volume) = Volume::open(device, options(Access::ReadOnly)) {
            walk(&volume);
        }
    });
    within(&device, |device| {
        if let Ok(volume) = Volume::open(device, options(Access::ReadWrite)) {
            change(&volume);
            let _ = volume.close();
        }
    });
    within(&device, |device| {
        let _ = untorn_check::check(&*device, &Options::default());
    });
}

/// Without threads, which cost time, and with a clock that stands still: the same input does the
/// same each time.
pub(crate) fn options(access: Access) -> OpenOptions {
    let clock = Clock::Fixed(Timestamp { seconds: 1_700_000_000, nanos: 0 });
    OpenOptions { access, clock, background: Background::Off, ..OpenOptions::default() }
}

/// Gives `work` the device, and sees that it did not go on forever.
pub(crate) fn within(device: &Arc<MemoryDevice>, work: impl FnOnce(Arc<dyn BlockDevice>)) {
    let budget = Arc::new(Budget::new(Arc::clone(device), REQUESTS));
    work(Arc::clone(&budget) as Arc<dyn BlockDevice>);
    assert!(!budget.is_spent(), "this takes more requests than the volume has blocks");
}

fn walk(volume: &Volume) {
    let mut todo = vec![volume.root()];
    let mut seen = 0;
    while let Some(ino) = todo.pop() {
        seen += 1;
        if seen > INODES {
            return;
        }
        todo.extend(look_at(volume, ino));
    }
}

/// Reads an inode with all that hangs on it: what is below it.
fn look_at(volume: &Volume, ino: Ino) -> Vec<Ino> {
    let _ = volume.attributes(ino);
    let _ = volume.traits_of(ino);
    let Ok(found) = volume.metadata_of(ino) else { return Vec::new() };
    match found.kind {
        FileKind::Directory => {
            let entries = volume.entries_of(ino).unwrap_or_default();
            entries.into_iter().map(|entry| entry.ino).collect()
        }
        FileKind::Symlink => {
            let _ = volume.link_target(ino);
            Vec::new()
        }
        FileKind::Regular => {
            read_file(volume, ino, found.inode.size);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn read_file(volume: &Volume, ino: Ino, size: u64) {
    let Ok(file) = volume.file(ino) else { return };
    let mut bytes = vec![0; 16 * 1024];
    for offset in [0, size / 2, size.saturating_sub(bytes.len() as u64)] {
        let _ = file.read_at(offset, &mut bytes);
        let _ = file.read_cached(offset, &mut bytes);
        let _ = file.seek_data(offset);
        let _ = file.seek_hole(offset);
    }
    let _ = file.extents();
}

fn change(volume: &Volume) {
    for path in ["/single", "/many", "/sharer", "/short-attrs"] {
        if let Ok(file) = volume.open_file(path) {
            let _ = file.write_atomic(4000, &[9; 9000], Sync::Visible);
            let _ = file.write_cached(100, &[8; 300], Sync::Visible);
            let _ = file.punch_hole(2048..30_000);
            let _ = file.allocate(0..90_000, SizeRule::Grow);
            let _ = file.truncate(60_001);
            let _ = file.sync();
        }
        let _ = volume.extents(path, Fork::Attr);
    }
    for path in ["/short-attrs", "/leaf-attrs", "/node-attrs", "/remote-attrs"] {
        let Ok(ino) = volume.lookup(path) else { continue };
        let name = (Namespace::User, b"name-1".as_slice());
        let _ = volume.set_attribute(ino, name, &[1; 700], SetMode::Upsert);
        let _ = volume.remove_attribute(ino, (Namespace::User, b"far"));
    }
    let _ = volume.create_dir("/new", NewFile::default());
    for path in ["/new/file", "/short/file2", "/block/file2"] {
        let _ = volume.create_file(path, NewFile::default());
    }
    for path in ["/short/file", "/sharer", "/many", "/node-attrs", "/remote-attrs"] {
        let _ = volume.remove(path);
    }
    let _ = volume.sync();
}
