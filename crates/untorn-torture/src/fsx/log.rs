//! The last operations, and how they are shown: the log of fsx, word for word, so that eyes and
//! tools that know it find their way.
//!
//! Memory: a ring of [`KEPT`] operations.

use super::{Kind, Op, Rule, Then};
use std::collections::VecDeque;
use std::fmt;

/// Operations that are remembered.
const KEPT: usize = 10_000;

/// What became of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was done, or it failed.
    Ran,
    /// The file could not bear it.
    Skipped,
    /// The volume refused it and promised that nothing changed.
    Refused,
}

/// One line of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The operation's number; the first is 1.
    pub number: u64,
    /// The operation as it was done.
    pub op: Op,
    /// The file's size before.
    pub size: u64,
    /// What became of it.
    pub fate: Fate,
}

/// The last operations.
#[derive(Clone, Debug, Default)]
pub struct Log {
    entries: VecDeque<Entry>,
}

impl Log {
    /// Adds a line.
    pub fn push(&mut self, entry: Entry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// The last line.
    pub fn last(&self) -> Option<&Entry> {
        self.entries.back()
    }

    /// What became of the last operation, said late.
    pub(super) fn last_was(&mut self, fate: Fate) {
        if let Some(entry) = self.entries.back_mut() {
            entry.fate = fate;
        }
    }

    /// The lines, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// All lines as fsx shows them; operations that touch byte `bad` are marked.
    pub fn dump(&self, bad: Option<u64>) -> impl fmt::Display + '_ {
        struct Dump<'a>(&'a Log, Option<u64>);
        impl fmt::Display for Dump<'_> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let total = self.0.last().map_or(0, |entry| entry.number);
                writeln!(f, "LOG DUMP ({total} total operations):")?;
                self.0.entries().try_for_each(|entry| writeln!(f, "{}", entry.shown(self.1)))
            }
        }
        Dump(self, bad)
    }
}

impl Entry {
    /// The line as fsx shows it.
    pub fn shown(&self, bad: Option<u64>) -> impl fmt::Display + '_ {
        Shown { entry: self, bad }
    }

    /// Whether the operation had to do with byte `bad`, in its first or its second place.
    pub(super) fn touches(&self, bad: Option<u64>) -> (bool, bool) {
        let Self { op, size, .. } = self;
        let Some(bad) = bad else { return (false, false) };
        let inside = |start: u64, end: u64| (start..end).contains(&bad);
        match op.kind {
            Kind::Truncate => (inside(op.length.min(*size), op.length.max(*size)), false),
            Kind::Write | Kind::WriteAtomic => (inside(op.offset.min(*size), op.end()), false),
            Kind::Batch => (op.writes().any(|range| range.contains(&bad)), false),
            Kind::Fsync | Kind::Remount | Kind::Crash => (false, false),
            kind => {
                let second = kind.has_other() && inside(op.other, op.other + op.length);
                (inside(op.offset, op.end()), second)
            }
        }
    }
}

struct Shown<'a> {
    entry: &'a Entry,
    bad: Option<u64>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { number, op, fate, .. } = self.entry;
        write!(f, "{number}({:>3} mod 256): ", number % 256)?;
        match fate {
            Fate::Skipped => f.write_str("SKIPPED (no operation)")?,
            Fate::Refused => {
                self.what(f)?;
                f.write_str(" REFUSED")?;
            }
            Fate::Ran => self.what(f)?,
        }
        match op.then {
            Then::Reopen => f.write_str("\n\t\tCLOSE/OPEN"),
            Then::GoOn => Ok(()),
        }
    }
}

impl Shown<'_> {
    fn what(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { op, size, .. } = self.entry;
        let Op { kind, offset, length, other, count, .. } = *op;
        let label = kind.label();
        match kind {
            Kind::Fsync | Kind::Remount => return f.write_str(label),
            Kind::Crash => return write!(f, "{label} seed 0x{offset:x}"),
            Kind::Truncate => {
                let way = if length < *size { "DOWN" } else { "UP" };
                write!(f, "{label} {way}\tfrom 0x{size:x} to 0x{length:x}")?;
            }
            // The log of fsx gives the end here, not the last byte.
            Kind::Fallocate => {
                let end = op.end();
                write!(f, "{label} 0x{offset:x} thru 0x{end:x}\t(0x{length:x} bytes) ")?;
                f.write_str(self.fallocated())?;
            }
            _ => {
                let last = op.end().saturating_sub(1);
                write!(f, "{label} 0x{offset:x} thru 0x{last:x}\t(0x{length:x} bytes)")?;
            }
        }
        match kind {
            Kind::Write | Kind::WriteAtomic if offset > *size => f.write_str(" HOLE")?,
            Kind::Write | Kind::WriteAtomic if op.end() > *size => f.write_str(" EXTEND")?,
            Kind::Batch => write!(f, " x{count} every 0x{other:x}")?,
            _ if kind.has_other() => {
                let last = (other + length).saturating_sub(1);
                write!(f, " to 0x{other:x} thru 0x{last:x}")?;
            }
            _ => {}
        }
        self.marks(f)
    }

    fn fallocated(&self) -> &'static str {
        let Entry { op, size, .. } = self.entry;
        match op.rule {
            _ if op.end() <= *size => "INTERIOR",
            Rule::Keep => "PAST_EOF",
            Rule::Grow => "EXTENDING",
        }
    }

    fn marks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = match self.entry.op.kind {
            Kind::CloneRange => "JJJJ",
            Kind::DedupeRange => "BBBB",
            Kind::CopyRange => "EEEE",
            Kind::ExchangeRange => "XXXX",
            kind => return self.mark(f, kind),
        };
        match self.entry.touches(self.bad) {
            (true, true) => write!(f, "\t{letter}**{letter}"),
            (true, false) => write!(f, "\t{letter}******"),
            (false, true) => write!(f, "\t******{letter}"),
            (false, false) => Ok(()),
        }
    }

    fn mark(&self, f: &mut fmt::Formatter<'_>, kind: Kind) -> fmt::Result {
        if self.entry.touches(self.bad) == (false, false) {
            return Ok(());
        }
        f.write_str(match kind {
            Kind::Read | Kind::MapRead => "\t***RRRR***",
            Kind::Write | Kind::WriteAtomic | Kind::Batch => "\t***WWWW",
            Kind::Fallocate => "\t******FFFF",
            Kind::PunchHole => "\t******PPPP",
            Kind::ZeroRange => "\t******ZZZZ",
            Kind::CollapseRange => "\t******CCCC",
            Kind::InsertRange => "\t******IIII",
            _ => "\t******WWWW",
        })
    }
}
