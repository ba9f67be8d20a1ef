//! Tests of the journal's writer against a reader made for them alone.
