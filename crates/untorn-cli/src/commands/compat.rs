//! `untorn compat`: which Linux, GRUB and xfsprogs can deal with the volume, feature by feature.

use crate::arguments::Compat;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn::compat::{First, Here, Trait, Verdict, judge};
use untorn_device::Access;

#[derive(Serialize)]
struct Row {
    name: String,
    linux: Option<String>,
    linux_read_only: Option<String>,
    grub: Option<String>,
    xfsprogs: Option<String>,
}

#[derive(Serialize)]
struct Json<'a> {
    image: &'a str,
    #[serde(flatten)]
    whole: Row,
    untorn: &'static str,
    features: Vec<Row>,
    notes: &'a [&'static str],
}

/// Prints the answer first, then what it follows from.
pub fn run(arguments: &Compat, out: &mut dyn Write) -> Outcome {
    let name = arguments.image.name();
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let superblock = untorn::probe(&*device).with_context(|| name.clone())?;
    let verdict = judge(&superblock);
    match show::is_json() {
        true => show::json(out, &json(&name, &verdict))?,
        false => text(out, &name, &verdict)?,
    }
    Ok(End::Well)
}

fn json<'a>(image: &'a str, verdict: &'a Verdict) -> Json<'a> {
    Json {
        image,
        whole: Row::of(&verdict.whole),
        untorn: here(verdict.untorn),
        features: verdict.traits.iter().map(Row::of).collect(),
        notes: &verdict.notes,
    }
}

impl Row {
    fn of(one: &Trait) -> Self {
        let said = |first| match first {
            First::Version(version) => Some(version.to_owned()),
            First::After(version) => Some(format!("after {version}")),
            First::Unknown => None,
        };
        Self {
            name: one.name.clone(),
            linux: said(one.linux),
            linux_read_only: said(one.linux_read_only),
            grub: said(one.grub),
            xfsprogs: said(one.xfsprogs),
        }
    }
}

fn here(here: Here) -> &'static str {
    match here {
        Here::Writes => "reads and writes it",
        Here::Reads => "reads it",
        Here::Refuses => "refuses it",
    }
}

/// A version with what follows it.
fn since(first: First) -> String {
    match first {
        First::Version(version) => format!("{version} and later"),
        First::After(version) => format!("later than {version}"),
        First::Unknown => "not known".to_owned(),
    }
}

fn column(first: First) -> String {
    match first {
        First::Version(version) => version.to_owned(),
        First::After(version) => format!("> {version}"),
        First::Unknown => "not known".to_owned(),
    }
}

fn text(out: &mut dyn Write, name: &str, verdict: &Verdict) -> anyhow::Result<()> {
    let whole = &verdict.whole;
    writeln!(out, "{name}")?;
    writeln!(out, "Linux           {}", since(whole.linux))?;
    writeln!(out, "Linux, reading  {}", since(whole.linux_read_only))?;
    writeln!(out, "GRUB            {}", since(whole.grub))?;
    writeln!(out, "xfs_repair      {}", since(whole.xfsprogs))?;
    writeln!(out, "untorn          {}", here(verdict.untorn))?;
    let head = ["feature", "Linux", "reading", "GRUB", "xfsprogs"];
    writeln!(out, "\n{:<22} {:<10} {:<10} {:<10} {}", head[0], head[1], head[2], head[3], head[4])?;
    for one in &verdict.traits {
        let [linux, reading] = [one.linux, one.linux_read_only].map(column);
        let [grub, xfsprogs] = [one.grub, one.xfsprogs].map(column);
        writeln!(out, "{:<22} {linux:<10} {reading:<10} {grub:<10} {xfsprogs}", one.name)?;
    }
    for note in &verdict.notes {
        writeln!(out, "\nnote: {note}")?;
    }
    Ok(())
}
