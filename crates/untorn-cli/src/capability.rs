//! What a program may do beyond its caller: gone once its bytes change, as Linux does it, also for
//! root.

use untorn::{Capabilities, NewMetadata, Volume};
use untorn_format::Ino;

/// The change that drops them.
pub const DROPPED: NewMetadata = NewMetadata {
    permissions: None,
    uid: None,
    gid: None,
    atime: None,
    mtime: None,
    crtime: None,
    capabilities: Capabilities::Dropped,
};

/// Takes the capabilities of a file away, if it has any.
pub fn drop_of(volume: &Volume, ino: Ino) -> untorn::Result<()> {
    match volume.metadata_of(ino)?.inode.has_attr_fork() {
        true => volume.set_metadata_of(ino, &DROPPED),
        false => Ok(()),
    }
}
