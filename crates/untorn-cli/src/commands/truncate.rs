//! `untorn truncate`: gives files a size.

use crate::arguments::Truncate;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Error, NewFile, Volume};

/// Cuts or lengthens each path.
pub fn run(arguments: &Truncate) -> Outcome {
    target::write(&arguments.image, |volume| {
        arguments.paths.iter().try_for_each(|path| truncate(volume, path, arguments))
    })?;
    Ok(End::Well)
}

fn truncate(volume: &Volume, path: &str, arguments: &Truncate) -> anyhow::Result<()> {
    let file = match volume.open_file(path) {
        Err(Error::NotFound(_)) if arguments.no_create => return Ok(()),
        Err(Error::NotFound(_)) => volume.create_file(path, NewFile::default())?,
        file => file?,
    };
    Ok(file.truncate(arguments.size)?)
}
