//! `untorn demo`: atomic writes on simulated disks, the power cut at every request, in every way
//! that the disk's contract allows; recovery, comparison and the checker after each.
//!
//! Needs nothing of the machine but memory. Invariants: the same writes and seed cut the same
//! power; the end is good only if nothing was torn, lost, unsound or unusable.

mod keep;
mod run;
mod table;

use crate::arguments::Demo;
use crate::failure::{self, Code, End, Outcome, Refusal};
use crate::show;
use indicatif::{ProgressBar, ProgressStyle};
use run::Score;
use serde::Serialize;
use std::io::Write;
use std::time::Instant;
use untorn_torture::cuts::{Scenario, scenarios};

#[derive(Serialize)]
struct Document<'a> {
    writes: usize,
    seed: u64,
    seconds: f64,
    states_per_second: f64,
    good: bool,
    scenarios: &'a [Score],
}

/// Runs the scenarios and shows what was found.
pub fn run(arguments: &Demo, out: &mut dyn Write) -> Outcome {
    if !(1..=100_000).contains(&arguments.writes) {
        return Err(Refusal::new(Code::Usage, "--writes: from 1 to 100000").into());
    }
    let chosen = choose(arguments)?;
    if let Some(path) = &arguments.keep {
        keep::make(path, arguments, out)?;
    }
    let begun = Instant::now();
    let bar = bar();
    let scores = run::all(&chosen, &bar);
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let good = scores.iter().all(Score::is_good);
    let cuts: u64 = scores.iter().map(|score| score.cuts).sum();
    let rate = cuts as f64 / seconds.max(1e-9);
    if show::is_json() {
        let Demo { writes, seed, .. } = *arguments;
        let states_per_second = rate;
        let scenarios = &scores;
        let document = Document { writes, seed, seconds, states_per_second, good, scenarios };
        show::json(out, &document)?;
    } else {
        table::show(out, &scores)?;
        writeln!(out, "\n{cuts} states of the disk in {seconds:.1} s: {rate:.0} states/s")?;
        writeln!(out, "{}", if good { GOOD } else { BAD })?;
    }
    for score in scores.iter().filter(|score| !score.is_good()) {
        reproduce(arguments, score);
    }
    Ok(if good { End::Well } else { End::Found })
}

const GOOD: &str = "nothing torn, nothing lost, every volume sound";
const BAD: &str = "a promise was broken: see standard error";

fn choose(arguments: &Demo) -> anyhow::Result<Vec<Scenario>> {
    let mut all = scenarios(arguments.writes, arguments.seed);
    if let Some(name) = &arguments.scenario {
        let names: Vec<_> = all.iter().map(|scenario| format!("{:?}", scenario.name)).collect();
        all.retain(|scenario| scenario.name == name);
        if all.is_empty() {
            let told = format!("no scenario {name:?}; there are {}", names.join(", "));
            return Err(Refusal::new(Code::Usage, told).into());
        }
    }
    Ok(all)
}

/// How to see a failure again, on standard error.
fn reproduce(arguments: &Demo, score: &Score) {
    let Demo { writes, seed, .. } = arguments;
    let what = score.first_failure.as_deref().unwrap_or("failed");
    let told = format!("{}: {what}", score.scenario);
    let again = format!(
        "reproduce: untorn demo --writes {writes} --seed {seed} --scenario {:?}",
        score.scenario
    );
    failure::tell(&Refusal::new(Code::Failed, told).or(again).into());
}

/// Shown on a terminal only.
fn bar() -> ProgressBar {
    let template = "{spinner} {msg:34} {wide_bar} {pos}/{len} requests {elapsed}";
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
