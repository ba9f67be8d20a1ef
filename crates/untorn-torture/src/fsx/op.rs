//! What can be done to the file: an operation is its kind and a few numbers, nothing else. Bytes
//! come from the operation's number, see [`super::Pattern`].

use std::ops::Range;

/// Kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Reads, and compares every byte.
    Read,
    /// Writes, in place where that can be.
    Write,
    /// Writes whole or not at all.
    WriteAtomic,
    /// Reads through the page cache.
    MapRead,
    /// Writes through the page cache; what lies past the end grows the file first.
    MapWrite,
    /// Gives the file another size.
    Truncate,
    /// Sets blocks aside.
    Fallocate,
    /// Makes a hole.
    PunchHole,
    /// Makes zeroes.
    ZeroRange,
    /// Takes a range out; what lies behind moves down.
    CollapseRange,
    /// Puts a hole in; what lies behind moves up.
    InsertRange,
    /// Shares blocks with another place of the file.
    CloneRange,
    /// Shares blocks with another place if both hold the same bytes.
    DedupeRange,
    /// Copies to another place of the file.
    CopyRange,
    /// Exchanges two places of the file, both or neither.
    ExchangeRange,
    /// Writes several ranges in one atomic commit.
    Batch,
    /// Makes everything durable.
    Fsync,
    /// Closes the volume cleanly and opens it again.
    Remount,
    /// Cuts the power and recovers the volume.
    Crash,
}

/// Words of the ops file and of the log for each kind.
const NAMES: [(Kind, &str, &str); Kind::COUNT] = [
    (Kind::Read, "read", "READ    "),
    (Kind::Write, "write", "WRITE   "),
    (Kind::WriteAtomic, "write_atomic", "WRITE   "),
    (Kind::MapRead, "mapread", "MAPREAD "),
    (Kind::MapWrite, "mapwrite", "MAPWRITE"),
    (Kind::Truncate, "truncate", "TRUNCATE"),
    (Kind::Fallocate, "fallocate", "FALLOC  "),
    (Kind::PunchHole, "punch_hole", "PUNCH   "),
    (Kind::ZeroRange, "zero_range", "ZERO    "),
    (Kind::CollapseRange, "collapse_range", "COLLAPSE"),
    (Kind::InsertRange, "insert_range", "INSERT"),
    (Kind::CloneRange, "clone_range", "CLONE"),
    (Kind::DedupeRange, "dedupe_range", "DEDUPE"),
    (Kind::CopyRange, "copy_range", "COPY"),
    (Kind::ExchangeRange, "exchange_range", "XCHG"),
    (Kind::Batch, "batch", "BATCH   "),
    (Kind::Fsync, "fsync", "FSYNC"),
    (Kind::Remount, "remount", "REMOUNT"),
    (Kind::Crash, "crash", "CRASH   "),
];

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 19;

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(kind, ..)| *kind)
    }

    /// Its word in an ops file.
    pub fn word(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// Its word in a log, padded as there.
    pub fn label(self) -> &'static str {
        NAMES[self as usize].2
    }

    /// The kind with this word in an ops file. What Linux does without its cache is, here, the
    /// same as with it.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.strip_suffix("_dontcache").unwrap_or(word);
        NAMES.iter().find(|(_, known, _)| *known == word).map(|(kind, ..)| *kind)
    }

    /// The kind with this word in a log.
    pub(super) fn from_label(label: &str) -> Option<Self> {
        NAMES.iter().find(|(.., known)| known.trim_end() == label).map(|(kind, ..)| *kind)
    }

    /// Whether it names a second place.
    pub fn has_other(self) -> bool {
        use Kind::{Batch, CloneRange, CopyRange, DedupeRange, ExchangeRange};
        matches!(self, CloneRange | DedupeRange | CopyRange | ExchangeRange | Batch)
    }
}

/// What an operation past the end does to the file's size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rule {
    /// The file grows.
    #[default]
    Grow,
    /// The size stays.
    Keep,
}

/// Whether [`Kind::Fallocate`] also gives the file blocks of its own for shared ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shared {
    /// Shared blocks stay shared.
    #[default]
    Stay,
    /// They become the file's own.
    Unshare,
}

/// What follows an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// Nothing.
    #[default]
    GoOn,
    /// The file is closed and opened again.
    Reopen,
}

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    /// What is done.
    pub kind: Kind,
    /// Ranges of a [`Kind::Batch`]; else one.
    pub count: u8,
    /// For [`Kind::Fallocate`] and [`Kind::ZeroRange`].
    pub rule: Rule,
    /// For [`Kind::Fallocate`].
    pub shared: Shared,
    /// What follows.
    pub then: Then,
    /// First byte. Of [`Kind::Crash`] the seed of the cut.
    pub offset: u64,
    /// Length in bytes. Of [`Kind::Truncate`] the new size.
    pub length: u64,
    /// First byte of the second place. Of [`Kind::Batch`] the distance between ranges.
    pub other: u64,
}

impl Op {
    /// An operation on one range.
    pub fn new(kind: Kind, offset: u64, length: u64) -> Self {
        Self {
            kind,
            count: 1,
            rule: Rule::Grow,
            shared: Shared::Stay,
            then: Then::GoOn,
            offset,
            length,
            other: 0,
        }
    }

    /// The same with a second place.
    pub fn with_other(self, other: u64) -> Self {
        Self { other, ..self }
    }

    /// The byte after the last.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }

    /// The ranges that it writes, in order: one, or those of a batch.
    pub fn writes(&self) -> impl Iterator<Item = Range<u64>> + use<> {
        let Self { offset, length, other, count, .. } = *self;
        (0..u64::from(count)).map(move |number| {
            let start = offset.saturating_add(other.saturating_mul(number));
            start..start.saturating_add(length)
        })
    }

    /// The byte after the last that it may write or make part of the file.
    pub fn reach(&self) -> u64 {
        match self.kind {
            Kind::Truncate => self.length,
            Kind::Fsync | Kind::Remount | Kind::Crash => 0,
            Kind::Batch => self.writes().last().map_or(0, |range| range.end),
            kind if kind.has_other() => self.end().max(self.other.saturating_add(self.length)),
            _ => self.end(),
        }
    }

    /// The file's size after it, if it was `size` before.
    pub fn size_after(&self, size: u64) -> u64 {
        match (self.kind, self.rule) {
            (Kind::Write | Kind::WriteAtomic | Kind::MapWrite, _) => size.max(self.end()),
            (Kind::Truncate, _) => self.length,
            (Kind::Fallocate | Kind::ZeroRange, Rule::Grow) => size.max(self.end()),
            (Kind::CollapseRange, _) => size.saturating_sub(self.length),
            (Kind::InsertRange, _) => size.saturating_add(self.length),
            (Kind::CloneRange | Kind::CopyRange, _) => size.max(self.other + self.length),
            (Kind::Batch, _) => size.max(self.reach()),
            _ => size,
        }
    }
}

/// A set of kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u32);

impl Kinds {
    /// No kind.
    pub const NONE: Self = Self(0);

    /// Every kind.
    pub fn all() -> Self {
        Kind::all().collect()
    }

    /// Whether `kind` is one of them.
    pub fn has(self, kind: Kind) -> bool {
        self.0 >> (kind as u32) & 1 == 1
    }

    /// All but `kind`.
    #[must_use]
    pub fn without(self, kind: Kind) -> Self {
        Self(self.0 & !(1 << kind as u32))
    }

    /// With `kind`.
    #[must_use]
    pub fn with(self, kind: Kind) -> Self {
        Self(self.0 | 1 << kind as u32)
    }

    /// Those of which `keep` is true.
    #[must_use]
    pub fn filter(self, keep: impl Fn(Kind) -> bool) -> Self {
        Kind::all().filter(|kind| self.has(*kind) && keep(*kind)).collect()
    }
}

impl FromIterator<Kind> for Kinds {
    fn from_iter<I: IntoIterator<Item = Kind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}
