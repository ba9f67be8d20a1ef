//! The verdicts as text.

use super::record::{Fact, Memory, Record};
use super::verdict::{Comparison, Curve, Verdicts, of_fact};
use std::fmt::Write;

/// The table of a run.
pub(super) fn of(verdicts: &Verdicts, record: &Record) -> String {
    let mut out = String::new();
    let loads: Vec<String> =
        record.loads.iter().map(|(at, load)| format!("{at} {load:.1}")).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    line(&mut out, &format!("load average on {cores} cores: {}", loads.join(", ")));
    record.notes.iter().for_each(|note| line(&mut out, &format!("note: {note}")));
    let mut section = "";
    for comparison in &verdicts.comparisons {
        if comparison.section != section {
            section = &comparison.section;
            heading(&mut out, section);
        }
        compared(&mut out, comparison);
    }
    memory(&mut out, verdicts);
    verdicts.facts.iter().for_each(|one| fact(&mut out, one));
    curves(&mut out, &verdicts.curves);
    out
}

fn line(out: &mut String, text: &str) {
    let _ = writeln!(out, "{}", text.trim_end());
}

fn heading(out: &mut String, section: &str) {
    let columns = "per second   against                 per second   ratio    (seen)        target";
    line(out, &format!("\n{section:<30} {columns}"));
}

fn compared(out: &mut String, comparison: &Comparison) {
    let Comparison { case, unit, rate, against, .. } = comparison;
    let unit = unit.trim_end_matches("/s");
    let mut head = format!("{case:<30} {rate:>10.0}");
    for against in against {
        let ratio = against.ratio;
        let seen = format!("({:.2}..{:.2})", ratio.lowest, ratio.highest);
        let target = against.least.map_or(String::new(), |least| format!(">= {least}"));
        let rate = format!("{:.0} {unit}", against.rate);
        let rest = format!("{:<16} {rate:>17} {:>6.2}x  {seen:<14}", against.who, ratio.median);
        line(out, &format!("{head}   {rest} {target:<7} {}", against.verdict.word()));
        head = " ".repeat(head.chars().count());
    }
    if against.is_empty() {
        line(out, &format!("{head} {unit}"));
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn memory(out: &mut String, verdicts: &Verdicts) {
    if !verdicts.memory.is_empty() {
        let columns = "most MiB   idle   caches   target";
        line(out, &format!("\n{:<30} {columns}", "memory"));
    }
    for (memory, verdict) in &verdicts.memory {
        let Memory { case, peak, baseline, limit } = memory;
        let (peak, idle, limit) = (mib(*peak), mib(*baseline), mib(*limit));
        let target = format!("<= {:.0}", limit + mib(super::target::BEYOND_CACHES));
        let numbers = format!("{peak:>8.1} {idle:>6.1} {limit:>8.0}   {target:<7}");
        line(out, &format!("{case:<30} {numbers} {}", verdict.word()));
    }
}

fn fact(out: &mut String, fact: &Fact) {
    let Fact { what, value, unit, most } = fact;
    let told = match most {
        Some(most) => format!("{value:.1} {unit}   target <= {most}   {}", of_fact(fact).word()),
        None => format!("{value:.0} {unit}"),
    };
    line(out, &format!("{what}: {told}"));
}

fn curves(out: &mut String, curves: &[Curve]) {
    if !curves.is_empty() {
        line(out, &format!("\n{:<46} microseconds at each size", "cost against size"));
    }
    for curve in curves {
        let point = |(size, cost): &(u64, f64)| format!("{}: {:.1}", short(*size), cost * 1e6);
        let points: Vec<String> = curve.points.iter().map(point).collect();
        line(out, &format!("{:<46} {}", curve.name, points.join("   ")));
        if let Some(growth) = curve.growth {
            let (grows, allowed) = (growth.cost, growth.logarithm);
            let told = format!("grows {grows:.2}x, the logarithm {allowed:.2}x");
            line(out, &format!("{:<46} {told}   {}", "", curve.verdict.word()));
        }
    }
}

/// A power of two in binary units, else a power of ten.
fn short(size: u64) -> String {
    match size {
        size if size >= 1 << 30 && size.is_power_of_two() => format!("{} GiB", size >> 30),
        size => format!("10^{:.0}", (size as f64).log10()),
    }
}
