//! The log: records, operations and items, as bytes and as meaning.

/// An operation begun: what is to be done should a crash come before its done item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {}
