//! Volumes made here, read back through the format layer.
