//! Changing directories, whatever their form: small ones (see [`super::small`]) grow an index,
//! large ones (see [`super::node`]) lose it.

use super::node::{self, NodeFork};
use super::small;
use untorn_format::Ino;
use untorn_format::dir::{FileType, NewEntry};

/// Whether the directory has an index in blocks of its own.
fn is_indexed<F: NodeFork>(fork: &mut F) -> Result<bool, <F as super::DirFork>::Error> {
    Ok(fork.inline().is_none() && !fork.is_one_block()?)
}

/// Adds an entry. The name must not be there yet: the caller looked it up under the same lock.
pub fn add<F: NodeFork>(
    fork: &mut F,
    new: NewEntry<'_>,
) -> Result<(), <F as super::DirFork>::Error> {
    if is_indexed(fork)? {
        return node::add(fork, &new);
    }
    if small::try_add(fork, new)? == small::Added::NoRoom {
        node::from_block(fork)?;
        node::add(fork, &new)?;
    }
    Ok(())
}

/// Removes the entry `name` (never `.` or `..`) and says what it named; `None` where there is none
/// such.
pub fn remove<F: NodeFork>(
    fork: &mut F,
    name: &[u8],
) -> Result<Option<Ino>, <F as super::DirFork>::Error> {
    assert!(name != b"." && name != b"..", "{} stays", name.escape_ascii());
    match is_indexed(fork)? {
        true => node::remove(fork, name),
        false => small::remove(fork, name),
    }
}

/// Makes the entry `name` (or `..`) name another inode and says what it named; `None` where there
/// is none such.
pub fn replace<F: NodeFork>(
    fork: &mut F,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Ino>, <F as super::DirFork>::Error> {
    match is_indexed(fork)? {
        true => node::replace(fork, name, ino, file_type),
        false => small::replace(fork, name, ino, file_type),
    }
}

/// Whether the directory has no entries but `.` and `..`.
pub fn is_empty<F: NodeFork>(fork: &mut F) -> Result<bool, <F as super::DirFork>::Error> {
    match is_indexed(fork)? {
        true => node::is_empty(fork),
        false => small::is_empty(fork),
    }
}
