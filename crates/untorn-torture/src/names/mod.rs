//! Namespace workloads: operations on names, owners, modes and access lists, the reference model
//! that says what each must do, and a volume (or Linux) that does it.
//!
//! An [`Op`] is made of eight bytes and names what exists by index modulo what there is: every
//! sequence is valid, and a shorter one is too. [`Model`] is plain maps in memory; it shares
//! nothing with the library but the format layer.

mod linux;
mod model;
mod op;
mod world;

pub use linux::Linux;
pub use model::{Model, NodeId, Refusal};
pub use op::{NAMES, Op, Spot};
pub use world::{World, name};
