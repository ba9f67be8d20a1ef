//! What the program that measures has told.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// A line of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Line {
    /// A section begins, or the end is there; processes that want to run.
    Load(String, Option<f64>),
    /// So many steps will follow.
    Expect(u64),
    /// This is being done.
    Step(String),
    /// Something to know.
    Note(String),
    /// A value to compare.
    Rate(Rate),
    /// Most memory of a process.
    Memory(Memory),
    /// A number that stands for itself.
    Fact(Fact),
    /// What an operation costs at some size.
    Cost(Cost),
}

/// How much somebody did per second.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rate {
    pub section: String,
    pub case: String,
    pub who: String,
    pub unit: String,
    pub round: u64,
    pub value: f64,
}

/// Most memory of a process, in bytes: while it worked, when it only opened a volume, and what its
/// caches may take.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Memory {
    pub case: String,
    pub peak: u64,
    pub baseline: u64,
    pub limit: u64,
}

/// A number that stands for itself.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fact {
    pub what: String,
    pub value: f64,
    pub unit: String,
    /// What it should not be larger than.
    pub most: Option<f64>,
}

/// Seconds that one operation took.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cost {
    pub curve: String,
    pub size: u64,
    pub round: u64,
    pub seconds: f64,
}

/// All that was told.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// Load average when a section began; the last is that of the end.
    pub loads: Vec<(String, f64)>,
    pub notes: Vec<String>,
    pub rates: Vec<Rate>,
    pub memory: Vec<Memory>,
    pub facts: Vec<Fact>,
    pub costs: Vec<Cost>,
}

fn text(line: &Value, name: &str) -> Result<String> {
    Ok(line[name].as_str().with_context(|| format!("{line} has no text {name}"))?.to_owned())
}

fn whole(line: &Value, name: &str) -> Result<u64> {
    line[name].as_u64().with_context(|| format!("{line} has no whole number {name}"))
}

fn number(line: &Value, name: &str) -> Result<f64> {
    line[name].as_f64().with_context(|| format!("{line} has no number {name}"))
}

impl Line {
    /// The line that a JSON object says.
    pub fn parse(line: Value) -> Result<Self> {
        let line = &line;
        let case = || text(line, "case");
        Ok(match text(line, "kind")?.as_str() {
            "section" => Self::Load(text(line, "section")?, line["load"].as_f64()),
            "end" => Self::Load("end".to_owned(), line["load"].as_f64()),
            "expect" => Self::Expect(whole(line, "steps")?),
            "step" => Self::Step(text(line, "what")?),
            "note" => Self::Note(text(line, "text")?),
            "rate" => Self::Rate(Rate {
                section: text(line, "section")?,
                case: case()?,
                who: text(line, "who")?,
                unit: text(line, "unit")?,
                round: whole(line, "round")?,
                value: number(line, "value")?,
            }),
            "memory" => Self::Memory(Memory {
                case: case()?,
                peak: whole(line, "peak")?,
                baseline: whole(line, "baseline")?,
                limit: whole(line, "limit")?,
            }),
            "fact" => Self::Fact(Fact {
                what: text(line, "what")?,
                value: number(line, "value")?,
                unit: text(line, "unit")?,
                most: line["most"].as_f64(),
            }),
            "cost" => Self::Cost(Cost {
                curve: text(line, "curve")?,
                size: whole(line, "size")?,
                round: whole(line, "round")?,
                seconds: number(line, "value")?,
            }),
            other => bail!("the bench tells of {other:?}"),
        })
    }
}

impl Record {
    /// Keeps what a line says.
    pub fn add(&mut self, line: Line) {
        match line {
            Line::Load(section, load) => self.loads.extend(load.map(|load| (section, load))),
            Line::Expect(_) | Line::Step(_) => {}
            Line::Note(text) => self.notes.push(text),
            Line::Rate(rate) => self.rates.push(rate),
            Line::Memory(memory) => self.memory.push(memory),
            Line::Fact(fact) => self.facts.push(fact),
            Line::Cost(cost) => self.costs.push(cost),
        }
    }
}
