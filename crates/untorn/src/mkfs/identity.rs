//! The UUID of a volume that is closed, in its superblocks.
//!
//! Metadata blocks keep the one that the volume was made with; the superblock says which.

use crate::error::Result;
use untorn_device::{BlockDevice, WriteRequest};
use untorn_format::features::{FEATURES, FeatureWord};
use untorn_format::superblock::SuperblockDisk;
use untorn_format::{AgNumber, BlockKind, Lsn, Place, Superblock, kind};

/// Superblocks written in one batch.
const BATCH: u32 = 256;

/// Writes the UUID into the superblocks of `groups` and makes them durable.
pub(crate) fn identify(
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
