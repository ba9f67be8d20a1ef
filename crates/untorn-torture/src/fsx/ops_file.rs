//! Operations as text: the ops files that fsx records and replays, and its logs as people mail
//! them.
//!
//! ```text
//! ops file:   write 0x1a000 0x400 0x1b000 close_open *       word, numbers, size before, flags
//!             clone_range 0x0 0x1000 0x3000 0x1b000
//!             skip read 0x0 0x0 0x0
//! log:        > 12( 12 mod 256): WRITE    0x1a000 thru 0x1a3ff   (0x400 bytes) HOLE   ***WWWW
//!             > 13( 13 mod 256): TRUNCATE DOWN   from 0x1b000 to 0x800
//! ```
//!
//! Untorn's own words: `batch OFFSET LENGTH DISTANCE SIZE xRANGES`, `remount`, `crash SEED`.
//! Invariants: what is written here reads back as it was.

use super::{Entry, Fate, Kind, Op, Rule, Shared, Then};
use std::fmt;

/// An operation that was read, or a place where one was skipped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// To be done.
    Op(Op),
    /// It takes a number and does nothing.
    Skipped,
}

/// A line that is no operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}: {text:?}")]
pub struct ParseError {
    /// The line's number; the first is 1.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
    /// The line.
    pub text: String,
}

/// Operations of an ops file, or of a log of fsx, whichever the text is.
pub fn parse(text: &str) -> Result<Vec<Recorded>, ParseError> {
    match text.lines().any(|line| logged(line).is_some()) {
        true => parse_log(text),
        false => parse_ops(text),
    }
}

fn error(line: usize, what: &'static str, text: &str) -> ParseError {
    ParseError { line: line + 1, what, text: text.trim().chars().take(120).collect() }
}

fn parse_ops(text: &str) -> Result<Vec<Recorded>, ParseError> {
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if !line.is_empty() && !line.starts_with('#') {
            found.push(parse_line(line).map_err(|what| error(number, what, line))?);
        }
    }
    Ok(found)
}

fn parse_line(line: &str) -> Result<Recorded, &'static str> {
    let mut words = line.split_whitespace();
    let mut word = words.next().ok_or("empty")?;
    let skipped = word == "skip";
    if skipped {
        word = words.next().ok_or("nothing to skip")?;
    }
    let kind = Kind::from_word(word).ok_or("no operation of fsx")?;
    let mut next = || words.next().and_then(number).ok_or("a number is missing");
    let mut op = Op::new(kind, next()?, next()?);
    if kind.has_other() {
        op.other = next()?;
    }
    // The size of the file before: it follows from the operations.
    next()?;
    words.try_for_each(|word| flag(&mut op, word))?;
    Ok(if skipped { Recorded::Skipped } else { Recorded::Op(op) })
}

fn flag(op: &mut Op, word: &str) -> Result<(), &'static str> {
    match word {
        "keep_size" => op.rule = Rule::Keep,
        "close_open" => op.then = Then::Reopen,
        "unshare" => op.shared = Shared::Unshare,
        "*" => {}
        _ => {
            let count = word.strip_prefix('x').and_then(|count| count.parse().ok());
            let count = count.filter(|count| op.kind == Kind::Batch && (1..=255).contains(count));
            op.count = count.ok_or("no flag of fsx")?;
        }
    }
    Ok(())
}

/// A number in decimal, or in hexadecimal with `0x`. Bounded, so that sums of two never overflow.
fn number(word: &str) -> Option<u64> {
    let number = match word.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => word.parse(),
    };
    number.ok().filter(|&number| number <= i64::MAX as u64 / 2)
}

/// What stands behind `N(N mod 256): ` of a line of a log, whoever quoted it.
fn logged(line: &str) -> Option<&str> {
    let line = line.trim_start_matches(['>', ' ', '\t', '|', '+', '-']);
    let (head, rest) = line.split_once(" mod 256): ")?;
    let (one, other) = head.split_once('(')?;
    let is_number = |text: &str| text.trim().parse::<u64>().is_ok();
    (is_number(one) && is_number(other)).then_some(rest)
}

fn parse_log(text: &str) -> Result<Vec<Recorded>, ParseError> {
    let mut found: Vec<Recorded> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(rest) = logged(line) {
            found.push(parse_logged(rest).map_err(|what| error(number, what, line))?);
        } else if line.trim_start_matches(['>', ' ', '\t']).starts_with("CLOSE/OPEN")
            && let Some(Recorded::Op(op)) = found.last_mut()
        {
            op.then = Then::Reopen;
        }
    }
    Ok(found)
}

/// One operation of a log: the numbers in their order tell all.
fn parse_logged(text: &str) -> Result<Recorded, &'static str> {
    let mut words = text.split_whitespace();
    let label = words.next().ok_or("empty")?;
    if label == "SKIPPED" {
        return Ok(Recorded::Skipped);
    }
    let kind = Kind::from_label(label).ok_or("no operation of fsx")?;
    if matches!(kind, Kind::Fsync | Kind::Remount) {
        return Ok(Recorded::Op(Op::new(kind, 0, 0)));
    }
    let numbers: Vec<u64> = words
        .clone()
        .map(|word| word.trim_start_matches('('))
        .filter(|word| word.starts_with("0x"))
        .map_while(number)
        .collect();
    let at = |index: usize| numbers.get(index).copied().ok_or("a number is missing");
    let mut op = match kind {
        Kind::Truncate => Op::new(kind, 0, at(1)?),
        Kind::Crash => Op::new(kind, at(0)?, 0),
        _ => Op::new(kind, at(0)?, at(2)?),
    };
    if kind.has_other() {
        op.other = at(3)?;
    }
    for word in words {
        match word.strip_prefix('x').map(str::parse) {
            Some(Ok(count)) if kind == Kind::Batch => op.count = count,
            _ if word == "PAST_EOF" => op.rule = Rule::Keep,
            _ => {}
        }
    }
    Ok(Recorded::Op(op))
}

/// The entry as a line of an ops file; marked if the operation touched byte `bad`.
pub fn line(entry: &Entry, bad: Option<u64>) -> impl fmt::Display + '_ {
    Line { entry, bad }
}

struct Line<'a> {
    entry: &'a Entry,
    bad: Option<u64>,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { op, size, fate, .. } = self.entry;
        if *fate == Fate::Skipped {
            f.write_str("skip ")?;
        }
        write!(f, "{} 0x{:x} 0x{:x}", op.kind.word(), op.offset, op.length)?;
        if op.kind.has_other() {
            write!(f, " 0x{:x}", op.other)?;
        }
        write!(f, " 0x{size:x}")?;
        if op.kind == Kind::Batch {
            write!(f, " x{}", op.count)?;
        }
        let flags = [
            (op.rule == Rule::Keep, " keep_size"),
            (op.then == Then::Reopen, " close_open"),
            (op.shared == Shared::Unshare, " unshare"),
            (self.entry.touches(self.bad) != (false, false), " *"),
        ];
        flags.iter().filter(|(set, _)| *set).try_for_each(|(_, word)| f.write_str(word))
    }
}
