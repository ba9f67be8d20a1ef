//! `untorn stat`: what is known of a file.

use crate::arguments::Stat;
use crate::failure::{End, Outcome};
use crate::show::stat::{self, Facts};
use crate::{show, target};
use std::io::Write;
use untorn::Volume;
use untorn_format::inode::FileKind;

/// Shows each file; of a symbolic link, the link.
pub fn run(arguments: &Stat, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut all = Vec::new();
    for path in &arguments.paths {
        let facts = look(&volume, path)?;
        match arguments.reading.json {
            true => all.push(stat::Json::of(&facts)),
            false => stat::text(out, &facts)?,
        }
    }
    if arguments.reading.json {
        show::json(out, &all)?;
    }
    Ok(End::Well)
}

fn look(volume: &Volume, path: &str) -> anyhow::Result<Facts> {
    let metadata = volume.metadata(path)?;
    let target = match metadata.kind {
        FileKind::Symlink => Some(volume.read_link(path)?),
        _ => None,
    };
    let block_size = volume.superblock().geometry.block_size() as u64;
    Ok(Facts { path: path.to_owned(), metadata, target, block_size })
}
