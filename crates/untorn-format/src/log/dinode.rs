//! The inode core as the log has it: the disk's structure, field for field, little-endian.
//!
//! Both directions are one table of field widths. What differs besides the order of bytes: the
//! log's LSN, checksum and `di_next_unlinked` mean nothing, timestamps are one number or two, and
//! extent counters lie in one of two places.

use crate::fault::Fault;
use crate::units::Lsn;

/// Bytes of the core of a version 3 inode, in the log and on disk.
pub const CORE: usize = 176;
/// `di_magic`.
const MAGIC: [u8; 2] = *b"IN";
const NAME: &str = "inode core in the log";
const VERSION: usize = 4;
const FLAGS2: std::ops::Range<usize> = 120..128;
const FLAG2_BIG_TIME: u64 = 1 << 3;
const FLAG2_BIG_COUNTERS: u64 = 1 << 4;

/// Offset and width of every field that both sides have and that is the same on both but for the
/// order of its bytes. Single bytes and the UUID are runs of width 1.
const FIELDS: [(usize, usize); 21] = [
    (0, 2),   // di_magic
    (2, 2),   // di_mode
    (6, 2),   // di_metatype
    (8, 4),   // di_uid
    (12, 4),  // di_gid
    (16, 4),  // di_nlink
    (20, 2),  // di_projid_lo
    (22, 2),  // di_projid_hi
    (56, 8),  // di_size
    (64, 8),  // di_nblocks
    (72, 4),  // di_extsize
    (84, 4),  // di_dmevmask
    (88, 2),  // di_dmstate
    (90, 2),  // di_flags
    (92, 4),  // di_gen
    (104, 8), // di_changecount
    (112, 8), // di_lsn
    (120, 8), // di_flags2
    (128, 4), // di_cowextsize
    (96, 4),  // di_next_unlinked
    (152, 8), // di_ino
];
/// `di_version`, `di_format`; `di_forkoff`, `di_aformat`; `di_uuid`.
const BYTES: [std::ops::Range<usize>; 3] = [4..6, 82..84, 160..176];
const TIMES: [usize; 4] = [32, 40, 48, 144];
const LSN: std::ops::Range<usize> = 112..120;
const CRC: std::ops::Range<usize> = 100..104;
const NEXT_UNLINKED: std::ops::Range<usize> = 96..100;

/// Which way a core is turned.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Log,
    Disk,
}

fn flags2(core: &[u8; CORE], side: Side) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&core[FLAGS2]);
    match side {
        Side::Log => u64::from_le_bytes(bytes),
        Side::Disk => u64::from_be_bytes(bytes),
    }
}

/// `from` with every field's bytes in the other order. Fields that both sides ignore are zero.
fn turn(from: &[u8; CORE], side: Side) -> [u8; CORE] {
    let flags2 = flags2(from, side);
    let mut to = [0; CORE];
    let mut swap = |at: usize, width: usize| {
        to[at..at + width].copy_from_slice(&from[at..at + width]);
        to[at..at + width].reverse();
    };
    FIELDS.iter().for_each(|&(at, width)| swap(at, width));
    for at in TIMES {
        match flags2 & FLAG2_BIG_TIME {
            0 => [at, at + 4].into_iter().for_each(|at| swap(at, 4)),
            _ => swap(at, 8),
        }
    }
    match flags2 & FLAG2_BIG_COUNTERS {
        0 => [(76, 4), (80, 2)].into_iter().for_each(|(at, width)| swap(at, width)),
        _ => [(24, 8), (76, 4), (80, 2)].into_iter().for_each(|(at, width)| swap(at, width)),
    }
    for run in BYTES {
        to[run.clone()].copy_from_slice(&from[run]);
    }
    to
}

/// The core that the log stores for an inode whose first [`CORE`] bytes on disk are `disk`.
/// `di_next_unlinked` is "none" and the checksum zero, as Linux logs them.
pub fn core_to_log(disk: &[u8; CORE]) -> [u8; CORE] {
    let mut log = turn(disk, Side::Disk);
    log[NEXT_UNLINKED].fill(0xff);
    log
}

/// Turns a logged core into the form of the disk, over the one that `disk` holds. `disk` keeps its
/// `di_next_unlinked` and its checksum, which is to be computed again; its LSN becomes `lsn`.
pub fn core_to_disk(log: &[u8], disk: &mut [u8; CORE], lsn: Lsn) -> Result<(), Fault> {
    let log = checked(log)?;
    let next_unlinked = disk[NEXT_UNLINKED].to_vec();
    let crc = disk[CRC].to_vec();
    *disk = turn(log, Side::Log);
    disk[NEXT_UNLINKED].copy_from_slice(&next_unlinked);
    disk[CRC].copy_from_slice(&crc);
    disk[LSN].copy_from_slice(&lsn.0.to_be_bytes());
    Ok(())
}

fn checked(log: &[u8]) -> Result<&[u8; CORE], Fault> {
    let core: &[u8; CORE] =
        log.first_chunk().ok_or(Fault::Short { what: NAME, have: log.len(), need: CORE })?;
    let [low, high, ..] = *core;
    if [high, low] != MAGIC {
        let found = u16::from_le_bytes([low, high]).into();
        return Err(Fault::Magic { what: NAME, found });
    }
    let field = |field, value| Err(Fault::Field { what: NAME, field, value });
    if core[VERSION] != 3 {
        return field("di_version", core[VERSION].into());
    }
    match flags2(core, Side::Log) & FLAG2_BIG_COUNTERS {
        0 if core[24..32] != [0; 8] => field("di_v3_pad", 1),
        _ => Ok(core),
    }
}
