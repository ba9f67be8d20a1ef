//! `untorn info`: the layout as xfs_info prints it, then whether the journal is clean.

use crate::arguments::Info;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use std::io::Write;
use untorn::journal::{InspectedLog, Reach, inspect};
use untorn_device::Access;

/// Prints the layout and, on a line of its own behind it, the state of the journal.
pub fn run(arguments: &Info, out: &mut dyn Write) -> Outcome {
    let name = arguments.image.name();
    let device = target::device(&arguments.image, Access::ReadOnly)?;
    let superblock = untorn::probe(&*device).with_context(|| name.clone())?;
    let log = match superblock.geometry.log_start.0 {
        0 => None,
        _ => Some(inspect(device, &superblock, Reach::Active, |_| ())?),
    };
    if show::is_json() {
        show::json(out, &show::info::Layout::of(&name, &superblock, log.as_ref()))?;
        return Ok(End::Well);
    }
    out.write_all(untorn::info::layout(&name, &superblock).as_bytes())?;
    writeln!(out, "journal is {}", state(log.as_ref()))?;
    Ok(End::Well)
}

fn state(log: Option<&InspectedLog>) -> &'static str {
    match log {
        None => "on another device: not looked at",
        Some(log) if log.clean => "clean",
        Some(_) => "dirty: `untorn recover` or a mount replays it",
    }
}
