//! Known ways in which out-of-place writes went wrong in XFS since 2016, one test each.
//!
//! [`table`] lists all of them with the tests, which stand beside what they try: here those of
//! atomic writes, of the CoW fork and of space that runs short.

mod forks;
mod space;
mod table;
mod writes;

use super::{BLOCK, Bench};
use crate::inode::CowSpan;
use crate::{NewFile, Sync};
use untorn_format::FileBlock;

/// What free blocks hold; no test writes it.
const STALE: u8 = 0xEE;

/// A bench whose free blocks are full of somebody's old bytes.
fn stale_bench() -> Bench {
    let bench = Bench::new();
    let old = bench.volume.create_file("/stale", NewFile::default()).unwrap();
    let room = bench.volume.space().unwrap().available - 64;
    for at in (0..room / 64 * 64).step_by(64) {
        old.write_at(at * BLOCK, &[STALE; 64 * BLOCK as usize], Sync::Visible).unwrap();
    }
    drop(old);
    bench.volume.remove("/stale").unwrap();
    bench.volume.sync().unwrap();
    bench
}

/// Sets aside those of `blocks` for which the CoW fork has nothing.
fn set_aside(bench: &Bench, blocks: std::ops::Range<u64>) {
    for at in blocks {
        let span = bench.inode().cow.lock().at(FileBlock(at), at + 1);
        if matches!(span, CowSpan::Hole { .. }) {
            bench.idle(at..at + 1);
        }
    }
}

/// Takes blocks until `left` are available: they lie alone, every other one, where `shattered`.
fn fill(bench: &Bench, left: u64, layout: Free) {
    let create = |name: &str| bench.volume.create_file(name, NewFile::default()).unwrap();
    let available = || bench.volume.space().unwrap().available;
    let (keep, gone) = (create("/keep"), create("/gone"));
    if layout == Free::Shattered {
        for at in 0..left + 40 {
            for file in [&keep, &gone] {
                file.write_at(at * BLOCK, &[1; BLOCK as usize], Sync::Visible).unwrap();
            }
        }
    }
    let fill = create("/fill");
    let (mut at, mut step) = (0, 1024);
    let reached = |now: u64| match layout {
        Free::Together => now <= left,
        Free::Shattered => now <= 40,
    };
    while step > 0 && !reached(available()) {
        match fill.allocate(at * BLOCK..(at + step) * BLOCK, crate::SizeRule::Grow) {
            Ok(()) if layout == Free::Together && available() < left => {
                fill.truncate(at * BLOCK).unwrap();
                bench.volume.sync().unwrap();
                step /= 2;
            }
            Ok(()) => at += step,
            Err(_) => step /= 2,
        }
    }
    bench.volume.remove("/gone").unwrap();
    bench.volume.sync().unwrap();
    drop((keep, gone, fill));
}

/// How what is left free lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Free {
    Together,
    Shattered,
}
