//! Files that are made where a symbolic link leads to nothing yet, as Linux makes them.

use crate::arguments::VolumePath;
use crate::failure::{At, Code, Refusal};
use crate::show;
use untorn::{Error, File, NewFile, Volume};
use untorn_format::Ino;

/// Symbolic links that one path has led through.
#[derive(Default)]
pub struct Hops(usize);

impl Hops {
    /// Symbolic links that one path may lead through, as on Linux.
    const MOST: usize = 40;

    /// Counts one more on the way along `path`.
    pub fn follow(&mut self, path: &VolumePath) -> anyhow::Result<()> {
        self.0 += 1;
        match self.0 > Self::MOST {
            true => Err(Error::SymlinkLoop(path.to_string()).into()),
            false => Ok(()),
        }
    }
}

/// The path that links at the end of `path` lead to, whether anything is there or not.
pub fn end_of(volume: &Volume, path: &VolumePath) -> anyhow::Result<VolumePath> {
    let (mut at, mut hops) = (path.clone(), Hops::default());
    while !at.ends_with_slash() {
        let Ok(target) = volume.read_link(&at) else { break };
        hops.follow(path)?;
        at = match target.starts_with(b"/") {
            true => VolumePath::new(target),
            false => at.above().join(&target),
        };
    }
    Ok(at)
}

/// What `path` leads to; says so where it is a link to nothing.
pub fn lookup(volume: &Volume, path: &VolumePath) -> anyhow::Result<Ino> {
    let found = volume.lookup(path);
    match (&found, volume.read_link(path.without_slashes())) {
        (Err(Error::NotFound(_)), Ok(target)) => {
            let told = format!("{path}: dangling symbolic link to {}", show::printable(&target));
            let remedy = "make what it leads to first";
            Err(Refusal::new(Code::NotFound, told).or(remedy).into())
        }
        _ => found.at(path),
    }
}

/// Makes the file `path`, which leads to nothing yet; also the path that it has then.
pub fn create(
    volume: &Volume,
    path: &VolumePath,
    new: NewFile,
) -> anyhow::Result<(File, VolumePath)> {
    let end = end_of(volume, path)?;
    let file = named(volume.create_file(&end, new), path, &end)?;
    Ok((file, end))
}

/// Says what is wrong where `path` is a link to `end`, which could not be made.
pub fn named<T>(made: untorn::Result<T>, path: &VolumePath, end: &VolumePath) -> anyhow::Result<T> {
    match made {
        Err(Error::NotFound(_)) if end != path => {
            let told = format!("{path}: dangling symbolic link to {end}, whose directory is not");
            let remedy = "make it with `untorn mkdir -p`, or remove the link";
            Err(Refusal::new(Code::NotFound, format!("{told} there")).or(remedy).into())
        }
        made => made.at(path),
    }
}
