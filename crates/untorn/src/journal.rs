//! What a volume's journal holds, in words, for people.
//!
//! Never here: replaying it. Opening a volume does that.

pub use untorn_store::replay::{
    InspectedItem, InspectedLog, LogEvent, Reach, RecoverError, inspect,
};
