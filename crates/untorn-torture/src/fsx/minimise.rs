//! Cutting a failing run down to the shortest that still fails.
//!
//! First the shortest end of the run that fails on its own, then delta debugging (Zeller and
//! Hildebrandt, IEEE TSE 28(2), 2002): pieces are left out, large ones first, down to single
//! operations, until none can go. Then lengths and offsets are made round where that keeps the
//! failure. Every candidate runs on a fresh target.

use super::Recorded;
use std::time::{Duration, Instant};

/// A shorter run and how it was found.
#[derive(Clone, Debug)]
pub struct Shortest {
    /// Its operations.
    pub ops: Vec<Recorded>,
    /// Runs that were tried.
    pub tried: u64,
    /// Whether the time was up before no operation could go.
    pub gave_up: bool,
}

struct Search<'a> {
    fails: &'a mut dyn FnMut(&[Recorded]) -> bool,
    deadline: Instant,
    tried: u64,
}

impl Search<'_> {
    fn fails(&mut self, ops: &[Recorded]) -> bool {
        self.tried += 1;
        (self.fails)(ops)
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.deadline
    }
}

/// The shortest run found in `time`. `ops` fails: `fails` says so of it.
pub fn minimise(
    ops: Vec<Recorded>,
    time: Duration,
    fails: &mut dyn FnMut(&[Recorded]) -> bool,
) -> Shortest {
    let deadline = Instant::now() + time;
    let mut search = Search { fails, deadline, tried: 0 };
    let mut ops: Vec<_> = without_skips(ops, &mut search);
    ops = shortest_end(ops, &mut search);
    ops = leave_out(ops, &mut search);
    let gave_up = search.is_over();
    Shortest { ops, tried: search.tried, gave_up }
}

/// Operations that were skipped took a number, and numbers are in the bytes: they can go only if
/// the failure stays.
fn without_skips(ops: Vec<Recorded>, search: &mut Search<'_>) -> Vec<Recorded> {
    let kept: Vec<_> = ops.iter().copied().filter(|op| *op != Recorded::Skipped).collect();
    if kept.len() < ops.len() && search.fails(&kept) { kept } else { ops }
}

fn shortest_end(ops: Vec<Recorded>, search: &mut Search<'_>) -> Vec<Recorded> {
    let mut length = 16;
    while length < ops.len() && !search.is_over() {
        let end = &ops[ops.len() - length..];
        if search.fails(end) {
            return end.to_vec();
        }
        length *= 4;
    }
    ops
}

/// Leaves pieces out until no single operation can go.
fn leave_out(mut ops: Vec<Recorded>, search: &mut Search<'_>) -> Vec<Recorded> {
    let mut piece = ops.len().div_ceil(2).max(1);
    loop {
        let before = ops.len();
        ops = leave_out_pieces(ops, piece, search);
        match (piece, ops.len() < before) {
            _ if search.is_over() => return ops,
            (1, false) => return ops,
            (1, true) => {}
            _ => piece = piece.div_ceil(2).min(ops.len().max(1)),
        }
    }
}

/// Leaves out every piece of this length that can go, last pieces first.
fn leave_out_pieces(
    mut ops: Vec<Recorded>,
    piece: usize,
    search: &mut Search<'_>,
) -> Vec<Recorded> {
    let mut end = ops.len();
    while end > 0 && !search.is_over() {
        let start = end.saturating_sub(piece);
        let shorter: Vec<_> = ops[..start].iter().chain(&ops[end..]).copied().collect();
        if search.fails(&shorter) {
            ops = shorter;
        }
        end = start;
    }
    ops
}
