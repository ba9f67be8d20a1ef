//! Every state of the data fork with every state of the CoW fork under every shape of write.

use super::{BLOCK, Bench};
use crate::ag::Claim;
use crate::inode::{CowSpan, CowState};
use crate::{File, Sync, mkfs};
use std::collections::BTreeSet;
use std::ops::Range;
use untorn_format::FileBlock;

/// What the file has where the write goes (blocks 8 to 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Hole,
    Unwritten,
    Written,
    Shared,
    PastEnd,
    CrossingEnd,
    /// Cached bytes over a hole: a delayed allocation.
    Delalloc,
    /// Cached bytes over blocks of another file too.
    DelallocShared,
    /// Cached bytes from before the end of the file to behind it.
    DelallocCrossingEnd,
}

const DATAS: [Data; 9] = [
    Data::Hole,
    Data::Unwritten,
    Data::Written,
    Data::Shared,
    Data::PastEnd,
    Data::CrossingEnd,
    Data::Delalloc,
    Data::DelallocShared,
    Data::DelallocCrossingEnd,
];

impl Data {
    fn is_shared(self) -> bool {
        matches!(self, Self::Shared | Self::DelallocShared)
    }

    /// What is cached: first byte and length.
    fn cached(self) -> Option<(u64, u64)> {
        match self {
            Self::Delalloc | Self::DelallocShared => Some((8 * BLOCK, 16 * BLOCK)),
            Self::DelallocCrossingEnd => Some((9 * BLOCK + 10, 3 * BLOCK + 50)),
            _ => None,
        }
    }
}

/// What the CoW fork has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cow {
    None,
    Delalloc,
    Idle,
    IdleLarger,
    IdleSmaller,
    Pieces,
    /// Another write holds all of these blocks and more.
    InFlight,
    /// Another write holds the first of these blocks, and some before.
    InFlightPart,
}

const COWS: [Cow; 8] = [
    Cow::None,
    Cow::Delalloc,
    Cow::Idle,
    Cow::IdleLarger,
    Cow::IdleSmaller,
    Cow::Pieces,
    Cow::InFlight,
    Cow::InFlightPart,
];

/// The write: first byte and length, and how the free space lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    OneBlock,
    ManyBlocks,
    Head,
    Tail,
    Inside,
    CrossingExtents,
    /// No AG has room for all of it.
    CrossingGroups,
}

const SHAPES: [Shape; 7] = [
    Shape::OneBlock,
    Shape::ManyBlocks,
    Shape::Head,
    Shape::Tail,
    Shape::Inside,
    Shape::CrossingExtents,
    Shape::CrossingGroups,
];

impl Shape {
    fn bytes(self) -> (u64, u64) {
        match self {
            Self::OneBlock => (10 * BLOCK, BLOCK),
            Self::ManyBlocks => (10 * BLOCK, 5 * BLOCK),
            Self::Head => (10 * BLOCK + 700, 3 * BLOCK - 700),
            Self::Tail => (10 * BLOCK, 2 * BLOCK + 333),
            Self::Inside => (10 * BLOCK + 100, 800),
            Self::CrossingExtents => (7 * BLOCK + 50, 19 * BLOCK + 17),
            Self::CrossingGroups => (7 * BLOCK + 50, 30 * BLOCK + 17),
        }
    }

    fn blocks(self) -> Range<u64> {
        let (offset, length) = self.bytes();
        offset / BLOCK..(offset + length).div_ceil(BLOCK)
    }
}

/// Blocks that an AG has left where a write crosses AGs: fewer than it needs.
const LEFT_IN_GROUP: u64 = 25;

fn lay_out(bench: &mut Bench, data: Data) {
    match data {
        Data::Hole | Data::Unwritten | Data::Delalloc => {
            bench.write(0, 8 * BLOCK, 1);
            bench.write(24 * BLOCK, 16 * BLOCK, 2);
            if data == Data::Unwritten {
                bench.preallocate(8..24);
            }
        }
        Data::Written | Data::Shared | Data::DelallocShared => bench.write(0, 40 * BLOCK, 3),
        Data::PastEnd => bench.write(0, 8 * BLOCK, 4),
        Data::CrossingEnd | Data::DelallocCrossingEnd => bench.write(0, 10 * BLOCK + 100, 5),
    }
}

fn stage(bench: &Bench, cow: Cow, shape: Shape) {
    let blocks = shape.blocks();
    match cow {
        Cow::None | Cow::InFlight | Cow::InFlightPart => {}
        Cow::Delalloc => bench.delalloc(8..24),
        Cow::Idle => bench.idle(blocks),
        Cow::IdleLarger => bench.idle(blocks.start.saturating_sub(3)..blocks.end + 5),
        Cow::IdleSmaller => bench.idle(blocks.start..blocks.start + 1),
        Cow::Pieces => {
            for at in (blocks.start..blocks.end + 2).step_by(3) {
                bench.idle(at..at + 1);
                bench.delalloc(at + 1..at + 2);
            }
        }
    }
}

/// Bytes that the other write, in flight before this one comes, writes.
fn other_write(cow: Cow, shape: Shape) -> Option<(u64, Vec<u8>)> {
    let blocks = shape.blocks();
    let start = blocks.start * BLOCK - 10;
    let end = match cow {
        Cow::InFlight => blocks.end * BLOCK + 10,
        Cow::InFlightPart => blocks.start * BLOCK + 10,
        _ => return None,
    };
    Some((start, (start..end).map(|at| 50 + (at % 40) as u8).collect()))
}

#[test]
fn every_cell_of_the_matrix_holds_model_check() {
    let mut cells = 0;
    for data in DATAS {
        let before = cells;
        for cow in COWS {
            for shape in SHAPES {
                cell(data, cow, shape);
                cells += 1;
            }
        }
        println!("{data:?}: {} cells", cells - before);
    }
    println!("{cells} cells");
    assert_eq!(cells, 9 * 8 * 7);
}

/// What a cell was made of and must find again.
struct Scene {
    bench: Bench,
    sharer: Option<(File, Vec<u8>)>,
    /// Keeps the free space small.
    squeezed: Vec<Claim>,
}

fn scene(data: Data, cow: Cow, shape: Shape) -> Scene {
    let mut bench = match shape {
        Shape::CrossingGroups => Bench::with(64 << 20, mkfs::Groups::Count(4)),
        _ => Bench::new(),
    };
    lay_out(&mut bench, data);
    let sharer = data.is_shared().then(|| (bench.share(), bench.model.clone()));
    let squeezed = match shape {
        Shape::CrossingGroups => bench.squeeze(LEFT_IN_GROUP),
        _ => Vec::new(),
    };
    stage(&bench, cow, shape);
    if let Some((offset, length)) = data.cached() {
        let bytes = vec![77; length as usize];
        bench.file.write_cached(offset, &bytes, Sync::Visible).unwrap();
        bench.expect(offset, &bytes);
    }
    Scene { bench, sharer, squeezed }
}

fn cell(data: Data, cow: Cow, shape: Shape) {
    let what = format!("{data:?}, {cow:?}, {shape:?}");
    let Scene { mut bench, sharer, squeezed } = scene(data, cow, shape);
    let (offset, length) = shape.bytes();
    let bytes: Vec<u8> = (0..length).map(|i| 100 + (i % 100) as u8).collect();
    match other_write(cow, shape) {
        Some(first) => write_behind(&mut bench, first, (offset, &bytes)),
        None => bench.file.write_atomic(offset, &bytes, Sync::Visible).unwrap(),
    }
    bench.expect(offset, &bytes);
    if let Some((other, before)) = sharer {
        assert!(Bench::contents(&other) == before, "{what}: the sharer changed");
    }
    // The blocks that the other write freed are one piece again.
    if shape == Shape::CrossingGroups && other_write(cow, shape).is_none() {
        assert!(groups(&bench, shape.blocks()).len() > 1, "{what}: it lies in one AG");
    }
    drop(squeezed);
    // What is left in the CoW fork is a reservation or idle: nothing is in flight.
    let mut left = bench.inode().cow.lock();
    let pieces = left.remove(0..u64::MAX);
    assert!(
        pieces.iter().all(|(_, p)| !matches!(p.state, CowState::InFlight { .. })),
        "{what}: a piece is still in flight"
    );
    drop(pieces);
    drop(left);
    bench.judge(&what);
}

/// Writes `second` while `first` is in flight on some of its blocks: it waits, and comes after.
fn write_behind(bench: &mut Bench, first: (u64, Vec<u8>), second: (u64, &[u8])) {
    let met = FileBlock(second.0 / BLOCK);
    // What was cached goes to the device before the gate closes.
    bench.file.sync().unwrap();
    bench.gate.close();
    let (file, inode, gate) = (&bench.file, bench.inode(), &bench.gate);
    std::thread::scope(|scope| {
        scope.spawn(|| file.write_atomic(first.0, &first.1, Sync::Visible).unwrap());
        gate.wait_until_met();
        let in_flight = inode.cow.lock().at(met, u64::MAX);
        assert!(matches!(in_flight, CowSpan::InFlight { .. }), "{in_flight:?}");
        let waiter = scope.spawn(|| file.write_atomic(second.0, second.1, Sync::Visible).unwrap());
        while inode.ranges.waiters() == 0 {
            std::thread::yield_now();
        }
        assert_eq!(inode.cow.lock().at(met, u64::MAX), in_flight, "blocks in flight were taken");
        assert!(!waiter.is_finished(), "it did not wait");
        gate.open();
    });
    bench.expect(first.0, &first.1);
}

/// AGs in which `blocks` of the file lie.
fn groups(bench: &Bench, blocks: Range<u64>) -> BTreeSet<u32> {
    let inside = |&(at, _, length, _): &(u64, _, u32, _)| {
        at < blocks.end && blocks.start < at + u64::from(length)
    };
    let geometry = &bench.core().geometry;
    let extents = bench.extents().into_iter().filter(inside);
    extents.filter_map(|(_, start, _, _)| Some(geometry.split(start)?.0.0)).collect()
}
