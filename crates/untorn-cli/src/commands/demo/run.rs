//! Running scenarios, several at a time, and counting what their power cuts left.

use indicatif::ProgressBar;
use serde::Serialize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use untorn_torture::cuts::{Broken, Failure, Outcome, Recording, Scenario};
use untorn_torture::disk::Family;

/// What a scenario's power cuts left.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Writes and flushes that the disk saw.
    pub requests: u64,
    /// Power cuts that left different disks.
    pub cuts: u64,
    /// After which the journal had to be replayed.
    pub replayed: u64,
    /// After which the write under way was undone, whole.
    pub old: u64,
    /// After which every write that had begun was there, whole.
    pub new: u64,
    /// After which a write was there in part.
    pub torn: u64,
    /// After which a durable write was gone.
    pub lost: u64,
    /// After which the checker complained.
    pub findings: u64,
    /// After which the volume could not be used.
    pub unusable: u64,
    /// The first failure in words.
    pub first_failure: Option<String>,
}

impl Score {
    /// Whether every promise held.
    pub fn is_good(&self) -> bool {
        self.first_failure.is_none()
    }

    fn add(&mut self, outcome: Result<Outcome, Failure>) {
        self.cuts += 1;
        match outcome {
            Ok(outcome) => {
                self.replayed += u64::from(outcome.replayed);
                let undone = outcome.survived < outcome.begun;
                *(if undone { &mut self.old } else { &mut self.new }) += 1;
            }
            Err(failure) => {
                *match failure.broken {
                    Broken::Torn => &mut self.torn,
                    Broken::Lost => &mut self.lost,
                    Broken::Unsound => &mut self.findings,
                    Broken::Unusable => &mut self.unusable,
                } += 1;
                self.first_failure.get_or_insert(failure.what);
            }
        }
    }
}

/// Runs all scenarios on as many threads as there are processors; the scores in their order.
pub fn all(scenarios: &[Scenario], bar: &ProgressBar) -> Vec<Score> {
    let next = AtomicUsize::new(0);
    let scores = Mutex::new(vec![Score::default(); scenarios.len()]);
    let threads = thread::available_parallelism().map_or(1, usize::from).min(scenarios.len());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(scenario) = scenarios.get(index) else { break };
                    let score = one(scenario, bar);
                    let mut scores = scores.lock().unwrap_or_else(PoisonError::into_inner);
                    scores[index] = score;
                }
            });
        }
    });
    scores.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn one(scenario: &Scenario, bar: &ProgressBar) -> Score {
    let mut score = Score { scenario: scenario.name, ..Score::default() };
    bar.set_message(scenario.name);
    let recording = match Recording::make(scenario) {
        Ok(recording) => recording,
        Err(what) => {
            score.unusable += 1;
            score.first_failure = Some(format!("without a power cut: {what}"));
            return score;
        }
    };
    score.requests = recording.events() as u64;
    bar.inc_length(score.requests);
    let mut done = 0;
    for cut in recording.cuts().families(&Family::ALL).distinct() {
        let at = cut.at as u64;
        bar.inc(at.saturating_sub(done));
        done = at;
        score.add(recording.judge(&cut));
    }
    bar.inc(score.requests.saturating_sub(done));
    score
}
