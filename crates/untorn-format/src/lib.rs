//! Bytes of XFS v5 and what they mean. Pure: no I/O, no locks, no policy.
//!
//! Decoders take byte slices that a disk may have filled with anything: they return a [`Fault`]
//! and never panic, loop or allocate by a number found there. Encoders take meaning and write
//! bytes. [`kind::verify`] and [`kind::seal`] are the only places that check and write checksums,
//! owners, positions and LSNs.

pub mod acl;
pub mod ag;
pub mod attr;
pub mod btree;
mod bytes;
pub mod checksum;
pub mod da;
pub mod dir;
pub mod dquot;
pub mod fault;
pub mod features;
pub mod geometry;
pub mod inode;
pub mod kind;
pub mod limits;
pub mod log;
pub mod parent;
pub mod records;
pub mod superblock;
pub mod symlink;
pub mod units;
pub mod wire;

pub use fault::{Corrupt, Fault, Place};
pub use features::{Access, Features, Unsupported};
pub use geometry::Geometry;
pub use kind::{BlockKind, Identity};
pub use limits::Limits;
pub use records::{Extent, ExtentState, Fork};
pub use superblock::Superblock;
pub use units::*;
