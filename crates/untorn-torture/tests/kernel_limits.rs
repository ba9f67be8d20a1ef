//! Sizes that follow from the superblock, judged by Linux (the free space that a mounted volume
//! offers is what the disk has less every reserve) and by xfs_db (heights of btrees).

#![allow(clippy::unwrap_used)]

use std::path::Path;
use untorn_format::ag::{Agf, Agi};
use untorn_format::btree::BtreeKind;
use untorn_format::*;
use untorn_torture::kernel::{self, MkfsOptions, Mounted, Scratch, xfs_db};

const MIB: u64 = 1 << 20;

fn geometries() -> Vec<(u64, MkfsOptions)> {
    let base = MkfsOptions::default;
    let bare = MkfsOptions { reflink: false, finobt: false, inobtcount: false, ..base() };
    let stripe = ["-d", "su=64k,sw=4"].map(str::to_owned).to_vec();
    vec![
        (320 * MIB, base()),
        (3000 * MIB, MkfsOptions { rmapbt: true, ..base() }),
        (320 * MIB, MkfsOptions { block_size: 1024, rmapbt: true, nrext64: true, ..base() }),
        (2048 * MIB, MkfsOptions { block_size: 65536, rmapbt: true, ..base() }),
        (700 * MIB, MkfsOptions { sector_size: 4096, ag_count: Some(11), ..base() }),
        (500 * MIB, MkfsOptions { inode_size: 2048, rmapbt: true, reflink: false, ..base() }),
        (400 * MIB, MkfsOptions { inobtcount: false, block_size: 2048, ..base() }),
        (900 * MIB, MkfsOptions { arguments: stripe, rmapbt: true, ..base() }),
        (320 * MIB, MkfsOptions { sparse: false, ..bare.clone() }),
        (200_000 * MIB, MkfsOptions { rmapbt: true, ..base() }),
        (8_000_000 * MIB, bare),
    ]
}

fn read(path: &Path, at: u64, size: usize) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let mut bytes = vec![0; size];
    std::fs::File::open(path).unwrap().read_exact_at(&mut bytes, at).unwrap();
    bytes
}

fn superblock(path: &Path) -> Superblock {
    Superblock::decode(&read(path, 0, 65536)).unwrap()
}

/// Blocks that the reserves of every AG hide from users.
fn hidden(path: &Path, sb: &Superblock) -> u64 {
    let limits = sb.limits();
    let header = |ag, index| {
        let addr = sb.geometry().header_addr(ag, index);
        (addr, read(path, sb.geometry().byte_of(addr), sb.geometry().sector_size()))
    };
    let one = |ag: AgNumber| {
        let (addr, bytes) = header(ag, 1);
        let agf = Agf::decode(&bytes, &sb.identity(addr, None)).unwrap();
        let (addr, bytes) = header(ag, 2);
        let agi = Agi::decode(&bytes, &sb.identity(addr, None)).unwrap();
        // A finobt of a fresh volume is its root; without inobtcount nobody counted it.
        let finobt = if agi.finobt.is_some() { agi.finobt_blocks.max(1) } else { 0 };
        let refcount = limits.refcount_reserve(ag, agf.refcount_blocks).unused();
        let finobt = limits.finobt_reserve(ag, finobt).unused();
        let rmap = limits.rmap_reserve(ag, agf.rmap_blocks).wanted;
        u64::from(refcount) + u64::from(finobt) + u64::from(rmap)
    };
    (0..sb.geometry().ag_count).map(|ag| one(AgNumber(ag))).sum()
}

#[test]
fn free_space_that_linux_offers_is_what_the_reserves_leave_kernel() {
    if !kernel::demand() {
        return;
    }
    for (size, options) in geometries() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.image("volume");
        kernel::make_volume(&path, size, &options).unwrap();
        let before = superblock(&path);
        let mounted = Mounted::new(&path).unwrap();
        let offered = rustix::fs::statvfs(mounted.root()).unwrap();
        mounted.unmount().unwrap();
        let limits = before.limits();
        let kept = hidden(&path, &before) + limits.set_aside() + limits.reserve_pool();
        let left = before.counters.free_blocks - kept;
        assert_eq!(left, offered.f_bfree, "{size} bytes, {options:?}");
        inodes_offered(&before, &offered);
    }
}

/// Linux offers as many inodes as fit the free space, up to the most that there may be.
fn inodes_offered(sb: &Superblock, offered: &rustix::fs::StatVfs) {
    let fit = sb.counters.inodes + (offered.f_bfree << sb.geometry().inodes_per_block_log);
    let most = sb.limits().inode_layout().most_inodes.unwrap();
    assert_eq!(fit.min(most), offered.f_files);
}

#[test]
fn trees_are_as_high_as_xfs_db_says_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    for block_size in [1024, 4096, 65536] {
        let path = scratch.image("volume");
        let options = MkfsOptions { block_size, rmapbt: true, ..Default::default() };
        kernel::make_volume(&path, 2048 * MIB, &options).unwrap();
        for kind in BtreeKind::ALL {
            for records in [1, 5000, 1_000_000, 2_000_000_000] {
                height(&path, block_size, kind, records);
            }
        }
    }
}

/// The last line of `btheight -w min`, such as `3 levels, 401 blocks total`.
fn height(path: &Path, block_size: u32, kind: BtreeKind, records: u64) {
    let name = if kind == BtreeKind::Bmbt { "bmapbt" } else { kind.name() };
    let command = format!("btheight -w min -n {records} -b {block_size} {name}");
    let text = xfs_db(path, &[&command]).unwrap();
    let words: Vec<_> = text.lines().last().unwrap().split_whitespace().collect();
    let limits = superblock(path).limits();
    assert_eq!(words[0].parse(), Ok(limits.levels_for(kind, records)), "{command}: {text}");
    assert_eq!(words[2].parse(), Ok(limits.blocks_for(kind, records)), "{command}: {text}");
}

/// Fewest blocks of a log that mkfs.xfs says it takes; `None` where its own floor of 512 blocks is
/// the limit.
fn mkfs_minimum(path: &Path, size: u64, options: &MkfsOptions) -> Option<u64> {
    let log_size = Some(512 * u64::from(options.block_size));
    let refused = kernel::make_volume(path, size, &MkfsOptions { log_size, ..options.clone() });
    let told = format!("{:#}", refused.err()?);
    let rest = told.split("minimum size is ").nth(1).unwrap_or_else(|| panic!("{told}"));
    rest.split(' ').next()?.parse().ok()
}

#[test]
fn the_smallest_log_is_what_mkfs_takes_and_a_little_xfsprogs() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    for (size, options) in geometries().into_iter().filter(|(_, o)| o.block_size >= 4096) {
        kernel::make_volume(&path, size, &options).unwrap();
        let sb = superblock(&path);
        let found = sb.limits().min_log_blocks(sb.log, limits::LARGEST_RECORD);
        let Some(told) = mkfs_minimum(&path, size, &options) else {
            assert!(found <= 520, "{found} for {options:?}");
            continue;
        };
        // Since then Linux sets aside more for quota and for clusters of large inodes.
        let alike = (told..=told + told / 8).contains(&found);
        assert!(alike, "{found}, mkfs.xfs {told}: {options:?}");
    }
}

/// Makes the volume say that its log has `blocks` blocks. It stays clean: the log begins with the
/// record that mkfs.xfs wrote.
fn shorten_log(path: &Path, sb: &Superblock, blocks: u64) {
    use std::os::unix::fs::FileExt;
    let mut sector = read(path, 0, sb.geometry().sector_size());
    let raw = untorn_format::superblock::SuperblockDisk::of_mut(&mut sector).unwrap();
    raw.logblocks.set(blocks as u32);
    untorn_format::kind::seal(BlockKind::Superblock, &mut sector, sb.lsn);
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&sector, 0).unwrap();
}

/// Size of Linux's log buffers where nobody asks for another.
const LOG_BUFFER: u64 = 32 << 10;

#[test]
fn linux_mounts_the_smallest_log_and_none_smaller_kernel() {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    let parents = |mut options: MkfsOptions| {
        options.extra = vec![kernel::Extra::ParentPointers];
        options
    };
    let new = geometries().into_iter().take(8).map(|(size, options)| (size, parents(options)));
    for (size, options) in geometries().into_iter().chain(new) {
        kernel::make_volume(&path, size, &options).unwrap();
        let sb = superblock(&path);
        let found = sb.limits().min_log_blocks(sb.log, LOG_BUFFER);
        for (blocks, mounts) in [(found - 1, false), (found, true)] {
            shorten_log(&path, &sb, blocks);
            let mounted = Mounted::new(&path);
            let mounted = mounted.map(|mounted| mounted.unmount().unwrap()).is_ok();
            assert_eq!(mounted, mounts, "{blocks} blocks: {options:?}");
        }
    }
}
