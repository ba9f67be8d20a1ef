//! Volumes whose metadata lies.

use crate::base::{Base, SECTOR, Spot, bases, read};
use crate::exercise::exercise;
use crate::script::Script;
use untorn_device::{BlockDevice, MemoryDevice};
use untorn_format::{BlockKind, Lsn, checksum, inode};

/// Most blocks that one input damages.
pub(crate) const MOST: u8 = 4;

/// Damages blocks of a volume, leaves their checksums right, and does everything with the volume.
pub fn image(input: &[u8]) {
    let mut script = Script::new(input);
    let base = &bases()[script.below(bases().len())];
    let device = base.device.snapshot();
    for _ in 0..1 + script.byte() % MOST {
        damage(base, &device, &mut script);
    }
    exercise(device);
}

fn damage(base: &Base, device: &MemoryDevice, script: &mut Script<'_>) {
    let spot = base.spots[script.below(base.spots.len())];
    damage_at(base, spot, device, script);
}

/// Damages the block at `spot`.
pub(crate) fn damage_at(base: &Base, spot: Spot, device: &MemoryDevice, script: &mut Script<'_>) {
    let offset = spot.addr.0 * SECTOR;
    let mut bytes = read(device, offset, spot.length);
    match spot.kind {
        BlockKind::Inodes => damage_inode(base, &mut bytes, script),
        _ => damage_block(spot, &mut bytes, script),
    }
    let done = device.write_at(offset, &bytes);
    done.unwrap_or_else(|error| panic!("memory can be written: {error}"));
}

fn damage_block(spot: Spot, bytes: &mut [u8], script: &mut Script<'_>) {
    for _ in 0..1 + script.byte() % 4 {
        script.edit(bytes);
    }
    // Remote attribute values have their checksum where symlinks have it.
    let seal = spot.kind.seal_at().or(BlockKind::Symlink.seal_at());
    if let Some(seal) = seal {
        checksum::stamp(bytes, seal.crc);
    }
}

/// Changes one inode of a block of inodes.
fn damage_inode(base: &Base, bytes: &mut [u8], script: &mut Script<'_>) {
    let size = base.superblock.geometry.inode_size();
    let index = script.below(bytes.len() / size);
    let inode = &mut bytes[index * size..(index + 1) * size];
    let lsn = inode
        .get(112..120)
        .and_then(|lsn| lsn.first_chunk())
        .map_or(0, |lsn| u64::from_be_bytes(*lsn));
    for _ in 0..1 + script.byte() % 4 {
        // Forks begin behind the core: most of an inode is past what an edit takes for its head.
        let from = if script.byte() < 0x80 { 0 } else { 176.min(size) };
        script.edit(&mut inode[from..]);
    }
    inode::seal(inode, Lsn(lsn));
}
