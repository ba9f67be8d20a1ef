//! The tree under its judges: twins in ordinary maps, a verifier of every invariant, hostile bytes.

mod hostile;
mod kernel_volumes;
mod memory;
mod model;
mod samples;
mod search;
mod shape;
mod verifier;

pub(crate) use memory::{Memory, TestError};
pub(crate) use model::cases;
pub(crate) use verifier::check;
