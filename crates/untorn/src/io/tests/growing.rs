//! Files that grow bit by bit, and hints about the space that they will want.

use super::{BLOCK, Bench};
use crate::inode::CowState;
use crate::{File, How, NewFile, Sync, WriteOptions};

fn extents(file: &File) -> usize {
    file.inode().core().unwrap().extents as usize
}

fn idle_blocks(file: &File) -> u64 {
    let cow = file.inode().cow.lock();
    let idle = cow.pieces().filter(|piece| matches!(piece.state, CowState::Idle(_)));
    idle.map(|piece| piece.length).sum()
}

/// Appends to both files by turns, each append made durable.
fn grow(bench: &mut Bench, other: &File, how: How, appends: u64) {
    for round in 0..appends {
        let bytes = [round as u8 + 1; BLOCK as usize];
        let options = WriteOptions { how, sync: Sync::Durable, ..WriteOptions::append() };
        let at = bench.file.write(options, &bytes).unwrap();
        bench.expect(at, &bytes);
        other.write(options, &bytes).unwrap();
    }
}

#[test]
fn files_that_grow_by_turns_lie_together_check() {
    let mut bench = Bench::new();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    grow(&mut bench, &other, How::Cached, 200);
    // Below 64 KiB nothing is kept; then as much as there is.
    assert!(extents(&bench.file) <= 24, "{} extents", extents(&bench.file));
    assert!(idle_blocks(&bench.file) > 0);
    bench.judge("growing");
}

#[test]
fn what_is_kept_behind_the_end_is_given_back_when_space_is_short() {
    let mut bench = Bench::new();
    bench.file.write_cached(0, &vec![1; 2 << 20], Sync::Durable).unwrap();
    bench.expect(0, &vec![1; 2 << 20]);
    let kept = idle_blocks(&bench.file);
    assert!(kept > 16, "{kept} blocks are kept");
    let free = bench.core().available().unwrap() + kept;
    let filler = bench.volume.create_file("/filler", NewFile::default()).unwrap();
    let mut filled = 0;
    while filler.write_at(filled * BLOCK, &[2; 16 * BLOCK as usize], Sync::Visible).is_ok() {
        filled += 16;
    }
    assert!(filled + 64 > free, "{filled} of {free} blocks could be had");
    assert_eq!(idle_blocks(&bench.file), 0);
    bench.judge("short of space");
}

#[test]
fn a_hint_keeps_a_file_that_is_written_in_holes_together_check() {
    let mut bench = Bench::new();
    bench.file.set_extent_size_hint(16 * BLOCK).unwrap();
    let other = bench.volume.create_file("/other", NewFile::default()).unwrap();
    for how in [How::Atomic, How::Direct] {
        for block in (0..64_u64).rev() {
            let at = block * BLOCK + if how == How::Direct { 64 * BLOCK } else { 0 };
            let bytes = [block as u8 + 1; BLOCK as usize];
            bench.file.write(WriteOptions { how, ..WriteOptions::at(at) }, &bytes).unwrap();
            bench.expect(at, &bytes);
            other.write_at(at, &bytes, Sync::Visible).unwrap();
        }
    }
    assert!(extents(&bench.file) <= 8, "{} extents", extents(&bench.file));
    bench.judge("hint");
}

#[test]
fn a_hint_of_half_a_group_is_a_hint_and_a_larger_one_is_refused_check() {
    let mut bench = Bench::new();
    let half = u64::from(bench.core().geometry.ag_blocks) / 2 * BLOCK;
    assert!(bench.file.set_extent_size_hint(half + BLOCK).is_err());
    bench.file.set_extent_size_hint(half).unwrap();
    bench.write(5 * BLOCK, BLOCK, 1);
    bench.write(10 * half, BLOCK, 3);
    bench.file.write_cached(40 * BLOCK, &[2; 100], Sync::Durable).unwrap();
    bench.expect(40 * BLOCK, &[2; 100]);
    bench.judge("large hint");
}
