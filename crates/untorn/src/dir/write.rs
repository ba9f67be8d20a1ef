//! Changing directories, whatever their form.
//!
//! ```text
//!            block is full                leaf is full
//! [small] -----------------> [single] -----------------> [node]
//! short,  <----------------- one leaf <----------------- tree of leaves
//! block    all fits a block            all fits a leaf
//! ```
//! A form is left for the larger one by the entry that does not fit, for the smaller one as soon as
//! everything fits that, as Linux does. Entries stay where they are in every change but those of
//! the short form.

use super::node::{self, NodeFork};
use super::single::{self, Single};
use super::small::{self, Added};
use untorn_format::Ino;
use untorn_format::dir::{FileType, NewEntry};

type Failure<F> = <F as super::DirFork>::Error;

/// The form of a directory that is to be changed.
enum Form {
    /// Short or block.
    Small,
    /// Leaf.
    Single(Single),
    /// Node.
    Tree,
}

fn form<F: NodeFork>(fork: &mut F) -> Result<Form, Failure<F>> {
    if fork.inline().is_some() || fork.is_one_block()? {
        return Ok(Form::Small);
    }
    Ok(single::load(fork)?.map_or(Form::Tree, Form::Single))
}

/// Adds an entry. The name must not be there yet: the caller looked it up under the same lock.
pub fn add<F: NodeFork>(fork: &mut F, new: NewEntry<'_>) -> Result<(), Failure<F>> {
    let mut form = form(fork)?;
    if let Form::Small = form {
        if small::try_add(fork, new)? == Added::Done {
            return Ok(());
        }
        form = Form::Single(single::from_block(fork)?);
    }
    if let Form::Single(mut leaf) = form {
        if single::try_add(fork, &mut leaf, &new)? == Added::Done {
            return Ok(());
        }
        node::from_single(fork, &leaf)?;
    }
    node::add(fork, &new)
}

/// Removes the entry `name` (never `.` or `..`) and says what it named; `None` where there is none
/// such.
pub fn remove<F: NodeFork>(fork: &mut F, name: &[u8]) -> Result<Option<Ino>, Failure<F>> {
    assert!(name != b"." && name != b"..", "{} stays", name.escape_ascii());
    match form(fork)? {
        Form::Small => small::remove(fork, name),
        Form::Single(mut leaf) => single::remove(fork, &mut leaf, name),
        Form::Tree => {
            let removed = node::remove(fork, name)?;
            if let Some(leaf) = node::as_single(fork)? {
                single::from_node(fork, leaf)?;
            }
            Ok(removed)
        }
    }
}

/// Makes the entry `name` (or `..`) name another inode and says what it named; `None` where there
/// is none such.
pub fn replace<F: NodeFork>(
    fork: &mut F,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Ino>, Failure<F>> {
    match form(fork)? {
        Form::Small => small::replace(fork, name, ino, file_type),
        Form::Single(leaf) => single::replace(fork, &leaf, name, (ino, file_type)),
        Form::Tree => node::replace(fork, name, (ino, file_type)),
    }
}

/// Whether the directory has no entries but `.` and `..`.
pub fn is_empty<F: NodeFork>(fork: &mut F) -> Result<bool, Failure<F>> {
    match form(fork)? {
        Form::Small => small::is_empty(fork),
        Form::Single(leaf) => Ok(leaf.entries.len() <= 2),
        Form::Tree => node::is_empty(fork),
    }
}
