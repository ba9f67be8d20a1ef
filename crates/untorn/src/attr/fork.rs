//! What the writer of attributes asks of an inode's attribute fork.

use crate::da::IndexFork;
use untorn_format::da::{DaBlock, Fit};

/// What an attribute fork holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// Attributes inside the inode, in short form; also those of an inode that has no fork, or one
    /// without blocks: none.
    Short(Vec<u8>),
    /// An index of blocks, its root at da block 0.
    Indexed,
}

/// The attribute fork of an inode inside a transaction that holds its owner lock.
///
/// After an error the transaction must be dropped: the fork may be between two forms.
pub trait AttrFork: IndexFork {
    /// What the fork holds now.
    fn form(&mut self) -> Result<Form, Self::Error>;
    /// Makes the fork hold these short-form attributes and no blocks, where they fit beside the
    /// data fork. The fork is made where there is none. No room: nothing changed.
    fn set_short(&mut self, bytes: &[u8]) -> Result<Fit, Self::Error>;
    /// Makes the fork one of blocks, without any, where it was in short form or not there;
    /// `wanted` is the size that the short form would have had. The data fork makes way.
    fn set_indexed(&mut self, wanted: usize) -> Result<(), Self::Error>;
    /// Leaves no attributes: takes the fork away where Linux would, else makes it an empty short
    /// form.
    fn clear(&mut self) -> Result<(), Self::Error>;
    /// Maps the blocks that hold the new value and says where the first one is.
    fn place_value(&mut self) -> Result<DaBlock, Self::Error>;
}
