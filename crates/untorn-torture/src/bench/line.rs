//! What is printed: one JSON object a line.

use super::quiet::Quiet;
use anyhow::Result;
use serde_json::{Value, json};
use std::io::Write;
use std::time::Duration;

/// One value of one measurement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate<'a> {
    /// What was done.
    pub case: &'a str,
    /// By whom.
    pub who: &'a str,
    /// What is counted per second.
    pub unit: &'a str,
    /// Values of one round belong together.
    pub round: u64,
    /// How many of them.
    pub value: f64,
}

/// The lines of one run.
pub(super) struct Lines<'a> {
    out: &'a mut dyn Write,
    section: String,
    patience: Duration,
    quiet: Quiet,
}

impl<'a> Lines<'a> {
    /// Lines that go to `out`; each section may wait so long for a quiet machine.
    pub fn new(out: &'a mut dyn Write, patience: Duration) -> Self {
        Self { out, section: String::new(), patience, quiet: Quiet::new(patience) }
    }

    /// Waits for others to leave the processors alone, before a round.
    pub fn wait(&mut self) {
        self.quiet.wait();
    }

    fn print(&mut self, mut line: Value) -> Result<()> {
        line["section"] = json!(self.section);
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }

    /// What follows belongs to this section.
    pub fn section(&mut self, name: &str) -> Result<()> {
        self.tell_waiting()?;
        name.clone_into(&mut self.section);
        self.quiet = Quiet::new(self.patience);
        self.print(json!({"kind": "section", "load": load()}))
    }

    /// Nothing follows.
    pub fn end(&mut self) -> Result<()> {
        self.tell_waiting()?;
        self.section.clear();
        self.print(json!({"kind": "end", "load": load()}))
    }

    fn tell_waiting(&mut self) -> Result<()> {
        match self.quiet.waited() {
            short if short < self.patience / 20 => Ok(()),
            waited if waited.is_zero() => Ok(()),
            waited => self.note(&format!(
                "{}: waited {:.0} s of {:.0} for others to leave the processors alone",
                self.section,
                waited.as_secs_f64(),
                self.patience.as_secs_f64(),
            )),
        }
    }

    /// So many steps more will be told of.
    pub fn expect(&mut self, steps: u64) -> Result<()> {
        self.print(json!({"kind": "expect", "steps": steps}))
    }

    /// This is being done now.
    pub fn step(&mut self, what: &str) -> Result<()> {
        self.print(json!({"kind": "step", "what": what}))
    }

    /// Something that the reader must know.
    pub fn note(&mut self, text: &str) -> Result<()> {
        self.print(json!({"kind": "note", "text": text}))
    }

    /// A value to compare with those of others.
    pub fn rate(&mut self, rate: &Rate<'_>) -> Result<()> {
        let Rate { case, who, unit, round, value } = *rate;
        let line = json!({"kind": "rate", "case": case, "who": who, "unit": unit,
            "round": round, "value": value});
        self.print(line)
    }

    /// Most memory that a process had while it did something, and what it may have.
    pub fn memory(&mut self, case: &str, peak: u64, baseline: u64, limit: u64) -> Result<()> {
        let line = json!({"kind": "memory", "case": case, "peak": peak, "baseline": baseline,
            "limit": limit});
        self.print(line)
    }

    /// A number that stands for itself.
    pub fn fact(&mut self, what: &str, value: f64, unit: &str) -> Result<()> {
        self.print(json!({"kind": "fact", "what": what, "value": value, "unit": unit}))
    }

    /// A number that should not be larger than `most`.
    pub fn limited(&mut self, what: &str, value: f64, unit: &str, most: f64) -> Result<()> {
        let line =
            json!({"kind": "fact", "what": what, "value": value, "unit": unit, "most": most});
        self.print(line)
    }

    /// Seconds that an operation takes at some size of what it works on.
    pub fn cost(&mut self, curve: &str, size: u64, round: u64, seconds: f64) -> Result<()> {
        let line = json!({"kind": "cost", "curve": curve, "size": size, "round": round,
            "value": seconds});
        self.print(line)
    }
}

/// Processes that wanted to run in the last minute, on average.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
