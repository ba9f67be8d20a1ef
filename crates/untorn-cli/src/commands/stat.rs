//! `untorn stat`: what is known of a file.

use crate::arguments::{Stat, VolumePath};
use crate::failure::{At, End, Outcome};
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
        match show::is_json() {
            true => all.push(stat::Json::of(&facts)),
            false => stat::text(out, &facts)?,
        }
    }
    if show::is_json() {
        show::json(out, &all)?;
    }
    Ok(End::Well)
}

fn look(volume: &Volume, path: &VolumePath) -> anyhow::Result<Facts> {
    let metadata = volume.metadata(path).at(path)?;
    let target = match metadata.kind {
        FileKind::Symlink => Some(volume.read_link(path).at(path)?),
        _ => None,
    };
    let block_size = volume.superblock().geometry.block_size() as u64;
    Ok(Facts { path: path.clone(), metadata, target, block_size })
}
