//! Paths inside a volume: `/` separated, symbolic links followed inside the volume.

use super::forks::{lookup_inode, read_link};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use std::sync::Arc;
use untorn_format::inode::FileKind;

/// Symbolic links that one path may lead through.
const MAX_LINKS: usize = 40;
/// Longest name in a directory.
pub(super) const MAX_NAME: usize = 255;

/// What to do with a symbolic link at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Go where it points.
    Last,
    /// Name the link itself.
    NotLast,
}

/// The parts of `path` in reverse, ready to be popped.
fn parts(path: &[u8]) -> Vec<Vec<u8>> {
    let parts = path.split(|&b| b == b'/').filter(|part| !part.is_empty());
    parts.rev().map(<[u8]>::to_vec).collect()
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// The inode that `path` names, from the root.
pub(crate) fn resolve(core: &Core, path: &[u8], follow: Follow) -> Result<Arc<Inode>> {
    let root = core.superblock.root_ino;
    let mut at = core.inodes.load(core, root)?;
    let mut todo = parts(path);
    let mut links = 0;
    while let Some(name) = todo.pop() {
        let next = find_in(core, &at, &name).map_err(|error| name_error(error, path))?;
        let is_link = next.core()?.kind() == Some(FileKind::Symlink);
        if !is_link || (todo.is_empty() && follow == Follow::NotLast) {
            at = next;
            continue;
        }
        links += 1;
        if links > MAX_LINKS {
            return Err(Error::SymlinkLoop(shown(path)));
        }
        let target = read_link(core, &next)?;
        if target.first() == Some(&b'/') {
            at = core.inodes.load(core, root)?;
        }
        todo.extend(parts(&target));
    }
    Ok(at)
}

/// What `name` names in the directory `at`.
pub(crate) fn find_in(core: &Core, at: &Inode, name: &[u8]) -> Result<Arc<Inode>> {
    check_name(name)?;
    match lookup_inode(core, at, name)? {
        Some(inode) => Ok(inode),
        None => Err(Error::NotFound(shown(name))),
    }
}

/// Puts the path that the caller gave into an error about a part of it.
fn name_error(error: Error, path: &[u8]) -> Error {
    match error {
        Error::NotFound(_) => Error::NotFound(shown(path)),
        Error::NotDirectory(_) => Error::NotDirectory(shown(path)),
        other => other,
    }
}

/// Refuses names that no entry can have.
pub(super) fn check_name(name: &[u8]) -> Result<()> {
    match name {
        [] => Err(Error::Invalid("a name has at least one byte".to_owned())),
        _ if name.len() > MAX_NAME => {
            Err(Error::Invalid(format!("{}: a name has at most {MAX_NAME} bytes", shown(name))))
        }
        _ if name.contains(&0) => Err(Error::Invalid(format!("{:?}: NUL in a name", shown(name)))),
        _ => Ok(()),
    }
}

/// Refuses names that no entry that comes or goes can have.
pub(crate) fn check_entry(name: &[u8]) -> Result<()> {
    check_name(name)?;
    if name == b"." || name == b".." {
        let told = format!("{}: every directory has this name, it stays as it is", shown(name));
        return Err(Error::Invalid(told));
    }
    if name.contains(&b'/') {
        return Err(Error::Invalid(format!("{}: a name has no slash in it", shown(name))));
    }
    Ok(())
}

/// The directory that holds (or would hold) the last part of `path`, and that part.
pub(crate) fn parent_of(core: &Core, path: &[u8]) -> Result<(Arc<Inode>, Vec<u8>)> {
    let mut all = parts(path);
    if all.is_empty() {
        return Err(Error::Exists("/".to_owned()));
    }
    let name = all.remove(0);
    check_entry(&name)?;
    all.reverse();
    let parent = resolve(core, &all.join(&b'/'), Follow::Last)?;
    match parent.core()?.kind() {
        Some(FileKind::Directory) => Ok((parent, name)),
        _ => Err(Error::NotDirectory(shown(path))),
    }
}
