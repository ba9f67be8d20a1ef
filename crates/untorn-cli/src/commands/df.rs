//! `untorn df`: space and inodes of a volume, in the columns of df.

use crate::arguments::Df;
use crate::failure::{End, Outcome};
use crate::show::{self, amount};
use crate::target;
use serde::Serialize;
use std::io::Write;
use untorn::Space;

#[derive(Serialize)]
struct Room {
    block_size: u32,
    blocks: u64,
    free_blocks: u64,
    available_blocks: u64,
    inodes: u64,
    free_inodes: u64,
    /// What Linux tells of the volume where it is mounted.
    mounted: Mounted,
}

/// In blocks, and inodes that there are or may be.
#[derive(Serialize)]
struct Mounted {
    blocks: u64,
    free_blocks: u64,
    inodes: u64,
    free_inodes: u64,
}

/// Shows what is used and what is left.
pub fn run(arguments: &Df, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let (space, mounted) = (volume.space()?, volume.space_on_linux()?);
    if show::is_json() {
        let room = Room {
            block_size: space.block_size,
            blocks: space.blocks,
            free_blocks: space.free,
            available_blocks: space.available,
            inodes: space.inodes,
            free_inodes: space.free_inodes,
            mounted: Mounted {
                blocks: mounted.blocks,
                free_blocks: mounted.free,
                inodes: mounted.inodes,
                free_inodes: mounted.free_inodes,
            },
        };
        show::json(out, &room)?;
        return Ok(End::Well);
    }
    match arguments.inodes {
        true => inodes(arguments, &mounted, out)?,
        false => bytes(arguments, &mounted, out)?,
    }
    Ok(End::Well)
}

fn bytes(arguments: &Df, space: &Space, out: &mut dyn Write) -> std::io::Result<()> {
    let (total, unit): (_, fn(u64) -> String) = match (&arguments.unit, arguments.human.human) {
        (Some(_), _) => ("1B-blocks", |bytes| bytes.to_string()),
        (None, true) => ("Size", amount::human),
        (None, false) => ("1K-blocks", |bytes| bytes.div_ceil(1024).to_string()),
    };
    let shown = |blocks: u64| unit(blocks.saturating_mul(space.block_size.into()));
    let used = space.blocks.saturating_sub(space.free);
    row(arguments, "Type", ["Filesystem", total, "Used", "Available", "Use%"], out)?;
    let free = shown(space.available);
    let share = share(used, space.available);
    row(
        arguments,
        "xfs",
        [&arguments.image.name(), &shown(space.blocks), &shown(used), &free, &share],
        out,
    )
}

fn inodes(arguments: &Df, space: &Space, out: &mut dyn Write) -> std::io::Result<()> {
    let shown = |count: u64| match arguments.human.human {
        true => amount::human(count),
        false => count.to_string(),
    };
    let used = space.inodes.saturating_sub(space.free_inodes);
    row(arguments, "Type", ["Filesystem", "Inodes", "IUsed", "IFree", "IUse%"], out)?;
    let name = arguments.image.name();
    let [all, taken, free] = [space.inodes, used, space.free_inodes].map(shown);
    row(arguments, "xfs", [&name, &all, &taken, &free, &share(used, space.free_inodes)], out)
}

/// Percents, rounded up as df does.
fn share(used: u64, left: u64) -> String {
    let (used, all) = (u128::from(used) * 100, u128::from(used) + u128::from(left));
    format!("{}%", used.div_ceil(all.max(1)))
}

fn row(
    arguments: &Df,
    kind: &str,
    [name, all, used, free, share]: [&str; 5],
    out: &mut dyn Write,
) -> std::io::Result<()> {
    write!(out, "{name:<16}")?;
    if arguments.kind {
        write!(out, " {kind:<4}")?;
    }
    writeln!(out, " {all:>12} {used:>12} {free:>12} {share:>5}")
}
