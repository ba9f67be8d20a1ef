//! The least size of a log, against what Linux says.

use crate::mkfs::options::*;
use crate::mkfs::plan::Plan;
use crate::mkfs::reservation::least_log;
use untorn_device::DeviceGeometry;

fn device(size: u64) -> DeviceGeometry {
    DeviceGeometry { size, sector_size: 512, memory_alignment: 1, read_only: false }
}

/// Least log in blocks on a volume of `mib` MiB.
fn least(mib: u64, options: Options) -> u64 {
    let plan = Plan::new(&options, &device(mib << 20)).unwrap();
    let superblock = plan.superblock;
    least_log(&superblock.geometry, superblock.features, superblock.log.stripe_unit)
}

fn without(names: &[&str]) -> FeatureSet {
    let has = |name: &str| !names.contains(&name);
    FeatureSet {
        finobt: has("finobt"),
        rmapbt: has("rmapbt"),
        reflink: has("reflink"),
        sparse: has("sparse"),
        bigtime: has("bigtime"),
        inobtcount: has("inobtcount"),
        nrext64: has("nrext64"),
        ..FeatureSet::NONE
    }
}

/// What Linux 6.18 told when it refused logs of 64 blocks, mounted with `logbsize=16k`.
#[test]
fn the_least_log_is_the_one_that_linux_names() {
    let all: &[&str] = &[];
    let plain: &[&str] = &["rmapbt", "nrext64"];
    let no_reflink: &[&str] = &["rmapbt", "nrext64", "reflink"];
    let rmap: &[&str] = &["nrext64", "reflink"];
    let bare: &[&str] = &["rmapbt", "nrext64", "reflink", "finobt", "inobtcount"];
    let told = [
        (1024, [5978, 2565, 3032, 2565]),
        (2048, [4238, 1447, 1714, 1447]),
        (4096, [3708, 868, 1177, 854]),
        (8192, [2836, 562, 759, 562]),
        (16384, [2708, 461, 552, 461]),
        (32768, [2643, 411, 500, 411]),
        (65536, [2611, 314, 473, 298]),
    ];
    for (block_size, least_of) in told {
        for (lacks, expected) in [all, no_reflink, rmap, bare].into_iter().zip(least_of) {
            let options = Options { block_size, features: without(lacks), ..Options::default() };
            assert_eq!(least(2048, options), expected, "{block_size} without {lacks:?}");
        }
    }
    let with = |options: Options, lacks: &[&str]| Options { features: without(lacks), ..options };
    let base = Options::default();
    let inodes = |inode_size| Options { inode_size, ..Options::default() };
    let told = [
        (2048, with(inodes(2048), plain), 1969),
        (2048, with(inodes(1024), no_reflink), 870),
        (2048, with(inodes(2048), no_reflink), 875),
        (
            2048,
            with(
                Options { block_size: 1024, dir_block_size: Some(65536), ..base.clone() },
                no_reflink,
            ),
            9008,
        ),
        (2048, with(Options { dir_block_size: Some(65536), ..base.clone() }, plain), 2197),
        (10 << 20, with(base.clone(), &["nrext64"]), 4320),
        (10 << 20, with(Options { block_size: 1024, ..base.clone() }, &["nrext64"]), 7311),
        (2048, with(Options { sector_size: Some(4096), ..base.clone() }, &["nrext64"]), 3567),
        (
            2048,
            with(
                Options {
                    log: Log { stripe_unit: Some(256 << 10), ..Log::default() },
                    ..base.clone()
                },
                &["nrext64"],
            ),
            6912,
        ),
        (
            2048,
            with(
                Options {
                    log: Log { stripe_unit: Some(16 << 10), ..Log::default() },
                    ..base.clone()
                },
                plain,
            ),
            1800,
        ),
        (2048, with(Options { block_size: 1024, ..base.clone() }, &["rmapbt", "reflink"]), 8736),
        (2048, with(Options { block_size: 2048, ..base.clone() }, &["rmapbt", "reflink"]), 6184),
        (2048, with(base.clone(), &["rmapbt", "reflink"]), 4096),
        (16, with(base, plain), 1357),
    ];
    for (mib, options, expected) in told {
        assert_eq!(least(mib, options.clone()), expected, "{options:?}");
    }
}
