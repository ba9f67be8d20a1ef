//! Measures reading and writing by untorn beside those who do the same on this machine: Linux XFS
//! on a loop device, a plain file, one that is written twice, one whose writes are noted.
//!
//! ```text
//! Peer (ours, linux, raw, twice, noted) -> Subject (one file) -> Load -> rate
//!   atomic, stream, exercise: rounds, in each round every peer once        -> lines of JSON
//!   images: rounds of untorn and Linux by turns                           -> lines of JSON
//!   memory: one process a workload; growth: one operation, many sizes      -> lines of JSON
//!   namespace: rounds over trees of files, by one thread and by four       -> lines of JSON
//! ```
//! - All images and files lie in one folder, use direct I/O alike, and are written whole before
//!   anything is measured: else the filesystem below would be measured while it allocates.
//! - Peers take turns; values of one round belong together. Whoever reads the lines compares
//!   within rounds, since machines are noisy.
//!
//! Never here: verdicts, tables, plots. `cargo xtask bench SUITE` makes them from the lines.

mod atomic;
mod blank;
mod exercise;
mod growth;
mod line;
mod memory;
mod names;
mod namespace;
mod opening;
mod path;
mod peer;
mod populate;
mod quiet;
mod scale;
mod shape;
mod stream;
mod subject;
#[cfg(test)]
mod tests;
mod through;

pub use through::PathTarget;

use anyhow::{Result, bail};
use line::Lines;
use scale::Scale;

/// Sections that are measured together, in this order.
type Suite = &'static [(&'static str, Section)];

/// What can be asked for; the first where nothing is said.
const SUITES: [(&str, Suite); 2] = [
    (
        "data",
        &[
            ("atomic", atomic::measure),
            ("stream", stream::measure),
            ("fsx", exercise::measure),
            ("memory", memory::measure),
            ("size", growth::measure),
        ],
    ),
    (
        "namespace",
        &[
            ("namespace", namespace::measure),
            ("opening", opening::measure),
            ("images", populate::measure),
        ],
    ),
];

type Section = fn(&Scale, &mut Lines<'_>) -> Result<()>;

/// Measures what the arguments ask for (`[SUITE] [--quick] [--only SECTION]...`) and prints lines
/// of JSON.
pub fn run(arguments: &[String]) -> Result<()> {
    if let [first, rest @ ..] = arguments
        && first == memory::CHILD
    {
        return memory::child(rest);
    }
    let (scale, sections) = asked(arguments)?;
    let mut out = std::io::stdout().lock();
    let mut lines = Lines::new(&mut out, scale.patience);
    for (name, section) in sections {
        lines.section(name)?;
        section(&scale, &mut lines)?;
    }
    lines.end()
}

fn asked(arguments: &[String]) -> Result<(Scale, Vec<(&'static str, Section)>)> {
    let mut words = arguments.iter().map(String::as_str).peekable();
    let of_name = |word: &&str| SUITES.into_iter().find(|(name, _)| name == word);
    let suite = words.peek().and_then(of_name);
    if suite.is_some() {
        words.next();
    }
    let (_, suite) = suite.unwrap_or(SUITES[0]);
    let (mut scale, mut chosen) = (Scale::full(), Vec::new());
    while let Some(word) = words.next() {
        match word {
            "--quick" => scale = Scale::quick(),
            "--only" => chosen.push(named(suite, words.next().unwrap_or(""))?),
            other => bail!("unknown argument: {other}"),
        }
    }
    let sections = if chosen.is_empty() { suite.to_vec() } else { chosen };
    Ok((scale, sections))
}

fn named(suite: Suite, name: &str) -> Result<(&'static str, Section)> {
    let found = suite.iter().find(|(known, _)| *known == name);
    let Some(found) = found else {
        let known: Vec<_> = suite.iter().map(|(known, _)| *known).collect();
        bail!("no such section: {name:?}; there are {}", known.join(", "));
    };
    Ok(*found)
}
