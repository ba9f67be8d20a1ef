//! `untorn bmap`: where a file's blocks lie.

use crate::arguments::Bmap;
use crate::failure::{At, End, Outcome};
use crate::show::bmap::{self, Row, Stripes};
use crate::{show, target};
use std::io::Write;
use untorn_format::Fork;

/// Shows the map of one fork of the file.
pub fn run(arguments: &Bmap, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let fork = if arguments.attributes { Fork::Attr } else { Fork::Data };
    let extents = volume.extents(&arguments.path, fork).at(&arguments.path)?;
    let stripes = Stripes::of(volume.superblock());
    let rows: Vec<Row> = extents.iter().map(|extent| Row::of(extent, stripes)).collect();
    match show::is_json() {
        true => show::json(out, &rows)?,
        false => bmap::table(out, &arguments.path.to_string(), &rows)?,
    }
    let mapped = rows.iter().any(|row| row.block.is_some());
    if arguments.verbose > 1 && mapped && !show::is_json() {
        bmap::legend(out)?;
    }
    Ok(End::Well)
}
