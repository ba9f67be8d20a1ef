//! `untorn bmap`: where files' blocks lie.

use super::operands;
use crate::arguments::{Bmap, VolumePath};
use crate::failure::{At, Outcome};
use crate::show::bmap::{self, Json, Row, Stripes};
use crate::show::{self, Items};
use crate::target;
use std::io::Write;
use untorn::Volume;
use untorn_format::Fork;

/// Shows the map of one fork of each file.
pub fn run(arguments: &Bmap, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    Items::of(out, |items| {
        operands::each(&arguments.paths, |path| map(&volume, path, arguments, items))
    })
}

fn map(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Bmap,
    items: &mut Items<'_>,
) -> anyhow::Result<()> {
    let fork = if arguments.attributes { Fork::Attr } else { Fork::Data };
    let extents = volume.extents(path, fork).at(path)?;
    let stripes = Stripes::of(volume.superblock());
    let rows: Vec<Row> = extents.iter().map(|extent| Row::of(extent, stripes)).collect();
    if show::is_json() {
        return rows.iter().try_for_each(|row| items.put(&Json { path, row }));
    }
    bmap::table(items.out, &path.to_string(), &rows)?;
    let mapped = rows.iter().any(|row| row.block.is_some());
    if arguments.verbose > 1 && mapped {
        bmap::legend(items.out)?;
    }
    Ok(())
}
