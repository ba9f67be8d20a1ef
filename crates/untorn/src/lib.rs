//! XFS in user space: real XFS v5 volumes read and written through XFS's own journal.

#![forbid(unsafe_code)]

mod ag;
pub mod attr;
pub mod btree;
mod clock;
mod core;
pub mod da;
pub mod dir;
mod error;
pub mod info;
mod inode;
mod io;
pub mod journal;
mod map;
pub mod mkfs;
mod namespace;
mod recover;
mod tx;
mod volume;

pub use error::{Error, Result};
pub use io::Sync;
pub use volume::{
    Access, DirEntry, ExtentKind, File, FileExtent, Metadata, NewFile, OpenOptions, Recovery,
    Space, Volume, probe,
};
