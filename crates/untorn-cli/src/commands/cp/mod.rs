//! `untorn cp`: files and trees into a volume, out of it, and inside it.
//!
//! What is copied is the same on all ways: kinds, contents with their holes, permissions, owners,
//! times, extended attributes, access lists, hard links among what is copied. Memory does not grow
//! with the size of files, only with their number. Inside a volume copies share their blocks.

mod into;
mod out;

use super::{clone, operands};
use crate::arguments::{Cp, Destination, Image, Side};
use crate::failure::{Code, End, Outcome, Refusal};
use crate::{progress, show, target};
use anyhow::Context;
use indicatif::ProgressBar;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// What is copied, and what it becomes.
pub(super) struct Job<'a> {
    arguments: &'a Cp,
    bar: ProgressBar,
    /// The images that are copied from, by device and inode of the host.
    images: Vec<(u64, u64)>,
}

/// Copies in the direction that the paths say.
pub fn run(arguments: &Cp, out: &mut dyn Write) -> Outcome {
    let Some((to, from)) = arguments.paths.split_last() else { return Ok(End::Well) };
    let images = from.iter().filter_map(|side| match side {
        Side::Volume(side) => fs::metadata(&side.image).ok(),
        Side::Host(_) => None,
    });
    let images = images.map(|found| (found.dev(), found.ino())).collect();
    let job = Job { arguments, bar: progress::bar(None), images };
    let end = match (to, from) {
        (Side::Volume(to), [Side::Volume(_), ..]) => job.share(&volumes(from)?, to, out),
        (Side::Volume(to), _) => job.bring(&hosts(from)?, to, out),
        (Side::Host(to), _) => job.take_out(&volumes(from)?, to),
    };
    job.bar.finish_and_clear();
    end
}

/// All paths, each on a volume.
fn volumes(sides: &[Side]) -> anyhow::Result<Vec<&Destination>> {
    let mut found = Vec::new();
    for side in sides {
        match side {
            Side::Volume(side) => found.push(side),
            Side::Host(path) => {
                let told = format!("{}: names no path on a volume", path.display());
                return Err(Refusal::new(Code::Invalid, told).or("write IMAGE:/path").into());
            }
        }
    }
    Ok(found)
}

/// All paths, each of the host.
fn hosts(sides: &[Side]) -> anyhow::Result<Vec<&Path>> {
    let mut found = Vec::new();
    for side in sides {
        match side {
            Side::Host(path) => found.push(path.as_path()),
            Side::Volume(side) => {
                let told = format!("{}: lies on a volume, others do not", side.path);
                let remedy = "copy them one after the other";
                return Err(Refusal::new(Code::Invalid, told).or(remedy).into());
            }
        }
    }
    Ok(found)
}

impl Job<'_> {
    fn bring(&self, from: &[&Path], to: &Destination, out: &mut dyn Write) -> Outcome {
        let copy = |volume: &_| self.copy_in(volume, from, to);
        let (summary, end) = target::write(&self.image(to), copy)?;
        if show::is_json() {
            show::json(out, &show::filled::Filled::of(&summary))?;
        }
        Ok(end)
    }

    fn take_out(&self, from: &[&Destination], to: &Path) -> Outcome {
        if from.len() > 1 && !to.is_dir() {
            let told = format!("{}: is no directory, which several files need", to.display());
            return Err(Refusal::new(Code::NotADirectory, told).into());
        }
        let mut end = End::Well;
        for from in from {
            let volume = target::read(&self.image(from))?;
            if self.copy_out(&volume, &from.path, to)? != End::Well {
                end = End::Found;
            }
        }
        Ok(end)
    }

    /// By sharing blocks, on one volume.
    fn share(&self, from: &[&Destination], to: &Destination, out: &mut dyn Write) -> Outcome {
        for from in from {
            demand_same_image(&from.image, &to.image)?;
        }
        target::change(&self.image(to), out, "cloned", |volume, deeds| {
            if from.len() > 1 && !super::mv::is_directory(volume, &to.path) {
                return Err(untorn::Error::NotDirectory(to.path.to_string()).into());
            }
            operands::each(from, |Destination { path, .. }| {
                let remedy = "copy it with `untorn cp -r`";
                let made = clone::clone(volume, path, &to.path, self.arguments.recursive, remedy)?;
                deeds.add(path).with_path("to", &made);
                Ok(())
            })
        })
    }

    fn image(&self, side: &Destination) -> Image {
        Image { image: side.image.clone(), place: self.arguments.place.clone() }
    }
}

fn demand_same_image(one: &Path, other: &Path) -> anyhow::Result<()> {
    let real = |path: &Path| fs::canonicalize(path).with_context(|| path.display().to_string());
    match real(one)? == real(other)? {
        true => Ok(()),
        false => {
            let told = "copying from one volume to another is not done in one step";
            let remedy = "copy out of the first to a folder, then into the second";
            Err(Refusal::new(Code::Unsupported, told).or(remedy).into())
        }
    }
}
