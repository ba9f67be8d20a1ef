//! Extended attributes: reading them in every form, remote values included.
//!
//! Never here: what names mean to a system call (`user.`, ACLs), writing.

mod read;
#[cfg(test)]
mod tests;

pub use read::{Attributes, Listed};
