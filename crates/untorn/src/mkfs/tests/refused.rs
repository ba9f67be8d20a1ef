//! Choices that are refused, each by its name, and none that panics.

use super::*;
use crate::mkfs::plan::Plan;
use crate::mkfs::{FeatureSet, Groups, Log, MkfsError, RootHints, Stripe};
use proptest::prelude::*;
use untorn_device::{BlockDevice, DeviceGeometry};

fn refused(mib: u64, options: Options) -> String {
    let device = MemoryDevice::new(mib * MIB);
    let before = device.content_hash();
    let error = make(&device, &options).unwrap_err();
    assert!(matches!(error, MkfsError::Refused { .. }), "{error}");
    assert_eq!(device.content_hash(), before);
    error.to_string()
}

#[test]
fn each_bound_is_told() {
    let base = Options::default();
    let log = Log::default();
    let root = RootHints::default();
    let no_finobt = FeatureSet { finobt: false, ..FeatureSet::ALL };
    let no_reflink = FeatureSet { reflink: false, ..FeatureSet::ALL };
    let told = [
        (64, Options { block_size: 3000, ..base.clone() }, "block size 3000: must be a power"),
        (64, Options { block_size: 512, ..base.clone() }, "block size 512: must be a power"),
        (64, Options { sector_size: Some(256), ..base.clone() }, "sector size 256: must be"),
        (64, Options { sector_size: Some(8192), ..base.clone() }, "sector size 8192: must be"),
        (64, Options { inode_size: 256, ..base.clone() }, "inode size 256: must be"),
        (64, Options { inode_size: 4096, ..base.clone() }, "inode size 4096: must be"),
        (64, Options { inode_size: 1024, block_size: 1024, ..base.clone() }, "inode size 1024"),
        (64, Options { dir_block_size: Some(2048), ..base.clone() }, "directory block size 2048"),
        (64, Options { size: Some(65 * MIB), ..base.clone() }, "size 68157440: is more than"),
        (64, Options { size: Some(15 * MIB), ..base.clone() }, "size 15728640: must be at least"),
        (15, base.clone(), "size 15728640: must be at least 16 MiB"),
        (64, Options { groups: Groups::Count(0), ..base.clone() }, "group count 0: must be"),
        (64, Options { groups: Groups::Count(5), ..base.clone() }, "group count 5: makes groups"),
        (64, Options { groups: Groups::Size(1), ..base.clone() }, "group size 1: must be a"),
        (64, Options { groups: Groups::Size(65 << 20), ..base.clone() }, "group size 68157440"),
        (64, Options { groups: Groups::Size(8 << 20), ..base.clone() }, "group size 8388608"),
        (64, Options { log: Log { group: Some(4), ..log }, ..base.clone() }, "log group 4: is not"),
        (
            64,
            Options { log: Log { size: Some(1), ..log }, ..base.clone() },
            "log size 1: must be a",
        ),
        (64, Options { log: Log { size: Some(MIB), ..log }, ..base.clone() }, "log size 1048576"),
        (
            64,
            Options { log: Log { size: Some(64 << 20), ..log }, ..base.clone() },
            "log size 67108864: must be at most",
        ),
        (
            64,
            Options { stripe: Some(Stripe { unit: 512 << 20, width: 1 << 30 }), ..base.clone() },
            "stripe unit 536870912: must not be larger than the volume",
        ),
        (
            64,
            Options { log: Log { stripe_unit: Some(0), ..log }, ..base.clone() },
            "log stripe unit 0",
        ),
        (
            64,
            Options { log: Log { stripe_unit: Some(12288), ..log }, ..base.clone() },
            "log stripe unit 12288: must be a power",
        ),
        (
            64,
            Options { log: Log { stripe_unit: Some(1 << 19), ..log }, ..base.clone() },
            "log stripe unit 524288",
        ),
        (64, Options { block_size: 65536, ..base.clone() }, "size 67108864: is too small"),
        (64, Options { features: no_finobt, ..base.clone() }, "feature inobtcount: needs"),
        (64, Options { uuid: Some([0; 16]), ..base.clone() }, "UUID 00000000-"),
        (
            64,
            Options { label: "thirteen byte".into(), ..base.clone() },
            "label thirteen byte: must",
        ),
        (64, Options { label: "a\0b".into(), ..base.clone() }, "label a\0b: must"),
        (64, Options { inode_percent: Some(101), ..base.clone() }, "inode percentage 101: must"),
        (
            64,
            Options { root: RootHints { extent_size: 1000, ..root }, ..base.clone() },
            "extent size hint 1000",
        ),
        (
            64,
            Options { root: RootHints { extent_size: 1 << 40, ..root }, ..base.clone() },
            "extent size hint 1099511627776",
        ),
        (
            64,
            Options {
                root: RootHints { cow_extent_size: 4096, ..root },
                features: no_reflink,
                ..base
            },
            "copy-on-write extent size hint 4096: needs",
        ),
    ];
    for (mib, options, start) in told {
        let error = refused(mib, options);
        assert!(error.starts_with(start), "{error}");
    }
}

#[test]
fn a_device_with_large_sectors_refuses_small_ones() {
    let device = MemoryDevice::with_sector_size(64 * MIB, 4096);
    let error = make(&device, &Options { sector_size: Some(512), ..Options::default() });
    assert!(error.unwrap_err().to_string().starts_with("sector size 512: must be"));
    let made = make(&device, &Options::default()).unwrap();
    assert_eq!(made.superblock.geometry.sector_log, 12);
}

fn features() -> impl Strategy<Value = FeatureSet> {
    any::<[bool; 9]>().prop_map(|has| FeatureSet {
        finobt: has[0],
        rmapbt: has[1],
        reflink: has[2],
        sparse: has[3],
        bigtime: has[4],
        inobtcount: has[0] && has[5],
        nrext64: has[6],
        exchange: has[7],
        parent: has[8],
    })
}

/// Sizes in bytes: sensible ones and any.
fn size(range: std::ops::Range<u32>) -> impl Strategy<Value = u32> {
    prop_oneof![30 => range.prop_map(|log| 1 << log), 1 => any::<u32>()]
}

fn groups() -> impl Strategy<Value = Groups> {
    prop_oneof![
        12 => Just(Groups::Default),
        4 => (1..70u32).prop_map(Groups::Count),
        1 => any::<u32>().prop_map(Groups::Count),
        4 => (24..31u32, 0..9u64).prop_map(|(log, more)| Groups::Size((1 << log) + more * 65536)),
        1 => any::<u64>().prop_map(Groups::Size),
    ]
}

fn log() -> impl Strategy<Value = Log> {
    let size = prop_oneof![5 => (1..200u64).prop_map(|n| n << 20), 1 => any::<u64>()];
    let group = prop_oneof![9 => 0..3u32, 1 => any::<u32>()];
    let unit = proptest::option::weighted(0.2, super::refused::size(12..19));
    let few = |group| proptest::option::weighted(0.2, group);
    (proptest::option::weighted(0.2, size), few(group), unit)
        .prop_map(|(size, group, stripe_unit)| Log { size, group, stripe_unit, ..Log::default() })
}

fn options() -> impl Strategy<Value = Options> {
    let sizes = (
        proptest::option::weighted(0.1, prop_oneof![any::<u64>(), 1..1u64 << 30]),
        size(10..17),
        proptest::option::weighted(0.5, size(9..13)),
        prop_oneof![6 => Just(512), 1 => size(8..13)],
        proptest::option::weighted(0.2, size(12..17)),
    );
    let rest = (groups(), log(), features(), any::<[u64; 2]>(), any::<u8>());
    (sizes, rest).prop_map(|(sizes, rest)| {
        let (size, block_size, sector_size, inode_size, dir_block_size) = sizes;
        let (groups, log, features, hints, percent) = rest;
        let hint = |hint: u64| if hint.is_multiple_of(2) { 0 } else { hint % 64 * 65536 };
        Options {
            size,
            block_size,
            sector_size,
            inode_size,
            dir_block_size,
            groups,
            log,
            features,
            inode_percent: Some(percent % 110),
            root: RootHints {
                extent_size: hint(hints[0]),
                cow_extent_size: hint(hints[1]),
                ..RootHints::default()
            },
            contents: Contents::Zeroed,
            ..Options::default()
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_choice_panics_and_what_is_planned_reads_back(
        options in options(),
        size in prop_oneof![(16..2000u64).prop_map(|mib| mib << 20), any::<u64>()],
    ) {
        let geometry =
            DeviceGeometry { size, sector_size: 512, memory_alignment: 1, read_only: false };
        let Ok(plan) = Plan::new(&options, &geometry) else { return Ok(()) };
        if size > 2000 << 20 || plan.superblock.geometry.ag_count > 200 {
            return Ok(());
        }
        let device = MemoryDevice::new(size / 512 * 512);
        let made = make(&device, &options).unwrap();
        let mut sector = vec![0; made.superblock.geometry.sector_size()];
        device.read_at(0, &mut sector).unwrap();
        prop_assert_eq!(untorn_format::Superblock::decode(&sector).unwrap(), made.superblock);
    }
}

#[test]
fn a_single_group_is_whole_units_of_the_stripe() {
    let device = MemoryDevice::new((100 << 20) + (512 << 10));
    let stripe = Some(Stripe { unit: 1 << 20, width: 4 << 20 });
    let options = Options { stripe, groups: Groups::Count(1), ..Options::default() };
    let superblock = make(&device, &options).unwrap().superblock;
    assert_eq!((superblock.geometry.ag_count, superblock.geometry.data_blocks), (1, 100 << 8));
}
