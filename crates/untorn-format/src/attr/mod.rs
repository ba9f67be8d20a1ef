//! Extended attributes in every form.
//!
//! ```text
//! short form  in the inode: header, then (name, value) one after the other
//! leaf form   one block at da block 0: entries in order of hash, names and values behind them
//! node form   a tree of nodes and leaves from da block 0
//! remote      a value of its own blocks, each with a header, at a da block that its entry names
//! ```
//!
//! Readers borrow bytes ([`Short`], [`Leaf`], [`remote::parse`]); [`short_edit`] and [`leaf_edit`]
//! change bytes that the caller owns. Nothing here decides between forms.

pub mod leaf;
pub mod leaf_edit;
pub mod remote;
pub mod short;
pub mod short_edit;
#[cfg(test)]
mod tests;

pub(crate) use leaf::MAGIC as LEAF_MAGIC;
pub use leaf::{Leaf, LeafEntry};
pub use short::Short;

use crate::da::{DaBlock, hash_name};
use crate::kind::{BlockKind, Identity};
use crate::{Fault, parent};

/// Longest name in bytes.
pub const MAX_NAME: usize = 255;
/// Longest value in bytes (`XFS_XATTR_SIZE_MAX`).
pub const MAX_VALUE: usize = 65536;

const LOCAL: u8 = 1 << 0;
const ROOT: u8 = 1 << 1;
const SECURE: u8 = 1 << 2;
const PARENT: u8 = 1 << 3;
const INCOMPLETE: u8 = 1 << 7;

/// Whose attribute it is. Names are apart in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// `user.*`.
    User,
    /// `trusted.*` and POSIX ACLs (the disk calls it root).
    Trusted,
    /// `security.*`.
    Security,
    /// Parent pointers, see [`crate::parent`].
    Parent,
}

impl Namespace {
    /// The flag bit that says so.
    pub fn flag(self) -> u8 {
        match self {
            Self::User => 0,
            Self::Trusted => ROOT,
            Self::Security => SECURE,
            Self::Parent => PARENT,
        }
    }
    /// The namespace that flags say; at most one bit may be set.
    pub fn of(what: &'static str, flags: u8) -> Result<Self, Fault> {
        match flags & (ROOT | SECURE | PARENT) {
            0 => Ok(Self::User),
            ROOT => Ok(Self::Trusted),
            SECURE => Ok(Self::Security),
            PARENT => Ok(Self::Parent),
            _ => Err(Fault::Field { what, field: "flags", value: flags.into() }),
        }
    }
}

/// Whether an attribute may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Its value is all there.
    Complete,
    /// It was being set or removed when the system stopped: to be ignored.
    Incomplete,
}

/// Where a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Beside its name.
    Local(&'a [u8]),
    /// In blocks of its own.
    Remote {
        /// First of them.
        block: DaBlock,
        /// Length of the value in bytes.
        length: usize,
    },
}

/// One attribute, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attr<'a> {
    /// Whose it is.
    pub namespace: Namespace,
    /// Its name without the prefix that the namespace stands for; 1 to 255 bytes.
    pub name: &'a [u8],
    /// Where its value is.
    pub value: Value<'a>,
    /// Whether it may be seen.
    pub state: State,
}

/// The hash that orders attributes in leaves. Parent pointers mix the parent's inode number in, so
/// their value takes part.
pub fn hash(namespace: Namespace, name: &[u8], value: &[u8]) -> u32 {
    match (namespace, parent::decode_value(value)) {
        (Namespace::Parent, Ok((ino, _))) => parent::hash(name, ino),
        _ => hash_name(name),
    }
}

/// Checks an attribute block just read; `kind` is one of the attribute kinds.
pub fn verify_block(kind: BlockKind, bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    match kind {
        BlockKind::AttrLeaf => leaf::verify(bytes, identity),
        BlockKind::AttrRemote => remote::verify(bytes, identity),
        _ => panic!("{kind:?} is not an attribute block"),
    }
}
