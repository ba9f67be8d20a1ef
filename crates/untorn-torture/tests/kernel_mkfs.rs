//! Volumes made by untorn, judged by Linux, xfs_repair and xfs_db, and compared with those that
//! mkfs.xfs makes of the same choices.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use untorn::mkfs::{self, Contents, FeatureSet, Groups, Log, LogRoom, Options, Stripe};
use untorn_device::{Access, BlockDevice, FileDevice, MemoryDevice};
use untorn_format::Superblock;
use untorn_torture::dice::Dice;
use untorn_torture::kernel::{
    self, MkfsOptions, MountOptions, Mounted, Scratch, make_volume, xfs_db, xfs_repair_n,
};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const TIB: u64 = 1 << 40;
const BLOCK_SIZES: [u32; 7] = [1024, 2048, 4096, 8192, 16384, 32768, 65536];
const UUID: [u8; 16] = *b"untorn mkfs uuid";

fn feature_sets() -> [(&'static str, FeatureSet); 4] {
    [
        ("all", FeatureSet::USUAL),
        ("none", FeatureSet::NONE),
        ("no rmapbt", FeatureSet { rmapbt: false, ..FeatureSet::USUAL }),
        (
            "no reflink, no sparse",
            FeatureSet { reflink: false, sparse: false, ..FeatureSet::USUAL },
        ),
    ]
}

fn make(path: &Path, size: u64, options: &Options) {
    let device = FileDevice::create(path, size).unwrap();
    let options = Options { contents: Contents::Zeroed, ..options.clone() };
    mkfs::make(&device, &options).unwrap_or_else(|error| panic!("{options:?}: {error}"));
}

/// The smallest volume in MiB that can be made.
fn smallest(options: &Options) -> u64 {
    let options = Options { contents: Contents::Zeroed, ..options.clone() };
    let works = |mib: u64| mkfs::make(&MemoryDevice::new(mib * MIB), &options).is_ok();
    let (mut no, mut yes) = (15, 1024);
    while yes - no > 1 {
        let middle = (no + yes) / 2;
        if works(middle) { yes = middle } else { no = middle }
    }
    yes
}

/// How lines begin that xfs_repair prints about every volume: phases, their steps, and that it does
/// not know the sectors of the filesystem that the image lies on.
const ROUTINE: [&str; 6] = [
    "Phase ",
    "- ",
    "No modify flag",
    "Cannot get host filesystem geometry.",
    "Repair may fail if there is a sector size mismatch between",
    "the image and the host filesystem.",
];

/// xfs_repair has nothing to say beyond the names of its phases.
fn assert_silent(path: &Path, what: &str) {
    let verdict = xfs_repair_n(path).unwrap();
    let routine = |line: &str| {
        let line = line.trim_start();
        ROUTINE.iter().any(|start| line.starts_with(start))
    };
    let noise: Vec<_> = verdict.output.lines().filter(|line| !routine(line)).collect();
    assert!(verdict.clean && noise.is_empty(), "{what}: xfs_repair says\n{verdict}");
}

/// Linux mounts the volume, makes directories and files on it until it has more than one chunk of
/// inodes or is full, finds them after mounting again, and xfs_repair stays silent.
///
/// Returns how many of the hundred files had room.
fn judge(path: &Path, options: &Options, what: &str) -> u32 {
    assert_silent(path, what);
    let written = fill(path, options, what);
    assert_silent(path, what);
    written
}

/// The same without xfs_repair, which may not know the volume's features: the checker has its say.
fn judge_newer(path: &Path, options: &Options, what: &str) -> u32 {
    let written = fill(path, options, what);
    let device = FileDevice::open(path, Access::ReadOnly).unwrap();
    let report = untorn_check::check(&device, &Default::default()).unwrap();
    assert!(report.is_clean(), "{what}: {report}");
    written
}

fn fill(path: &Path, options: &Options, what: &str) -> u32 {
    let sector_size = options.sector_size.filter(|&size| (1024..=4096).contains(&size));
    let mount = MountOptions { sector_size, ..MountOptions::default() };
    let mounted = Mounted::with(path, &mount).unwrap_or_else(|e| panic!("{what}: {e:#}"));
    let file = |index: u32| format!("folder {}/file {index}", index % 7);
    let contents = |index: u32| vec![index as u8; 700 * index as usize];
    let write = |index: &u32| {
        let path = mounted.at(file(*index));
        let made = fs::create_dir_all(path.parent().unwrap());
        match made.and_then(|()| fs::write(path, contents(*index))) {
            Err(error) if error.kind() == ErrorKind::StorageFull => false,
            other => other.map(|()| true).unwrap(),
        }
    };
    let written = (0..100).take_while(write).count() as u32;
    // A full volume may have no room for other names.
    for index in 0..if written == 100 { 9 } else { 0 } {
        let (old, new) = (mounted.at(file(index)), mounted.at(format!("folder 0/moved {index}")));
        let _ = fs::hard_link(&old, mounted.at(format!("linked {index}")));
        match fs::rename(&old, &new).and_then(|()| fs::rename(&new, &old)) {
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            done => done.unwrap(),
        }
    }
    mounted.unmount().unwrap();
    let mounted = Mounted::with(path, &mount).unwrap();
    for index in 0..written {
        assert_eq!(fs::read(mounted.at(file(index))).unwrap(), contents(index), "{what}");
    }
    mounted.unmount().unwrap();
    written
}

fn judge_sizes(block_size: u32, sector_size: u32) {
    let scratch = Scratch::new().unwrap();
    for (name, features) in feature_sets() {
        let sector_size = Some(sector_size);
        let options = Options { block_size, sector_size, features, ..Options::default() };
        let smallest = smallest(&options);
        for mib in [smallest, 64, 300, 1024].into_iter().filter(|&mib| mib >= smallest) {
            let what = format!("blocks of {block_size}, {sector_size:?}, {name}, {mib} MiB");
            let image = scratch.image("volume");
            make(&image, mib * MIB, &options);
            let written = judge(&image, &options, &what);
            assert!(written == 100 || mib < 300, "{what}: only {written} files have room");
            fs::remove_file(&image).unwrap();
        }
    }
}

#[test]
fn volumes_of_every_block_size_and_feature_are_good_on_small_sectors_kernel() {
    if !kernel::demand() {
        return;
    }
    BLOCK_SIZES.into_iter().for_each(|block_size| judge_sizes(block_size, 512));
}

#[test]
fn volumes_of_every_block_size_and_feature_are_good_on_large_sectors_kernel() {
    if !kernel::demand() {
        return;
    }
    let with_room = BLOCK_SIZES.into_iter().filter(|&block_size| block_size >= 4096);
    with_room.for_each(|block_size| judge_sizes(block_size, 4096));
}

#[test]
fn volumes_with_parent_pointers_and_exchange_range_are_good_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let parent = FeatureSet { exchange: false, ..FeatureSet::ALL };
    let exchange = FeatureSet { parent: false, ..FeatureSet::ALL };
    let sets = [
        ("both", FeatureSet::ALL),
        ("parent", FeatureSet { rmapbt: false, ..parent }),
        ("exchange", FeatureSet { reflink: false, sparse: false, ..exchange }),
        ("parent alone", FeatureSet { parent: true, ..FeatureSet::NONE }),
    ];
    for block_size in BLOCK_SIZES {
        for (name, features) in sets {
            let options = Options { block_size, features, ..Options::default() };
            for mib in [smallest(&options), 1024] {
                let what = format!("blocks of {block_size}, {name}, {mib} MiB");
                let image = scratch.image("volume");
                make(&image, mib * MIB, &options);
                let written = judge_newer(&image, &options, &what);
                assert!(written == 100 || mib < 300, "{what}: only {written} files have room");
                fs::remove_file(&image).unwrap();
            }
        }
    }
}

#[test]
fn striped_volumes_are_those_of_mkfs_xfs_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let sizes = [GIB, 9 * GIB + 4096 * 5, 600 * GIB, 10 * TIB];
    for (unit, disks) in [(64 << 10, 4), (16 << 10, 1), (512 << 10, 3), (MIB, 8)] {
        let stripe = Some(Stripe { unit, width: unit * disks });
        let typed = vec!["-d".to_owned(), format!("su={unit},sw={disks}")];
        for size in sizes {
            let options = Options { stripe, features: FeatureSet::USUAL, ..Options::default() };
            let theirs = MkfsOptions { arguments: typed.clone(), ..MkfsOptions::default() };
            same_as_mkfs(size, &options, &theirs);
        }
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume");
    // Units that chunks of inodes fit into, and others.
    for (block_size, inode_size, unit) in [
        (1024, 512, 192),
        (1024, 512, 4),
        (1024, 512, 1),
        (4096, 512, 4),
        (4096, 512, 48),
        (4096, 2048, 64),
        (32768, 512, 64),
        (65536, 512, 128),
    ] {
        let unit = unit << 10;
        let stripe = Some(Stripe { unit, width: 3 * unit });
        let options = Options { stripe, block_size, inode_size, ..Options::default() };
        make(&image, GIB, &options);
        judge(&image, &options, &format!("{block_size}, {inode_size}, unit {unit}"));
        fs::remove_file(&image).unwrap();
    }
}

#[test]
fn large_and_odd_volumes_are_good_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let base = Options::default();
    let log = Log::default();
    let cases = [
        (10 * TIB, base.clone()),
        (10 * TIB, Options { block_size: 1024, ..base.clone() }),
        (10 * TIB, Options { block_size: 65536, ..base.clone() }),
        (5 * TIB - 12345 * 512, base.clone()),
        (GIB + 17 * MIB, Options { groups: Groups::Size(128 * MIB), ..base.clone() }),
        (GIB + 5 * MIB, Options { groups: Groups::Size(128 * MIB), ..base.clone() }),
        (GIB, Options { groups: Groups::Count(1), ..base.clone() }),
        (GIB, Options { groups: Groups::Count(64), block_size: 1024, ..base.clone() }),
        (GIB, Options { log: Log { group: Some(0), ..log }, ..base.clone() }),
        (GIB, Options { log: Log { group: Some(3), ..log }, ..base.clone() }),
        (GIB, Options { log: Log { stripe_unit: Some(256 << 10), ..log }, ..base.clone() }),
        (GIB, Options { log: Log { stripe_unit: Some(32 << 10), ..log }, ..base.clone() }),
        (GIB, Options { inode_size: 2048, ..base.clone() }),
        (GIB, Options { inode_size: 1024, block_size: 2048, ..base.clone() }),
        (GIB, Options { dir_block_size: Some(65536), block_size: 1024, ..base.clone() }),
        (GIB, Options { sector_size: Some(1024), ..base.clone() }),
        (GIB, Options { sector_size: Some(2048), block_size: 2048, ..base.clone() }),
        (GIB, Options { sector_size: Some(32768), block_size: 65536, ..base.clone() }),
    ];
    for (size, options) in cases {
        let image = scratch.image("volume");
        make(&image, size, &options);
        match options.sector_size {
            // Linux has no block device with such sectors, and mounts none without.
            Some(32768) => assert_silent(&image, "sectors of 32 KiB"),
            _ => {
                judge(&image, &options, &format!("{size} bytes, {options:?}"));
            }
        }
        fs::remove_file(&image).unwrap();
    }
}

/// What xfs_db prints of everything that mkfs writes into a group, but for what only says where in
/// the ring the free list begins, and checksums.
fn told(image: &Path, group: u32, features: FeatureSet) -> String {
    let mut commands = vec![];
    let at = |header: &str| format!("{header} {group}");
    for header in ["agf", "agi"] {
        commands.extend([at(header), "print".to_owned()]);
    }
    let roots = [
        (true, "agf", "bnoroot"),
        (true, "agf", "cntroot"),
        (features.rmapbt, "agf", "rmaproot"),
        (features.reflink, "agf", "refcntroot"),
        (true, "agi", "root"),
        (features.finobt, "agi", "free_root"),
    ];
    for (_, header, root) in roots.into_iter().filter(|(present, ..)| *present) {
        commands.extend([at(header), format!("addr {root}"), "print".to_owned()]);
    }
    if group == 0 {
        commands.extend(["sb 0".to_owned(), "print".to_owned()]);
        for inode in ["rootino", "rbmino", "rsumino"] {
            commands.extend(["sb 0".into(), format!("addr {inode}"), "print".to_owned()]);
        }
    }
    let commands: Vec<_> = commands.iter().map(String::as_str).collect();
    let all = xfs_db(image, &commands).unwrap();
    let fields = ["crc", "v3.crc", "flfirst", "fllast", "v3.change_count"];
    let times = ["core.atime", "core.mtime", "core.ctime", "v3.crtime"];
    let ours = |line: &&str| {
        let name = line.split(' ').next().unwrap_or_default();
        !fields.contains(&name) && !times.iter().any(|time| name.starts_with(time))
    };
    all.lines().filter(ours).collect::<Vec<_>>().join("\n")
}

fn same_as_mkfs(size: u64, options: &Options, theirs: &MkfsOptions) {
    let scratch = Scratch::new().unwrap();
    let (made, model) = (scratch.image("made"), scratch.image("model"));
    let options = Options { uuid: Some(UUID), ..options.clone() };
    make(&made, size, &options);
    let FeatureSet { finobt, rmapbt, reflink, sparse, bigtime, inobtcount, nrext64, .. } =
        options.features;
    let theirs = MkfsOptions {
        block_size: options.block_size,
        sector_size: options.sector_size.unwrap_or(512),
        inode_size: options.inode_size,
        directory_block_size: options.dir_block_size,
        log_size: options.log.size,
        log_stripe: options.log.stripe_unit,
        label: (!options.label.is_empty()).then(|| options.label.clone()),
        uuid: Some("756e746f-726e-206d-6b66-732075756964".to_owned()),
        rmapbt,
        reflink,
        finobt,
        inobtcount,
        sparse,
        bigtime,
        nrext64,
        ..theirs.clone()
    };
    make_volume(&model, size, &theirs).unwrap();
    let sb = xfs_db(&model, &["sb 0", "print agcount"]).unwrap();
    let count: u32 = sb.trim().rsplit(' ').next().unwrap().parse().unwrap();
    for group in [0, count / 2, count - 1] {
        let what = format!("group {group} of {size} bytes, {options:?}");
        let ours = told(&made, group, options.features);
        let theirs = told(&model, group, options.features);
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            assert_eq!(ours, theirs, "{what}");
        }
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{what}");
    }
}

#[test]
fn volumes_are_those_of_mkfs_xfs_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let default = MkfsOptions::default();
    for block_size in BLOCK_SIZES {
        for (_, features) in feature_sets() {
            for size in [300 * MIB, GIB, 33 * GIB + 4096 * 3, 200 * GIB, 10 * TIB] {
                let mut options = Options { block_size, features, ..Options::default() };
                // Where the least log is the default, ours is the larger: Linux can be told to
                // write smaller records than mkfs.xfs counts with, and then demands more.
                if block_size >= 32768 {
                    options.log.size = Some(192 * MIB);
                }
                if options.log.size.is_none_or(|log| size >= 4 * log + GIB / 4) {
                    same_as_mkfs(size, &options, &default);
                }
            }
        }
    }
    let base = Options { label: "twelve bytes".into(), ..Options::default() };
    let typed = |arguments: &[&str]| MkfsOptions {
        arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        ..MkfsOptions::default()
    };
    let log = Log::default();
    let cases = [
        (GIB, Options { sector_size: Some(4096), ..base.clone() }, typed(&[])),
        (GIB, Options { groups: Groups::Count(8), ..base.clone() }, typed(&["-d", "agcount=8"])),
        (
            GIB,
            Options { groups: Groups::Size(96 * MIB), ..base.clone() },
            typed(&["-d", "agsize=96m"]),
        ),
        (GIB, Options { groups: Groups::Count(1), ..base.clone() }, typed(&["-d", "agcount=1"])),
        (
            GIB,
            Options { log: Log { group: Some(0), ..log }, ..base.clone() },
            typed(&["-l", "agnum=0"]),
        ),
        (
            GIB,
            Options { log: Log { group: Some(3), ..log }, ..base.clone() },
            typed(&["-l", "agnum=3"]),
        ),
        (GIB, Options { log: Log { size: Some(40 * MIB), ..log }, ..base.clone() }, typed(&[])),
        (GIB, Options { log: Log { stripe_unit: Some(65536), ..log }, ..base.clone() }, typed(&[])),
        (GIB, Options { inode_size: 1024, ..base.clone() }, typed(&[])),
        (GIB, Options { inode_size: 2048, ..base.clone() }, typed(&[])),
        (GIB, Options { dir_block_size: Some(16384), ..base.clone() }, typed(&[])),
        (GIB, Options { inode_percent: Some(7), ..base.clone() }, typed(&["-i", "maxpct=7"])),
    ];
    for (size, options, theirs) in cases {
        same_as_mkfs(size, &options, &theirs);
    }
}

#[test]
fn the_layout_is_printed_as_xfs_info_does_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let image = scratch.image("volume");
    let same = |what: &str| {
        let mut start = vec![0; 65536];
        FileDevice::open(&image, Access::ReadOnly).unwrap().read_at(0, &mut start).unwrap();
        let superblock = Superblock::decode(&start).unwrap();
        let name = image.to_str().unwrap();
        let expected = xfs_db(&image, &["info"]).unwrap();
        assert_eq!(untorn::info::layout(name, &superblock), expected, "{what}");
        fs::remove_file(&image).unwrap();
    };
    for block_size in BLOCK_SIZES {
        for (name, features) in feature_sets() {
            make(&image, 2 * GIB, &Options { block_size, features, ..Options::default() });
            same(&format!("{block_size} {name}"));
        }
    }
    make(&image, 10 * TIB, &Options { sector_size: Some(4096), ..Options::default() });
    same("10 TiB");
    let typed: [&[&str]; 5] = [
        &["-m", "crc=0"],
        &["-m", "crc=0", "-n", "version=ci"],
        &["-d", "su=64k,sw=3", "-l", "su=64k"],
        &["-n", "size=16k", "-i", "attr=2,maxpct=3"],
        &["-l", "version=1", "-m", "crc=0", "-n", "ftype=0"],
    ];
    for arguments in typed {
        fs::File::create(&image).unwrap().set_len(GIB).unwrap();
        let mut command = std::process::Command::new("mkfs.xfs");
        let output = command.args(["-q", "-f"]).args(arguments).arg(&image).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        same(&format!("{arguments:?}"));
    }
}

/// Choices that the dice make; many are refused.
fn chosen(dice: &mut Dice) -> (u64, Options) {
    let size = (16 + dice.below(900)) * MIB + dice.below(2048) * 512;
    let has = |dice: &mut Dice| dice.chance(1, 2);
    let finobt = has(dice);
    let features = FeatureSet {
        finobt,
        rmapbt: has(dice),
        reflink: has(dice),
        sparse: has(dice),
        bigtime: has(dice),
        inobtcount: finobt && has(dice),
        nrext64: has(dice),
        ..FeatureSet::NONE
    };
    let rare = |dice: &mut Dice, value: u64| dice.chance(1, 3).then_some(value);
    let power = |dice: &mut Dice, from: u64, to: u64| 1 << (from + dice.below(to - from));
    let (group, log_unit) = (dice.below(4), power(dice, 10, 19));
    let log_size = (8 + dice.below(100)) * MIB;
    let groups = match dice.below(4) {
        0 => Groups::Count(1 + dice.below(9) as u32),
        1 => Groups::Size((16 + dice.below(128)) * MIB),
        _ => Groups::Default,
    };
    let block_size = power(dice, 10, 17);
    let blocks = *dice.pick(&[1, 2, 3, 4, 5, 8, 12, 16, 20, 32, 64]);
    let (unit, disks) = (blocks * block_size, 1 + dice.below(6));
    let stripe = dice.chance(1, 2).then_some(Stripe { unit, width: disks * unit });
    let options = Options {
        block_size: block_size as u32,
        stripe,
        sector_size: Some(*dice.pick(&[512, 512, 1024, 2048, 4096])),
        inode_size: *dice.pick(&[512, 512, 1024, 2048]),
        features,
        groups,
        log: Log {
            size: rare(dice, log_size),
            group: rare(dice, group).map(|group| group as u32),
            stripe_unit: rare(dice, log_unit).map(|unit| unit as u32),
            room: *dice.pick(&[LogRoom::Usual, LogRoom::Least]),
        },
        ..Options::default()
    };
    (size, options)
}

#[test]
fn volumes_of_random_choices_are_good_kernel() {
    if !kernel::demand() {
        return;
    }
    let asked = std::env::var("UNTORN_MKFS_VOLUMES").ok();
    let wanted = asked.and_then(|number| number.parse().ok()).unwrap_or(40);
    let scratch = Scratch::new().unwrap();
    let mut made = 0;
    for seed in 0.. {
        let (size, options) = chosen(&mut Dice::new(seed));
        let image = scratch.image("volume");
        let device = FileDevice::create(&image, size).unwrap();
        let fresh = Options { contents: Contents::Zeroed, ..options.clone() };
        let refused = mkfs::make(&device, &fresh).is_err();
        drop(device);
        if !refused {
            judge(&image, &options, &format!("seed {seed}: {size} bytes, {options:?}"));
            made += 1;
        }
        fs::remove_file(&image).unwrap();
        if made == wanted {
            return;
        }
    }
}
