//! `untorn ln`: gives a file one more name, or makes a symbolic link.

use super::mv::{inside, is_directory};
use crate::arguments::Ln;
use crate::failure::{End, Outcome};
use crate::target;
use untorn::{Make, NewFile, Volume};

/// Links.
pub fn run(arguments: &Ln) -> Outcome {
    target::write(&arguments.image, |volume| {
        let name = match is_directory(volume, &arguments.name) {
            true => inside(&arguments.name, &arguments.target)?,
            false => arguments.name.clone(),
        };
        if arguments.force && volume.lookup(&name).is_ok() {
            volume.remove(&name)?;
        }
        link(volume, arguments, &name)
    })?;
    Ok(End::Well)
}

fn link(volume: &Volume, arguments: &Ln, name: &str) -> anyhow::Result<()> {
    let target = &arguments.target;
    if arguments.symbolic {
        let new = NewFile { permissions: 0o777, ..NewFile::default() };
        return Ok(volume.make(name, Make::Symlink(target.as_bytes()), new).map(drop)?);
    }
    Ok(volume.link(volume.lookup(target)?, name)?)
}
