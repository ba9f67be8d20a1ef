//! Making an operation fit the file: offsets and lengths trimmed to size, limits and boundaries.
//!
//! Invariants: what fits is left as it is, so that a recorded run replays as it was; any other
//! operation becomes one that the file can bear, or is skipped. Every sequence of operations is a
//! valid run, which is what lets a failing one be cut down.

use super::generate::MOST_RANGES;
use super::{Growth, Io, Kind, Op, Settings};

/// Seeds of power cuts are as large as numbers in an ops file may be.
const SEEDS: u64 = (1 << 62) - 1;

/// The operation as it can be done to a file of `size` bytes; nothing: it is skipped.
pub fn fit(op: Op, size: u64, settings: &Settings) -> Option<Op> {
    let limit = settings.file_limit;
    let op = plain(op);
    let fitted = match op.kind {
        Kind::Read | Kind::MapRead => Some(read(op, size, settings)),
        Kind::Write | Kind::MapWrite | Kind::WriteAtomic => Some(write(op, settings)),
        Kind::Truncate => Some(truncate(op, settings)),
        Kind::Fallocate | Kind::ZeroRange => Some(trim(op, limit)),
        Kind::PunchHole => Some(trim(op, size)),
        Kind::CollapseRange => Some(blocks(trim(op, size.saturating_sub(1)), settings)),
        Kind::InsertRange => Some(insert(op, size, settings)),
        Kind::CloneRange => move_blocks(op, size, limit, settings),
        Kind::DedupeRange | Kind::ExchangeRange => move_blocks(op, size, size, settings),
        Kind::CopyRange => copy(op, size, settings),
        Kind::Batch => batch(op, settings),
        Kind::Fsync | Kind::Remount | Kind::Crash => return Some(op),
    };
    fitted.filter(|op| bearable(op, size, settings))
}

/// Without numbers and modes that mean nothing to its kind.
fn plain(op: Op) -> Op {
    let Op { kind, offset, length, other, then, .. } = op;
    let mut plain = match kind {
        Kind::Fsync | Kind::Remount => Op::new(kind, 0, 0),
        Kind::Crash => Op::new(kind, offset & SEEDS, 0),
        _ => Op::new(kind, offset, length),
    };
    plain.then = then;
    match kind {
        Kind::Batch => plain.count = op.count,
        Kind::Fallocate => (plain.rule, plain.shared) = (op.rule, op.shared),
        Kind::ZeroRange => plain.rule = op.rule,
        _ => {}
    }
    if kind.has_other() { plain.with_other(other) } else { plain }
}

/// The last word, whatever was trimmed.
fn bearable(op: &Op, size: u64, settings: &Settings) -> bool {
    let some = op.length > 0 || op.kind == Kind::Truncate;
    let inside = match op.kind {
        Kind::Read | Kind::MapRead => op.end() <= size,
        Kind::PunchHole => op.offset < size,
        Kind::CollapseRange => op.end() < size,
        Kind::InsertRange => op.offset < size,
        _ => true,
    };
    let after = op.size_after(size);
    let fixed = settings.growth == Growth::Fixed && after != size;
    some && inside && !fixed && op.reach().max(after) <= settings.file_limit.max(size)
}

fn trim_offset(offset: u64, size: u64) -> u64 {
    offset.checked_rem(size).unwrap_or(0)
}

fn trim(op: Op, size: u64) -> Op {
    let offset = trim_offset(op.offset, size);
    Op { offset, length: op.length.min(size - offset), ..op }
}

fn down(number: u64, boundary: u64) -> u64 {
    number - number % boundary.max(1)
}

fn read(op: Op, size: u64, settings: &Settings) -> Op {
    let op = trim(op, size);
    let offset = down(op.offset, settings.read_boundary);
    Op { offset, length: direct_length(&op, settings.read_boundary, settings), ..op }
}

fn write(op: Op, settings: &Settings) -> Op {
    let op = trim(op, settings.file_limit);
    let offset = down(op.offset, settings.write_boundary);
    Op { offset, length: direct_length(&op, settings.write_boundary, settings), ..op }
}

/// Direct reads and writes have whole lengths, too.
fn direct_length(op: &Op, boundary: u64, settings: &Settings) -> u64 {
    let mapped = matches!(op.kind, Kind::MapRead | Kind::MapWrite);
    match settings.io {
        Io::Direct if !mapped => down(op.length, boundary),
        _ => op.length,
    }
}

fn truncate(op: Op, settings: &Settings) -> Op {
    let size = op.length.min(settings.file_limit);
    Op { offset: 0, length: down(size, settings.truncate_boundary), ..op }
}

fn blocks(op: Op, settings: &Settings) -> Op {
    let block = settings.block_size;
    Op { offset: down(op.offset, block), length: down(op.length, block), ..op }
}

fn insert(op: Op, size: u64, settings: &Settings) -> Op {
    let offset = trim_offset(op.offset, size);
    let length = op.length.min(settings.file_limit.saturating_sub(size));
    blocks(Op { offset, length, ..op }, settings)
}

/// From whole blocks to whole blocks that end before `limit`.
fn move_blocks(op: Op, size: u64, limit: u64, settings: &Settings) -> Option<Op> {
    let op = blocks(trim(op, size), settings);
    apart(Op { other: down(trim_offset(op.other, limit), settings.block_size), ..op }, limit)
}

fn copy(op: Op, size: u64, settings: &Settings) -> Option<Op> {
    let op = read(Op { kind: Kind::CopyRange, ..op }, size, settings);
    let other = down(trim_offset(op.other, settings.file_limit), settings.write_boundary);
    apart(Op { other, ..op }, settings.file_limit)
}

/// The two places do not overlap, and the second ends before `limit`.
fn apart(op: Op, limit: u64) -> Option<Op> {
    let overlap = op.offset.abs_diff(op.other) < op.length;
    (!overlap && op.other.saturating_add(op.length) <= limit).then_some(op)
}

/// As many ranges as fit, apart from each other.
fn batch(op: Op, settings: &Settings) -> Option<Op> {
    let offset = down(trim_offset(op.offset, settings.file_limit), settings.write_boundary);
    let room = settings.file_limit - offset;
    let length = down_if_direct(op.length.min(room), settings);
    let other = match op.count {
        0 | 1 => 0,
        _ => down(op.other, settings.write_boundary).max(length),
    };
    let more = room.checked_sub(length)?.checked_div(other).unwrap_or(0);
    let count = u64::from(op.count.clamp(1, MOST_RANGES)).min(more + 1) as u8;
    let other = if count == 1 { 0 } else { other };
    Some(Op { offset, length, other, count, ..op })
}

fn down_if_direct(length: u64, settings: &Settings) -> u64 {
    match settings.io {
        Io::Direct => down(length, settings.write_boundary),
        Io::Cached => length,
    }
}
