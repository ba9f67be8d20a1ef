//! What was measured, compared and judged.

use super::record::{Cost, Fact, Memory, Rate, Record};
use super::statistics::{Growth, Ratio, growth, median, paired};
use super::target::{BEYOND_CACHES, SCALING, least};
use serde_json::{Value, json};

/// Whether a target was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Met,
    Missed,
    /// Nothing is aimed at.
    Untold,
    /// The device does not let anybody reach it.
    Barred,
}

impl Verdict {
    fn of(met: bool) -> Self {
        if met { Self::Met } else { Self::Missed }
    }

    /// The word for it in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::Untold => "",
            Self::Barred => "device",
        }
    }
}

/// One peer beside untorn.
#[derive(Clone, Debug)]
pub(super) struct Against {
    pub who: String,
    pub rate: f64,
    /// What untorn does in units of the peer.
    pub ratio: Ratio,
    pub least: Option<f64>,
    pub verdict: Verdict,
}

/// One case: untorn, or four threads, and peers.
#[derive(Clone, Debug)]
pub(super) struct Comparison {
    pub section: String,
    pub case: String,
    pub unit: String,
    pub who: String,
    pub rate: f64,
    pub against: Vec<Against>,
    /// All values by who, as (round, value).
    pub values: Vec<(String, Vec<(u64, f64)>)>,
}

/// One curve: (size, median seconds).
#[derive(Clone, Debug)]
pub(super) struct Curve {
    pub name: String,
    pub points: Vec<(u64, f64)>,
    pub growth: Option<Growth>,
    pub verdict: Verdict,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Verdicts {
    pub comparisons: Vec<Comparison>,
    pub memory: Vec<(Memory, Verdict)>,
    pub facts: Vec<Fact>,
    pub curves: Vec<Curve>,
}

impl Verdicts {
    /// Judges a record.
    pub fn of(record: &Record) -> Self {
        let fits = |memory: &Memory| Verdict::of(memory.peak <= memory.limit + BEYOND_CACHES);
        let memory = record.memory.iter().map(|memory| (memory.clone(), fits(memory))).collect();
        let mut comparisons = comparisons(&record.rates);
        bar_what_the_device_bars(&mut comparisons);
        Self { comparisons, memory, facts: record.facts.clone(), curves: curves(&record.costs) }
    }

    /// For programs.
    pub fn to_json(&self, record: &Record) -> Value {
        let loads: Vec<Value> = record.loads.iter().map(|(at, load)| json!([at, load])).collect();
        let memory: Vec<Value> = self.memory.iter().map(memory_json).collect();
        let facts = self.facts.iter().map(fact_json);
        json!({
            "load": loads,
            "notes": record.notes,
            "comparisons": self.comparisons.iter().map(comparison_json).collect::<Vec<_>>(),
            "memory": memory,
            "facts": facts.collect::<Vec<_>>(),
            "curves": self.curves.iter().map(curve_json).collect::<Vec<_>>(),
        })
    }
}

/// The distinct keys of items, in order of appearance.
fn distinct<T, K: PartialEq>(items: &[T], key: impl Fn(&T) -> K) -> Vec<K> {
    let mut keys = Vec::new();
    for key in items.iter().map(key) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

fn comparisons(rates: &[Rate]) -> Vec<Comparison> {
    let cases = distinct(rates, |rate| (rate.section.clone(), rate.case.clone()));
    let compare = |(section, case): (String, String)| {
        let of_case = |rate: &&Rate| rate.section == section && rate.case == case;
        let rates: Vec<&Rate> = rates.iter().filter(of_case).collect();
        comparison(&rates)
    };
    cases.into_iter().filter_map(compare).collect()
}

/// Who is compared with the others of a case.
const JUDGED: [&str; 2] = ["untorn", "four"];

/// The median of values by round.
fn middle(series: &[(u64, f64)]) -> f64 {
    median(&series.iter().map(|(_, value)| *value).collect::<Vec<_>>())
}

fn comparison(rates: &[&Rate]) -> Option<Comparison> {
    let series = |who: &str| -> Vec<(u64, f64)> {
        let whose = rates.iter().filter(|rate| rate.who == who);
        whose.map(|rate| (rate.round, rate.value)).collect()
    };
    let everybody = distinct(rates, |rate| rate.who.clone());
    let first = everybody.iter().find(|who| JUDGED.contains(&who.as_str()))?;
    let others = everybody.iter().filter(|who| *who != first);
    let Rate { section, case, unit, .. } = (*rates.first()?).clone();
    let ours = series(first);
    let against = others.filter_map(|who| {
        let theirs = series(who);
        let ratio = paired(&ours, &theirs)?;
        let least = least(&section, &case, who);
        let verdict = least.map_or(Verdict::Untold, |least| Verdict::of(ratio.median >= least));
        Some(Against { who: who.clone(), rate: middle(&theirs), ratio, least, verdict })
    });
    let against = against.collect();
    let rate = middle(&ours);
    let values = everybody.iter().map(|who| (who.clone(), series(who))).collect();
    Some(Comparison { section, case, unit, who: first.clone(), rate, against, values })
}

/// Threads cannot do what the device does not let plain writes do.
fn bar_what_the_device_bars(comparisons: &mut [Comparison]) {
    let scaling = |comparison: &Comparison| {
        let found = comparison.against.iter().find(|against| against.who == "one");
        found.map(|against| (comparison.case.clone(), against.ratio.median))
    };
    let all: Vec<(String, f64)> = comparisons.iter().filter_map(scaling).collect();
    for comparison in comparisons {
        let Some(case) = comparison.case.strip_prefix("untorn ") else { continue };
        let raw = all.iter().find(|(other, _)| other.strip_prefix("raw ") == Some(case));
        let barred = raw.is_some_and(|(_, ratio)| *ratio < SCALING);
        for against in comparison.against.iter_mut().filter(|one| one.verdict == Verdict::Missed) {
            if barred {
                against.verdict = Verdict::Barred;
            }
        }
    }
}

fn curves(costs: &[Cost]) -> Vec<Curve> {
    let curve = |name: String| {
        let of_curve: Vec<&Cost> = costs.iter().filter(|cost| cost.curve == name).collect();
        let mut sizes = distinct(&of_curve, |cost| cost.size);
        sizes.sort_unstable();
        let at = |size| {
            let there = of_curve.iter().filter(|cost| cost.size == size);
            (size, there.map(|cost| (cost.round, cost.seconds)).collect())
        };
        let rounds: Vec<(u64, Vec<(u64, f64)>)> = sizes.into_iter().map(at).collect();
        let points = rounds.iter().map(|(size, costs)| (*size, middle(costs))).collect();
        let growth = growth(&rounds);
        let verdict =
            growth.map_or(Verdict::Untold, |growth| Verdict::of(growth.cost <= growth.logarithm));
        Curve { name, points, growth, verdict }
    };
    distinct(costs, |cost| cost.curve.clone()).into_iter().map(curve).collect()
}

fn comparison_json(comparison: &Comparison) -> Value {
    let Comparison { section, case, unit, who, rate, against, values } = comparison;
    let against = against.iter().map(|against| {
        let Against { who, rate, ratio, least, verdict } = against;
        json!({"who": who, "rate": rate, "ratio": ratio.median, "lowest": ratio.lowest,
            "highest": ratio.highest, "target": least, "verdict": verdict.word()})
    });
    json!({"section": section, "case": case, "unit": unit, "who": who, "rate": rate,
        "against": against.collect::<Vec<_>>(), "values": values})
}

fn memory_json((memory, verdict): &(Memory, Verdict)) -> Value {
    let Memory { case, peak, baseline, limit } = memory;
    json!({"case": case, "peak": peak, "baseline": baseline, "cache_limit": limit,
        "verdict": verdict.word()})
}

/// Whether a number is as small as it should be.
pub(super) fn of_fact(fact: &Fact) -> Verdict {
    fact.most.map_or(Verdict::Untold, |most| Verdict::of(fact.value <= most))
}

fn fact_json(fact: &Fact) -> Value {
    json!({"what": fact.what, "value": fact.value, "unit": fact.unit, "most": fact.most,
        "verdict": of_fact(fact).word()})
}

fn curve_json(curve: &Curve) -> Value {
    let Curve { name, points, growth, verdict } = curve;
    json!({"curve": name, "points": points, "growth": growth.map(|growth| growth.cost),
        "logarithm": growth.map(|growth| growth.logarithm), "verdict": verdict.word()})
}
