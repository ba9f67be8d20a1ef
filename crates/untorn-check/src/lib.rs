//! untorn-check
