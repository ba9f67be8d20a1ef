//! The root of a fork's B+tree in its two forms.
//!
//! On disk, in the inode: level and count, then keys, then pointers behind room for as many keys as
//! the fork can hold. In the log: the block that the root is in memory, with the long header of a
//! block of its own and room for exactly its keys.
//!
//! ```text
//!  disk  level:2 count:2 | key:8 * room            | pointer:8 * room
//!  log   magic .. level count .. (72 bytes) | key:8 * n | pointer:8 * n
//! ```

use crate::fault::Fault;

/// Header of the logged form (`xfs_btree_block`, long pointers, with checksum).
const LOG_HEADER: usize = 72;
/// Header of the disk's form (`xfs_bmdr_block`).
const DISK_HEADER: usize = 4;
const KEY: usize = 8;
const ENTRY: usize = 16;
const MAGIC: [u8; 4] = *b"BMA3";
const LEVEL: std::ops::Range<usize> = 4..6;
const COUNT: std::ops::Range<usize> = 6..8;
const NAME: &str = "B+tree root in the log";

fn room(bytes: usize, header: usize) -> usize {
    bytes.saturating_sub(header) / ENTRY
}

/// Writes the root that the log has as `root` into `fork`, all bytes of the fork in the inode.
pub fn broot_to_disk(root: &[u8], fork: &mut [u8]) -> Result<(), Fault> {
    let (header, entries) = root.split_at_checked(LOG_HEADER).ok_or(Fault::Short {
        what: NAME,
        have: root.len(),
        need: LOG_HEADER,
    })?;
    let short = |have, need| Fault::Short { what: NAME, have, need };
    let count = usize::from(u16::from_be_bytes([header[COUNT][0], header[COUNT][1]]));
    let level = u16::from_be_bytes([header[LEVEL][0], header[LEVEL][1]]);
    let logged_room = room(root.len(), LOG_HEADER);
    let disk_room = room(fork.len(), DISK_HEADER);
    if fork.len() < DISK_HEADER {
        return Err(short(fork.len(), DISK_HEADER));
    }
    if level == 0 {
        return Err(Fault::Field { what: NAME, field: "bb_level", value: 0 });
    }
    if count > logged_room.min(disk_room) {
        return Err(short(logged_room.min(disk_room), count));
    }
    let (keys, pointers) = entries.split_at(logged_room * KEY);
    fork[..2].copy_from_slice(&header[LEVEL]);
    fork[2..DISK_HEADER].copy_from_slice(&header[COUNT]);
    let used = count * KEY;
    let (disk_keys, disk_pointers) = fork[DISK_HEADER..].split_at_mut(disk_room * KEY);
    disk_keys[..used].copy_from_slice(&keys[..used]);
    disk_pointers[..used].copy_from_slice(&pointers[..used]);
    Ok(())
}

/// The form in which the log has the root that `fork`, all bytes of the fork in the inode, holds.
pub fn broot_to_log(fork: &[u8]) -> Result<Vec<u8>, Fault> {
    let short = |need| Fault::Short { what: NAME, have: fork.len(), need };
    let (header, entries) = fork.split_at_checked(DISK_HEADER).ok_or(short(DISK_HEADER))?;
    let count = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let room = room(fork.len(), DISK_HEADER);
    if count > room {
        return Err(short(DISK_HEADER + count * ENTRY));
    }
    let mut root = vec![0; LOG_HEADER];
    root[..4].copy_from_slice(&MAGIC);
    root[LEVEL].copy_from_slice(&header[..2]);
    root[COUNT].copy_from_slice(&header[2..]);
    // No siblings, and no block number or owner: what Linux leaves in a root that is no block.
    root[8..24].fill(0xff);
    let (keys, pointers) = entries.split_at(room * KEY);
    root.extend_from_slice(&keys[..count * KEY]);
    root.extend_from_slice(&pointers[..count * KEY]);
    Ok(root)
}
