//! What is left of a run that failed: its end in the words of fsx, files, and the shortest run.
//!
//! Files, in the folder of -P or the current one: `NAME.fsxops` (the shortest run that fails),
//! `NAME.all.fsxops`, `NAME.fsxlog`, `NAME.fsxgood`.

use super::ground;
use super::options::Fsx;
use crate::show;
use anyhow::Context;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::panic;
use std::path::{Path, PathBuf};
use std::time::Duration;
use untorn_torture::fsx::{
    Ended, Entry, Failure, GoOn, Ground, Plan, Recorded, Source, Target, again, fails_with,
    minimise, ops_file, run,
};

/// Operations of a failing run that are shown; the file has more.
const SHOWN: usize = 64;

/// The file NAME.`suffix`.
pub fn path(arguments: &Fsx, suffix: &str) -> PathBuf {
    let mut name = OsStr::from_bytes(arguments.file.name().unwrap_or(b"fsx")).to_owned();
    name.push(format!(".{suffix}"));
    arguments.output.folder.clone().unwrap_or_default().join(name)
}

/// Writes an ops file.
pub fn write_ops<'e>(
    path: &Path,
    entries: impl Iterator<Item = &'e Entry>,
    bad: Option<u64>,
) -> anyhow::Result<()> {
    let mut text = String::new();
    for entry in entries {
        writeln!(text, "{}", ops_file::line(entry, bad))?;
    }
    fs::write(path, text).with_context(|| path.display().to_string())
}

/// Tells and keeps a failure; the shortest run that shows it, as lines of an ops file.
pub fn report<T: Target>(
    arguments: &Fsx,
    plan: &Plan,
    ended: &Ended<'_, T>,
    failure: &Failure,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let quiet = show::is_json();
    let bad = failure.wrong.bad_byte();
    let log = ended.exerciser.log();
    let log_path = path(arguments, "fsxlog");
    let told = format!("{failure}\n{}", log.dump(bad));
    fs::write(&log_path, told).with_context(|| log_path.display().to_string())?;
    if !quiet {
        writeln!(out, "{failure}")?;
        let skip = log.entries().count().saturating_sub(SHOWN);
        if skip > 0 {
            writeln!(out, "{skip} operations before these are in \"{}\"", log_path.display())?;
        }
        writeln!(out, "LOG DUMP ({} total operations):", ended.exerciser.number())?;
        log.entries().skip(skip).try_for_each(|entry| writeln!(out, "{}", entry.shown(bad)))?;
    }
    let good = path(arguments, "fsxgood");
    fs::write(&good, ended.exerciser.contents()).with_context(|| good.display().to_string())?;
    let whole = path(arguments, "all.fsxops");
    write_ops(&whole, log.entries(), bad)?;
    if !quiet {
        let (whole, good) = (whole.display(), good.display());
        writeln!(out, "Log of operations saved to \"{whole}\"; replay with --replay-ops")?;
        writeln!(out, "Correct content saved for comparison: \"{good}\"")?;
        out.flush()?;
    }
    match arguments.beyond.minimise {
        0 => Ok(Vec::new()),
        seconds => shorten(arguments, plan, ended, failure, Duration::from_secs(seconds), out),
    }
}

/// Runs on fresh volumes in memory.
struct Trial<'a> {
    arguments: &'a Fsx,
    plan: &'a Plan,
    ground: Ground,
}

impl Trial<'_> {
    fn fails(&self, ops: &[Recorded], like: &Failure) -> bool {
        let source = Source::List(ops.to_vec());
        let plan = Plan { source, ..self.plan.clone() };
        let target = self.ground.target(&self.arguments.file, plan.power());
        let found = target.ok().and_then(|target| fails_with(&plan.settings, ops, target));
        found.is_some_and(|found| found.wrong.is_like(&like.wrong))
    }
}

fn shorten<T: Target>(
    arguments: &Fsx,
    plan: &Plan,
    ended: &Ended<'_, T>,
    failure: &Failure,
    time: Duration,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let trial = Trial { arguments, plan, ground: ground::memory(arguments, &plan.settings)? };
    let ops = match &plan.source {
        Source::Random => again(plan, failure.number, 0, &ended.unforeseen),
        Source::List(ops) => ops.iter().copied().take(failure.number as usize).collect(),
    };
    // Candidates may panic by the hundred: that is told once, as the failure.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let again = trial.fails(&ops, failure);
    let found = again.then(|| minimise(ops, time, &mut |ops| trial.fails(ops, failure)));
    panic::set_hook(hook);
    let Some(found) = found else {
        if !show::is_json() {
            writeln!(out, "The run does not fail again on a fresh volume in memory.")?;
        }
        return Ok(Vec::new());
    };
    show_shortest(&trial, &found.ops, found.tried, out)
}

/// Runs the shortest once more for its log and its file.
fn show_shortest(
    trial: &Trial<'_>,
    ops: &[Recorded],
    tried: u64,
    out: &mut dyn Write,
) -> anyhow::Result<Vec<String>> {
    let Trial { arguments, plan, ground } = trial;
    let (source, operations) = (Source::List(ops.to_vec()), ops.len() as u64);
    let plan = Plan { settings: plan.settings.clone(), source, operations };
    let target = ground.target(&arguments.file, plan.power()).map_err(super::troubled)?;
    let ended = run(&plan, target, &[], &mut |_| GoOn::Yes);
    let bad = ended.failure.as_ref().and_then(|failure| failure.wrong.bad_byte());
    let log = ended.exerciser.log();
    let path = path(arguments, "fsxops");
    write_ops(&path, log.entries(), bad)?;
    if !show::is_json() {
        writeln!(out, "\nThe shortest run that fails, of {tried} tried: {operations} operations")?;
        if let Some(failure) = &ended.failure {
            writeln!(out, "{failure}")?;
        }
        write!(out, "{}", log.dump(bad))?;
        writeln!(out, "reproduce: untorn {} --replay-ops {}", typed(), path.display())?;
    }
    Ok(log.entries().map(|entry| ops_file::line(entry, bad).to_string()).collect())
}

/// What was typed behind the program's name.
fn typed() -> String {
    std::env::args().skip(1).collect::<Vec<_>>().join(" ")
}
