//! Changes of the trees of AGs that wait until a checkpoint closes.

use super::{BLOCK, Bench};
use crate::ag::{Update, prepare_contents};
use crate::inode::InodeSnapshot;
use crate::{Error, NewFile, SizeRule, mkfs};
use std::sync::Arc;
use untorn_format::AgNumber;

/// Whether changes wait somewhere.
fn some_wait(bench: &Bench) -> bool {
    !bench.core().later.lock().is_empty()
}

#[test]
fn a_block_that_is_written_over_and_over_leaves_nothing_behind_check() {
    let mut bench = Bench::new();
    bench.write(0, 4 * BLOCK, 1);
    bench.volume.sync().unwrap();
    let before = bench.volume.space().unwrap();
    for byte in 2..200 {
        bench.write(BLOCK, BLOCK, byte);
    }
    assert!(some_wait(&bench));
    bench.volume.sync().unwrap();
    assert!(!some_wait(&bench));
    // Blocks that were set aside beside it.
    bench.inode().cow.lock().drop_idle();
    let after = bench.volume.space().unwrap();
    assert_eq!((after.free, after.available), (before.free, before.available));
    let held = bench.core().ags.iter().map(|ag| ag.held.lock());
    assert_eq!(held.map(|held| held.claimed() + held.busy()).sum::<u32>(), 0);
    bench.judge("over and over");
}

#[test]
fn more_changes_than_may_wait_are_made_before_the_next_check() {
    let mut bench = Bench::with(64 << 20, mkfs::Groups::Count(2));
    bench.write(0, 2500 * BLOCK, 1);
    bench.volume.sync().unwrap();
    for index in 0..2500 {
        let block = index * 7 % 2500;
        bench.write(block * BLOCK, BLOCK, (index % 250) as u8);
    }
    assert!(some_wait(&bench));
    bench.judge("many");
}

/// A volume whose trees have nothing kept back for them but what waits.
fn frugal() -> Bench {
    let mut options = mkfs::Options { block_size: 1024, ..mkfs::Options::default() };
    (options.groups, options.dir_block_size) = (mkfs::Groups::Count(1), Some(1024));
    let features = &mut options.features;
    (features.rmapbt, features.reflink, features.finobt) = (false, false, false);
    (features.inobtcount, features.sparse) = (false, false);
    Bench::of(32 << 20, options)
}

#[test]
fn what_waits_finds_blocks_for_its_trees_where_names_take_the_rest_check() {
    let mut bench = frugal();
    let block = 1024;
    bench.write(0, 4000 * block, 1);
    let filler = bench.volume.create_file("/filler", NewFile::default()).unwrap();
    let available = bench.volume.space().unwrap().available;
    filler.allocate(0..(available - 2000) * block, SizeRule::Grow).unwrap();
    // Leaves of the trees of free space that have no room for more.
    for index in 0..480 {
        filler.punch_hole(2 * index * block..(2 * index + 1) * block).unwrap();
    }
    bench.volume.sync().unwrap();
    for index in 0..400 {
        let at = (8 * index + 3) * block;
        bench.write(at, block, 2);
    }
    assert!(some_wait(&bench));
    let name = |number: u32| format!("/{number}{}", "-name".repeat(40));
    let link = |number| bench.volume.link(bench.file.ino(), &name(number));
    // A directory grows past it where there is room for both, and comes after it where there is
    // not.
    (0..8).for_each(|number| link(number).unwrap());
    assert!(some_wait(&bench));
    let held = bench.core().claim(None, bench.core().available().unwrap()).unwrap();
    (8..16).for_each(|number| link(number).unwrap());
    assert!(!some_wait(&bench));
    drop(held);
    let full = (16..).find_map(|number| link(number).err()).unwrap();
    assert!(matches!(full, Error::NoSpace { .. }), "{full}");
    bench.volume.sync().unwrap();
    bench.judge("filled");
}

#[test]
fn blocks_kept_for_what_waits_stay_so_until_the_trees_have_theirs() {
    let mut bench = Bench::new();
    bench.write(0, 8 * BLOCK, 1);
    bench.volume.sync().unwrap();
    bench.write(BLOCK, BLOCK, 2);
    let core = bench.core();
    let ag = *core.later.lock().first().unwrap();
    let kept = || core.ag(ag).growth.load(std::sync::atomic::Ordering::Relaxed);
    let before = kept();
    assert!(before > 0);
    core.transact(65536, &[], |tx| {
        prepare_contents(tx, ag)?;
        let update = Update::of(tx, ag, true, Default::default())?;
        assert_eq!(kept(), before, "not published");
        drop(update);
        assert_eq!(kept(), before, "given up");
        Ok(())
    })
    .unwrap();
    assert_eq!(kept(), 0);
    bench.judge("kept");
}

#[test]
fn what_fits_alone_fits_where_changes_wait() {
    let mut bench = Bench::new();
    bench.write(0, 200 * BLOCK, 1);
    bench.volume.sync().unwrap();
    for block in 0..100 {
        bench.write(2 * block * BLOCK, BLOCK, 2);
    }
    let core = bench.core();
    let ag = *core.later.lock().first().unwrap();
    assert_eq!(ag, AgNumber(0));
    let inode = bench.inode();
    // Something that leaves no room beside a change of the AG's free list.
    let rest = core.largest_transaction - 2048;
    let fits = core.rehearse(65536, std::slice::from_ref(inode), |tx| {
        prepare_contents(tx, ag)?;
        let snapshot = InodeSnapshot::new(inode, &tx.inode(inode.ino), core.store.open_sequence());
        tx.buffers_mut().log_at_most(Arc::new(snapshot), rest);
        Ok(())
    });
    assert!(fits.is_ok(), "{fits:?}");
    assert!(!some_wait(&bench));
    bench.judge("fits");
}
