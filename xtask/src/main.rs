//! Developer commands, run as `cargo xtask COMMAND`.
//!
//! Depends on nothing of the project, so that it also runs when the project does not compile.

mod bench;
mod licences;
mod process;
mod suite;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [--demand-all]  install what the tests need where that is allowed, run every tier that this
                       machine can run, say which tiers it cannot; with --demand-all, a tier that
                       cannot run is a failure
  tidy [--bless]       check the house rules; with --bless, rewrite the list of long functions
  bench SUITE [--quick] [--only SECTION] [--out FOLDER] [--json]
                       measure beside others in one run: a table, a JSON file and plots in
                       target/bench; the suites and their sections:
                       data       reads and writes beside Linux (as root), plain files and double
                                  writes: atomic, stream, fsx, memory, size
                       namespace  names of files beside Linux: namespace, opening, images
  licences             check the licences of everything that is linked in, offline
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Result<()> {
    match arguments {
        ["test"] => suite::run(&root(), suite::Demand::WhatRuns),
        ["test", "--demand-all"] => suite::run(&root(), suite::Demand::Everything),
        ["tidy"] => tidy::check(&root()),
        ["tidy", "--bless"] => tidy::bless(&root()),
        ["bench", suite, rest @ ..] if bench::SUITES.contains(suite) => {
            bench::run(&root(), suite, rest)
        }
        ["licences"] => licences::check(&root()),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        other => bail!("no such command: {}\n{USAGE}", other.join(" ")),
    }
}

/// The root of the workspace.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
