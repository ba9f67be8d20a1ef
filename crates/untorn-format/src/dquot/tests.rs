//! Tests of `dquot`: round trips, bounds, hostile bytes.

use super::*;
use crate::kind::{BlockKind, verify};
use crate::units::*;
use crate::{Geometry, checksum};

const UUID: [u8; 16] = [6; 16];

fn geometry() -> Geometry {
    Geometry {
        block_log: 12,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: 3,
        ag_block_log: 15,
        dir_block_log: 0,
        ag_blocks: 25600,
        ag_count: 4,
        data_blocks: 102400,
        log_start: FsBlock(65542),
        log_blocks: 16384,
    }
}

/// A whole block of sealed records.
fn block() -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    for (id, record) in bytes.chunks_exact_mut(DQUOT_SIZE).enumerate() {
        let raw: &mut DquotDisk = crate::wire::view_mut(WHAT, record).unwrap();
        raw.magic.set(DQUOT_MAGIC);
        raw.version = 1;
        raw.kind = 1;
        raw.id.set(id as u32);
        raw.uuid = UUID;
        seal(record, Lsn::new(1, 2));
    }
    bytes
}

fn check(bytes: &[u8], newest: Option<Lsn>) -> Result<(), Fault> {
    let geometry = geometry();
    let (addr, owner) = (DiskAddr(800), None);
    let identity = Identity { geometry: &geometry, uuid: UUID, addr, owner, newest };
    verify(BlockKind::Dquot, bytes, &identity)
}

#[test]
fn a_block_of_sealed_records_verifies() {
    let bytes = block();
    assert_eq!(check(&bytes, Some(Lsn::new(1, 2))), Ok(()));
    // 30 records fit; what is left over belongs to none.
    assert_eq!(bytes.len() / DQUOT_SIZE, 30);
}

#[test]
fn damage_of_any_record_is_found() {
    let damaged = |at: usize| {
        let mut bytes = block();
        bytes[at] ^= 0x10;
        check(&bytes, None)
    };
    assert!(matches!(damaged(29 * DQUOT_SIZE), Err(Fault::Magic { .. })));
    assert!(matches!(damaged(DQUOT_SIZE + 40), Err(Fault::Checksum { .. })));
    assert_eq!(damaged(30 * DQUOT_SIZE), Ok(()));
    assert!(matches!(check(&[0; 100], None), Err(Fault::Short { .. })));
}

#[test]
fn records_of_others_and_of_the_future_are_found() {
    let mut bytes = block();
    let record = &mut bytes[..DQUOT_SIZE];
    record[120] = 7;
    checksum::stamp(record, CRC_AT);
    assert_eq!(check(&bytes, None), Err(Fault::Uuid { what: WHAT }));
    let ahead = check(&block(), Some(Lsn::new(1, 1)));
    assert_eq!(ahead, Err(Fault::Ahead { what: WHAT, lsn: Lsn::new(1, 2) }));
}
