//! `untorn grow`: makes a volume as large as its image has become.

use crate::arguments::Grow;
use crate::failure::{End, Outcome};
use crate::{show, target};
use anyhow::{Context, bail};
use serde::Serialize;
use std::io::Write;
use untorn_device::Access;

#[derive(Serialize)]
struct Json {
    image: String,
    block_size: u32,
    blocks_before: u64,
    blocks: u64,
    ag_count_before: u32,
    ag_count: u32,
}

/// Grows the volume and says so as xfs_growfs does.
pub fn run(arguments: &Grow, out: &mut dyn Write) -> Outcome {
    let name = arguments.image.name();
    let device = target::device(&arguments.image, Access::ReadWrite)?;
    let superblock = untorn::probe(&*device).with_context(|| name.clone())?;
    let block = 1 << superblock.geometry.block_log;
    let size = match arguments.blocks.map(|blocks| blocks.checked_mul(block)) {
        Some(None) => bail!("-D: more than 64 bits can say in bytes"),
        Some(size) => size,
        None => arguments.size,
    };
    let grown = untorn::grow(device, size).with_context(|| name.clone())?;
    if show::is_json() {
        show::json(
            out,
            &Json {
                image: name,
                block_size: grown.block_size,
                blocks_before: grown.blocks_before,
                blocks: grown.blocks,
                ag_count_before: grown.groups_before,
                ag_count: grown.groups,
            },
        )?;
        return Ok(End::Well);
    }
    out.write_all(untorn::info::layout(&name, &superblock).as_bytes())?;
    match grown.blocks == grown.blocks_before {
        true => writeln!(out, "data size unchanged, skipping")?,
        false => {
            writeln!(out, "data blocks changed from {} to {}", grown.blocks_before, grown.blocks)?
        }
    }
    Ok(End::Well)
}
