//! Every state of the data fork with every state of the CoW fork under every shape of write.

use super::{BLOCK, Bench};
use crate::Sync;

/// What the data fork has where the write goes (blocks 8 to 24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Data {
    Hole,
    Unwritten,
    Written,
    Shared,
    PastEnd,
    CrossingEnd,
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
}

/// The write: first byte and length.
#[derive(Clone, Copy, Debug)]
enum Shape {
    OneBlock,
    ManyBlocks,
    Head,
    Tail,
    Inside,
    CrossingExtents,
}

impl Shape {
    fn bytes(self) -> (u64, u64) {
        match self {
            Self::OneBlock => (10 * BLOCK, BLOCK),
            Self::ManyBlocks => (10 * BLOCK, 5 * BLOCK),
            Self::Head => (10 * BLOCK + 700, 3 * BLOCK - 700),
            Self::Tail => (10 * BLOCK, 2 * BLOCK + 333),
            Self::Inside => (10 * BLOCK + 100, 800),
            Self::CrossingExtents => (7 * BLOCK + 50, 19 * BLOCK + 17),
        }
    }

    fn blocks(self) -> std::ops::Range<u64> {
        let (offset, length) = self.bytes();
        offset / BLOCK..(offset + length).div_ceil(BLOCK)
    }
}

fn lay_out(bench: &mut Bench, data: Data) {
    match data {
        Data::Hole | Data::Unwritten => {
            bench.write(0, 8 * BLOCK, 1);
            bench.write(24 * BLOCK, 16 * BLOCK, 2);
            if data == Data::Unwritten {
                bench.preallocate(8..24);
            }
        }
        Data::Written | Data::Shared => bench.write(0, 40 * BLOCK, 3),
        Data::PastEnd => bench.write(0, 8 * BLOCK, 4),
        Data::CrossingEnd => bench.write(0, 10 * BLOCK + 100, 5),
    }
}

fn stage(bench: &Bench, cow: Cow, shape: Shape) {
    let blocks = shape.blocks();
    match cow {
        Cow::None => {}
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

#[test]
fn every_cell_of_the_matrix_holds_model_check() {
    let datas = [
        Data::Hole,
        Data::Unwritten,
        Data::Written,
        Data::Shared,
        Data::PastEnd,
        Data::CrossingEnd,
    ];
    let cows =
        [Cow::None, Cow::Delalloc, Cow::Idle, Cow::IdleLarger, Cow::IdleSmaller, Cow::Pieces];
    let shapes = [
        Shape::OneBlock,
        Shape::ManyBlocks,
        Shape::Head,
        Shape::Tail,
        Shape::Inside,
        Shape::CrossingExtents,
    ];
    let mut cells = 0;
    for data in datas {
        for cow in cows {
            for shape in shapes {
                cell(data, cow, shape);
                cells += 1;
            }
        }
    }
    println!("{cells} cells");
    assert_eq!(cells, 216);
}

fn cell(data: Data, cow: Cow, shape: Shape) {
    let what = format!("{data:?}, {cow:?}, {shape:?}");
    let mut bench = Bench::new();
    lay_out(&mut bench, data);
    let sharer = (data == Data::Shared).then(|| (bench.share(), bench.model.clone()));
    stage(&bench, cow, shape);
    let (offset, length) = shape.bytes();
    let bytes: Vec<u8> = (0..length).map(|i| 100 + (i % 100) as u8).collect();
    bench.file.write_atomic(offset, &bytes, Sync::Visible).unwrap();
    bench.expect(offset, &bytes);
    if let Some((other, before)) = sharer {
        assert!(Bench::contents(&other) == before, "{what}: the sharer changed");
    }
    // What is left in the CoW fork is a reservation or idle: nothing is in flight.
    let mut left = bench.inode().cow.lock();
    let pieces = left.remove(0..u64::MAX);
    assert!(
        pieces.iter().all(|(_, p)| !matches!(p.state, crate::inode::CowState::InFlight { .. })),
        "{what}: a piece is still in flight"
    );
    drop(pieces);
    drop(left);
    bench.judge(&what);
}
