//! untorn

pub mod btree;
