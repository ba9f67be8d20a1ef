//! Is this an XFS volume, and may it be opened?

use crate::error::{Error, Result};
use untorn_device::BlockDevice;
use untorn_format::{DiskAddr, Fault, Place, Superblock};

/// Reads and verifies the primary superblock of `device`. Features are not judged.
pub fn probe(device: &dyn BlockDevice) -> Result<Superblock> {
    let geometry = device.geometry();
    let at = Place::at(DiskAddr(0));
    let first = u64::from(geometry.sector_size.max(512));
    if geometry.size < first {
        let fault = Fault::Short { what: "volume", have: geometry.size as usize, need: 512 };
        return Err(fault.at(at).into());
    }
    let mut bytes = vec![0; first as usize];
    device.read_at(0, &mut bytes)?;
    let need = Superblock::sector_size(&bytes).map_err(|fault| not_xfs(fault, at))?;
    if need > bytes.len() && need as u64 <= geometry.size {
        bytes = vec![0; need];
        device.read_at(0, &mut bytes)?;
    }
    let superblock = Superblock::decode(&bytes).map_err(|fault| fault.at(at))?;
    let blocks = superblock.geometry.data_blocks;
    let needed = blocks.checked_shl(superblock.geometry.block_log.into()).unwrap_or(u64::MAX);
    if needed > geometry.size {
        return Err(Error::CutShort { needed, size: geometry.size });
    }
    Ok(superblock)
}

fn not_xfs(fault: Fault, at: Place) -> Error {
    match fault {
        Fault::Magic { .. } => Error::NotXfs,
        other => other.at(at).into(),
    }
}
