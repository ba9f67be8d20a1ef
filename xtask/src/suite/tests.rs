//! The verdict over all tiers.

use super::*;

fn report(outcome: Outcome) -> Report {
    vec![("first", Outcome::Passed), ("second", outcome)]
}

#[test]
fn a_failed_tier_fails_the_suite() {
    let failed = report(Outcome::Failed("why".into()));
    assert!(conclude(&failed, Counts::default(), Demand::WhatRuns).is_err());
}

#[test]
fn a_tier_that_cannot_run_fails_only_where_all_are_demanded() {
    let lacking = report(Outcome::CannotRun("why".into()));
    assert!(conclude(&lacking, Counts::default(), Demand::WhatRuns).is_ok());
    assert!(conclude(&lacking, Counts::default(), Demand::Everything).is_err());
    assert!(conclude(&report(Outcome::Passed), Counts::default(), Demand::Everything).is_ok());
}

#[test]
fn results_are_added_up() {
    let mut counts = Counts::default();
    let good = "test result: ok. 13 passed; 0 failed; 2 ignored; 0 measured; 9 filtered out";
    let bad = "test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 9 filtered out";
    assert!(!counts.add(good));
    assert!(counts.add(bad));
    assert!(!counts.add("running 3 tests"));
    assert_eq!(counts, Counts { passed: 18, failed: 2, ignored: 2 });
}

#[test]
fn a_command_that_fails_is_a_failed_tier() {
    let root = Path::new(".");
    assert_eq!(told(run_command(command(root, "true", &[]))), Outcome::Passed);
    assert!(matches!(told(run_command(command(root, "false", &[]))), Outcome::Failed(_)));
    let absent = component(root, "no-such-component", &[]);
    assert!(matches!(absent, Outcome::CannotRun(_)));
}
