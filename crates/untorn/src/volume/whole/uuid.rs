//! The UUID.
//!
//! Metadata blocks carry the UUID that the volume was made with, and so do the records of the
//! journal. So the superblock keeps the old one for the blocks (feature meta_uuid), and the journal
//! must not hold anything that is needed. Steps, each durable before the next:
//!
//! ```text
//! the journal is closed; behind its end a record without a UUID says so again
//! the first superblock has the new UUID: one sector, old or new
//! the copies have it
//! behind its end the journal says with the new UUID that it is closed
//! ```
//! A crash leaves the old UUID or the new one; copies that still have the old one are put right by
//! asking for the same UUID again. (Through the journal it could not be: Linux does not replay
//! records of another UUID than the superblock's.)

use crate::error::{Error, Result};
use crate::mkfs;
use crate::volume::{Volume, probe};
use std::sync::Arc;
use untorn_device::BlockDevice;
use untorn_store::journal::JournalError;
use untorn_store::replay;

/// The UUID that a volume shall have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewUuid {
    /// A random one.
    Generate,
    /// The one that the volume was made with.
    Restore,
    /// This one; not all zeroes.
    Set([u8; 16]),
}

/// Gives the volume on `device` another UUID and returns it.
///
/// ```
/// use std::sync::Arc;
/// use untorn::{NewUuid, mkfs, probe, set_uuid};
/// use untorn_device::MemoryDevice;
///
/// let device = Arc::new(MemoryDevice::new(64 << 20));
/// mkfs::make(&*device, &mkfs::Options::default())?;
/// let uuid = set_uuid(device.clone(), NewUuid::Generate)?;
/// assert_eq!(probe(&*device)?.uuid, uuid);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn set_uuid(device: Arc<dyn BlockDevice>, wanted: NewUuid) -> Result<[u8; 16]> {
    Volume::open(device.clone(), super::alone())?.close()?;
    let before = probe(&*device)?;
    let uuid = match wanted {
        NewUuid::Generate => *uuid::Uuid::new_v4().as_bytes(),
        NewUuid::Restore => before.meta_uuid,
        NewUuid::Set(uuid) if uuid != [0; 16] => uuid,
        NewUuid::Set(_) => {
            let rule = "a UUID must not be all zeroes: Linux would not mount the volume; let one \
                        be made with --generate";
            return Err(Error::Invalid(rule.to_owned()));
        }
    };
    let replayed =
        replay::recover(device.clone(), &before).map_err(super::super::open::unrecovered)?;
    replayed.journal.write_unmount_as([0; 16]).map_err(failed)?;
    for groups in [0..1, 1..before.geometry.ag_count] {
        mkfs::identify(&*device, &before, groups, uuid)?;
    }
    replayed.journal.write_unmount_as(uuid).map_err(failed)?;
    Ok(uuid)
}

fn failed(error: JournalError) -> Error {
    Error::from(untorn_store::StoreError::from(error))
}
