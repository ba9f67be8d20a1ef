//! `untorn check`: what the independent checker finds.

use crate::arguments::Check;
use crate::failure::{self, End, Outcome};
use crate::{show, target};
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::sync::Arc;
use untorn::{OpenOptions, Volume};
use untorn_check::{Options, Progress, Report, Stage, check};
use untorn_device::{Access, BlockDevice, OverlayDevice};

/// Checks and tells. The end says whether the volume is clean, damaged, or could not be checked.
pub fn run(arguments: &Check, out: &mut dyn Write) -> Outcome {
    let report = match look(arguments) {
        Ok(report) => report,
        Err(error) => {
            failure::tell(&error);
            return Ok(End::Unchecked);
        }
    };
    match show::is_json() {
        true => show::json(out, &report)?,
        false => tell(&report, out)?,
    }
    Ok(if report.is_clean() { End::Well } else { End::Found })
}

fn look(arguments: &Check) -> anyhow::Result<Report> {
    let mut device = target::device(&arguments.image, Access::ReadOnly)?;
    // Without a superblock there is nothing to replay: the checker says why.
    if arguments.replay && untorn::probe(&*device).is_ok() {
        device = replayed(device).context("replaying the journal in memory")?;
    }
    let bar = bar();
    let show = |progress: Progress| {
        bar.set_message(stage(progress.stage));
        bar.set_length(progress.of);
        bar.set_position(progress.done);
    };
    let options = Options { limit: arguments.limit, progress: Some(&show), ..Options::default() };
    let report = check(&*device, &options);
    bar.finish_and_clear();
    Ok(report?)
}

/// The volume as recovery would leave it, on an overlay.
fn replayed(device: Arc<dyn BlockDevice>) -> untorn::Result<Arc<dyn BlockDevice>> {
    let overlay: Arc<dyn BlockDevice> = Arc::new(OverlayDevice::new(device));
    Volume::open(Arc::clone(&overlay), OpenOptions::default())?.close()?;
    Ok(overlay)
}

/// Shown on a terminal only.
fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:>12} {wide_bar} {pos}/{len} {elapsed}");
    let bar = ProgressBar::new(0);
    if let Ok(style) = style {
        bar.set_style(style);
    }
    bar
}

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Groups => "groups",
        Stage::Inodes => "inodes",
        Stage::Directories => "directories",
        Stage::Links => "links",
        Stage::Owners => "owners",
    }
}

fn tell(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    write!(out, "{report}")?;
    let stats = &report.stats;
    let verdict = match report.findings.len() {
        0 => "clean".to_owned(),
        1 => "1 finding".to_owned(),
        count => format!("{count} findings"),
    };
    writeln!(
        out,
        "{verdict}: {} allocation groups, {} inodes, {} directories, {} extents looked at",
        stats.groups, stats.inodes, stats.directories, stats.extents
    )
}
