//! `cargo xtask bench SUITE`: runs the program that measures, compares within rounds, and shows a
//! table, a JSON file and plots.
//!
//! ```text
//! cargo run --example bench -> lines -> record -> verdict -> table, SUITE.json, *.svg
//! ```
//! What is measured, and how, is said in `untorn_torture::bench`; what it should be, in `target`.

mod plot;
mod record;
mod statistics;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod verdict;

use crate::process::command;
use anyhow::{Context, Result, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use record::{Line, Record};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use verdict::Verdicts;

/// What a bench is asked to do.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Arguments for the program that measures.
    passed_on: Vec<String>,
    /// Where files go, if not to `target/bench`.
    out: Option<PathBuf>,
    output: Output,
}

/// What is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Output {
    #[default]
    Table,
    Json,
}

fn asked(words: &[&str]) -> Result<Asked> {
    let mut asked = Asked::default();
    let mut words = words.iter().copied();
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} wants a word after it"));
        match word {
            "--quick" => asked.passed_on.push(word.to_owned()),
            "--only" => asked.passed_on.extend([word.to_owned(), value()?.to_owned()]),
            "--out" => asked.out = Some(value()?.into()),
            "--json" => asked.output = Output::Json,
            other => bail!("the bench does not know {other}"),
        }
    }
    Ok(asked)
}

/// Suites of the program that measures.
pub const SUITES: [&str; 2] = ["data", "namespace"];

/// Measures a suite and shows what came out.
pub fn run(root: &Path, suite: &str, words: &[&str]) -> Result<()> {
    let asked = asked(words)?;
    let record = measure(root, suite, &asked.passed_on)?;
    let verdicts = Verdicts::of(&record);
    let folder = asked.out.unwrap_or_else(|| target_folder(root).join("bench"));
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    let json = verdicts.to_json(&record);
    let (json_name, table_name) = (format!("{suite}.json"), format!("{suite}.txt"));
    std::fs::write(folder.join(&json_name), format!("{json:#}\n"))?;
    let plots = plot::all(&verdicts, &folder)?;
    let table = table::of(&verdicts, &record);
    std::fs::write(folder.join(&table_name), &table)?;
    match asked.output {
        Output::Json => println!("{json:#}"),
        Output::Table => {
            print!("{table}");
            println!(
                "written: {table_name}, {json_name}, {} in {}",
                plots.join(", "),
                folder.display()
            );
        }
    }
    Ok(())
}

fn target_folder(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from)
}

/// Runs the program that measures, to the end.
fn measure(root: &Path, suite: &str, passed_on: &[String]) -> Result<Record> {
    let words = ["run", "--release", "--quiet", "--package", "untorn-torture"];
    let mut bench = command(root, "cargo", &words);
    bench.args(["--example", "bench", "--", suite]).args(passed_on).env("UNTORN_KERNEL_TIER", "1");
    follow(bench)
}

fn follow(mut bench: Command) -> Result<Record> {
    let mut child = bench.stdout(Stdio::piped()).spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("the bench has no output")?;
    let bar = bar();
    let mut record = Record::default();
    for line in BufReader::new(stdout).lines() {
        let value: Value = serde_json::from_str(&line?).context("the bench prints JSON")?;
        let line = Line::parse(value)?;
        show(&bar, &line);
        record.add(line);
    }
    bar.finish_and_clear();
    let status = child.wait()?;
    ensure!(status.success(), "the bench: {status}");
    Ok(record)
}

/// Drawn on a terminal only.
fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, line: &Line) {
    match line {
        Line::Expect(steps) => bar.inc_length(*steps),
        Line::Step(what) => {
            bar.inc(1);
            bar.set_message(what.clone());
        }
        _ => {}
    }
}
