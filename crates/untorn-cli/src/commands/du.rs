//! `untorn du`: how much space files and directories take.

use super::operands::Told;
use super::walk::{Onward, walk};
use crate::arguments::{Du, VolumePath};
use crate::failure::Outcome;
use crate::show::{self, Items, amount};
use crate::target;
use serde::Serialize;
use std::collections::HashSet;
use std::io::Write;
use untorn::{Metadata, Volume};
use untorn_format::Ino;
use untorn_format::inode::FileKind;

/// What a path takes.
#[derive(Serialize)]
struct Sum {
    #[serde(flatten)]
    path: VolumePath,
    bytes: u64,
    #[serde(skip)]
    directory: bool,
}

/// What all paths take together.
#[derive(Serialize)]
struct Total {
    total: u64,
}

/// Prints how much each path takes, and each directory below it; what is met again under another
/// name, or as another operand, counts once and is not shown again.
pub fn run(arguments: &Du, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut seen = Seen { several: arguments.paths.len() > 1, inodes: HashSet::new() };
    Items::of(out, |items| {
        let (mut told, mut total) = (Told::default(), 0_u64);
        for path in &arguments.paths {
            let measured = measure(&volume, path, arguments, &mut seen, &mut told);
            let sums = told.of(measured)?.unwrap_or_default();
            sums.iter().try_for_each(|sum| show(sum, arguments, items))?;
            total = total.saturating_add(sums.last().map_or(0, |sum| sum.bytes));
        }
        if arguments.total {
            match show::is_json() {
                true => items.put(&Total { total })?,
                false => line(b"total", total, arguments, items)?,
            }
        }
        told.end()
    })
}

/// What was met already, where it can be met again.
struct Seen {
    /// Whether operands may lie in each other.
    several: bool,
    inodes: HashSet<Ino>,
}

impl Seen {
    fn is_first(&mut self, found: &Metadata) -> bool {
        let linked = found.inode.nlink > 1 && found.kind != FileKind::Directory;
        !(linked || self.several) || self.inodes.insert(found.inode.ino)
    }
}

/// The sums that were asked for, those of a directory behind those of all that is in it.
fn measure(
    volume: &Volume,
    top: &VolumePath,
    arguments: &Du,
    seen: &mut Seen,
    told: &mut Told,
) -> anyhow::Result<Vec<Sum>> {
    let block = volume.superblock().geometry.block_size() as u64;
    let mut way = Way { arguments, open: Vec::new(), done: Vec::new() };
    walk(volume, top, told, |step, _| {
        if !seen.is_first(step.found) {
            return Ok(Onward::Past);
        }
        way.leave_for(step.depth);
        let bytes = step.found.inode.blocks.saturating_mul(block);
        let directory = step.found.kind == FileKind::Directory;
        way.open.push(Sum { path: step.path.clone(), bytes, directory });
        Ok(Onward::Down)
    })?;
    way.leave_for(0);
    Ok(way.done)
}

/// Directories whose sums grow, each in the one before it.
struct Way<'a> {
    arguments: &'a Du,
    open: Vec<Sum>,
    done: Vec<Sum>,
}

impl Way<'_> {
    /// Leaves what is no directory above a place of this depth.
    fn leave_for(&mut self, depth: usize) {
        while self.open.len() > depth
            && let Some(sum) = self.open.pop()
        {
            if let Some(above) = self.open.last_mut() {
                above.bytes = above.bytes.saturating_add(sum.bytes);
            }
            let depth = self.open.len();
            let most = if self.arguments.sum { Some(0) } else { self.arguments.max_depth };
            let shown = depth == 0 || sum.directory || self.arguments.all;
            if shown && most.is_none_or(|most| depth <= most) {
                self.done.push(sum);
            }
        }
    }
}

fn show(sum: &Sum, arguments: &Du, items: &mut Items<'_>) -> anyhow::Result<()> {
    match show::is_json() {
        true => items.put(sum),
        false => line(sum.path.as_ref(), sum.bytes, arguments, items),
    }
}

fn line(name: &[u8], bytes: u64, arguments: &Du, items: &mut Items<'_>) -> anyhow::Result<()> {
    match arguments.human.human {
        true => write!(items.out, "{}\t", amount::human(bytes))?,
        false => write!(items.out, "{}\t", bytes.div_ceil(1024))?,
    }
    Ok(arguments.ends.write(items.out, name)?)
}
