//! Blocks that Linux 6.18 wrote on a volume of 1 KiB blocks made by mkfs.xfs 6.1 (rmapbt, reflink,
//! nrext64): what xfs_db says stands in them is what the decoders find, and no change of their
//! bytes makes anything panic. Each file is named for its kind and its device address (an inode
//! for its number).

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use untorn_format::ag::{Agf, AgfDisk, Agi, AgiDisk};
use untorn_format::btree::{self, BtreeKind, Header};
use untorn_format::checksum;
use untorn_format::inode::{self, FileKind, ForkFormat, InodeCore, InodeFlags2, InodeIdentity};
use untorn_format::kind::{seal, verify};
use untorn_format::records::*;
use untorn_format::*;

macro_rules! blocks {
    ($($kind:ident $file:literal $addr:literal;)*) => {
        [$((
            BlockKind::$kind,
            DiskAddr($addr),
            include_bytes!(concat!("linux/", $file)).as_slice(),
        )),*]
    };
}

const SUPERBLOCK: &[u8] = include_bytes!("linux/superblock-0.bin");

/// Every block but inodes.
fn blocks() -> [(BlockKind, DiskAddr, &'static [u8]); 21] {
    blocks! {
        Superblock "superblock-0.bin" 0;
        Superblock "superblock-163840.bin" 163840;
        Agf "agf-1.bin" 1;
        Agf "agf-163841.bin" 163841;
        Agi "agi-2.bin" 2;
        Agi "agi-163842.bin" 163842;
        Agfl "agfl-3.bin" 3;
        Agfl "agfl-163843.bin" 163843;
        Bnobt "bnobt-18428.bin" 18428;
        Bnobt "bnobt-4.bin" 4;
        Cntbt "cntbt-18588.bin" 18588;
        Cntbt "cntbt-6.bin" 6;
        Inobt "inobt-8.bin" 8;
        Finobt "finobt-10.bin" 10;
        Rmapbt "rmapbt-21928.bin" 21928;
        Rmapbt "rmapbt-1234.bin" 1234;
        Rmapbt "rmapbt-12.bin" 12;
        Refcountbt "refcountbt-21182.bin" 21182;
        Refcountbt "refcountbt-14.bin" 14;
        Bmbt "bmbt-2268.bin" 2268;
        Bmbt "bmbt-46.bin" 46;
    }
}

const INODES: [(u64, &[u8]); 12] = [
    (64, include_bytes!("linux/inode-64.bin")),
    (66, include_bytes!("linux/inode-66.bin")),
    (67, include_bytes!("linux/inode-67.bin")),
    (68, include_bytes!("linux/inode-68.bin")),
    (69, include_bytes!("linux/inode-69.bin")),
    (72, include_bytes!("linux/inode-72.bin")),
    (75, include_bytes!("linux/inode-75.bin")),
    (78, include_bytes!("linux/inode-78.bin")),
    (81, include_bytes!("linux/inode-81.bin")),
    (84, include_bytes!("linux/inode-84.bin")),
    (17225, include_bytes!("linux/inode-17225.bin")),
    (17228, include_bytes!("linux/inode-17228.bin")),
];

fn superblock() -> Superblock {
    Superblock::decode(SUPERBLOCK).unwrap()
}

fn block(kind: BlockKind, addr: u64) -> &'static [u8] {
    let found = blocks().into_iter().find(|(k, a, _)| (*k, a.0) == (kind, addr));
    found.unwrap().2
}

fn inode_of(ino: u64) -> &'static [u8] {
    INODES.iter().find(|(number, _)| *number == ino).unwrap().1
}

fn identity_of(sb: &Superblock, ino: u64) -> InodeIdentity<'_> {
    sb.inode_identity(Ino(ino), Some(sb.lsn))
}

fn core(ino: u64) -> InodeCore {
    InodeCore::decode(inode_of(ino), &identity_of(&superblock(), ino)).unwrap()
}

#[test]
fn a_superblock_reads_as_xfs_db_reads_it() {
    let sb = superblock();
    let expected = Geometry {
        block_log: 10,
        sector_log: 9,
        inode_log: 9,
        inodes_per_block_log: 1,
        ag_block_log: 17,
        dir_block_log: 2,
        ag_blocks: 81920,
        ag_count: 4,
        data_blocks: 327680,
        log_start: FsBlock(262152),
        log_blocks: 65536,
    };
    assert_eq!(sb.geometry, expected);
    assert_eq!((sb.version, sb.version_bits, sb.features2), (5, 0xb4b0, 0x18a));
    assert_eq!(
        sb.features,
        Features { compat: 0, ro_compat: 0xf, incompat: 0x2b, log_incompat: 0 }
    );
    assert_eq!(sb.label(), b"fixture");
    assert_eq!(sb.root_ino, Ino(64));
    assert_eq!((sb.realtime.bitmap_ino, sb.realtime.summary_ino), (Ino(65), Ino(66)));
    assert_eq!((sb.counters.inodes, sb.counters.free_inodes), (704, 188));
    assert_eq!(sb.counters.free_blocks, 252003);
    assert_eq!((sb.inode_align, sb.sparse_align, sb.inode_percent), (32, 16, 25));
    assert_eq!((sb.log.sector_log, sb.log.stripe_unit), (9, 1));
    assert_eq!((sb.quota.user, sb.quota.group, sb.quota.project), (None, None, None));
    assert_eq!(sb.lsn, Lsn(0x1_0000_3710));
    assert_eq!(sb.uuid, sb.meta_uuid);
    assert_eq!(sb.uuid[..4], [0x0f, 0x1e, 0x2d, 0x3c]);
}

#[test]
fn every_block_that_linux_wrote_verifies() {
    let sb = superblock();
    for (kind, addr, bytes) in blocks() {
        verify(kind, bytes, &sb.identity(addr, Some(sb.lsn))).unwrap();
    }
}

#[test]
fn sealing_with_its_own_lsn_changes_nothing() {
    for (kind, _, bytes) in blocks() {
        let at = kind.seal_at().unwrap();
        let lsn = wire::be64(bytes, at.lsn.unwrap()).unwrap();
        let mut copy = bytes.to_vec();
        copy[at.crc..at.crc + 4].fill(0xaa);
        seal(kind, &mut copy, Lsn(lsn));
        assert_eq!(copy, bytes, "{}", kind.name());
    }
}

#[test]
fn any_flipped_bit_is_found() {
    let sb = superblock();
    for (kind, addr, bytes) in blocks() {
        for bit in (0..bytes.len() * 8).step_by(13) {
            let mut copy = bytes.to_vec();
            copy[bit / 8] ^= 1 << (bit % 8);
            let found = verify(kind, &copy, &sb.identity(addr, Some(sb.lsn)));
            assert!(found.is_err(), "{} bit {bit}", kind.name());
        }
    }
}

#[test]
fn a_good_block_at_a_wrong_place_is_found() {
    let sb = superblock();
    for (kind, addr, bytes) in blocks() {
        // Superblocks are the same in every AG.
        if kind == BlockKind::Superblock {
            continue;
        }
        let elsewhere = DiskAddr(addr.0 ^ (1 << 18));
        let found = verify(kind, bytes, &sb.identity(elsewhere, None)).unwrap_err();
        assert!(matches!(found, Fault::Position { .. } | Fault::Owner { .. }), "{found}");
    }
}

#[test]
fn a_good_block_of_another_volume_is_found() {
    let sb = superblock();
    for (kind, addr, bytes) in blocks() {
        let identity = Identity { uuid: [7; 16], ..sb.identity(addr, None) };
        let found = verify(kind, bytes, &identity).unwrap_err();
        assert!(matches!(found, Fault::Uuid { .. }), "{found}");
    }
}

#[test]
fn an_lsn_ahead_of_the_log_is_found() {
    let sb = superblock();
    for (kind, addr, bytes) in blocks() {
        let mut copy = bytes.to_vec();
        seal(kind, &mut copy, Lsn::new(2, 0));
        let found = verify(kind, &copy, &sb.identity(addr, Some(Lsn::new(1, 9)))).unwrap_err();
        assert!(matches!(found, Fault::Ahead { .. }), "{found}");
    }
}

#[test]
fn a_bmbt_block_of_another_inode_is_found() {
    let sb = superblock();
    let identity = Identity { owner: Some(68), ..sb.identity(DiskAddr(46), None) };
    let found = verify(BlockKind::Bmbt, block(BlockKind::Bmbt, 46), &identity).unwrap_err();
    assert_eq!(found, Fault::Owner { what: "bmbt", found: 67, expected: 68 });
}

#[test]
fn an_agf_reads_as_xfs_db_reads_it() {
    let sb = superblock();
    let agf =
        Agf::decode(block(BlockKind::Agf, 1), &sb.identity(DiskAddr(1), Some(sb.lsn))).unwrap();
    let tree = |t: untorn_format::ag::TreeRoot| (t.block.0, t.levels);
    assert_eq!((agf.ag, agf.length), (AgNumber(0), 81920));
    assert_eq!(tree(agf.bnobt), (9214, 2));
    assert_eq!(tree(agf.cntbt), (9294, 2));
    assert_eq!(agf.rmapbt.map(tree), Some((10964, 4)));
    assert_eq!(agf.refcountbt.map(tree), Some((10591, 2)));
    assert_eq!((agf.free_blocks, agf.longest, agf.btree_blocks), (67762, 64070, 4087));
    assert_eq!((agf.rmap_blocks, agf.refcount_blocks), (4082, 40));
    assert_eq!(agf.lsn, Lsn(0x1_0000_36c4));
}

#[test]
fn a_free_list_reads_as_xfs_db_reads_it() {
    let sb = superblock();
    let agf =
        Agf::decode(block(BlockKind::Agf, 1), &sb.identity(DiskAddr(1), Some(sb.lsn))).unwrap();
    let blocks = agf.free_list.blocks(block(BlockKind::Agfl, 3), agf.length).unwrap();
    let expected = [
        16593, 16595, 16596, 16597, 16598, 16599, 16600, 16602, 16603, 16604, 16606, 17055, 17568,
        8896, 8897,
    ];
    assert_eq!(blocks[1..], expected.map(AgBlock));
    assert_eq!(blocks[0], AgBlock(16592));
}

#[test]
fn an_agi_reads_as_xfs_db_reads_it() {
    let sb = superblock();
    let agi =
        Agi::decode(block(BlockKind::Agi, 2), &sb.identity(DiskAddr(2), Some(sb.lsn))).unwrap();
    assert_eq!((agi.count, agi.free_count, agi.length), (704, 188, 81920));
    assert_eq!((agi.inobt.block, agi.inobt.levels), (AgBlock(4), 1));
    assert_eq!(agi.finobt.map(|t| (t.block, t.levels)), Some((AgBlock(5), 1)));
    assert_eq!((agi.inobt_blocks, agi.finobt_blocks), (1, 1));
    assert_eq!(agi.newest_chunk, Some(AgIno(17792)));
    assert!(agi.unlinked.iter().all(Option::is_none));
}

#[test]
fn ag_headers_survive_being_read_and_written() {
    let sb = superblock();
    let bytes = block(BlockKind::Agf, 1);
    let agf = Agf::decode(bytes, &sb.identity(DiskAddr(1), None)).unwrap();
    let (disk, original) = (agf.to_disk(sb.uuid), AgfDisk::of(bytes).unwrap());
    let disk = AgfDisk { crc: original.crc, ..disk };
    assert_eq!(zerocopy::IntoBytes::as_bytes(&disk), &bytes[..224]);
    let bytes = block(BlockKind::Agi, 2);
    let agi = Agi::decode(bytes, &sb.identity(DiskAddr(2), None)).unwrap();
    let (disk, original) = (agi.to_disk(sb.uuid), AgiDisk::of(bytes).unwrap());
    let disk = AgiDisk { crc: original.crc, ..disk };
    assert_eq!(zerocopy::IntoBytes::as_bytes(&disk), &bytes[..344]);
}

#[test]
fn a_superblock_survives_being_read_and_written() {
    let mut sector = vec![0; 512];
    superblock().encode(&mut sector);
    seal(BlockKind::Superblock, &mut sector, superblock().lsn);
    // Linux says "no quota inode" with ones where this says zeroes.
    for at in [160..176, 232..240, 224..228] {
        sector[at.clone()].copy_from_slice(&SUPERBLOCK[at]);
    }
    assert_eq!(sector, SUPERBLOCK);
}

/// The records of a leaf.
fn records<T>(kind: BtreeKind, addr: u64, decode: impl Fn(&[u8]) -> Result<T, Fault>) -> Vec<T> {
    let bytes = block(kind.block_kind(), addr);
    let header = Header::decode(kind, bytes).unwrap();
    assert_eq!(header.level, 0);
    let at = |index| decode(&bytes[kind.record_offset(index)..]).unwrap();
    (0..header.numrecs.into()).map(at).collect()
}

#[test]
fn inode_chunks_read_as_xfs_db_reads_them() {
    let recs = records(BtreeKind::Inobt, 8, |b| InobtRec::decode(b, ChunkForm::Sparse));
    let third = InobtRec {
        start: AgIno(17216),
        holes: 0,
        count: 64,
        free_count: 18,
        free: 0x9249249249249000,
    };
    assert_eq!((recs.len(), recs[2]), (11, third));
    assert_eq!(third.first_free(), Some(12));
}

#[test]
fn reverse_mappings_read_as_xfs_db_reads_them() {
    let recs = records(BtreeKind::Rmapbt, 12, RmapRec::decode);
    let special = |start, length, owner| RmapRec::special(AgBlock(start), length, owner);
    let headers = [
        special(0, 2, RmapOwner::Fs),
        special(2, 2, RmapOwner::Ag),
        special(4, 2, RmapOwner::Inobt),
        special(6, 1, RmapOwner::Ag),
        special(7, 1, RmapOwner::Refcount),
        special(8, 6, RmapOwner::Ag),
    ];
    assert_eq!(recs[..6], headers);
    let owners: Vec<_> = recs[6..].iter().map(|r| r.owner).collect();
    let expected = [67, 84, 87, 90, 93, 96, 99, 102, 105, 108, 111, 114, 117, 120];
    assert_eq!(owners, expected.map(|ino| RmapOwner::Inode(Ino(ino))));
    assert!(recs.windows(2).all(|pair| pair[0].low_key() < pair[1].low_key()));
}

#[test]
fn reference_counts_read_as_xfs_db_reads_them() {
    let recs = records(BtreeKind::Refcountbt, 14, RefcountRec::decode);
    assert_eq!(recs.len(), 47);
    let last =
        RefcountRec { domain: RefcountDomain::Shared, start: AgBlock(141), length: 1, refs: 41 };
    assert_eq!(recs[46], last);
}

#[test]
fn extents_of_a_bmbt_leaf_read_as_xfs_db_reads_them() {
    let recs = records(BtreeKind::Bmbt, 46, Extent::decode);
    assert_eq!(recs.len(), 59);
    for (index, extent) in recs.iter().take(9).enumerate() {
        let (file, start) = (FileBlock(index as u64 * 2), FsBlock(14 + index as u64 * 2));
        assert_eq!(*extent, Extent { file, start, length: 1, state: ExtentState::Written });
    }
}

#[test]
fn extents_of_an_inode_read_as_xfs_db_reads_them() {
    let fork = inode::data_fork(inode_of(81)).unwrap();
    let extents: Vec<_> = fork.chunks(16).take(3).map(|b| Extent::decode(b).unwrap()).collect();
    let extent = |file, start, length, state| Extent {
        file: FileBlock(file),
        start: FsBlock(start),
        length,
        state,
    };
    let expected = [
        extent(0, 9561, 64, ExtentState::Unwritten),
        extent(64, 9625, 4, ExtentState::Written),
        extent(68, 9629, 956, ExtentState::Unwritten),
    ];
    assert_eq!(extents, expected);
}

#[test]
fn keys_and_pointers_of_nodes_read_as_xfs_db_reads_them() {
    let kind = BtreeKind::Rmapbt;
    let bytes = block(BlockKind::Rmapbt, 21928);
    let key = |at: usize| RmapKey::decode(&bytes[at..]).unwrap();
    let pointer = |index| wire::be32(bytes, kind.pointer_offset(1024, index)).unwrap();
    let low = RmapKey { start: AgBlock(529), owner: 114, offset: 496 };
    let high = RmapKey { start: AgBlock(1198), owner: 17165, offset: 1130 };
    assert_eq!(key(kind.key_offset(1)), low);
    assert_eq!(key(kind.high_key_offset(1)), high);
    assert_eq!((pointer(0), pointer(1), pointer(10)), (617, 14421, 15159));
    let (kind, bytes) = (BtreeKind::Cntbt, block(BlockKind::Cntbt, 18588));
    let pointer = |index| wire::be32(bytes, kind.pointer_offset(1024, index)).unwrap();
    assert_eq!((pointer(0), pointer(1), pointer(2)), (3, 9254, 16591));
    let second = AllocRec::decode(&bytes[kind.key_offset(1)..]).unwrap();
    assert_eq!(second, AllocRec { start: AgBlock(9301), length: 1 });
}

#[test]
fn links_between_blocks_read_as_xfs_db_reads_them() {
    let header = Header::decode(BtreeKind::Bmbt, block(BlockKind::Bmbt, 2268)).unwrap();
    assert_eq!((header.level, header.numrecs, header.owner), (1, 43, 67));
    assert_eq!((header.links.left, header.links.right), (None, Some(4336)));
    assert_eq!((header.addr, header.lsn), (DiskAddr(2268), Lsn(0x1_0000_0002)));
}

#[test]
fn a_fragmented_file_reads_as_xfs_db_reads_it() {
    let core = core(67);
    assert_eq!((core.mode, core.format, core.size), (0o100755, ForkFormat::Btree, 6142976));
    assert_eq!((core.nlink, core.blocks, core.extents), (1, 6070, 5966));
    assert_eq!((core.attr_format, core.attr_extents, core.fork_offset), (ForkFormat::Local, 0, 24));
    assert_eq!((core.generation, core.change_count), (1432012991, 2899));
    assert_eq!((core.flags2, core.lsn), (InodeFlags2(0x1a), Lsn(0x1_0000_0438)));
    let time = |nanos| inode::Timestamp { seconds: 1795415762, nanos };
    assert_eq!((core.mtime, core.ctime), (time(739235811), time(843235808)));
    assert_eq!((core.atime, core.crtime), (time(451235819), time(451235819)));
    assert!(core.is_reflink());
    let root = btree::root::Root::decode(inode::data_fork(inode_of(67)).unwrap()).unwrap();
    let pointers: Vec<_> = root.children.iter().map(|(_, block)| block.0).collect();
    assert_eq!((root.level, pointers), (2, vec![1134, 4336]));
}

#[test]
fn every_kind_of_inode_reads() {
    let kinds = [
        (64, Some(FileKind::Directory), ForkFormat::Extents),
        (66, Some(FileKind::Regular), ForkFormat::Extents),
        (68, Some(FileKind::Directory), ForkFormat::Extents),
        (69, Some(FileKind::Symlink), ForkFormat::Local),
        (72, Some(FileKind::Symlink), ForkFormat::Extents),
        (75, Some(FileKind::Fifo), ForkFormat::Dev),
        (78, Some(FileKind::CharDevice), ForkFormat::Dev),
        (81, Some(FileKind::Regular), ForkFormat::Extents),
        (17225, Some(FileKind::Regular), ForkFormat::Btree),
        (17228, None, ForkFormat::Extents),
    ];
    for (ino, kind, format) in kinds {
        let core = core(ino);
        assert_eq!((core.kind(), core.format), (kind, format), "inode {ino}");
    }
}

#[test]
fn inodes_survive_being_read_and_written() {
    for (ino, bytes) in INODES {
        let mut copy = bytes.to_vec();
        copy[..176].fill(0);
        let core = core(ino);
        core.encode(&mut copy);
        inode::seal(&mut copy, core.lsn);
        assert_eq!(copy, bytes, "inode {ino}");
    }
}

#[test]
fn an_inode_under_another_number_is_found() {
    let sb = superblock();
    let found = InodeCore::decode(inode_of(67), &identity_of(&sb, 68)).unwrap_err();
    assert_eq!(found, Fault::Field { what: "inode", field: "di_ino", value: 67 });
}

#[test]
fn mkfs_and_limits_agree_on_the_root_directory() {
    let sb = superblock();
    assert_eq!(sb.limits().root_ino(), sb.root_ino);
}

#[test]
fn features_of_the_volume_have_names() {
    let sb = superblock();
    let names: Vec<_> = sb.features.named().map(|f| f.name).collect();
    let expected =
        ["finobt", "rmapbt", "reflink", "inobtcount", "ftype", "sparse", "bigtime", "nrext64"];
    assert_eq!(names, expected);
    assert_eq!(sb.check(Access::Write), Ok(()));
}

/// Bytes written over a block at some places.
fn edits() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    let byte = prop_oneof![Just(0u8), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()];
    let run = proptest::collection::vec(byte, 1..9);
    proptest::collection::vec((0..1024usize, run), 1..6)
}

fn apply(bytes: &[u8], edits: &[(usize, Vec<u8>)], crc: usize) -> Vec<u8> {
    let mut copy = bytes.to_vec();
    for (at, run) in edits {
        let at = at % copy.len();
        for (place, byte) in copy[at..].iter_mut().zip(run) {
            *place = *byte;
        }
    }
    checksum::stamp(&mut copy, crc);
    copy
}

/// Reads everything that a verified block offers.
fn read_entries(kind: BtreeKind, bytes: &[u8]) {
    let Ok(header) = Header::decode(kind, bytes) else { return };
    for index in 0..usize::from(header.numrecs) {
        match header.level {
            0 => read_record(kind, bytes.get(kind.record_offset(index)..).unwrap_or_default()),
            _ => {
                let at = kind.key_offset(index);
                bytes.get(at..at + kind.key_size()).unwrap();
                let at = kind.pointer_offset(bytes.len(), index);
                bytes.get(at..at + kind.pointer_size()).unwrap();
            }
        }
    }
}

fn read_record(kind: BtreeKind, bytes: &[u8]) {
    match kind {
        BtreeKind::Bnobt | BtreeKind::Cntbt => drop(AllocRec::decode(bytes)),
        BtreeKind::Inobt | BtreeKind::Finobt => {
            drop(InobtRec::decode(bytes, ChunkForm::Sparse));
            drop(InobtRec::decode(bytes, ChunkForm::Full));
        }
        BtreeKind::Rmapbt => drop(RmapRec::decode(bytes).map(|rec| rec.high_key())),
        BtreeKind::Refcountbt => drop(RefcountRec::decode(bytes)),
        BtreeKind::Bmbt => drop(Extent::decode(bytes)),
    }
    let mut key = [0; 20];
    kind.key_of(bytes, &mut key);
    if kind.has_high_keys() {
        kind.high_key_of(bytes, &mut key);
    }
}

proptest! {
    #[test]
    fn a_resealed_block_of_any_contents_verifies_or_fails_but_never_panics(
        which in 0..21usize, edits in edits(),
    ) {
        let sb = superblock();
        let (kind, addr, bytes) = blocks()[which];
        let copy = apply(bytes, &edits, kind.seal_at().unwrap().crc);
        let verified = verify(kind, &copy, &sb.identity(addr, None)).is_ok();
        if let Some(btree) = BtreeKind::of_block(kind).filter(|_| verified) {
            read_entries(btree, &copy);
        }
        if let Ok(agf) = Agf::decode(&copy, &sb.identity(addr, None)) {
            drop(agf.free_list.blocks(&copy, agf.length));
        }
    }

    #[test]
    fn a_hostile_superblock_that_decodes_places_everything_inside(edits in edits()) {
        let copy = apply(SUPERBLOCK, &edits, 224);
        if let Ok(sb) = Superblock::decode(&copy) {
            let geometry = sb.geometry();
            let last = AgNumber(geometry.ag_count - 1);
            prop_assert!(geometry.blocks_of(last) >= 64);
            prop_assert!(geometry.split_ino(sb.root_ino).is_some());
            drop(sb.check(Access::Write));
            let limits = sb.limits();
            let _ = (limits.root_ino(), limits.inode_layout(), limits.most_usable());
            for kind in BtreeKind::ALL {
                prop_assert!(limits.max_levels(kind) <= btree::MAX_LEVELS);
            }
            let _ = (limits.rmap_reserve(last, 1), limits.finobt_reserve(last, 1));
        }
    }

    #[test]
    fn a_hostile_inode_that_decodes_has_forks_that_hold_what_it_says(
        which in 0..12usize, edits in edits(),
    ) {
        let sb = superblock();
        let (ino, bytes) = INODES[which];
        let copy = apply(bytes, &edits, 100);
        if let Ok(core) = InodeCore::decode(&copy, &identity_of(&sb, ino)) {
            for fork in [Fork::Data, Fork::Attr] {
                let range = inode::fork_range(core.version, core.fork_offset, copy.len(), fork);
                let listed = core.fork_format(fork) == ForkFormat::Extents && core.mode != 0;
                if listed && (fork == Fork::Data || core.has_attr_fork()) {
                    prop_assert!(core.fork_extents(fork) as usize * 16 <= range.len());
                }
            }
            let mut again = copy.clone();
            core.encode(&mut again);
        }
    }

    #[test]
    fn bytes_of_any_length_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..1100)) {
        let sb = superblock();
        for (kind, addr, _) in blocks() {
            drop(verify(kind, &bytes, &sb.identity(addr, None)));
        }
        drop(InodeCore::decode(&bytes, &identity_of(&sb, 67)));
        drop(btree::root::Root::decode(&bytes));
        drop(Superblock::decode(&bytes));
    }
}
