//! Names: paths, directories, making and removing what they name.
//!
//! Never here: file data, the shape of directory blocks, allocation.

mod attr_fork;
mod attributes;
mod create;
mod evict;
mod forks;
mod paths;
mod remove;
mod unlinked;

pub(crate) use attributes::{Finish, finish_attributes, remove_attribute, set_attribute};
pub(crate) use create::{NewInode, create, create_in};
pub(crate) use forks::{ForkReader, list, read_link};
pub(crate) use paths::{Follow, parent_of, resolve};
pub(crate) use remove::remove;
pub(crate) use unlinked::inactivate;
