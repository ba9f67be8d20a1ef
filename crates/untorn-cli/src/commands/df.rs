//! `untorn df`: space and inodes of a volume, in the columns of df.

use crate::arguments::Df;
use crate::failure::{End, Outcome};
use crate::{show, target};
use serde::Serialize;
use std::io::Write;

#[derive(Serialize)]
struct Room {
    block_size: u32,
    blocks: u64,
    free_blocks: u64,
    available_blocks: u64,
    inodes: u64,
    free_inodes: u64,
}

/// Shows what is used and what is left.
pub fn run(arguments: &Df, out: &mut dyn Write) -> Outcome {
    let space = target::read(&arguments.image)?.space()?;
    if arguments.reading.json {
        let room = Room {
            block_size: space.block_size,
            blocks: space.blocks,
            free_blocks: space.free,
            available_blocks: space.available,
            inodes: space.inodes,
            free_inodes: space.free_inodes,
        };
        show::json(out, &room)?;
        return Ok(End::Well);
    }
    let kib = |blocks: u64| blocks * u64::from(space.block_size) / 1024;
    let used = space.blocks.saturating_sub(space.free);
    let share = (used * 100).div_ceil((used + space.available).max(1));
    writeln!(out, "Filesystem        1K-blocks       Used  Available Use% Inodes used")?;
    writeln!(
        out,
        "{:<16} {:>10} {:>10} {:>10} {:>3}% {:>11}",
        arguments.image.name(),
        kib(space.blocks),
        kib(used),
        kib(space.available),
        share,
        space.inodes.saturating_sub(space.free_inodes)
    )?;
    Ok(End::Well)
}
