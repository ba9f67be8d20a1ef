//! Reverse mappings and reference counts against twins that know every block on its own.

mod refcount;
mod rmap;
