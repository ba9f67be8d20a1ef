//! Changes of a volume as a whole: its label, its UUID, its size.
//!
//! Each opens the volume (which recovers it), changes every superblock through the journal or in an
//! order in which any crash leaves what was or what shall be, and closes it.
//!
//! Never here: files. Linux may not have the volume mounted meanwhile.

mod copies;
mod grow;
mod label;
mod uuid;

use super::OpenOptions;
use crate::background::Background;

pub use grow::{Grown, grow};
pub use label::{Label, set_label};
pub use uuid::{NewUuid, set_uuid};

/// How a volume is opened that is closed at once.
fn alone() -> OpenOptions {
    OpenOptions { background: Background::Off, ..OpenOptions::default() }
}
