//! Any structure of an XFS volume by the names of xfs_db: positions, fields, values as it prints.
//!
//! ```text
//! session (commands, stack) -> place (bytes, type) -> tables (fields of each type)
//!                                                \-> select (paths) -> value -> text, JSON
//! ```
//! Reads raw bytes from the device, never through the cache or the verifiers: damaged structures
//! are what people look at. So nothing here trusts a number that it read: a field that lies past
//! the end of its block is shown as such, a list ends where its block does, a walk reads no block
//! twice.
//!
//! Never here: writing, or a structure that is not in a table.

mod commands;
mod dump;
mod field;
mod fork;
mod kind;
mod path;
mod place;
mod scan;
mod select;
mod session;
mod shape;
mod tables;
mod value;

pub use kind::Type;
pub use session::{Answer, Session};
pub use shape::Shape;

/// Why a command did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The device did not give the bytes.
    #[error(transparent)]
    Device(#[from] untorn_device::DeviceError),
    /// What was typed cannot be done here; says what can.
    #[error("{0}")]
    Asked(String),
}

/// Result of a command.
pub type Result<T> = std::result::Result<T, Refusal>;

/// A refusal in words.
fn refuse<T>(words: impl Into<String>) -> Result<T> {
    Err(Refusal::Asked(words.into()))
}
