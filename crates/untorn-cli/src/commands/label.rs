//! `untorn label`: shows, sets or clears the label.

use crate::arguments::Label;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn_device::Access;

#[derive(Serialize)]
struct Json {
    image: String,
    label: String,
}

/// Changes the label where one is given; prints it as xfs_admin does.
pub fn run(arguments: &Label, out: &mut dyn Write) -> Outcome {
    let name = arguments.image.name();
    let new = match arguments.clear {
        true => Some(""),
        false => match arguments.new.as_deref() {
            Some("--") => Some(""),
            new => new.or(arguments.label.as_deref()),
        },
    };
    if let Some(new) = new {
        let label = untorn::Label::new(new)?;
        let device = target::device(&arguments.image, Access::ReadWrite)?;
        untorn::set_label(device, label).with_context(|| name.clone())?;
    }
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let superblock = untorn::probe(&*device).with_context(|| name.clone())?;
    let label = String::from_utf8_lossy(superblock.label()).into_owned();
    match show::is_json() {
        true => show::json(out, &Json { image: name, label })?,
        false => writeln!(out, "label = \"{}\"", show::printable(superblock.label()))?,
    }
    Ok(End::Well)
}
