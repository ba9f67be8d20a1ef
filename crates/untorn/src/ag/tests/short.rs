//! An AG whose free list is short and that has no block to fill it.

use crate::ag::{Effort, freelist, pick, prepare, space};
use crate::error::Error;
use crate::map;
use crate::tx::Tx;
use crate::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use std::sync::Arc;
use untorn_device::MemoryDevice;
use untorn_format::records::{Extent, ExtentState, Fork, RmapOwner, RmapRec};
use untorn_format::{AgExtent, AgNumber, FileBlock};

const FULL: AgNumber = AgNumber(1);
/// Blocks that stay on the list.
const LEFT: usize = 2;

/// Gives the file a run of blocks, which nobody owns any more, behind those that it has.
fn append(tx: &mut Tx<'_>, file: &File, run: AgExtent, at: &mut u64) -> crate::Result<()> {
    tx.counters.free_blocks -= i64::from(run.length);
    let start = tx.core.geometry.fs_block(run.ag, run.start);
    let (length, state) = (run.length, ExtentState::Unwritten);
    let extent = Extent { file: FileBlock(*at), start, length, state };
    *at += u64::from(length);
    map::replace(tx, file.ino(), Fork::Data, extent)
}

/// Gives the file all of an AG, what the list holds but for a few blocks, too: as images that have
/// no block more than they need, and volumes that Linux filled.
fn fill(tx: &mut Tx<'_>, file: &File) -> crate::Result<()> {
    let mut at = 1;
    prepare(tx, FULL)?;
    while let Some(run) = pick(tx, FULL, None, 1 << 20, 1, Effort::All)? {
        space::take(tx, run)?;
        append(tx, file, run, &mut at)?;
    }
    let mut listed = Vec::new();
    loop {
        match freelist::pop(tx, FULL) {
            Ok(block) => listed.push(block),
            Err(Error::NoSpace { .. }) => break,
            Err(error) => return Err(error),
        }
    }
    listed.iter().take(LEFT).try_for_each(|&block| freelist::push(tx, FULL, block))?;
    for start in listed.into_iter().skip(LEFT) {
        space::disown(tx, FULL, RmapRec::special(start, 1, RmapOwner::Ag))?;
        append(tx, file, AgExtent { ag: FULL, start, length: 1 }, &mut at)?;
    }
    Ok(())
}

#[test]
fn files_in_an_ag_without_a_free_block_are_removed_and_cut_check() {
    let device = Arc::new(MemoryDevice::new(64 << 20));
    let contents = mkfs::Contents::Zeroed;
    let groups = mkfs::Groups::Count(2);
    mkfs::make(&*device, &mkfs::Options { contents, groups, ..Default::default() }).unwrap();
    let volume = Volume::open(device.clone(), OpenOptions::default()).unwrap();
    let file = volume.create_file("/file", NewFile::default()).unwrap();
    file.write_atomic(0, &[1; 100], Sync::Visible).unwrap();
    let before = volume.space().unwrap().free;
    let inodes = [Arc::clone(file.inode())];
    volume.core().transact(1 << 20, &inodes, |tx| fill(tx, &file)).unwrap();
    assert!(volume.space().unwrap().free + 1000 < before);
    file.truncate(5 << 20).unwrap();
    file.sync().unwrap();
    drop(file);
    volume.remove("/file").unwrap();
    volume.sync().unwrap();
    assert!(volume.space().unwrap().free >= before);
    volume.close().unwrap();
    let report = untorn_check::check(&*device, &Default::default()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings.first());
}
