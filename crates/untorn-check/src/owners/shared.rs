//! Compares the reference count btree of an AG with the sharing that was seen.

use super::sweep::Shared;
use crate::code::Code;
use crate::scan::{Scan, Step, block_place};
use untorn_format::units::*;

/// Compares what was `seen` with what the tree `said`, both in order and without overlaps; a
/// finding for each run on which they differ.
pub(crate) fn compare(scan: &mut Scan<'_>, ag: AgNumber, seen: &[Shared], said: &[Shared]) -> Step {
    let (mut seen, mut said) = (Steps::new(seen), Steps::new(said));
    let mut at = 0;
    while let Some(next) = seen.next_change(at).into_iter().chain(said.next_change(at)).min() {
        let (is, told) = (seen.refs_at(at), said.refs_at(at));
        if is != told {
            report(scan, ag, Difference { start: at, length: next - at, is, told })?;
        }
        at = next;
    }
    Ok(())
}

struct Difference {
    start: u32,
    length: u32,
    is: u32,
    told: u32,
}

fn report(scan: &mut Scan<'_>, ag: AgNumber, run: Difference) -> Step {
    let Difference { start, length, is, told } = run;
    let place = block_place(scan.geometry(), ag, AgBlock(start));
    let blocks = format!("{length} blocks from block {start}");
    match (is, told) {
        (_, 0) => scan.find(
            Code::RefcountMissing,
            place,
            format!("{blocks} have {is} owners and no reference count"),
        ),
        (0, _) => scan.find(
            Code::RefcountExtra,
            place,
            format!("{blocks} have a reference count of {told} and are not shared"),
        ),
        _ => scan.find(
            Code::RefcountWrong,
            place,
            format!("{blocks} have a reference count of {told} and {is} owners"),
        ),
    }
}

/// A list of runs as a function of the block.
struct Steps<'r> {
    runs: &'r [Shared],
    next: usize,
}

impl<'r> Steps<'r> {
    fn new(runs: &'r [Shared]) -> Self {
        Self { runs, next: 0 }
    }

    /// The run that ends after `at`; `at` never falls.
    fn current(&mut self, at: u32) -> Option<Shared> {
        while let Some(run) = self.runs.get(self.next) {
            if run.start.saturating_add(run.length) > at {
                return Some(*run);
            }
            self.next += 1;
        }
        None
    }

    fn refs_at(&mut self, at: u32) -> u32 {
        self.current(at).filter(|run| run.start <= at).map_or(0, |run| run.refs)
    }

    /// The first block past `at` where the count changes.
    fn next_change(&mut self, at: u32) -> Option<u32> {
        let run = self.current(at)?;
        Some(if run.start > at { run.start } else { run.start.saturating_add(run.length) })
    }
}
