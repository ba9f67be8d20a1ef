//! `freesp`: free extents by length.

use super::{Said, number};
use crate::session::Session;
use crate::{Result, refuse, scan};
use std::fmt::Write;
use untorn_format::AgNumber;

/// What was asked for.
#[derive(Default)]
struct Options {
    groups: Vec<u32>,
    dump: bool,
    summary: bool,
    /// Lowest length of each bin, as typed.
    bins: Vec<u64>,
    size: Option<u64>,
    factor: Option<u64>,
}

/// Extents of lengths between two.
struct Bin {
    low: u64,
    high: u64,
    extents: u64,
    blocks: u64,
}

pub fn freesp(session: &mut Session<'_>, arguments: &[&str]) -> Result<Said> {
    let options = parse(arguments)?;
    let geometry = &session.volume.shape.geometry;
    let mut bins = bins(&options, geometry.ag_blocks.into())?;
    let mut out = String::new();
    if options.dump {
        out += "    agno    agbno      len\n";
    }
    let asked = |ag: &u32| options.groups.is_empty() || options.groups.contains(ag);
    for ag in (0..geometry.ag_count).filter(asked) {
        for (start, length) in scan::free(&session.volume, AgNumber(ag))? {
            count(&mut bins, length.into());
            if options.dump {
                let _ = writeln!(out, "{ag:8} {start:8} {length:8}");
            }
        }
    }
    histogram(&bins, &mut out);
    if options.summary {
        summary(&bins, &mut out);
    }
    Ok(Said::Text(out))
}

fn parse(arguments: &[&str]) -> Result<Options> {
    let mut options = Options::default();
    let mut words = arguments.iter();
    while let Some(&word) = words.next() {
        let mut value = || match words.next() {
            Some(typed) => number(typed),
            None => refuse(format!("{word} needs a number")),
        };
        match word {
            "-a" => options.groups.push(u32::try_from(value()?).unwrap_or(u32::MAX)),
            "-e" => options.size = Some(value()?.max(1)),
            "-h" => options.bins.push(value()?),
            "-m" => options.factor = Some(value()?.max(2)),
            letters if is_letters(letters) => {
                options.dump |= letters.contains('d');
                options.summary |= letters.contains('s');
            }
            _ => return refuse(format!("freesp {word} is not supported: see help freesp")),
        }
    }
    Ok(options)
}

/// Reading by block or by length finds the same extents: they are listed by block.
fn is_letters(word: &str) -> bool {
    word.strip_prefix('-').is_some_and(|w| !w.is_empty() && w.chars().all(|c| "bcds".contains(c)))
}

/// The bins up to the longest extent that an AG can have.
fn bins(options: &Options, most: u64) -> Result<Vec<Bin>> {
    let mut lows: Vec<u64> = match (&options.bins[..], options.size) {
        ([_, ..], _) => options.bins.iter().copied().chain([1]).collect(),
        ([], Some(size)) => (0..most / size + 1).map(|nth| nth * size + 1).collect(),
        ([], None) => {
            let factor = options.factor.unwrap_or(2);
            std::iter::successors(Some(1u64), |low| low.checked_mul(factor)).collect()
        }
    };
    lows.retain(|&low| low == 1 || (1..most).contains(&low));
    lows.sort_unstable();
    lows.dedup();
    let highs = lows.iter().skip(1).map(|next| next - 1).chain([most]);
    let bins = lows.iter().zip(highs);
    Ok(bins.map(|(&low, high)| Bin { low, high, extents: 0, blocks: 0 }).collect())
}

fn count(bins: &mut [Bin], length: u64) {
    if let Some(bin) = bins.iter_mut().find(|bin| (bin.low..=bin.high).contains(&length)) {
        bin.extents += 1;
        bin.blocks += length;
    }
}

fn histogram(bins: &[Bin], out: &mut String) {
    let total: u64 = bins.iter().map(|bin| bin.blocks).sum();
    out.push_str("   from      to extents  blocks    pct\n");
    for bin in bins.iter().filter(|bin| bin.extents > 0) {
        let share = bin.blocks as f64 * 100.0 / total.max(1) as f64;
        let Bin { low, high, extents, blocks } = bin;
        let _ = writeln!(out, "{low:7} {high:7} {extents:7} {blocks:7} {share:6.2}");
    }
}

fn summary(bins: &[Bin], out: &mut String) {
    let (extents, blocks) =
        bins.iter().fold((0, 0), |(e, b), bin| (e + bin.extents, b + bin.blocks));
    let _ = writeln!(out, "total free extents {extents}\ntotal free blocks {blocks}");
    let average = mean(blocks as f64 / extents.max(1) as f64);
    let _ = writeln!(out, "average free extent size {average}");
}

/// Six digits that count, as `%g` writes them.
fn mean(value: f64) -> String {
    let whole = format!("{value:.0}").len();
    let text = format!("{value:.*}", 6usize.saturating_sub(whole));
    let trimmed = text.trim_end_matches('0').trim_end_matches('.');
    if text.contains('.') { trimmed.to_owned() } else { text }
}
