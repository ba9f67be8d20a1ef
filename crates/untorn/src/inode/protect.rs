//! What the flags of an inode protect it from: the one place that reads "immutable" and
//! "append-only".

use crate::error::{Error, Result};
use untorn_format::Ino;
use untorn_format::inode::InodeFlags;

/// How a call changes an inode, as far as a protected one may refuse it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// What it has: bytes, length, entries, names.
    Rewrite,
    /// New bytes behind its end, new entries.
    Append,
    /// Blocks behind its bytes.
    Allocate,
}

/// Refuses a change that inode `ino` is protected from by its `flags`.
pub(crate) fn demand_open(ino: Ino, flags: InodeFlags, change: Change) -> Result<()> {
    if flags.has(InodeFlags::IMMUTABLE) {
        return Err(Error::Protected(format!("inode {ino} is marked immutable")));
    }
    if flags.has(InodeFlags::APPEND) && change == Change::Rewrite {
        return Err(Error::Protected(format!("inode {ino} is marked append-only")));
    }
    Ok(())
}
