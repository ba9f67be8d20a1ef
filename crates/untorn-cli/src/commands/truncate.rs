//! `untorn truncate`: gives files a size.

use super::{dangling, operands};
use crate::arguments::{Truncate, VolumePath};
use crate::capability;
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use crate::size::NewSize;
use crate::target;
use std::io::Write;
use untorn::{Error, File, Volume};

/// Cuts or lengthens each path.
pub fn run(arguments: &Truncate, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "truncated", |volume, deeds| {
        let (size, base) = wanted(volume, arguments)?;
        operands::each(&arguments.paths, |path| {
            truncate(volume, path, (arguments, size, base), deeds)
        })
    })
}

/// The size, and the one that it comes from where that is not each file's own.
fn wanted(volume: &Volume, arguments: &Truncate) -> anyhow::Result<(NewSize, Option<u64>)> {
    let Some(path) = &arguments.reference else {
        return Ok((arguments.size.unwrap_or(NewSize::More(0)), None));
    };
    let base = volume.open_file(path).and_then(|file| file.size()).at(path)?;
    match arguments.size {
        Some(NewSize::Exactly(_)) => {
            let told = "-r and -s: this size comes from no other";
            let remedy = "give one of them, or a size that does, as in -s +5";
            Err(Refusal::new(Code::Invalid, told).or(remedy).into())
        }
        size => Ok((size.unwrap_or(NewSize::More(0)), Some(base))),
    }
}

fn truncate(
    volume: &Volume,
    path: &VolumePath,
    (arguments, size, base): (&Truncate, NewSize, Option<u64>),
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    let (file, made) = match volume.open_file(path) {
        Err(Error::NotFound(_)) if arguments.no_create => return Ok(()),
        Err(Error::NotFound(_)) => {
            let (file, made) = dangling::create(volume, path, dangling::of_root)?;
            (file, Some(made))
        }
        file => (file.at(path)?, None),
    };
    let done = resize(volume, &file, path, (size, base));
    let size = dangling::or_gone(done, volume, made.as_ref())?;
    deeds.add(path).with("size", size).with("created", made.is_some());
    Ok(())
}

/// Gives a file its size, which it returns.
fn resize(
    volume: &Volume,
    file: &File,
    path: &VolumePath,
    (size, base): (NewSize, Option<u64>),
) -> anyhow::Result<u64> {
    let old = base.map_or_else(|| file.size(), Ok).at(path)?;
    let size = size.of(old).ok_or_else(|| {
        let told = format!("{path}: the new size is more than 64 bits can say");
        Refusal::new(Code::Invalid, told)
    })?;
    capability::drop_of(volume, file.ino()).and_then(|()| file.truncate(size)).at(path)?;
    Ok(size)
}
