//! `untorn fsx`: the file system exerciser over the library.
//!
//! ```text
//! options -> settings (of a profile: several runs) -> ground -> run -> tell, or fail and cut down
//! ```
//! Invariants: exit status 1 means that a failure was found, and nothing else does.

mod fail;
mod ground;
mod options;
mod settings;
mod summary;
mod tell;

pub use options::Fsx;

use crate::failure::{self, End, Outcome};
use anyhow::{Context, anyhow};
use ground::Site;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};
use summary::{Document, Summary};
use tell::Teller;
use untorn_torture::fsx::{
    Ended, Exerciser, Failure, GoOn, Plan, Power, Profile, Recorded, Source, Trouble, VolumeTarget,
    ops_file, possible, run as exercise,
};

/// Runs, tells, and cuts down what fails.
pub fn run(arguments: &Fsx, out: &mut dyn Write) -> Outcome {
    match all(arguments, out) {
        Ok(end) => Ok(end),
        Err(error) => {
            failure::tell(&error);
            Ok(End::NotRun)
        }
    }
}

fn all(arguments: &Fsx, out: &mut dyn Write) -> Outcome {
    let runs = settings::runs(arguments)?;
    let listed = listed(arguments)?;
    let mut summaries = Vec::new();
    let mut end = End::Well;
    for profile in runs {
        let summary = one(arguments, profile, listed.clone(), out)?;
        let failed = summary.failure.is_some();
        summaries.push(summary);
        if failed {
            end = End::Found;
            break;
        }
    }
    if crate::show::is_json() {
        let document = Document { good: end == End::Well, runs: &summaries };
        crate::show::json(out, &document)?;
    }
    Ok(end)
}

/// The operations to replay.
fn listed(arguments: &Fsx) -> anyhow::Result<Option<Vec<Recorded>>> {
    let Some(path) = &arguments.ways.replay_ops else { return Ok(None) };
    let name = || path.display().to_string();
    let text = std::fs::read(path).with_context(name)?;
    Ok(Some(ops_file::parse(&String::from_utf8_lossy(&text)).with_context(name)?))
}

fn one(
    arguments: &Fsx,
    profile: Profile,
    listed: Option<Vec<Recorded>>,
    out: &mut dyn Write,
) -> anyhow::Result<Summary> {
    let options = profile.options.clone();
    let mut plan = plan(arguments, profile, listed);
    let site = ground::site(arguments, &mut plan.settings)?;
    let target = |power| site.ground.target(&arguments.file, power).map_err(troubled);
    plan.settings.kinds = possible(plan.settings.kinds, &target(Power::Stays)?);
    let mut teller = Teller::new(arguments, &plan, out);
    teller.begin(&options)?;
    let begun = Instant::now();
    let ended = watched(arguments, &plan, target(plan.power())?, &site, &mut teller);
    let seconds = begun.elapsed().as_secs_f64();
    let told = teller.told(&ended.exerciser);
    let mut summary = Summary::new(&options, &plan, &ended, seconds);
    match &ended.failure {
        None => teller.end(&summary, &ended)?,
        Some(failure) => {
            let failure = Failure { name: arguments.file.to_string(), ..(**failure).clone() };
            summary.shortest = fail::report(arguments, &plan, &ended, &failure, out)?;
        }
    }
    // What was found comes first.
    told?;
    Ok(summary)
}

fn plan(arguments: &Fsx, profile: Profile, listed: Option<Vec<Recorded>>) -> Plan {
    let Profile { mut settings, mut operations, .. } = profile;
    let source = match listed {
        None => Source::Random,
        Some(ops) => {
            let reach = |op: &Recorded| if let Recorded::Op(op) = op { op.reach() } else { 0 };
            settings.make_room(ops.iter().map(reach).filter(|reach| *reach <= 1 << 30));
            operations = arguments.limits.operations.unwrap_or(ops.len() as u64);
            Source::List(ops)
        }
    };
    Plan { settings, source, operations }
}

fn troubled(trouble: Trouble) -> anyhow::Error {
    match trouble {
        Trouble::Refused(what) | Trouble::Failed(what) | Trouble::Unsound(what) => anyhow!(what),
    }
}

/// Runs with a bar, until the time is up.
fn watched<'p>(
    arguments: &Fsx,
    plan: &'p Plan,
    target: VolumeTarget,
    site: &Site,
    teller: &mut Teller<'_>,
) -> Ended<'p, VolumeTarget> {
    let duration = arguments.limits.duration.map(Duration::from_secs);
    let begun = Instant::now();
    let bar = bar(plan.operations);
    let mut watch = |run: &Exerciser<'p, VolumeTarget>| {
        teller.did(run);
        if !run.number().is_multiple_of(256) {
            return GoOn::Yes;
        }
        bar.set_position(run.number());
        match duration.is_some_and(|duration| begun.elapsed() >= duration) {
            true => GoOn::Stop,
            false => GoOn::Yes,
        }
    };
    let ended = exercise(plan, target, &site.contents, &mut watch);
    bar.finish_and_clear();
    ended
}

/// Shown on a terminal only.
fn bar(operations: u64) -> ProgressBar {
    let (bar, template) = match operations {
        u64::MAX => (ProgressBar::no_length(), "{spinner} {pos} operations {per_sec} {elapsed}"),
        _ => {
            (ProgressBar::new(operations), "{wide_bar} {pos}/{len} operations {per_sec} {elapsed}")
        }
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar
}
