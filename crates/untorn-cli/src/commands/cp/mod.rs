//! `untorn cp`: files and trees into a volume and out of it.
//!
//! What is copied is the same on both ways: kinds, contents with their holes, permissions, owners,
//! times, extended attributes, access lists, hard links among what is copied. Memory does not grow
//! with the size of files, only with their number.

mod into;
mod out;

use crate::arguments::{Cp, Destination, Image};
use crate::failure::{End, Outcome};
use crate::{progress, show, target};
use anyhow::bail;
use indicatif::ProgressBar;
use std::io::Write;
use std::path::PathBuf;

/// Bytes that are copied at a time.
const PIECE: usize = 1 << 20;

/// One end of a copy.
#[derive(Clone, Debug)]
pub enum Side {
    /// A path on the volume of an image.
    Volume(Destination),
    /// A path of the host.
    Host(PathBuf),
}

/// What is copied, and what it becomes.
pub(super) struct Job<'a> {
    arguments: &'a Cp,
    bar: ProgressBar,
}

/// Copies in the direction that the paths say.
pub fn run(arguments: &Cp, out: &mut dyn Write) -> Outcome {
    let Some((to, from)) = arguments.paths.split_last() else { return Ok(End::Well) };
    let mut end = End::Well;
    let job = Job { arguments, bar: progress::bar(None) };
    match to {
        Side::Volume(to) => {
            let from = from.iter().map(|side| match side {
                Side::Host(path) => Ok(path.as_path()),
                Side::Volume(_) => bail!("copying inside volumes is not there yet: use two steps"),
            });
            let from = from.collect::<anyhow::Result<Vec<_>>>()?;
            let image = image(arguments, to);
            let summary = target::write(&image, |volume| job.copy_in(volume, &from, to))?;
            if arguments.json {
                show::json(out, &show::filled::Filled::of(&summary))?;
            }
        }
        Side::Host(to) => {
            for side in from {
                let Side::Volume(from) = side else {
                    return Err(anyhow::anyhow!("no path names a volume: write IMAGE:/path"));
                };
                let volume = target::read(&image(arguments, from))?;
                if job.copy_out(&volume, &from.path, to)? != End::Well {
                    end = End::Found;
                }
            }
        }
    }
    job.bar.finish_and_clear();
    Ok(end)
}

fn image(arguments: &Cp, side: &Destination) -> Image {
    Image { image: side.image.clone(), place: arguments.place.clone() }
}
