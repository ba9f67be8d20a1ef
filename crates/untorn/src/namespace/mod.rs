//! Names: paths, directories, making and removing what they name.
//!
//! Never here: file data, the shape of directory blocks, allocation.

mod access;
mod attr_fork;
mod attributes;
mod change;
mod create;
mod dir_fork;
mod entries;
mod evict;
mod forks;
mod inherit;
mod known;
mod link;
mod paths;
mod pieces;
mod remove;
mod rename;
mod target;
mod unlinked;

pub use access::AclKind;
pub(crate) use attributes::{
    Finish, finish_attributes, is_beside, remove_attribute, set_attribute, take_over,
};
pub use change::{Capabilities, NewMetadata, SetTime};
pub(crate) use change::{acl, change_metadata, change_metadata_in, set_acl};
pub use create::Make;
pub(crate) use create::{NewInode, create, create_in, create_unnamed};
pub(crate) use forks::{ForkReader, list, read_link};
pub(crate) use known::KnownNames;
pub(crate) use link::{Linked, link};
pub(crate) use paths::{Follow, check_entry, find_in, parent_of, resolve};
pub use remove::Removal;
pub(crate) use remove::remove;
pub use rename::Rename;
pub(crate) use rename::{Spot, rename};
pub(crate) use unlinked::inactivate;
