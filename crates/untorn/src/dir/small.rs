//! Changing short-form and block-form directories, and going from one to the other.
//!
//! The form is decided as Linux does: entries stay inside the inode while they fit beside the
//! attributes, move to one block when they no longer do, and move back as soon as they do again.

use std::sync::Arc;
use untorn_format::da::{Birth, Fit};
use untorn_format::dir::short_edit::Room;
use untorn_format::dir::{Block, FileType, NewEntry, Short, block_edit, short, short_edit};
use untorn_format::{Fault, Geometry, Ino};

/// The data fork of a directory inside a transaction that holds its owner lock.
///
/// After an error the transaction must be dropped: the fork may be between two forms.
pub trait DirFork {
    /// What its operations fail with.
    type Error;

    /// The volume's numbers.
    fn geometry(&self) -> &Geometry;
    /// Whether the fork is in blocks and nothing is mapped past the first directory block. The size
    /// does not tell: a directory with an index may have one data block left.
    fn is_one_block(&mut self) -> Result<bool, Self::Error>;
    /// Bytes of the inode that the data fork may fill, up to the attribute fork or the end.
    fn room(&self) -> usize;
    /// The contents, where the fork is inline.
    fn inline(&self) -> Option<&[u8]>;
    /// Makes the fork inline with these contents and the size their length. Called where it is
    /// inline already, where the inode is new, and after [`Self::shrink`].
    fn set_inline(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// The image of the only block, at da block 0, verified as `BlockKind::DirBlock`.
    fn read(&mut self) -> Result<Arc<[u8]>, Self::Error>;
    /// A private copy of the only block, to be changed.
    fn stage(&mut self) -> Result<&mut [u8], Self::Error>;
    /// Gives an inline fork one directory block instead: allocates it, maps it at da block 0, sets
    /// format and size, and stages its bytes as `BlockKind::DirBlock`. What they are is of no
    /// matter. Also says what the block must say of itself.
    fn grow(&mut self) -> Result<(Birth, &mut [u8]), Self::Error>;
    /// Unmaps and frees the only block. [`Self::set_inline`] follows.
    fn shrink(&mut self) -> Result<(), Self::Error>;
    /// The error for a fault found in the fork.
    fn corrupt(&self, fault: Fault) -> Self::Error;
}

/// Makes the fork of a new directory: empty, below `parent`.
pub fn init<F: DirFork>(fork: &mut F, parent: Ino) -> Result<(), F::Error> {
    fork.set_inline(&short_edit::init(parent))
}

/// What became of an entry that was to be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is there.
    Done,
    /// The directory is in block form, and the block is full.
    NoRoom,
}

/// Adds an entry. The name must not be there yet: the caller looked it up under the same lock.
pub(crate) fn try_add<F: DirFork>(fork: &mut F, new: NewEntry<'_>) -> Result<Added, F::Error> {
    let Some(mut bytes) = inline(fork)? else { return add_to_block(fork, new) };
    let room = room(fork);
    let fit = short_edit::add(&mut bytes, new, room).map_err(|fault| fork.corrupt(fault))?;
    match fit {
        Fit::Done => fork.set_inline(&bytes).map(|()| Added::Done),
        Fit::NoRoom => {
            to_block(fork, &bytes)?;
            add_to_block(fork, new)
        }
    }
}

/// Removes the entry `name` (never `.` or `..`) and says what it named; `None` where there is none
/// such.
pub fn remove<F: DirFork>(fork: &mut F, name: &[u8]) -> Result<Option<Ino>, F::Error> {
    assert!(name != b"." && name != b"..", "{} stays", name.escape_ascii());
    if let Some(mut bytes) = inline(fork)? {
        let removed = short_edit::remove(&mut bytes, name);
        let removed = removed.map_err(|fault| fork.corrupt(fault))?;
        if removed.is_some() {
            fork.set_inline(&bytes)?;
        }
        return Ok(removed);
    }
    let removed = block_edit::remove(stage(fork)?, name);
    let removed = removed.map_err(|fault| fork.corrupt(fault))?;
    if removed.is_some() {
        to_short(fork)?;
    }
    Ok(removed.map(|was| was.ino))
}

/// Moves the entries of a block into the inode, where they fit there.
pub(super) fn to_short<F: DirFork>(fork: &mut F) -> Result<(), F::Error> {
    let room = fork.room();
    let short = block_edit::to_short(stage(fork)?, room);
    let Some(short) = short.map_err(|fault| fork.corrupt(fault))? else { return Ok(()) };
    fork.shrink()?;
    fork.set_inline(&short)
}

/// Makes the entry `name` (or `..`) name another inode and says what it named; `None` where there
/// is none such.
pub fn replace<F: DirFork>(
    fork: &mut F,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Ino>, F::Error> {
    let Some(mut bytes) = inline(fork)? else {
        return replace_in_block(fork, name, ino, file_type);
    };
    let was = Short::parse(&bytes).and_then(|short| match name {
        b".." => Ok(Some(short.parent())),
        _ => Ok(short.find(name)?.map(|entry| entry.ino)),
    });
    let Some(was) = was.map_err(|fault| fork.corrupt(fault))? else { return Ok(None) };
    let room = room(fork);
    let fit = match name {
        b".." => short_edit::set_parent(&mut bytes, ino, room).map(Some),
        _ => short_edit::replace(&mut bytes, name, ino, file_type, room),
    };
    if fit.map_err(|fault| fork.corrupt(fault))? == Some(Fit::Done) {
        fork.set_inline(&bytes)?;
        return Ok(Some(was));
    }
    to_block(fork, &bytes)?;
    replace_in_block(fork, name, ino, file_type)
}

/// Whether the directory has no entries but `.` and `..`.
pub fn is_empty<F: DirFork>(fork: &mut F) -> Result<bool, F::Error> {
    if let Some(bytes) = inline(fork)? {
        let short = Short::parse(&bytes).map_err(|fault| fork.corrupt(fault))?;
        return Ok(short.count() == 0);
    }
    one_block(fork)?;
    let image = fork.read()?;
    let entries = Block::parse(&image)
        .and_then(|block| block.entries().try_fold(0, |count, entry| entry.map(|_| count + 1)));
    entries.map(|count| count <= 2).map_err(|fault| fork.corrupt(fault))
}

fn room<F: DirFork>(fork: &F) -> Room {
    Room { inline: fork.room(), dir_block_size: fork.geometry().dir_block_size() }
}

/// A copy of inline contents, checked.
fn inline<F: DirFork>(fork: &F) -> Result<Option<Vec<u8>>, F::Error> {
    let Some(bytes) = fork.inline() else { return Ok(None) };
    short::verify(bytes, fork.geometry()).map_err(|fault| fork.corrupt(fault))?;
    Ok(Some(bytes.to_vec()))
}

fn one_block<F: DirFork>(fork: &mut F) -> Result<(), F::Error> {
    let not_alone =
        Fault::Field { what: "directory", field: "block behind the only one", value: 1 };
    if fork.is_one_block()? { Ok(()) } else { Err(fork.corrupt(not_alone)) }
}

fn stage<F: DirFork>(fork: &mut F) -> Result<&mut [u8], F::Error> {
    one_block(fork)?;
    fork.stage()
}

/// Moves inline contents to a block: attributes need their place.
pub fn leave_inode<F: DirFork>(fork: &mut F) -> Result<(), F::Error> {
    match inline(fork)? {
        Some(bytes) => to_block(fork, &bytes),
        None => Ok(()),
    }
}

fn to_block<F: DirFork>(fork: &mut F, short: &[u8]) -> Result<(), F::Error> {
    let geometry = fork.geometry().clone();
    let (birth, block) = fork.grow()?;
    let made = block_edit::from_short(block, &birth, short, &geometry);
    made.map_err(|fault| fork.corrupt(fault))
}

fn add_to_block<F: DirFork>(fork: &mut F, new: NewEntry<'_>) -> Result<Added, F::Error> {
    let added = block_edit::add(stage(fork)?, new);
    let added = added.map_err(|fault| fork.corrupt(fault))?;
    Ok(if added.is_some() { Added::Done } else { Added::NoRoom })
}

fn replace_in_block<F: DirFork>(
    fork: &mut F,
    name: &[u8],
    ino: Ino,
    file_type: FileType,
) -> Result<Option<Ino>, F::Error> {
    let replaced = block_edit::replace(stage(fork)?, name, ino, file_type);
    let was = replaced.map_err(|fault| fork.corrupt(fault))?;
    Ok(was.map(|was| was.ino))
}
