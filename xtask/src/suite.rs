//! `cargo xtask test`: everything that can be checked on this machine, tier by tier.
//!
//! A tier that cannot run says so in one line; it is a failure only where everything is demanded.
//! A failure does not stop the tiers after it.

mod install;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail, ensure};

use crate::process::{command, run as run_command, shown, succeeds};
use crate::{licences, tidy};

/// Which tiers must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// Those that can run here.
    WhatRuns,
    /// All of them: a tier that cannot run is a failure.
    Everything,
}

/// How a tier ended.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    CannotRun(String),
}

/// Name and ending of a tier, in the order in which they ran.
type Report = Vec<(&'static str, Outcome)>;

/// Tests counted over all binaries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Runs every tier; fails when one of them failed.
pub fn run(root: &Path, demand: Demand) -> Result<()> {
    install::what_tests_need();
    let mut report = Report::new();
    let mut counts = Counts::default();
    tier(&mut report, "format", || component(root, "fmt", &["--all", "--check"]));
    tier(&mut report, "clippy", || {
        component(root, "clippy", &["--workspace", "--all-targets", "--", "-D", "warnings"])
    });
    tier(&mut report, "tidy", || told(tidy::check(root)));
    tier(&mut report, "licences", || told(licences::check(root)));
    let kernel = kernel_tier(root);
    let with_kernel = kernel == Outcome::Passed;
    tier(&mut report, "kernel (together with the tests)", || kernel);
    tier(&mut report, "tests", || tests(root, with_kernel, demand, &mut counts));
    tier(&mut report, "documentation", || documentation(root, &mut counts));
    tier(&mut report, "demo", || demo(root));
    conclude(&report, counts, demand)
}

fn tier(report: &mut Report, name: &'static str, work: impl FnOnce() -> Outcome) {
    println!("== {name}");
    let began = Instant::now();
    let outcome = work();
    println!("== {name}: {} ({:.0} s)\n", sentence(&outcome), began.elapsed().as_secs_f32());
    report.push((name, outcome));
}

fn sentence(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => "passed".to_owned(),
        Outcome::Failed(reason) => format!("FAILED: {reason}"),
        Outcome::CannotRun(reason) => format!("cannot run here: {reason}"),
    }
}

fn told(result: Result<()>) -> Outcome {
    result.map_or_else(|error| Outcome::Failed(format!("{error:#}")), |()| Outcome::Passed)
}

/// A cargo command that may not be installed.
fn component(root: &Path, name: &str, arguments: &[&str]) -> Outcome {
    if !succeeds(command(root, "cargo", &[name, "--version"])) {
        return Outcome::CannotRun(format!("cargo {name} is not installed"));
    }
    told(run_command(command(root, "cargo", &[&[name], arguments].concat())))
}

/// Whether the tests that ask Linux can run, as the tests themselves decide it.
///
/// They run together with all other tests.
fn kernel_tier(root: &Path) -> Outcome {
    let arguments = ["run", "--quiet", "--package", "untorn-torture", "--example", "kernel_tier"];
    let mut asked = command(root, "cargo", &arguments);
    asked.env("UNTORN_KERNEL_TIER", "1").stderr(Stdio::inherit());
    match asked.output() {
        Ok(output) if output.status.success() => Outcome::Passed,
        Ok(output) => Outcome::CannotRun(reason(&output.stdout)),
        Err(error) => Outcome::Failed(format!("cannot run cargo: {error}")),
    }
}

fn reason(stdout: &[u8]) -> String {
    match String::from_utf8_lossy(stdout).trim() {
        "" => "it could not be asked (see above)".to_owned(),
        reason => reason.to_owned(),
    }
}

/// All tests, those that ask Linux included where they can run.
fn tests(root: &Path, with_kernel: bool, demand: Demand, counts: &mut Counts) -> Outcome {
    let arguments = ["test", "--workspace", "--all-targets", "--no-fail-fast"];
    let mut tests = command(root, "cargo", &arguments);
    if with_kernel {
        tests.env("UNTORN_KERNEL_TIER", "1");
    }
    if demand == Demand::Everything {
        tests.env("UNTORN_DEMAND_KERNEL", "1");
    }
    told(run_counting(tests, counts))
}

/// Examples in the documentation run, and its links lead somewhere.
fn documentation(root: &Path, counts: &mut Counts) -> Outcome {
    let examples = ["test", "--workspace", "--doc", "--no-fail-fast"];
    let examples = run_counting(command(root, "cargo", &examples), counts);
    let mut pages = command(root, "cargo", &["doc", "--workspace", "--no-deps", "--quiet"]);
    pages.env("RUSTDOCFLAGS", "-D warnings");
    told(examples.and_then(|()| run_command(pages)))
}

fn demo(root: &Path) -> Outcome {
    told(run_command(command(root, "cargo", &["run", "--release", "--quiet", "--", "demo"])))
}

/// Runs `cargo test`, showing what it prints and adding up what it counts.
fn run_counting(mut tests: Command, counts: &mut Counts) -> Result<()> {
    let shown = shown(&tests);
    let mut child = tests.stdout(Stdio::piped()).spawn()?;
    let Some(stdout) = child.stdout.take() else { bail!("{shown} has no output") };
    let mut failed = false;
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line?;
        std::io::stdout().write_all(&[&line[..], b"\n"].concat())?;
        failed |= counts.add(&String::from_utf8_lossy(&line));
    }
    let status = child.wait()?;
    ensure!(status.success() && !failed, "{shown}: {status}");
    Ok(())
}

impl Counts {
    /// Adds a line like `test result: ok. 3 passed; 1 failed; 0 ignored; ...`; true when any
    /// failed.
    fn add(&mut self, line: &str) -> bool {
        let Some((_, numbers)) = line.split_once("test result: ") else { return false };
        let number = |what: &str| {
            let part = numbers.split(['.', ';']).find(|part| part.trim_end().ends_with(what));
            part.and_then(|part| part.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += number("passed");
        self.failed += number("failed");
        self.ignored += number("ignored");
        number("failed") > 0
    }
}

/// The closing lines: what could not run, then what failed, then the count.
fn conclude(report: &Report, counts: Counts, demand: Demand) -> Result<()> {
    for (name, outcome) in report {
        println!("{name}: {}", sentence(outcome));
    }
    println!("{} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored);
    let is_bad = |outcome: &Outcome| match outcome {
        Outcome::Passed => false,
        Outcome::Failed(_) => true,
        Outcome::CannotRun(_) => demand == Demand::Everything,
    };
    let bad: Vec<&str> =
        report.iter().filter(|(_, outcome)| is_bad(outcome)).map(|(name, _)| *name).collect();
    ensure!(bad.is_empty(), "these tiers did not pass: {}", bad.join(", "));
    Ok(())
}

#[cfg(test)]
mod tests;
