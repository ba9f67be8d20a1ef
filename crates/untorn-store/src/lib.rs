//! untorn-store
