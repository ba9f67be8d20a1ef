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
use crate::volume::{Volume, probe};
use std::sync::Arc;
use untorn_device::{BlockDevice, WriteRequest};
use untorn_format::features::{FEATURES, FeatureWord};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Lsn, Place, Superblock, kind};
use untorn_store::journal::JournalError;
use untorn_store::replay;

/// Superblocks written in one batch.
const BATCH: u32 = 256;

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
        rewrite(&*device, &before, groups, uuid)?;
    }
    replayed.journal.write_unmount_as(uuid).map_err(failed)?;
    Ok(uuid)
}

fn failed(error: JournalError) -> Error {
    Error::from(untorn_store::StoreError::from(error))
}

/// Writes the UUID into the superblocks of `groups` and makes them durable.
fn rewrite(
    device: &dyn BlockDevice,
    before: &Superblock,
    groups: std::ops::Range<u32>,
    uuid: [u8; 16],
) -> Result<()> {
    let geometry = &before.geometry;
    for start in groups.clone().step_by(BATCH as usize) {
        let batch = (start..groups.end.min(start.saturating_add(BATCH))).map(AgNumber);
        let mut sectors = Vec::new();
        for addr in batch.map(|ag| geometry.header_addr(ag, 0)) {
            let offset = geometry.byte_of(addr);
            let mut bytes = vec![0; geometry.sector_size()];
            device.read_at(offset, &mut bytes)?;
            edit(&mut bytes, before, uuid).map_err(|fault| fault.at(Place::at(addr)))?;
            sectors.push((offset, bytes));
        }
        let requests: Vec<_> =
            sectors.iter().map(|(offset, bytes)| WriteRequest { offset: *offset, bytes }).collect();
        device.write_batch(&requests)?;
    }
    Ok(device.flush()?)
}

fn edit(
    bytes: &mut [u8],
    before: &Superblock,
    uuid: [u8; 16],
) -> std::result::Result<(), untorn_format::Fault> {
    Superblock::decode_copy(bytes)?;
    let bit = FEATURES
        .iter()
        .find(|feature| (feature.word, feature.name) == (FeatureWord::Incompat, "meta_uuid"))
        .map_or(0, |feature| 1 << feature.bit);
    let raw = SuperblockDisk::of_mut(bytes)?;
    let others = raw.features_incompat.get() & !bit;
    raw.uuid = uuid;
    match uuid == before.meta_uuid {
        true => {
            raw.features_incompat.set(others);
            raw.meta_uuid = [0; 16];
        }
        false => {
            raw.features_incompat.set(others | bit);
            raw.meta_uuid = before.meta_uuid;
        }
    }
    let lsn = Lsn(raw.lsn.get());
    kind::seal(BlockKind::Superblock, bytes, lsn);
    Ok(())
}
