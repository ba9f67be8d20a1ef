//! What a program may do beyond its caller: gone once its owner or its bytes change, as Linux does
//! it, also for root.

use untorn::{Error, Volume};
use untorn_format::Ino;
use untorn_format::attr::Namespace;

/// Takes the capabilities of the file away, if it has any.
pub fn drop_of(volume: &Volume, ino: Ino) -> untorn::Result<()> {
    if !volume.metadata_of(ino)?.inode.has_attr_fork() {
        return Ok(());
    }
    match volume.remove_attribute(ino, (Namespace::Security, b"capability")) {
        Err(Error::NoAttribute(_)) => Ok(()),
        done => done,
    }
}
