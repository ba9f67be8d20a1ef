//! Volumes made by mkfs.xfs and filled by Linux, decoded whole and compared with what xfs_db says
//! and what Linux said of each file while the volume was mounted.

#![allow(clippy::unwrap_used)]

mod database;
mod image;
mod inodes;
mod trees;

use database::Database;
use image::Image;
use std::path::Path;
use untorn_format::*;
use untorn_torture::kernel::{self, Caching, MkfsOptions, MountOptions, Mounted, Recipe, Scratch};

const MIB: u64 = 1 << 20;

/// Makes a volume, fills it and compares everything.
fn compare(size: u64, options: &MkfsOptions) {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    kernel::make_volume(&path, size, options).unwrap();
    let files = fill(&path);
    let image = Image::open(&path);
    let database = Database::new(&path);
    superblocks(&image, &database);
    trees::compare(&image, &database);
    inodes::compare(&image, &database, &files);
}

fn fill(path: &Path) -> Vec<inodes::Told> {
    let options = MountOptions { caching: Caching::Direct, ..MountOptions::default() };
    let mounted = Mounted::with(path, &options).unwrap();
    kernel::fill(&mounted.root(), Recipe::EveryForm, 1).unwrap();
    let files = inodes::told_by_linux(&mounted.root());
    mounted.unmount().unwrap();
    files
}

/// The superblock against xfs_db, and every copy against the first.
fn superblocks(image: &Image, database: &Database) {
    let sb = &image.superblock;
    let fields = database.fields(&["sb 0", "print"]);
    let geometry = sb.geometry();
    let inode = |ino: Option<Ino>| ino.map_or(0, |ino| ino.0);
    let pairs = [
        ("blocksize", geometry.block_size() as u64),
        ("blocklog", geometry.block_log.into()),
        ("dblocks", geometry.data_blocks),
        ("rblocks", sb.realtime.blocks),
        ("rextsize", sb.realtime.extent_size.into()),
        ("logstart", geometry.log_start.0),
        ("logblocks", geometry.log_blocks.into()),
        ("rootino", sb.root_ino.0),
        ("rbmino", sb.realtime.bitmap_ino.0),
        ("rsumino", sb.realtime.summary_ino.0),
        ("agblocks", geometry.ag_blocks.into()),
        ("agcount", geometry.ag_count.into()),
        ("agblklog", geometry.ag_block_log.into()),
        ("versionnum", u64::from(sb.version_bits) | u64::from(sb.version)),
        ("sectsize", geometry.sector_size() as u64),
        ("inodesize", geometry.inode_size() as u64),
        ("inopblock", geometry.inodes_per_block().into()),
        ("dirblklog", geometry.dir_block_log.into()),
        ("imax_pct", sb.inode_percent.into()),
        ("icount", sb.counters.inodes),
        ("ifree", sb.counters.free_inodes),
        ("fdblocks", sb.counters.free_blocks),
        ("inoalignmt", sb.inode_align.into()),
        ("spino_align", sb.sparse_align.into()),
        ("unit", sb.stripe_unit.into()),
        ("width", sb.stripe_width.into()),
        ("logsunit", sb.log.stripe_unit.into()),
        ("features2", sb.features2.into()),
        ("features_compat", sb.features.compat.into()),
        ("features_ro_compat", sb.features.ro_compat.into()),
        ("features_incompat", sb.features.incompat.into()),
        ("features_log_incompat", sb.features.log_incompat.into()),
        ("qflags", sb.quota.flags.0.into()),
        ("lsn", sb.lsn.0),
    ];
    for (name, value) in pairs {
        assert_eq!(fields.number(name), value, "{name}");
    }
    for name in ["uquotino", "gquotino", "pquotino"] {
        assert!([0, u64::MAX].contains(&fields.number(name)));
    }
    assert_eq!(inode(sb.quota.user), 0);
    assert_eq!(sb.limits().root_ino(), sb.root_ino, "where mkfs.xfs put the root directory");
    for ag in 0..geometry.ag_count {
        let (_, bytes) = image.header(AgNumber(ag), 0);
        let copy = Superblock::decode_copy(&bytes).unwrap();
        assert_eq!(copy.geometry, *geometry);
    }
}

#[test]
fn a_default_volume_decodes_as_xfsprogs_and_linux_read_it_kernel() {
    compare(320 * MIB, &MkfsOptions::default());
}

#[test]
fn a_volume_of_small_blocks_with_rmapbt_decodes_kernel() {
    let options =
        MkfsOptions { block_size: 1024, rmapbt: true, nrext64: true, ..Default::default() };
    compare(320 * MIB, &options);
}

#[test]
fn a_volume_of_large_blocks_decodes_kernel() {
    let options = MkfsOptions { block_size: 65536, rmapbt: true, ..Default::default() };
    compare(2048 * MIB, &options);
}

#[test]
fn a_volume_of_large_sectors_decodes_kernel() {
    let options = MkfsOptions { sector_size: 4096, rmapbt: true, ..Default::default() };
    compare(320 * MIB, &options);
}

#[test]
fn a_volume_without_anything_optional_decodes_kernel() {
    let options = MkfsOptions {
        reflink: false,
        finobt: false,
        inobtcount: false,
        sparse: false,
        bigtime: false,
        ..Default::default()
    };
    compare(320 * MIB, &options);
}

#[test]
fn a_volume_of_large_inodes_and_many_ags_decodes_kernel() {
    let options = MkfsOptions {
        block_size: 2048,
        inode_size: 1024,
        ag_count: Some(9),
        nrext64: true,
        label: Some("nine groups".to_owned()),
        ..Default::default()
    };
    compare(400 * MIB, &options);
}

#[test]
fn a_striped_volume_decodes_kernel() {
    let arguments = ["-d", "su=64k,sw=4"].map(str::to_owned).to_vec();
    // A log that fills its AG makes mkfs.xfs 6.1 count free blocks there that are not.
    let log_size = Some(16 * MIB);
    let options = MkfsOptions { rmapbt: true, log_size, arguments, ..Default::default() };
    compare(320 * MIB, &options);
}

#[test]
fn a_version_4_volume_is_known_and_refused_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let arguments = ["-m", "crc=0"];
    let options = MkfsOptions { arguments: arguments.map(str::to_owned).to_vec(), ..old() };
    kernel::make_volume(&path, 320 * MIB, &options).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(512);
    let sb = Superblock::decode(&bytes).unwrap();
    let fields = Database::new(&path).fields(&["sb 0", "print"]);
    assert_eq!(fields.number("agblocks"), u64::from(sb.geometry.ag_blocks));
    assert_eq!(fields.number("rootino"), sb.root_ino.0);
    assert_eq!(sb.check(Access::Read), Err(Unsupported::Version { version: 4 }));
}

/// Nothing that version 4 lacks.
fn old() -> MkfsOptions {
    MkfsOptions {
        inode_size: 256,
        reflink: false,
        finobt: false,
        inobtcount: false,
        sparse: false,
        bigtime: false,
        ..Default::default()
    }
}
