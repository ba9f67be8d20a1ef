//! Bytes of XFS v5 and what they mean. Pure: no I/O, no locks, no policy.
//!
//! Decoders take byte slices that a disk may have filled with anything: they return a [`Fault`]
//! and never panic, loop or allocate by a number found there. Encoders take meaning and write
//! bytes. [`kind::verify`] and [`kind::seal`] are the only places that check and write checksums,
//! owners, positions and LSNs.

pub mod fault;
pub mod geometry;
pub mod kind;
pub mod log;
pub mod units;

pub use fault::{Corrupt, Fault, Place};
pub use geometry::Geometry;
pub use kind::BlockKind;
pub use units::*;
