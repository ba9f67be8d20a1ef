//! `untorn truncate`: gives files a size.

use super::operands;
use crate::arguments::{Truncate, VolumePath};
use crate::failure::{At, Code, Outcome, Refusal};
use crate::show::Deeds;
use crate::target;
use std::io::Write;
use untorn::{Error, NewFile, Volume};

/// Cuts or lengthens each path.
pub fn run(arguments: &Truncate, out: &mut dyn Write) -> Outcome {
    target::change(&arguments.image, out, "truncated", |volume, deeds| {
        operands::each(&arguments.paths, |path| truncate(volume, path, arguments, deeds))
    })
}

fn truncate(
    volume: &Volume,
    path: &VolumePath,
    arguments: &Truncate,
    deeds: &mut Deeds,
) -> anyhow::Result<()> {
    let (file, created) = match volume.open_file(path) {
        Err(Error::NotFound(_)) if arguments.no_create => return Ok(()),
        Err(Error::NotFound(_)) => (volume.create_file(path, NewFile::default()).at(path)?, true),
        file => (file.at(path)?, false),
    };
    let size = arguments.size.of(file.size().at(path)?);
    let size = size.ok_or_else(|| {
        let told = format!("{path}: the new size is more than 64 bits can say");
        Refusal::new(Code::Invalid, told)
    })?;
    file.truncate(size).at(path)?;
    deeds.add(path).with("size", size).with("created", created);
    Ok(())
}
