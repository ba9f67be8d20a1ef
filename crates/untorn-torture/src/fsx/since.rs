//! What a power cut may leave: the state at the last sync, the operations since, and the judge.
//!
//! - What was synced is there. Nothing is there that no operation wrote.
//! - The journal keeps the order of transactions, so the file is as after *some* of the operations:
//!   the usual case, in which every byte and the size are compared with that state.
//! - Writes that are not atomic may be there in part, and out of order. If there are any, each byte
//!   must be one that its place has held since the sync, the size one that the file has had or
//!   passed while it grew; and an atomic write whose places nobody else touched must be there whole
//!   or not at all. Where operations moved bytes about as well, a place says nothing of a byte:
//!   then only the size is compared.
//!
//! Costs nothing until the power is cut, but the memory of an operation each.

use super::{Kind, Model, Op, Pattern};

/// The last synced state and the operations since.
#[derive(Clone, Debug)]
pub(super) struct Since {
    base: Vec<u8>,
    limit: u64,
    ops: Vec<(u64, Op)>,
}

/// What the judge found allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The state after so many of the operations since the sync.
    After(usize),
    /// No such state, but each byte is one that its place has held.
    Mixed,
    /// Only the size could be compared.
    SizeOnly,
}

/// Operations that are one transaction or none: there is no half of them.
fn is_atomic(kind: Kind) -> bool {
    matches!(kind, Kind::WriteAtomic | Kind::Batch | Kind::ExchangeRange)
}

fn moves_bytes(kind: Kind) -> bool {
    use Kind::{CloneRange, CollapseRange, CopyRange, ExchangeRange, InsertRange};
    matches!(kind, CollapseRange | InsertRange | CloneRange | CopyRange | ExchangeRange)
}

/// What the walk through all states gathers about the contents that were found.
struct Seen {
    /// Each byte has been there in some state.
    explained: Vec<bool>,
    size_allowed: bool,
    /// How many operations touched each place.
    touched: Vec<u16>,
}

impl Since {
    pub(super) fn new(limit: u64) -> Self {
        Self { base: Vec::new(), limit, ops: Vec::new() }
    }

    /// Everything up to `contents` is durable.
    pub(super) fn rebase(&mut self, contents: &[u8]) {
        self.base.clear();
        self.base.extend_from_slice(contents);
        self.ops.clear();
    }

    /// An operation was done.
    pub(super) fn push(&mut self, number: u64, op: Op) {
        if !matches!(op.kind, Kind::Read | Kind::MapRead | Kind::DedupeRange) {
            self.ops.push((number, op));
        }
    }

    /// Operations since the last sync.
    pub(super) fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether a power cut may have left these contents; if not, why not.
    pub(super) fn judge(&self, found: &[u8], pattern: &Pattern) -> Result<Verdict, String> {
        let mut model = Model::new(self.limit);
        model.adopt(&self.base);
        let mut seen = Seen {
            explained: vec![false; found.len()],
            size_allowed: false,
            touched: vec![0; self.limit as usize],
        };
        let mut data = Vec::new();
        for count in 0..=self.ops.len() {
            if model.contents() == found {
                return Ok(Verdict::After(count));
            }
            seen.note(&model, found);
            if let Some((number, op)) = self.ops.get(count) {
                let before = model.size();
                pattern.fill(*number, op, &mut data);
                model.apply(op, &data);
                seen.note_change(op, before, model.size(), found.len() as u64);
            }
        }
        self.judge_parts(found, pattern, &seen)
    }

    /// No whole state was found.
    fn judge_parts(&self, found: &[u8], pattern: &Pattern, seen: &Seen) -> Result<Verdict, String> {
        let count = self.ops.len();
        if self.ops.iter().all(|(_, op)| is_atomic(op.kind)) {
            return Err(format!(
                "the file ({} bytes) is no state between the last sync and the {count} atomic \
                 operations since",
                found.len()
            ));
        }
        if !seen.size_allowed {
            return Err(format!(
                "the file has {} bytes, which it never had since the last sync ({} bytes then, \
                 {count} operations since)",
                found.len(),
                self.base.len()
            ));
        }
        if self.ops.iter().any(|(_, op)| moves_bytes(op.kind)) {
            return Ok(Verdict::SizeOnly);
        }
        if let Some(at) = seen.explained.iter().position(|explained| !explained) {
            return Err(format!(
                "byte 0x{at:x} is 0x{:02x}, which it never was since the last sync, {count} \
                 operations ago",
                found[at]
            ));
        }
        match self.ops.iter().find(|(number, op)| self.is_torn(*number, op, found, pattern, seen)) {
            Some((number, op)) => Err(format!(
                "operation {number}, {} of 0x{:x} bytes at 0x{:x}, is there in part",
                op.kind.word(),
                op.length,
                op.offset
            )),
            None => Ok(Verdict::Mixed),
        }
    }

    /// Whether some bytes of an atomic write are there and some are not, among those that no other
    /// operation touched.
    fn is_torn(&self, number: u64, op: &Op, found: &[u8], pattern: &Pattern, seen: &Seen) -> bool {
        if !matches!(op.kind, Kind::WriteAtomic | Kind::Batch) {
            return false;
        }
        let mut data = Vec::new();
        pattern.fill(number, op, &mut data);
        let places = op.writes().flat_map(|range| range.start as usize..range.end as usize);
        let byte = |bytes: &[u8], at: usize| bytes.get(at).copied().unwrap_or(0);
        let (mut old, mut new) = (false, false);
        for (at, written) in places.zip(&data) {
            let before = byte(&self.base, at);
            if seen.touched[at] == 1 && before != *written {
                new |= byte(found, at) == *written;
                old |= byte(found, at) != *written;
            }
        }
        old && new
    }
}

impl Seen {
    fn note(&mut self, state: &Model, found: &[u8]) {
        let contents = state.contents();
        let here = contents.iter().copied().chain(std::iter::repeat(0));
        for ((explained, found), here) in self.explained.iter_mut().zip(found).zip(here) {
            *explained |= *found == here;
        }
        self.size_allowed |= contents.len() == found.len();
    }

    fn note_change(&mut self, op: &Op, before: u64, after: u64, found: u64) {
        // What is not atomic may grow the file step by step.
        self.size_allowed |= !is_atomic(op.kind) && (before..=after).contains(&found);
        let limit = self.touched.len();
        let mut touch = |start: u64, end: u64| {
            let range = (start as usize).min(limit)..(end as usize).min(limit);
            self.touched[range].iter_mut().for_each(|count| *count = count.saturating_add(1));
        };
        match op.kind {
            Kind::Truncate => touch(before.min(after), limit as u64),
            kind if moves_bytes(kind) => touch(0, limit as u64),
            _ => op.writes().for_each(|range| touch(range.start, range.end)),
        }
    }
}
