//! Directories in memory: forms changed back and forth, indexes that lie. What Linux says of them
//! is in `da::tests`.

mod hostile;
pub(crate) mod memory;
mod model;
