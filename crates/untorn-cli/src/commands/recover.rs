//! `untorn recover`: replays the journal and leaves it clean.

use crate::arguments::Recover;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::Context;
use serde::Serialize;
use std::io::Write;
use untorn::{Access, OpenOptions, Recovery, Volume};
use untorn_device::Access as DeviceAccess;

#[derive(Serialize)]
struct Done {
    was_clean: bool,
    read_only: bool,
    transactions: u64,
    items: u64,
    intents: u64,
    unlinked_inodes: u64,
    staging_blocks: u64,
}

/// Replays, finishes what was left unfinished, closes, and says what was done.
pub fn run(arguments: &Recover, out: &mut dyn Write) -> Outcome {
    let found = in_memory(arguments)?;
    // Opening and closing a volume writes to it: not where there is nothing to do.
    let recovery = match arguments.read_only || found == nothing_to_do() {
        true => found,
        false => target::write(&arguments.image, |volume| Ok(volume.recovery()))?,
    };
    match show::is_json() {
        true => show::json(out, &done(&recovery, arguments.read_only))?,
        false => tell(&recovery, arguments.read_only, out)?,
    }
    Ok(End::Well)
}

fn nothing_to_do() -> Recovery {
    Recovery { was_clean: true, ..Recovery::default() }
}

fn in_memory(arguments: &Recover) -> anyhow::Result<Recovery> {
    let device = target::device(&arguments.image, DeviceAccess::ReadOnly)?;
    let options = OpenOptions { access: Access::ReadOnly, ..OpenOptions::default() };
    let volume = Volume::open(device, options).with_context(|| arguments.image.name())?;
    Ok(volume.recovery())
}

fn done(recovery: &Recovery, read_only: bool) -> Done {
    Done {
        was_clean: recovery.was_clean,
        read_only,
        transactions: recovery.transactions,
        items: recovery.items,
        intents: recovery.intents,
        unlinked_inodes: recovery.unlinked,
        staging_blocks: recovery.staging_blocks,
    }
}

fn tell(recovery: &Recovery, read_only: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if recovery.was_clean {
        writeln!(out, "journal was clean: nothing to replay")?;
    } else {
        writeln!(
            out,
            "replayed {} transactions with {} items",
            recovery.transactions, recovery.items
        )?;
    }
    let more = [
        (recovery.intents, "unfinished operations finished"),
        (recovery.unlinked, "inodes freed that were deleted while open"),
        (recovery.staging_blocks, "staging blocks of copy-on-write given back"),
    ];
    for (count, what) in more.iter().filter(|(count, _)| *count > 0) {
        writeln!(out, "{count} {what}")?;
    }
    match (read_only, recovery.was_clean) {
        (true, _) => writeln!(out, "in memory only: nothing on the device was touched"),
        (false, false) => writeln!(out, "journal is clean now"),
        (false, true) => Ok(()),
    }
}
