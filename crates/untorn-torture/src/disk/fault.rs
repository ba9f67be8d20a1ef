//! Which requests fail.
//!
//! Requests are counted by kind from 0, from the moment that the plan was given to the disk. A
//! request that fails has done nothing, except a torn write, which has written some sectors.
//!
//! Never here: what a power cut leaves (see [`super::History`]).

use std::{io, ops::Range};

use untorn_device::Operation;

/// Requests that are to fail; an empty plan fails none.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    rules: Vec<Rule>,
    pub(super) space: Option<u64>,
    pub(super) power: Option<usize>,
}

#[derive(Clone, Debug)]
enum Rule {
    Exactly(Operation, u64),
    From(Operation, u64),
    Within(Operation, Range<u64>),
    Torn { number: u64, sectors: u64 },
}

/// What the plan says to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Fail,
    /// Fail after this many sectors were written.
    Torn(u64),
}

impl FaultPlan {
    /// Fails nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Fails request `number` of a kind, and no other.
    pub fn fail(self, operation: Operation, number: u64) -> Self {
        self.with(Rule::Exactly(operation, number))
    }

    /// Fails request `number` of a kind and all that follow.
    pub fn fail_from(self, operation: Operation, number: u64) -> Self {
        self.with(Rule::From(operation, number))
    }

    /// Fails every request of a kind that touches the bytes of `range`.
    pub fn fail_within(self, operation: Operation, range: Range<u64>) -> Self {
        self.with(Rule::Within(operation, range))
    }

    /// Fails write `number` after its first `sectors` sectors were written.
    pub fn tear_write(self, number: u64, sectors: u64) -> Self {
        self.with(Rule::Torn { number, sectors })
    }

    /// Fails, for want of space, a write that would make the disk take more than `bytes` bytes of
    /// memory: a sparse image on a host that is full.
    pub fn space(self, bytes: u64) -> Self {
        Self { space: Some(bytes), ..self }
    }

    /// Fails every request once the disk has recorded `events` events in all: the power is off.
    pub fn power_cut_after(self, events: usize) -> Self {
        Self { power: Some(events), ..self }
    }

    fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// What happens to request `number` of a kind, which touches `bytes`.
    pub(super) fn verdict(&self, operation: Operation, number: u64, bytes: &Range<u64>) -> Verdict {
        let verdicts = self.rules.iter().map(|rule| rule.verdict(operation, number, bytes));
        verdicts.reduce(Verdict::worse).unwrap_or(Verdict::Pass)
    }
}

impl Rule {
    fn verdict(&self, operation: Operation, number: u64, bytes: &Range<u64>) -> Verdict {
        let fails = match self {
            Self::Exactly(kind, which) => *kind == operation && *which == number,
            Self::From(kind, first) => *kind == operation && *first <= number,
            Self::Within(kind, range) => {
                *kind == operation && range.start < bytes.end && bytes.start < range.end
            }
            Self::Torn { number: which, sectors } => {
                let hit = operation == Operation::Write && *which == number;
                return if hit { Verdict::Torn(*sectors) } else { Verdict::Pass };
            }
        };
        if fails { Verdict::Fail } else { Verdict::Pass }
    }
}

impl Verdict {
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
            (Self::Torn(a), Self::Torn(b)) => Self::Torn(a.min(b)),
            (Self::Torn(sectors), Self::Pass) | (Self::Pass, Self::Torn(sectors)) => {
                Self::Torn(sectors)
            }
            (Self::Pass, Self::Pass) => Self::Pass,
        }
    }
}

/// EIO, as a medium gives it.
pub(super) fn medium_error() -> io::Error {
    rustix::io::Errno::IO.into()
}

/// ENOSPC, as a host gives it.
pub(super) fn space_error() -> io::Error {
    rustix::io::Errno::NOSPC.into()
}
