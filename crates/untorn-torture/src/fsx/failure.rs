//! What a run found wrong, in the words of fsx where it has them.

use std::fmt;

/// Differing bytes that are shown.
const SHOWN: usize = 16;

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// Bytes are not what was written.
    Data(BadData),
    /// The size is not what it should be.
    Size {
        /// What it should be.
        expected: u64,
        /// What the file says.
        found: u64,
    },
    /// A read ended early.
    Short {
        /// Bytes that it gave.
        found: u64,
        /// Bytes that were asked for.
        expected: u64,
    },
    /// An operation that should be done was not.
    Error(String),
    /// The checker complains.
    Unsound(String),
    /// A power cut left what no promise allows.
    Lost(String),
    /// The library panicked.
    Panic(String),
}

impl Wrong {
    /// Whether two failures are of one kind: what a shorter run must show to count.
    pub fn is_like(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// The first wrong byte, where there is one.
    pub fn bad_byte(&self) -> Option<u64> {
        match self {
            Self::Data(data) => data.rows.first().map(|row| row.offset),
            _ => None,
        }
    }
}

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadData {
    /// First byte of the read.
    pub offset: u64,
    /// Its length.
    pub length: u64,
    rows: Vec<Row>,
}

/// A differing byte and the one behind it, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    offset: u64,
    good: u16,
    bad: u16,
}

impl Row {
    /// The operation that wrote the bad bytes, modulo 256: it lies at the even place.
    fn writer(self) -> u8 {
        let [first, second] = self.bad.to_be_bytes();
        if self.offset.is_multiple_of(2) { first } else { second }
    }
}

impl BadData {
    /// What differs between what a read at byte `offset` gave and what it should have given; both
    /// of one length and not the same.
    pub fn new(offset: u64, good: &[u8], bad: &[u8]) -> Self {
        let pair = |bytes: &[u8], at: usize| {
            u16::from_be_bytes([bytes[at], bytes.get(at + 1).copied().unwrap_or(0)])
        };
        let row = |at: usize| Row {
            offset: offset + at as u64,
            good: pair(good, at),
            bad: pair(bad, at),
        };
        let differing = (0..good.len()).filter(|&at| good[at] != bad[at]);
        let rows = differing.take(SHOWN).map(row).collect();
        Self { offset, length: good.len() as u64, rows }
    }
}

/// What is wrong, and where in the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The operation that was under way; one past the last at the end of the run.
    pub number: u64,
    /// What is wrong.
    pub wrong: Wrong,
    /// What the run calls the file.
    pub name: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wrong {
            Wrong::Data(data) => table(f, data, &self.name),
            Wrong::Size { expected, found } => {
                write!(f, "Size error: expected 0x{expected:x} stat 0x{found:x}")
            }
            Wrong::Short { found, expected } => {
                write!(f, "short read: 0x{found:x} bytes instead of 0x{expected:x}")
            }
            Wrong::Error(what) => write!(f, "operation {}: {what}", self.number),
            Wrong::Unsound(what) => write!(f, "checker: {what}"),
            Wrong::Lost(what) => write!(f, "power cut: {what}"),
            Wrong::Panic(what) => write!(f, "panic: {what}"),
        }
    }
}

fn table(f: &mut fmt::Formatter<'_>, data: &BadData, name: &str) -> fmt::Result {
    let BadData { offset, length, rows } = data;
    writeln!(f, "READ BAD DATA: offset = 0x{offset:x}, size = 0x{length:x}, fname = {name}")?;
    write!(f, "{:<10}  {:<6}  {:<6}  RANGE", "OFFSET", "GOOD", "BAD")?;
    for (number, row) in rows.iter().enumerate() {
        let Row { offset, good, bad } = row;
        let offset = format!("{offset:x}");
        write!(f, "\n0x{offset:<8}  0x{good:04x}  0x{bad:04x}  0x{number:x}")?;
        match row.writer() {
            0 => f.write_str(
                "\noperation# (mod 256) for the bad data unknown, check HOLE and EXTEND ops",
            )?,
            writer => {
                write!(f, "\noperation# (mod 256) for the bad data may be {writer}")?;
            }
        }
    }
    Ok(())
}
