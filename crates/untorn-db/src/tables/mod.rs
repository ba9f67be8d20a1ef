//! One table per structure: the names of xfs_db, the offsets of the format crate where it has the
//! structure.
//!
//! Never here: I/O, or how values are written.

pub(crate) mod attr;
pub(crate) mod btree;
pub(crate) mod da;
pub(crate) mod dir;
pub(crate) mod dquot;
pub(crate) mod group;
pub(crate) mod inode;
pub(crate) mod superblock;
pub(crate) mod symlink;
