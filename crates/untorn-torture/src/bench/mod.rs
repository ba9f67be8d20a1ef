//! Measures reading and writing by untorn beside those who do the same on this machine: Linux XFS
//! on a loop device, a plain file, a plain file that is written twice.
//!
//! ```text
//! Peer (ours, linux, raw, twice) -> Subject (one file) -> Load -> rate
//!   atomic, stream, exercise: rounds, in each round every peer once        -> lines of JSON
//!   images: rounds of untorn and Linux by turns                           -> lines of JSON
//!   memory: one process a workload; growth: one operation, many sizes      -> lines of JSON
//! ```
//! - All images and files lie in one folder, use direct I/O alike, and are written whole before
//!   anything is measured: else the filesystem below would be measured while it allocates.
//! - Peers take turns; values of one round belong together. Whoever reads the lines compares
//!   within rounds, since machines are noisy.
//!
//! Never here: verdicts, tables, plots. `cargo xtask bench data` makes them from the lines.

mod atomic;
mod exercise;
mod growth;
mod line;
mod memory;
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

use anyhow::{Result, bail};
use line::Lines;
use scale::Scale;

/// What is measured, in this order.
const SECTIONS: [(&str, Section); 6] = [
    ("atomic", atomic::measure),
    ("stream", stream::measure),
    ("fsx", exercise::measure),
    ("memory", memory::measure),
    ("size", growth::measure),
    ("images", populate::measure),
];

type Section = fn(&Scale, &mut Lines<'_>) -> Result<()>;

/// Measures what the arguments ask for (`[--quick] [--only SECTION]...`) and prints lines of JSON.
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
    let (mut scale, mut chosen) = (Scale::full(), Vec::new());
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "--quick" => scale = Scale::quick(),
            "--only" => chosen.push(named(words.next().unwrap_or(""))?),
            other => bail!("unknown argument: {other}"),
        }
    }
    let sections = if chosen.is_empty() { SECTIONS.to_vec() } else { chosen };
    Ok((scale, sections))
}

fn named(name: &str) -> Result<(&'static str, Section)> {
    let found = SECTIONS.into_iter().find(|(known, _)| *known == name);
    let Some(found) = found else {
        let known: Vec<_> = SECTIONS.iter().map(|(known, _)| *known).collect();
        bail!("no such section: {name:?}; there are {}", known.join(", "));
    };
    Ok(found)
}
