//! Images from trees: directories of the host and tar archives become volumes, or go into them.
//!
//! ```text
//! directory or archive -> Tree (what there is, sorted, checked) -> owners, times -> size
//!                                          |                                         |
//!                     bytes of files, read ahead by a thread -> populate <- mkfs <---+
//! ```
//! A [`Tree`] is looked at whole before anything is written: so the size can be chosen, an archive
//! that is not what it should be is refused while nothing exists yet, and the order in which the
//! source lists things is of no matter to what is made.
//!
//! ```no_run
//! use std::sync::Arc;
//! use untorn::mkfs;
//! use untorn_device::FileDevice;
//! use untorn_image::{Owners, Tree, build, room_for};
//!
//! let mut tree = Tree::new();
//! tree.add_directory(b"", "rootfs".as_ref())?;
//! tree.own(&Owners::Squash);
//! let options = mkfs::Options::default();
//! let size = room_for(&tree, &options);
//! let device = Arc::new(FileDevice::create("rootfs.img", size)?);
//! let built = build(device, &options, &tree, &mut |_| {})?;
//! println!("{} files", built.summary.files);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//! Never here: arguments, terminals, names of images.

#![forbid(unsafe_code)]

mod acl_text;
pub mod attributes;
mod build;
mod contents;
mod directory;
mod error;
mod minimum;
mod owners;
mod populate;
mod reader;
mod room;
mod tar;
mod times;
mod tree;

pub use build::{Built, build};
pub use contents::Contents;
pub use directory::Links;
pub use error::{AtPath, Error, Result};
pub use minimum::{Minimum, minimum};
pub use owners::{OwnerMap, Owners};
pub use populate::{Step, Stood, Summary, Target, populate, populate_readable};
pub use room::{most_needed, room_for};
pub use tar::spool;
pub use times::Epoch;
pub use tree::{Item, ItemId, Times, Tree, What};
