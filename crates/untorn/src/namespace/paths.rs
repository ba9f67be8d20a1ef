//! Paths inside a volume: `/` separated, symbolic links followed inside the volume.

use super::forks::{lookup_inode, read_link};
use crate::core::Core;
use crate::error::{Error, Result};
use crate::inode::Inode;
use std::borrow::Cow;
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

/// The first part of `path` and what follows it; nothing where there are only slashes.
fn first_part(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = path.iter().position(|&b| b != b'/')?;
    let path = path.get(start..)?;
    let end = path.iter().position(|&b| b == b'/').unwrap_or(path.len());
    path.split_at_checked(end)
}

/// What comes before the last part of `path`, and that part.
fn last_part(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = path.iter().rposition(|&b| b != b'/')? + 1;
    let path = path.get(..end)?;
    let start = path.iter().rposition(|&b| b == b'/').map_or(0, |slash| slash + 1);
    path.split_at_checked(start)
}

fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).into_owned()
}

/// The inode that `path` names, from the root.
pub(crate) fn resolve(core: &Core, path: &[u8], follow: Follow) -> Result<Arc<Inode>> {
    let root = core.superblock.root_ino;
    let mut at = core.inodes.load(core, root)?;
    let mut rest = Cow::Borrowed(path);
    let mut links = 0;
    while let Some((name, behind)) = first_part(&rest) {
        let next = find_in(core, &at, name).map_err(|error| name_error(error, path))?;
        let is_link = next.kind()? == Some(FileKind::Symlink);
        if !is_link || (first_part(behind).is_none() && follow == Follow::NotLast) {
            at = next;
            let passed = rest.len() - behind.len();
            rest = match rest {
                Cow::Borrowed(rest) => Cow::Borrowed(rest.get(passed..).unwrap_or_default()),
                Cow::Owned(mut rest) => {
                    rest.drain(..passed);
                    Cow::Owned(rest)
                }
            };
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
        rest = Cow::Owned([&target, &b"/"[..], behind].concat());
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
    let (above, name) = last_part(path).ok_or_else(|| Error::Exists("/".to_owned()))?;
    check_entry(name)?;
    let parent = resolve(core, above, Follow::Last)?;
    match parent.kind()? {
        Some(FileKind::Directory) => Ok((parent, name.to_vec())),
        _ => Err(Error::NotDirectory(shown(path))),
    }
}
