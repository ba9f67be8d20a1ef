//! What the file should hold: plain memory, changed as each operation says.

use super::{Kind, Op, Rule};
use crate::dice::Dice;

/// The bytes that operations write: they tell which operation wrote them, and where.
///
/// A byte at an even place is the operation's number, modulo 256; one at an odd place is that plus
/// a random byte of the place.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// Zero at even places.
    places: Vec<u8>,
    fill: Option<u8>,
}

impl Pattern {
    /// For files of up to `limit` bytes.
    pub fn new(limit: u64, seed: u64, fill: Option<u8>) -> Self {
        let mut places = Dice::at(seed, 0xDA7A).bytes(limit as usize);
        places.iter_mut().step_by(2).for_each(|even| *even = 0);
        Self { places, fill }
    }

    /// What operation number `number` writes at byte `offset`, behind what `data` holds.
    fn append(&self, number: u64, offset: u64, length: usize, data: &mut Vec<u8>) {
        if let Some(fill) = self.fill {
            data.resize(data.len() + length, fill);
            return;
        }
        let base = number as u8;
        let places = &self.places[offset as usize..][..length];
        data.extend(places.iter().map(|place| base.wrapping_add(*place)));
    }
}

impl Pattern {
    /// Makes `data` all that operation `op`, number `number`, writes: its ranges one behind the
    /// other. Empty if it writes nothing.
    pub fn fill(&self, number: u64, op: &Op, data: &mut Vec<u8>) {
        let writes =
            matches!(op.kind, Kind::Write | Kind::WriteAtomic | Kind::MapWrite | Kind::Batch);
        data.clear();
        if writes {
            for range in op.writes() {
                self.append(number, range.start, op.length as usize, data);
            }
        }
    }
}

/// What the file should hold.
#[derive(Clone, Debug)]
pub struct Model {
    /// As many as the file may have; what lies past `size` means nothing.
    bytes: Vec<u8>,
    size: usize,
}

impl Model {
    /// An empty file that may grow to `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { bytes: vec![0; limit as usize], size: 0 }
    }

    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        self.size as u64
    }

    /// All its bytes.
    pub fn contents(&self) -> &[u8] {
        &self.bytes[..self.size]
    }

    /// `length` bytes from byte `offset`, all inside the file.
    pub fn part(&self, offset: u64, length: u64) -> &[u8] {
        &self.contents()[offset as usize..][..length as usize]
    }

    /// Takes over other contents.
    pub fn adopt(&mut self, contents: &[u8]) {
        self.size = contents.len();
        self.bytes[..contents.len()].copy_from_slice(contents);
    }

    /// Makes the file at least `size` bytes long.
    fn grow(&mut self, size: usize) {
        if size > self.size {
            self.bytes[self.size..size].fill(0);
            self.size = size;
        }
    }

    /// Does what `op`, which fits, says. `data` is what its ranges are written with, one behind
    /// the other.
    pub fn apply(&mut self, op: &Op, data: &[u8]) {
        let (offset, length, other) = (op.offset as usize, op.length as usize, op.other as usize);
        match op.kind {
            Kind::Write | Kind::WriteAtomic | Kind::MapWrite | Kind::Batch => self.put(op, data),
            Kind::Truncate => {
                self.grow(length);
                self.size = length;
            }
            Kind::Fallocate => self.grow(op.size_after(self.size()) as usize),
            Kind::PunchHole => self.zero(offset, length),
            Kind::ZeroRange => {
                if op.rule == Rule::Grow {
                    self.grow(offset + length);
                }
                self.zero(offset, length);
            }
            Kind::CollapseRange => {
                self.bytes.copy_within(offset + length..self.size, offset);
                self.size -= length;
            }
            Kind::InsertRange => {
                self.bytes.copy_within(offset..self.size, offset + length);
                self.bytes[offset..offset + length].fill(0);
                self.size += length;
            }
            Kind::CloneRange | Kind::CopyRange => {
                self.grow(other);
                self.size = self.size.max(other + length);
                self.bytes.copy_within(offset..offset + length, other);
            }
            Kind::ExchangeRange => self.exchange(offset, length, other),
            Kind::Read | Kind::MapRead | Kind::DedupeRange => {}
            Kind::Fsync | Kind::Remount | Kind::Crash => {}
        }
    }

    fn put(&mut self, op: &Op, data: &[u8]) {
        for (range, data) in op.writes().zip(data.chunks(op.length as usize)) {
            let (start, end) = (range.start as usize, range.end as usize);
            self.grow(start);
            self.size = self.size.max(end);
            self.bytes[start..end].copy_from_slice(data);
        }
    }

    fn zero(&mut self, offset: usize, length: usize) {
        let end = (offset + length).min(self.size);
        if offset < end {
            self.bytes[offset..end].fill(0);
        }
    }

    fn exchange(&mut self, one: usize, length: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        let (before, after) = self.bytes.split_at_mut(high);
        before[low..low + length].swap_with_slice(&mut after[..length]);
    }
}
