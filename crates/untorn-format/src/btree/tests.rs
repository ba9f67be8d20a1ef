//! Btree layout against known figures, and hostile blocks.
