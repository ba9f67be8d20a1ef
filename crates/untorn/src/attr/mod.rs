//! Extended attributes: reading and writing them in every form, remote values included.
//!
//! ```text
//! Attributes (read)     set, remove, finish (write) -- short form, leaf, tree
//!       |                    |            index: the tree; divide: full leaves
//!       v                    v
//!   ForkBlocks           AttrFork (an inode's attribute fork inside a transaction)
//! ```
//!
//! Never here: what names mean to a system call (`user.`, ACLs), where blocks come from, when a
//! transaction begins.

mod divide;
mod fork;
pub(crate) mod index;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use fork::{AttrFork, Form};
pub(crate) use index::make_empty_leaf;
pub use read::{Attributes, Listed};
pub use untorn_format::attr::Namespace;
pub use write::{Key, NewValue, Outcome, SetMode, finish, remove, set};
