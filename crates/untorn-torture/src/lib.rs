//! untorn-torture
