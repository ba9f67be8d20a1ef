//! Files that are made where a symbolic link leads to nothing yet, as Linux makes them.

use crate::arguments::VolumePath;
use crate::failure::{At, Code, Refusal};
use crate::show;
use untorn::{AclKind, Error, File, NewFile, Volume};
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

/// Makes the file `path`, which leads to nothing yet; also the path that it has then. `new` says
/// whose it is, with these permissions unless others were given.
pub fn create(
    volume: &Volume,
    path: &VolumePath,
    new: impl FnOnce(u16) -> NewFile,
) -> anyhow::Result<(File, VolumePath)> {
    let end = end_of(volume, path)?;
    let new = new(permissions(volume, &end, 0o666));
    let file = named(volume.create_file(&end, new), path, &end)?;
    Ok((file, end))
}

/// What was done to a file, which goes again where that failed and it was `made` for it.
pub fn or_gone<T>(
    done: anyhow::Result<T>,
    volume: &Volume,
    made: Option<&VolumePath>,
) -> anyhow::Result<T> {
    if let (Err(_), Some(made)) = (&done, made) {
        // A volume that takes this no more has told why already.
        let _ = volume.remove(made);
    }
    done
}

/// A file of root.
pub fn of_root(permissions: u16) -> NewFile {
    NewFile { permissions, ..NewFile::default() }
}

/// Permissions of what is made at `path`, `all` of them where its directory hands down an access
/// list, which says who may do what; else others may not write.
pub fn permissions(volume: &Volume, path: &VolumePath, all: u16) -> u16 {
    let dir = volume.lookup(path.above());
    match dir.and_then(|dir| volume.acl_of(dir, AclKind::Default)) {
        Ok(Some(_)) => all,
        _ => all & !0o022,
    }
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
