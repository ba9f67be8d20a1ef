//! Tests of `inode`: round trips, bounds, hostile bytes.

use super::*;
use crate::btree::root::Root;
use crate::kind::{self, BlockKind, Identity};
use crate::records::{Extent, ExtentState};
use proptest::prelude::*;

const UUID: [u8; 16] = [4; 16];
const INO: Ino = Ino(131);

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

fn features() -> Features {
    Features { ro_compat: 0xf, incompat: 0x2b, ..Features::default() }
}

fn identity(geometry: &Geometry) -> InodeIdentity<'_> {
    InodeIdentity { geometry, features: features(), uuid: UUID, ino: INO, newest: None }
}

/// A regular file without contents.
fn file() -> InodeCore {
    let mut bytes = vec![0; 512];
    init_free(&mut bytes, INO, UUID, 77);
    let free = InodeCore::decode(&bytes, &identity(&geometry())).unwrap();
    InodeCore {
        mode: FileKind::Regular.mode_bits() | 0o644,
        format: ForkFormat::Extents,
        attr_format: ForkFormat::Extents,
        nlink: 1,
        flags2: InodeFlags2::BIGTIME.with(InodeFlags2::NREXT64),
        ..free
    }
}

fn whole(core: &InodeCore, fill: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = vec![0; 512];
    core.encode(&mut bytes);
    fill(&mut bytes);
    seal(&mut bytes, core.lsn);
    bytes
}

fn decode(core: &InodeCore) -> Result<InodeCore, Fault> {
    InodeCore::decode(&whole(core, |_| ()), &identity(&geometry()))
}

/// The field that decoding `core` complains of.
fn complaint(core: &InodeCore) -> &'static str {
    match decode(core) {
        Err(Fault::Field { field, .. }) => field,
        other => panic!("{core:?}: {other:?}"),
    }
}

#[test]
fn a_free_inode_that_never_was_used_decodes() {
    let mut bytes = vec![0xff; 512];
    init_free(&mut bytes, INO, UUID, 77);
    let core = InodeCore::decode(&bytes, &identity(&geometry())).unwrap();
    assert_eq!((core.kind(), core.generation, core.next_unlinked), (None, 77, None));
    assert_eq!((core.format, core.lsn, core.ino), (ForkFormat::Dev, Lsn(0), INO));
}

#[test]
fn a_core_survives_the_disk() {
    let core = InodeCore {
        uid: 1,
        gid: 2,
        project: 0x0003_0004,
        atime: Timestamp { seconds: 5_000_000_000, nanos: 6 },
        mtime: Timestamp { seconds: -7, nanos: 8 },
        size: 9,
        blocks: 10,
        extents: 3,
        extent_size: 16,
        flags: InodeFlags::EXTSIZE,
        change_count: 11,
        next_unlinked: Some(AgIno(12)),
        lsn: Lsn(13),
        ..file()
    };
    assert_eq!(decode(&core), Ok(core));
}

#[test]
fn extents_are_counted_in_the_fields_of_their_form() {
    let counted = InodeCore { extents: 3, attr_extents: 2, blocks: 5, fork_offset: 10, ..file() };
    let wide = counted.to_disk();
    assert_eq!((wide.big_nextents.get(), wide.nextents.get(), wide.anextents.get()), (3, 2, 0));
    let narrow = InodeCore { flags2: InodeFlags2::BIGTIME, ..counted }.to_disk();
    let fields = (narrow.big_nextents.get(), narrow.nextents.get(), narrow.anextents.get());
    assert_eq!(fields, (0, 3, 2));
}

#[test]
fn a_shape_that_is_set_is_that_of_the_core() {
    for flags2 in [InodeFlags2::default(), InodeFlags2::NREXT64] {
        for fork in [Fork::Data, Fork::Attr] {
            let core = InodeCore { flags2, extents: 3, attr_extents: 2, ..file() };
            let mut bytes = whole(&core, |_| ());
            let disk = DinodeDisk::of_mut(&mut bytes).unwrap();
            let most = max_extents(fork, flags2);
            disk.set_fork_shape(fork, ForkFormat::Btree, most);
            assert_eq!(disk.fork_shape(fork), Ok((ForkFormat::Btree, most)));
            let changed = InodeCore::from_disk(disk).unwrap();
            let expected = match fork {
                Fork::Data => InodeCore { format: ForkFormat::Btree, extents: most, ..core },
                Fork::Attr => {
                    let attr_extents = most as u32;
                    InodeCore { attr_format: ForkFormat::Btree, attr_extents, ..core }
                }
            };
            assert_eq!(changed, expected);
        }
    }
}

#[test]
fn impossible_cores_are_faults() {
    let base = file();
    let dir = InodeCore { mode: FileKind::Directory.mode_bits(), ..file() };
    let fifo = InodeCore { mode: FileKind::Fifo.mode_bits(), format: ForkFormat::Dev, ..file() };
    decode(&fifo).unwrap();
    let (local, btree) = (ForkFormat::Local, ForkFormat::Btree);
    let cases = [
        ("di_mode", InodeCore { mode: 0o030644, ..base.clone() }),
        ("di_size", InodeCore { size: 1 << 63, ..base.clone() }),
        ("di_size", dir.clone()),
        ("di_format", InodeCore { format: local, ..base.clone() }),
        ("di_format", InodeCore { format: ForkFormat::Dev, ..base.clone() }),
        ("di_format", InodeCore { format: ForkFormat::Extents, ..fifo.clone() }),
        ("di_format", InodeCore { format: ForkFormat::MetaBtree, ..base.clone() }),
        ("di_format", InodeCore { size: 100, ..dir.clone() }),
        ("di_format", InodeCore { size: 400, format: local, ..dir.clone() }),
        ("di_nextents", InodeCore { extents: 22, blocks: 22, ..base.clone() }),
        ("di_nextents", InodeCore { extents: 1, blocks: 1, format: local, size: 9, ..dir.clone() }),
        ("di_nblocks", InodeCore { extents: 2, blocks: 1, ..base.clone() }),
        ("di_nblocks", InodeCore { blocks: 1, ..base.clone() }),
        ("di_forkoff", InodeCore { fork_offset: 42, ..base.clone() }),
        ("di_forkoff", InodeCore { fork_offset: 2, ..fifo.clone() }),
        ("di_aformat", InodeCore { attr_format: local, ..base.clone() }),
        ("di_aformat", InodeCore { attr_format: ForkFormat::Dev, fork_offset: 9, ..base.clone() }),
        ("di_anextents", InodeCore { attr_extents: 1, blocks: 1, ..base.clone() }),
        ("bb_level", InodeCore { format: btree, ..base.clone() }),
        ("di_extsize", InodeCore { extent_size: 1, ..base.clone() }),
        ("di_extsize", InodeCore { flags: InodeFlags::EXTSIZE, ..base.clone() }),
        (
            "di_extsize",
            InodeCore { flags: InodeFlags::EXTSIZE, extent_size: 12801, ..base.clone() },
        ),
        ("di_cowextsize", InodeCore { cow_extent_size: 1, ..base.clone() }),
        ("di_flags2", InodeCore { flags2: InodeFlags2::METADATA, ..base.clone() }),
        ("di_flags2", InodeCore { flags2: InodeFlags2::REFLINK, size: 5, format: local, ..dir }),
        ("di_metatype", InodeCore { metatype: 1, ..base }),
    ];
    for (field, core) in cases {
        assert_eq!(complaint(&core), field, "{core:?}");
    }
}

#[test]
fn flags_without_their_feature_are_faults() {
    let geometry = geometry();
    let bare = InodeIdentity { features: Features::default(), ..identity(&geometry) };
    for flag in [InodeFlags2::REFLINK, InodeFlags2::BIGTIME, InodeFlags2::NREXT64] {
        let core = InodeCore { flags2: flag, ..file() };
        let found = InodeCore::decode(&whole(&core, |_| ()), &bare);
        assert!(matches!(found, Err(Fault::Field { field: "di_flags2", .. })), "{flag:?}");
    }
}

#[test]
fn padding_that_is_not_zero_is_a_fault() {
    let wide = file();
    let narrow = InodeCore { flags2: InodeFlags2::BIGTIME, ..file() };
    for (core, at) in [(wide, 81), (narrow, 31)] {
        let bytes = whole(&core, |bytes| bytes[at] = 1);
        assert!(InodeCore::decode(&bytes, &identity(&geometry())).is_err());
    }
}

#[test]
fn forks_lie_where_the_offset_says() {
    assert_eq!(fork_range(3, 0, 512, Fork::Data), 176..512);
    assert_eq!(fork_range(3, 0, 512, Fork::Attr), 512..512);
    assert_eq!(fork_range(3, 24, 512, Fork::Data), 176..368);
    assert_eq!(fork_range(3, 24, 512, Fork::Attr), 368..512);
    assert_eq!(fork_range(2, 15, 256, Fork::Data), 100..220);
    assert_eq!(fork_range(3, 255, 512, Fork::Attr), 512..512);
}

#[test]
fn a_file_of_extents_and_one_of_a_btree_decode() {
    let extent =
        Extent { file: FileBlock(0), start: FsBlock(100), length: 3, state: ExtentState::Written };
    let listed = InodeCore { extents: 1, blocks: 3, size: 12288, ..file() };
    let bytes = whole(&listed, |bytes| bytes[176..192].copy_from_slice(&extent.encode()));
    InodeCore::decode(&bytes, &identity(&geometry())).unwrap();
    let fork = data_fork(&bytes).unwrap();
    assert_eq!(Extent::decode(fork), Ok(extent));
    let tree = InodeCore { format: ForkFormat::Btree, extents: 300, blocks: 302, ..file() };
    let root = Root { level: 1, children: vec![(FileBlock(0), FsBlock(7))] };
    let bytes = whole(&tree, |bytes| root.encode(&mut bytes[176..]));
    InodeCore::decode(&bytes, &identity(&geometry())).unwrap();
}

#[test]
fn a_cluster_is_checked_inode_by_inode() {
    let geometry = geometry();
    let mut bytes = vec![0; 4096];
    for (index, inode) in bytes.chunks_exact_mut(512).enumerate() {
        init_free(inode, Ino(128 + index as u64), UUID, 1);
    }
    let addr = geometry.addr(AgNumber(0), AgBlock(16));
    let identity = Identity { geometry: &geometry, uuid: UUID, addr, owner: None, newest: None };
    let verify = |bytes: &[u8]| kind::verify(BlockKind::Inodes, bytes, &identity);
    verify(&bytes).unwrap();
    let damaged = |at: usize, byte| {
        let mut copy = bytes.clone();
        copy[at] = byte;
        copy
    };
    assert!(matches!(verify(&damaged(512, 0)), Err(Fault::Magic { .. })));
    assert!(verify(&damaged(3 * 512 + 4, 4)).is_err());
    // All ones no longer: inode 0x00ffffff is past the end of the AG.
    assert!(verify(&damaged(7 * 512 + NEXT_UNLINKED_OFFSET, 0)).is_err());
    assert!(verify(&bytes[..511]).is_err());
    // What is wrong with one inode alone is for its own reader.
    verify(&damaged(512 + 200, 1)).unwrap();
}

#[test]
fn an_inode_of_a_version_without_a_checksum_is_refused() {
    let mut bytes = vec![0; 256];
    let raw = DinodeDisk::of_mut(&mut bytes).unwrap();
    raw.magic.set(INODE_MAGIC);
    raw.mode.set(0o100600);
    raw.version = 2;
    raw.format = 2;
    raw.aformat = 2;
    raw.nlink.set(1);
    raw.next_unlinked.set(NULL_AG_INO);
    let geometry = Geometry { inode_log: 8, inodes_per_block_log: 4, ..geometry() };
    let refused = InodeCore::decode(&bytes, &identity(&geometry));
    assert!(matches!(refused, Err(Fault::Field { field: "di_version", value: 2, .. })));
}

#[test]
fn times_reach_as_far_as_their_encoding() {
    let early = Timestamp { seconds: -(1 << 31), nanos: 0 };
    let late = Timestamp { seconds: i64::from(i32::MAX), nanos: 999_999_999 };
    for time in [early, late] {
        for encoding in [TimeEncoding::Legacy, TimeEncoding::Bigtime] {
            assert_eq!(Timestamp::decode(time.encode(encoding), encoding), time);
        }
    }
    assert_eq!(early.encode(TimeEncoding::Bigtime), 0);
    let far = Timestamp { seconds: 1 << 40, nanos: 0 };
    let clamped = Timestamp::decode(far.encode(TimeEncoding::Legacy), TimeEncoding::Legacy);
    assert_eq!(clamped.seconds, i64::from(i32::MAX));
    let clamped = Timestamp::decode(far.encode(TimeEncoding::Bigtime), TimeEncoding::Bigtime);
    // The last second that Linux lets a file have, 2486-07-02.
    assert_eq!(clamped.seconds, 16_299_260_424);
}

proptest! {
    #[test]
    fn times_survive_the_disk(
        seconds in -(1i64 << 31)..=16_299_260_424,
        nanos in 0..1_000_000_000u32,
    ) {
        let time = Timestamp { seconds, nanos };
        let word = time.encode(TimeEncoding::Bigtime);
        prop_assert_eq!(Timestamp::decode(word, TimeEncoding::Bigtime), time);
        if seconds <= i64::from(i32::MAX) {
            let word = time.encode(TimeEncoding::Legacy);
            prop_assert_eq!(Timestamp::decode(word, TimeEncoding::Legacy), time);
        }
    }

    #[test]
    fn any_eight_bytes_are_a_time(word in any::<u64>()) {
        for encoding in [TimeEncoding::Legacy, TimeEncoding::Bigtime] {
            prop_assert!(Timestamp::decode(word, encoding).nanos < 1_000_000_000);
        }
    }
}
