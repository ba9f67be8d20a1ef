//! Turns choices into a superblock whose fields agree with each other and with the device, or
//! names the choice that does not.

use std::time::{SystemTime, UNIX_EPOCH};

use untorn_device::DeviceGeometry;
use untorn_format::features::{FEATURES, FEATURES2_BITS, FeatureWord, VERSION_BITS};
use untorn_format::inode::Timestamp;
use untorn_format::superblock::{Counters, LogShape, Quota, Realtime};
use untorn_format::{Ino, *};

use super::error::{Result, demand, refuse};
use super::fixed::FixedBlocks;
use super::groups::{Division, SMALLEST, divisions};
use super::heights::Heights;
use super::journal::{self, Bounds};
use super::layout::{Layout, chunk_blocks};
use super::options::{FeatureSet, Inherit, Options};
use super::reservation::least_log;
use super::stripe::Striped;

/// Old feature bits of `sb_versionnum` that every volume of version 5 has.
const VERSION_FEATURES: [&str; 6] = ["nlink", "align", "logv2", "extflg", "dirv2", "morebits"];
/// Bits of `sb_features2` that every volume of version 5 has.
const FEATURES2: [&str; 4] = ["lazy-count", "attr2", "projid32bit", "crc"];
/// Inodes in use on a new volume: root directory, realtime bitmap and summary.
pub(super) const INODES_IN_USE: u32 = 3;
/// Bytes of an extent of the realtime section that the volume does not have.
const REALTIME_EXTENT: u32 = 4096;
/// Bytes of an inode cluster for each byte of inode.
const CLUSTER: u32 = 32;

/// A volume to be written.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// Its superblock.
    pub superblock: Superblock,
    /// Where everything lies.
    pub layout: Layout,
    /// What the root directory hands down.
    pub root: Root,
}

/// What is to be said of the root directory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Root {
    /// Its times.
    pub time: Timestamp,
    /// Extent size hint in blocks.
    pub extent_size: u32,
    /// Copy-on-write extent size hint in blocks.
    pub cow_extent_size: u32,
    /// Project to inherit.
    pub project: Option<u32>,
    /// Whether files lie in the realtime section.
    pub realtime: Inherit,
    /// Whether files use DAX.
    pub dax: Inherit,
}

impl Plan {
    /// Plans a volume for a device.
    pub(super) fn new(options: &Options, device: &DeviceGeometry) -> Result<Self> {
        let sizes = sizes(options, device)?;
        let features = features(options.features)?;
        let data_blocks = data_blocks(options, device, &sizes)?;
        let striped = Striped::of(options.stripe, sizes.block_log)?;
        let disks = striped.disks();
        let all = divisions(options.groups, data_blocks, sizes.block_log, disks)?;
        let attempt = |division| {
            let division = striped.align(options.groups, division, data_blocks, sizes.block_log)?;
            lay_out(options, divide(&sizes, division), features, striped)
        };
        let mut attempts = all.into_iter().map(attempt);
        let mut last = None;
        let (layout, unit) = loop {
            match (attempts.next(), last) {
                (Some(Ok(found)), _) => break found,
                (Some(error), _) => last = Some(error),
                (None, Some(error)) => break error?,
                (None, None) => return refuse("size", data_blocks, "makes no groups"),
            }
        };
        let superblock = superblock(options, features, &layout, (unit, striped))?;
        let root = root(options, &superblock)?;
        Ok(Self { superblock, layout, root })
    }
}

/// log2 of `value` where it is a power of two in `range`.
fn log2(option: &'static str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<u8> {
    let rule = || format!("must be a power of two from {} to {}", range.start(), range.end());
    match value.is_power_of_two() && range.contains(&value) {
        true => Ok(value.trailing_zeros() as u8),
        false => refuse(option, value, rule()),
    }
}

/// The sizes of block, sector, inode and directory block, in a geometry without blocks.
fn sizes(options: &Options, device: &DeviceGeometry) -> Result<Geometry> {
    let block_log = log2("block size", options.block_size, 1024..=65536)?;
    let sector_size = options.sector_size.unwrap_or(device.sector_size);
    let sectors = device.sector_size.max(512)..=options.block_size.min(32768);
    let sector_log = log2("sector size", sector_size, sectors)?;
    let inodes = 512..=(options.block_size / 2).min(2048);
    let inode_log = log2("inode size", options.inode_size, inodes)?;
    let dir_block = options.dir_block_size.unwrap_or(options.block_size.max(4096));
    let dir_log = log2("directory block size", dir_block, options.block_size..=65536)?;
    Ok(Geometry {
        block_log,
        sector_log,
        inode_log,
        inodes_per_block_log: block_log - inode_log,
        ag_block_log: 0,
        dir_block_log: dir_log - block_log,
        ag_blocks: 0,
        ag_count: 0,
        data_blocks: 0,
        log_start: FsBlock(0),
        log_blocks: 0,
    })
}

/// Blocks of the volume.
fn data_blocks(options: &Options, device: &DeviceGeometry, sizes: &Geometry) -> Result<u64> {
    let size = options.size.unwrap_or(device.size);
    let larger = format!("is more than the device has ({} bytes)", device.size);
    demand(size <= device.size, "size", size, &larger)?;
    demand(size >= SMALLEST, "size", size, "must be at least 16 MiB")?;
    demand(i64::try_from(size).is_ok(), "size", size, "must be less than 2^63 bytes")?;
    Ok(size >> sizes.block_log)
}

/// The feature words.
fn features(chosen: FeatureSet) -> Result<Features> {
    let agrees = chosen.finobt || !chosen.inobtcount;
    demand(agrees, "feature", "inobtcount", "needs the feature finobt")?;
    let has = |name: &str| match name {
        "ftype" => true,
        "finobt" => chosen.finobt,
        "rmapbt" => chosen.rmapbt,
        "reflink" => chosen.reflink,
        "sparse" => chosen.sparse,
        "bigtime" => chosen.bigtime,
        "inobtcount" => chosen.inobtcount,
        "nrext64" => chosen.nrext64,
        "exchange" => chosen.exchange,
        "parent" => chosen.parent,
        _ => false,
    };
    let word = |word: FeatureWord| {
        let of_word = FEATURES.iter().filter(|f| f.word == word && has(f.name));
        of_word.fold(0, |bits, f| bits | 1 << f.bit)
    };
    Ok(Features {
        compat: word(FeatureWord::Compat),
        ro_compat: word(FeatureWord::RoCompat),
        incompat: word(FeatureWord::Incompat),
        log_incompat: word(FeatureWord::LogIncompat),
    })
}

/// The geometry of `sizes` with the groups of `division`, still without a log.
fn divide(sizes: &Geometry, division: Division) -> Geometry {
    Geometry {
        ag_block_log: division.blocks.next_power_of_two().trailing_zeros() as u8,
        ag_blocks: division.blocks,
        ag_count: division.count,
        data_blocks: division.data_blocks,
        ..sizes.clone()
    }
}

/// Lays out a volume with its log; returns the stripe unit of the log in bytes beside it.
fn lay_out(
    options: &Options,
    geometry: Geometry,
    features: Features,
    striped: Striped,
) -> Result<(Layout, u32)> {
    let fixed = FixedBlocks::new(&geometry, features);
    let free_list = Heights::new(&geometry, features).free_list();
    let unit = journal::stripe_unit(&options.log, &geometry, striped)?;
    let place = journal::place(
        &options.log,
        &Bounds {
            geometry: &geometry,
            least: least_log(&geometry, features, unit),
            fixed: fixed.end(),
            free_list,
            chunk: chunk_blocks(&geometry),
            unit: unit >> geometry.block_log,
        },
    )?;
    let geometry = Geometry {
        log_start: geometry.fs_block(place.group, AgBlock(place.start)),
        log_blocks: place.blocks,
        ..geometry
    };
    let (chunk_align, _) = alignments(&geometry, features);
    let inode_align = striped.inode_align(chunk_align);
    let layout = Layout { geometry, fixed, free_list, inode_align };
    layout.check()?;
    Ok((layout, unit))
}

/// Alignment in blocks of inode chunks and of sparse chunks. Sizes below a block are said by zero.
fn alignments(geometry: &Geometry, features: Features) -> (u32, u32) {
    let inode = 1u32 << geometry.inode_log;
    let cluster = (CLUSTER * inode) >> geometry.block_log;
    match features.has_sparse_inodes() {
        true => ((64 * inode) >> geometry.block_log, cluster),
        false => (cluster, 0),
    }
}

fn superblock(
    options: &Options,
    features: Features,
    layout: &Layout,
    (log_unit, striped): (u32, Striped),
) -> Result<Superblock> {
    let geometry = &layout.geometry;
    let uuid = options.uuid.unwrap_or_else(|| *uuid::Uuid::new_v4().as_bytes());
    let rule = "must not be all zeroes: Linux would not mount it";
    demand(uuid != [0; 16], "UUID", uuid::Uuid::nil(), rule)?;
    let root = geometry.ino(AgNumber(0), geometry.first_ino(layout.root_block()));
    let (inode_align, sparse_align) = alignments(geometry, features);
    Ok(Superblock {
        version: 5,
        version_bits: version_bits(geometry, striped),
        features2: bits(&FEATURES2_BITS, &FEATURES2),
        features,
        geometry: geometry.clone(),
        uuid,
        meta_uuid: uuid,
        label: label(&options.label)?,
        root_ino: root,
        realtime: Realtime {
            extent_size: (REALTIME_EXTENT >> geometry.block_log).max(1),
            bitmap_ino: Ino(root.0 + 1),
            summary_ino: Ino(root.0 + 2),
            ..Realtime::default()
        },
        log: LogShape { sector_log: geometry.sector_log, stripe_unit: log_unit },
        in_progress: false,
        inode_percent: inode_percent(options, geometry)?,
        counters: counters(layout),
        quota: Quota::default(),
        flags: 0,
        inode_align,
        sparse_align,
        stripe_unit: striped.unit,
        stripe_width: striped.width,
        lsn: Lsn::default(),
        metadir_ino: Ino(0),
    })
}

fn version_bits(geometry: &Geometry, striped: Striped) -> u16 {
    let bit = |has, name| if has { bits(&VERSION_BITS, &[name]) } else { 0 };
    bits(&VERSION_BITS, &VERSION_FEATURES)
        | bit(geometry.sector_log > 9, "sector")
        | bit(striped.unit > 0, "dalign")
}

/// The bits of a word that `names` name.
fn bits<T>(known: &[(T, &str)], names: &[&str]) -> T
where
    T: Copy + Default + std::ops::BitOr<Output = T>,
{
    let named = known.iter().filter(|(_, name)| names.contains(name));
    named.fold(T::default(), |word, (bit, _)| word | *bit)
}

fn label(text: &str) -> Result<[u8; 12]> {
    let bytes = text.as_bytes();
    let legal = bytes.len() <= 12 && !bytes.contains(&0);
    demand(legal, "label", text, "must be at most 12 bytes, none of them zero")?;
    let mut label = [0; 12];
    label.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    Ok(label)
}

fn inode_percent(options: &Options, geometry: &Geometry) -> Result<u8> {
    const TIB: u64 = 1 << 40;
    let size = geometry.data_blocks << geometry.block_log;
    let percent = options.inode_percent.unwrap_or(match size {
        size if size < TIB => 25,
        size if size < 50 * TIB => 5,
        _ => 1,
    });
    demand(percent <= 100, "inode percentage", percent, "must be at most 100")?;
    Ok(percent)
}

fn counters(layout: &Layout) -> Counters {
    let geometry = &layout.geometry;
    let chunk = layout.chunk_blocks();
    let inodes = u64::from(chunk) << geometry.inodes_per_block_log;
    let fixed = u64::from(geometry.ag_count) * u64::from(layout.fixed.end());
    let used = fixed + u64::from(geometry.log_blocks) + u64::from(chunk);
    Counters {
        inodes,
        free_inodes: inodes - u64::from(INODES_IN_USE),
        free_blocks: geometry.data_blocks - used,
        free_rt_extents: 0,
    }
}

fn root(options: &Options, superblock: &Superblock) -> Result<Root> {
    let hints = &options.root;
    let has_cow = superblock.features.has_reflink() || hints.cow_extent_size == 0;
    let cow = "copy-on-write extent size hint";
    demand(has_cow, cow, hints.cow_extent_size, "needs the feature reflink")?;
    let now = options.time.unwrap_or_else(SystemTime::now);
    Ok(Root {
        time: timestamp(now),
        extent_size: hint("extent size hint", hints.extent_size, &superblock.geometry)?,
        cow_extent_size: hint(cow, hints.cow_extent_size, &superblock.geometry)?,
        project: hints.project,
        realtime: hints.realtime,
        dax: hints.dax,
    })
}

/// An extent size hint in blocks.
fn hint(option: &'static str, bytes: u64, geometry: &Geometry) -> Result<u32> {
    let whole = bytes.is_multiple_of(geometry.block_size() as u64);
    demand(whole, option, bytes, "must be a multiple of the block size")?;
    let most = (geometry.ag_blocks / 2).min(Extent::MAX_LENGTH);
    match u32::try_from(bytes >> geometry.block_log) {
        Ok(blocks) if blocks <= most => Ok(blocks),
        _ => refuse(option, bytes, "must be at most half a group and 2^21 - 1 blocks"),
    }
}

fn timestamp(time: SystemTime) -> Timestamp {
    let seconds = |d: std::time::Duration| i64::try_from(d.as_secs()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => Timestamp { seconds: seconds(after), nanos: after.subsec_nanos() },
        Err(before) => Timestamp { seconds: -seconds(before.duration()), nanos: 0 },
    }
}
