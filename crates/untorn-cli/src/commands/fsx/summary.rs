//! The numbers of runs.

use serde::Serialize;
use std::collections::BTreeMap;
use untorn_torture::fsx::{Ended, Kind, Plan, Target};

/// All runs.
#[derive(Serialize)]
pub struct Document<'a> {
    /// Whether none failed.
    pub good: bool,
    /// The runs up to the first that failed.
    pub runs: &'a [Summary],
}

/// One run.
#[derive(Serialize)]
pub struct Summary {
    /// fsx's options of a profile's run.
    options: String,
    seed: u64,
    operations: u64,
    seconds: f64,
    operations_per_second: f64,
    /// Operations done, by kind; no kinds that were never done.
    done: BTreeMap<&'static str, u64>,
    skipped: u64,
    refused: u64,
    reopened: u64,
    checks: u64,
    power_cuts: u64,
    /// Power cuts after which the file was as after some of the operations, whole.
    whole_states: u64,
    /// What was wrong.
    pub failure: Option<String>,
    /// The shortest run that fails, as an ops file.
    pub shortest: Vec<String>,
}

impl Summary {
    /// The numbers of a run that took so many seconds.
    pub fn new<T: Target>(options: &str, plan: &Plan, ended: &Ended<'_, T>, seconds: f64) -> Self {
        let tally = ended.exerciser.tally();
        let operations = ended.exerciser.number();
        let done = Kind::all().map(|kind| (kind.word(), tally.ran[kind as usize]));
        Self {
            options: options.to_owned(),
            seed: plan.settings.seed,
            operations,
            seconds,
            operations_per_second: operations as f64 / seconds.max(1e-9),
            done: done.filter(|(_, count)| *count > 0).collect(),
            skipped: tally.skipped,
            refused: tally.refused,
            reopened: tally.reopened,
            checks: tally.checks,
            power_cuts: tally.ran[Kind::Crash as usize],
            whole_states: tally.cuts_whole,
            failure: ended.failure.as_ref().map(|failure| failure.to_string()),
            shortest: Vec::new(),
        }
    }

    /// One line for people.
    pub fn words(&self) -> String {
        let done: Vec<_> =
            self.done.iter().map(|(word, count)| format!("{word} {count}")).collect();
        let mut words = format!(
            "{:.0} operations/s; {}; skipped {}",
            self.operations_per_second,
            done.join(", "),
            self.skipped
        );
        if self.refused > 0 {
            words += &format!(", refused {}", self.refused);
        }
        words
    }
}
