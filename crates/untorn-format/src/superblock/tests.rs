//! Tests of `superblock`: round trips, bounds, hostile bytes.

use super::*;
use crate::kind::{self, BlockKind};

/// A legal superblock of version 5: 4 AGs of 100 MiB, 4 KiB blocks.
fn plain() -> Superblock {
    Superblock {
        version: 5,
        version_bits: 0xb4a0,
        features2: 0x18a,
        features: Features { ro_compat: 0x5, incompat: 0x3, ..Features::default() },
        geometry: Geometry {
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
        },
        uuid: [1; 16],
        meta_uuid: [1; 16],
        label: *b"label\0\0\0\0\0\0\0",
        root_ino: Ino(128),
        realtime: Realtime {
            extent_size: 1,
            bitmap_ino: Ino(129),
            summary_ino: Ino(130),
            ..Realtime::default()
        },
        log: LogShape { sector_log: 9, stripe_unit: 1 },
        in_progress: false,
        inode_percent: 25,
        counters: Counters { inodes: 64, free_inodes: 61, free_blocks: 9, free_rt_extents: 0 },
        quota: Quota::default(),
        flags: 0,
        inode_align: 8,
        sparse_align: 4,
        stripe_unit: 0,
        stripe_width: 0,
        lsn: Lsn(0),
        metadir_ino: Ino(0),
    }
}

fn sector(sb: &Superblock) -> Vec<u8> {
    let mut bytes = vec![0xee; sb.geometry.sector_size()];
    sb.encode(&mut bytes);
    kind::seal(BlockKind::Superblock, &mut bytes, sb.lsn);
    bytes
}

/// A field and what spoils it.
type Case = (&'static str, fn(&mut SuperblockDisk));

/// The field that decoding complains of after `edit`.
fn complaint(edit: impl Fn(&mut SuperblockDisk)) -> &'static str {
    let mut bytes = sector(&plain());
    edit(SuperblockDisk::of_mut(&mut bytes).unwrap());
    kind::seal(BlockKind::Superblock, &mut bytes, Lsn(0));
    match Superblock::decode(&bytes) {
        Err(Fault::Field { field, .. }) => field,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_superblock_survives_the_disk() {
    assert_eq!(Superblock::decode(&sector(&plain())), Ok(plain()));
    let rich = Superblock {
        features: Features { ro_compat: 0xf, incompat: 0xff, ..Features::default() },
        meta_uuid: [2; 16],
        version_bits: 0xbda0,
        log: LogShape { sector_log: 12, stripe_unit: 32768 },
        quota: Quota {
            user: Some(Ino(131)),
            group: None,
            project: Some(Ino(132)),
            flags: QuotaFlags(QuotaFlags::USER | QuotaFlags::USER_CHECKED),
        },
        stripe_unit: 16,
        stripe_width: 64,
        lsn: Lsn::new(4, 5),
        ..plain()
    };
    assert_eq!(Superblock::decode(&sector(&rich)), Ok(rich));
}

fn stripe(raw: &mut SuperblockDisk, unit: u32, width: u32) {
    raw.versionnum.set(0xb5a5);
    raw.unit.set(unit);
    raw.width.set(width);
}

#[test]
fn a_realtime_section_has_whole_extents() {
    let with = |extents, log| {
        let mut bytes = sector(&plain());
        let raw = SuperblockDisk::of_mut(&mut bytes).unwrap();
        raw.rextsize.set(4);
        raw.rblocks.set(4003);
        raw.rextents.set(extents);
        raw.rextslog = log;
        raw.rbmblocks.set(1);
        raw.frextents.set(17);
        kind::seal(BlockKind::Superblock, &mut bytes, Lsn(0));
        Superblock::decode(&bytes).map(|sb| sb.realtime.extents)
    };
    let fault = |name, value| Err(verify::field(name, value));
    assert_eq!(with(1000, 9), Ok(1000));
    assert_eq!(with(1001, 9), fault("sb_rextents", 1001));
    assert_eq!(with(1000, 10), fault("sb_rextslog", 10));
}

#[test]
fn bounds_are_checked() {
    let cases: [Case; 40] = [
        ("sb_versionnum", |raw| raw.versionnum.set(0xb4a3)),
        ("sb_versionnum", |raw| raw.versionnum.set(0xb6a5)),
        ("sb_versionnum", |raw| raw.versionnum.set(0x34a5)),
        ("sb_features2", |raw| raw.features2.set(0x10a)),
        ("sb_blocklog", |raw| raw.blocklog = 17),
        ("sb_blocksize", |raw| raw.blocksize.set(8192)),
        ("sb_sectlog", |raw| raw.sectlog = 8),
        ("sb_sectsize", |raw| raw.sectsize.set(1000)),
        ("sb_inodelog", |raw| raw.inodelog = 12),
        ("sb_inodesize", |raw| raw.inodesize.set(256)),
        ("sb_inopblog", |raw| raw.inopblog = 4),
        ("sb_inopblock", |raw| raw.inopblock.set(16)),
        ("sb_dirblklog", |raw| raw.dirblklog = 5),
        ("sb_agblocks", |raw| raw.agblocks.set(4095)),
        ("sb_agblklog", |raw| raw.agblklog = 14),
        ("sb_agcount", |raw| raw.agcount.set(0)),
        ("sb_dblocks", |raw| raw.dblocks.set(102401)),
        ("sb_dblocks", |raw| raw.dblocks.set(3 * 25600 + 63)),
        ("sb_logblocks", |raw| raw.logblocks.set(0)),
        ("sb_logblocks", |raw| raw.logblocks.set(600_000)),
        ("sb_logstart", |raw| raw.logstart.set(4 << 15)),
        ("sb_logstart", |raw| raw.logstart.set(65536 + 9217)),
        ("sb_logsectlog", |raw| raw.logsectlog = 9),
        ("sb_logsunit", |raw| raw.logsunit.set(4097)),
        ("sb_inoalignmt", |raw| raw.inoalignmt.set(16)),
        ("sb_spino_align", |raw| raw.spino_align.set(9)),
        ("sb_rextsize", |raw| raw.rextsize.set(0)),
        ("sb_rootino", |raw| raw.rootino.set(u64::MAX)),
        ("sb_imax_pct", |raw| raw.imax_pct = 101),
        ("sb_width", |raw| raw.width.set(1)),
        ("sb_unit", |raw| raw.unit.set(1)),
        ("sb_unit", |raw| stripe(raw, 0, 0)),
        ("sb_width", |raw| stripe(raw, 8, 0)),
        ("sb_width", |raw| stripe(raw, 8, 12)),
        ("sb_width", |raw| stripe(raw, 8, 1 << 20)),
        ("sb_rextents", |raw| raw.rextents.set(1)),
        ("sb_rbmblocks", |raw| raw.rbmblocks.set(1)),
        ("sb_rextslog", |raw| raw.rextslog = 1),
        ("sb_frextents", |raw| raw.frextents.set(1)),
        ("sb_rextents", |raw| raw.rblocks.set(9)),
    ];
    for (field, edit) in cases {
        assert_eq!(complaint(edit), field);
    }
}

#[test]
fn a_copy_need_not_know_the_root_directory() {
    let sb = Superblock { root_ino: Ino(NULL_INO), ..plain() };
    let bytes = sector(&sb);
    assert!(Superblock::decode(&bytes).is_err());
    assert_eq!(Superblock::decode_copy(&bytes), Ok(sb.clone()));
    let primary = plain();
    let verify = |addr| verify_block(&bytes, &primary.identity(DiskAddr(addr), None));
    assert!(verify(0).is_err());
    verify(204800).unwrap();
}

#[test]
fn a_version_4_superblock_is_known_and_refused() {
    let mut bytes = sector(&plain());
    let raw = SuperblockDisk::of_mut(&mut bytes).unwrap();
    raw.versionnum.set(0xb4a4);
    raw.features2.set(0x8a);
    // Version 4 has no checksum.
    raw.crc = [0; 4];
    let sb = Superblock::decode(&bytes).unwrap();
    assert_eq!((sb.version, sb.features), (4, Features::default()));
    assert_eq!(sb.check(Access::Read), Err(Unsupported::Version { version: 4 }));
}

#[test]
fn a_damaged_superblock_fails_its_checksum() {
    let mut bytes = sector(&plain());
    bytes[511] ^= 1;
    assert!(matches!(Superblock::decode(&bytes), Err(Fault::Checksum { .. })));
}

#[test]
fn a_sector_cut_short_says_how_much_it_needs() {
    let sb = Superblock {
        version_bits: 0xbca0,
        geometry: Geometry { sector_log: 12, ..plain().geometry },
        log: LogShape { sector_log: 12, stripe_unit: 4096 },
        ..plain()
    };
    let bytes = sector(&sb);
    assert_eq!(Superblock::sector_size(&bytes[..512]), Ok(4096));
    let found = Superblock::decode(&bytes[..512]);
    assert_eq!(found, Err(Fault::Short { what: "superblock", have: 512, need: 4096 }));
}

#[test]
fn what_forbids_writing_is_named() {
    let write = |sb: Superblock| sb.check(Access::Write);
    let realtime = Realtime { blocks: 100, ..plain().realtime };
    let sb = Superblock { realtime, ..plain() };
    assert_eq!(sb.check(Access::Read), Ok(()));
    assert_eq!(write(sb), Err(Unsupported::ReadOnly { name: "a realtime section" }));
    let sb = Superblock { flags: 1, ..plain() };
    assert_eq!(write(sb), Err(Unsupported::ReadOnly { name: "the read-only flag" }));
    let sb = Superblock { in_progress: true, ..plain() };
    assert_eq!(write(sb), Err(Unsupported::InProgress));
}

#[test]
fn quotas_are_marked_to_be_counted_again() {
    let flags = QuotaFlags(0x07ff);
    assert_eq!(flags.uncounted(), QuotaFlags(0x02db));
    assert!(flags.is_accounted() && !QuotaFlags(0x0224).is_accounted());
}

#[test]
fn a_label_ends_at_its_padding() {
    assert_eq!(plain().label(), b"label");
    assert_eq!(Superblock { label: *b"twelve bytes", ..plain() }.label(), b"twelve bytes");
    assert_eq!(Superblock { label: [0; 12], ..plain() }.label(), b"");
}
