//! Makes sets of block changes atomic. Knows blocks, bytes and LSNs only.
//!
//! A [`Store`] holds a volume's metadata cache, the open checkpoint, the journal and the writeback.
//! [`Transaction`]s edit private copies of metadata buffers and publish them together; a power cut
//! at any time leaves all of a committed-and-forced transaction or nothing of it.
//!
//! ```text
//!  begin -> stage, create, cancel, log -> commit -> [open checkpoint] -> journal -> home
//! ```
//! Never here: what a block means, who owns it, which locks protect it.

mod address;
mod buffer_item;
mod cache;
mod chunks;
mod error;
mod flushes;
mod item;
pub mod journal;
pub mod replay;
mod state;
mod store;
mod txn;
mod writeback;

pub use address::NumberHash;
pub use buffer_item::unlinked_pointer;
pub use cache::{BlockRef, Cache, Image};
pub use chunks::Chunks;
pub use error::{Result, StoreError};
pub use item::{Item, ItemKey, Logged, OP_COST};
pub use store::{Closing, Load, Sequence, Store, StoreOptions, WaitsFor};
pub use txn::{Committed, OnDurable, PutOff, Transaction};
