//! untorn-store

pub mod journal;
pub mod replay;
