//! Statistics, verdicts, arguments.

use super::record::{Line, Record};
use super::statistics::{growth, median, paired};
use super::verdict::{Verdict, Verdicts};
use super::{Output, asked, plot, table};
use serde_json::{Value, json};

fn record(lines: &[Value]) -> Record {
    let mut record = Record::default();
    lines.iter().for_each(|line| record.add(Line::parse(line.clone()).unwrap()));
    record
}

fn rate(section: &str, case: &str, who: &str, round: u64, value: f64) -> Value {
    json!({"kind": "rate", "section": section, "case": case, "who": who, "unit": "writes/s",
        "round": round, "value": value})
}

fn cost(size: u64, value: f64) -> Value {
    json!({"kind": "cost", "section": "size", "curve": "read by extents of the file",
        "size": size, "round": 1, "value": value})
}

#[test]
fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
    assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
    assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    assert_eq!(median(&[7.0]), 7.0);
}

#[test]
fn ratios_are_taken_within_rounds() {
    // The machine is ten times slower in the second round: the ratio does not see it.
    let ours = [(1, 200.0), (2, 20.0), (3, 300.0)];
    let theirs = [(2, 10.0), (3, 100.0), (1, 100.0)];
    let ratio = paired(&ours, &theirs).unwrap();
    assert_eq!((ratio.median, ratio.lowest, ratio.highest), (2.0, 2.0, 3.0));
}

#[test]
fn a_round_that_one_side_lacks_does_not_count() {
    let ratio = paired(&[(1, 10.0), (2, 40.0)], &[(2, 10.0)]).unwrap();
    assert_eq!(ratio.median, 4.0);
    assert_eq!(paired(&[(1, 10.0)], &[(2, 10.0)]), None);
}

#[test]
fn growth_is_that_of_the_ends_beside_that_of_the_logarithm() {
    let at = |size, cost| (size, vec![(1, cost), (2, 10.0 * cost), (3, cost)]);
    let found = growth(&[at(1_000, 2.0), at(10_000, 9.0), at(1_000_000, 3.0)]).unwrap();
    assert_eq!(found.cost, 1.5);
    assert!((found.logarithm - 2.0).abs() < 1e-9);
    assert_eq!(growth(&[at(10, 1.0)]), None);
}

#[test]
fn a_target_is_met_by_the_median_of_the_ratios() {
    let at = |value| {
        let lines = [
            rate("atomic", "4 KiB dsync", "untorn", 1, value),
            rate("atomic", "4 KiB dsync", "linux", 1, 10.0),
        ];
        Verdicts::of(&record(&lines)).comparisons[0].against[0].verdict
    };
    assert_eq!(at(20.0), Verdict::Met);
    assert_eq!(at(19.0), Verdict::Missed);
}

#[test]
fn threads_need_not_do_what_the_device_does_not_let_plain_writes_do() {
    let at = |raw| {
        let lines = [
            rate("atomic", "untorn 4 KiB dsync, 4 files", "four", 1, 12.0),
            rate("atomic", "untorn 4 KiB dsync, 4 files", "one", 1, 10.0),
            rate("atomic", "raw 4 KiB dsync, 4 files", "four", 1, raw),
            rate("atomic", "raw 4 KiB dsync, 4 files", "one", 1, 10.0),
        ];
        Verdicts::of(&record(&lines)).comparisons[0].against[0].verdict
    };
    assert_eq!(at(30.0), Verdict::Missed);
    assert_eq!(at(12.0), Verdict::Barred);
}

#[test]
fn a_cost_may_grow_as_the_logarithm_and_no_faster() {
    let at =
        |last| Verdicts::of(&record(&[cost(1_000, 1.0), cost(1_000_000, last)])).curves[0].verdict;
    assert_eq!(at(1.9), Verdict::Met);
    assert_eq!(at(2.1), Verdict::Missed);
}

#[test]
fn memory_may_be_the_caches_and_a_little() {
    let at = |peak: u64| {
        let line = json!({"kind": "memory", "section": "memory", "case": "read", "peak": peak,
            "baseline": 1, "limit": 1 << 20});
        Verdicts::of(&record(&[line])).memory[0].1
    };
    assert_eq!(at(65 << 20), Verdict::Met);
    assert_eq!(at((65 << 20) + 1), Verdict::Missed);
}

#[test]
fn what_was_measured_is_shown_as_a_table_as_json_and_as_plots() {
    let lines = [
        json!({"kind": "section", "section": "atomic", "load": 1.5}),
        json!({"kind": "note", "section": "atomic", "text": "no root"}),
        rate("atomic", "4 KiB unsynced", "untorn", 1, 30.0),
        rate("atomic", "4 KiB unsynced", "linux", 1, 10.0),
        rate("atomic", "4 KiB unsynced", "raw", 1, 100.0),
        cost(1_000, 1e-6),
        cost(1_000_000, 1.5e-6),
    ];
    let record = record(&lines);
    let verdicts = Verdicts::of(&record);
    let table = table::of(&verdicts, &record);
    for part in ["atomic 1.5", "no root", "3.00x", ">= 2", "met", "0.30x", "MISSED", "1.50x"] {
        assert!(table.contains(part), "{part} in {table}");
    }
    assert_eq!(verdicts.to_json(&record)["comparisons"][0]["against"][0]["ratio"], 3.0);
    let folder = std::env::temp_dir().join(format!("untorn-plots-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    assert_eq!(plot::all(&verdicts, &folder).unwrap(), ["atomic.svg", "size-1.svg"]);
    let svg = std::fs::read_to_string(folder.join("atomic.svg")).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(svg.contains("4 KiB unsynced / linux"), "{svg}");
}

#[test]
fn arguments_are_kept_passed_on_or_refused() {
    let found = asked(&["--quick", "--only", "fsx", "--out", "there", "--json"]).unwrap();
    assert_eq!(found.passed_on, ["--quick", "--only", "fsx"]);
    assert_eq!((found.out, found.output), (Some("there".into()), Output::Json));
    assert!(asked(&["--only"]).is_err());
    assert!(asked(&["--loud"]).is_err());
}

#[test]
fn a_line_that_lacks_something_is_refused() {
    assert!(Line::parse(json!({"kind": "rate", "section": "atomic"})).is_err());
    assert!(Line::parse(json!({"kind": "joke"})).is_err());
}
