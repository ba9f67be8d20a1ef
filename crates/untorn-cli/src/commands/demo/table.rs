//! What the demo found, a scenario a line.

use super::run::Score;
use std::io::{self, Write};

const NAMES: [&str; 9] =
    ["requests", "power cuts", "replayed", "old", "new", "torn", "lost", "findings", "unusable"];

/// The lines under their names, and their sum.
pub fn show(out: &mut dyn Write, scores: &[Score]) -> io::Result<()> {
    let names = scores.iter().map(|score| score.scenario.len());
    let width = names.max().unwrap_or(0).max("scenario".len());
    write!(out, "{:<width$}", "scenario")?;
    NAMES.iter().try_for_each(|name| write!(out, "  {name}"))?;
    writeln!(out)?;
    for score in scores {
        line(out, score.scenario, width, numbers(score))?;
    }
    let mut sum = [0; 9];
    for score in scores {
        sum.iter_mut().zip(numbers(score)).for_each(|(sum, number)| *sum += number);
    }
    line(out, "all", width, sum)
}

fn line(out: &mut dyn Write, name: &str, width: usize, numbers: [u64; 9]) -> io::Result<()> {
    write!(out, "{name:<width$}")?;
    for (number, name) in numbers.into_iter().zip(NAMES) {
        write!(out, "  {number:>width$}", width = name.len())?;
    }
    writeln!(out)
}

fn numbers(score: &Score) -> [u64; 9] {
    [
        score.requests,
        score.cuts,
        score.replayed,
        score.old,
        score.new,
        score.torn,
        score.lost,
        score.findings,
        score.unusable,
    ]
}
