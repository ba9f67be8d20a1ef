//! `untorn stat`: what is known of files.

use super::operands;
use crate::accounts::Accounts;
use crate::arguments::{Stat, VolumePath};
use crate::failure::{At, Outcome};
use crate::show::stat::{self, Facts};
use crate::show::{self, Items};
use crate::target;
use std::io::Write;
use untorn::Volume;
use untorn_format::inode::FileKind;

/// Shows each file; of a symbolic link, the link, unless what it leads to was asked for.
pub fn run(arguments: &Stat, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let names = arguments.format.as_ref().map(|format| (format, Accounts::of(&volume)));
    Items::of(out, |items| {
        operands::each(&arguments.paths, |path| {
            let facts = look(&volume, path, arguments)?;
            match &names {
                Some((format, accounts)) => Ok(format.write(items.out, &facts, accounts)?),
                None if show::is_json() => items.put(&stat::Json::of(&facts)),
                None => Ok(stat::text(items.out, &facts)?),
            }
        })
    })
}

fn look(volume: &Volume, path: &VolumePath, arguments: &Stat) -> anyhow::Result<Facts> {
    let metadata = match arguments.dereference {
        true => volume.lookup(path).and_then(|ino| volume.metadata_of(ino)).at(path)?,
        false => volume.metadata(path).at(path)?,
    };
    let target = match metadata.kind {
        FileKind::Symlink => Some(volume.link_target(metadata.inode.ino).at(path)?),
        _ => None,
    };
    let block_size = volume.superblock().geometry.block_size() as u64;
    Ok(Facts { path: path.clone(), metadata, target, block_size })
}
