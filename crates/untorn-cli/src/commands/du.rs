//! `untorn du`: how much space files and directories take.

use super::walk::walk;
use crate::arguments::{Du, VolumePath};
use crate::failure::{End, Outcome};
use crate::show::{self, amount};
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

/// Prints how much each path takes, and each directory below it; files of several names count
/// once.
pub fn run(arguments: &Du, out: &mut dyn Write) -> Outcome {
    let volume = target::read(&arguments.image)?;
    let mut seen = HashSet::new();
    let mut sums = Vec::new();
    for path in &arguments.paths {
        sums.append(&mut measure(&volume, path, arguments, &mut seen)?);
    }
    match show::is_json() {
        true => show::json(out, &sums)?,
        false => sums.iter().try_for_each(|sum| tell(sum, arguments, out))?,
    }
    Ok(End::Well)
}

/// The sums that were asked for, those of a directory behind those of all that is in it.
fn measure(
    volume: &Volume,
    top: &VolumePath,
    arguments: &Du,
    seen: &mut HashSet<Ino>,
) -> anyhow::Result<Vec<Sum>> {
    let block = volume.superblock().geometry.block_size() as u64;
    let mut way = Way { arguments, open: Vec::new(), done: Vec::new() };
    walk(volume, top, |path, ino, found: &Metadata| {
        let directory = found.kind == FileKind::Directory;
        let counts = found.inode.nlink < 2 || directory || seen.insert(ino);
        let bytes = if counts { found.inode.blocks.saturating_mul(block) } else { 0 };
        way.leave_for(path);
        way.open.push(Sum { path: path.clone(), bytes, directory });
        Ok(())
    })?;
    while way.open.len() > 1 {
        way.leave();
    }
    way.done.append(&mut way.open);
    Ok(way.done)
}

/// Directories whose sums grow, each in the one before it.
struct Way<'a> {
    arguments: &'a Du,
    open: Vec<Sum>,
    done: Vec<Sum>,
}

impl Way<'_> {
    /// Leaves what `path` does not lie in.
    fn leave_for(&mut self, path: &VolumePath) {
        let lies_in = |sum: &Sum| {
            let above = sum.path.without_slashes();
            let rest = path.as_ref().strip_prefix(above);
            rest.is_some_and(|rest| rest.starts_with(b"/"))
        };
        while self.open.len() > 1 && !self.open.last().is_some_and(lies_in) {
            self.leave();
        }
    }

    fn leave(&mut self) {
        let Some(sum) = self.open.pop() else { return };
        if let Some(above) = self.open.last_mut() {
            above.bytes = above.bytes.saturating_add(sum.bytes);
        }
        if !self.arguments.sum && (sum.directory || self.arguments.all) {
            self.done.push(sum);
        }
    }
}

fn tell(sum: &Sum, arguments: &Du, out: &mut dyn Write) -> std::io::Result<()> {
    match arguments.human.human {
        true => write!(out, "{}\t", amount::human(sum.bytes))?,
        false => write!(out, "{}\t", sum.bytes.div_ceil(1024))?,
    }
    arguments.ends.write(out, sum.path.as_ref())
}
