//! XFS in user space: real XFS v5 volumes read and written through XFS's own journal.
//!
//! A [`Volume`] is opened on any block device of `untorn-device`: an image, a block node, a part of
//! either, or memory. Opening it replays what a crash left in its journal.
//!
//! ```
//! use std::sync::Arc;
//! use untorn::{NewFile, OpenOptions, Sync, Volume, mkfs};
//! use untorn_device::MemoryDevice;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // For an image: FileDevice::open("disk.img", untorn_device::Access::ReadWrite)?
//! let device = Arc::new(MemoryDevice::new(64 << 20));
//! mkfs::make(&*device, &mkfs::Options::default())?;
//!
//! let volume = Volume::open(device, OpenOptions::default())?;
//! let file = volume.create_file("/accounts", NewFile::default())?;
//! // Whatever happens, all of these bytes will be there or none of them: untorn.
//! file.write_atomic(4090, b"debit here, credit there", Sync::Visible)?;
//! // From here on they survive a power cut: durable.
//! file.sync()?;
//!
//! let mut bytes = [0; 24];
//! file.read_at(4090, &mut bytes)?;
//! assert_eq!(&bytes, b"debit here, credit there");
//! volume.close()?; // Linux mounts it without a replay
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod ag;
pub mod attr;
mod background;
pub mod btree;
mod clock;
pub mod compat;
mod core;
pub mod da;
pub mod dir;
mod error;
mod few;
pub mod info;
mod inode;
mod io;
pub mod journal;
mod map;
mod met;
pub mod mkfs;
mod namespace;
mod quota;
mod recover;
mod tx;
mod volume;

pub use ag::EmptyChunks;
pub use background::{Ages, Background};
pub use clock::Clock;
pub use error::{Error, Result};
pub use io::share::{Dedupe, ExchangeOptions, Exchanged, Freshness, Rehearsal, Span};
pub use io::{AtomicRefusal, AtomicWriteLimits, Caching, LinuxWrite, Position, Wait};
pub use io::{How, ReadOptions, SizeRule, Sync, Times, WriteOptions};
pub use namespace::{AclKind, Capabilities, Make, NewMetadata, Removal, Rename, SetTime};
pub use volume::{
    Access, Atomic, DirEntry, ExtentKind, File, FileExtent, FileFlag, FileFlags, FreedBlocks,
    Grown, Label, Listing, Metadata, Name, NewFile, NewUuid, OpenOptions, Orphan, Parent, Recovery,
    Space, Traits, Trim, Volume, grow, probe, set_label, set_uuid,
};
