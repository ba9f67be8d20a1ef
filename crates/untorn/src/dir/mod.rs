//! Directories: looking up, listing and changing names in every form.
//!
//! [`Directory`] reads all forms: short, block, leaf, node. [`add`], [`remove`] and [`replace`]
//! write them and go from one to the other.
//!
//! A directory's owner lock is held by the caller. Never here: inodes, link counts, allocation
//! (they come from the traits [`crate::da::ForkBlocks`] and [`DirFork`]), permissions.

mod data;
mod list;
mod lookup;
mod node;
mod single;
pub(crate) mod small;
#[cfg(test)]
pub(crate) mod tests;
mod write;

pub use list::{Cookie, Listed};
pub use lookup::Found;
pub use node::NodeFork;
pub use small::{DirFork, init, leave_inode};
pub use write::{add, is_empty, remove, replace};

use crate::da::ForkBlocks;
use untorn_format::Ino;
use untorn_format::da::DaBlock;

/// A directory to be read.
#[derive(Debug)]
pub struct Directory<'a, B> {
    /// The directory itself: what `.` names.
    pub ino: Ino,
    /// Size in bytes that its inode says.
    pub size: u64,
    /// The data fork of the inode where it is inline.
    pub inline: Option<&'a [u8]>,
    /// The data fork's blocks where it is not; unused otherwise.
    pub blocks: B,
}

/// How a directory is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form<'a> {
    Short(&'a [u8]),
    Block,
    /// Leaf or node form: the root of the index tells which.
    Indexed,
}

impl<'a, B: ForkBlocks> Directory<'a, B> {
    /// Size alone does not tell block form: a directory with an index may have one data block left.
    fn form(&mut self) -> Result<Form<'a>, B::Error> {
        if let Some(bytes) = self.inline {
            return Ok(Form::Short(bytes));
        }
        let geometry = self.blocks.geometry();
        if self.size != geometry.dir_block_size() as u64 {
            return Ok(Form::Indexed);
        }
        let behind = DaBlock(1 << geometry.dir_block_log);
        let only = self.blocks.next_mapped(behind)?.is_none();
        Ok(if only { Form::Block } else { Form::Indexed })
    }
}
