//! Every structure of volumes that Linux filled, printed by untorn-db and by xfs_db: the same text,
//! byte for byte.
//!
//! No field is left out. Where xfs_db 6.1 reads a block that is not what it was asked for (the
//! second block of a symbolic link has no header), both print the same nonsense. Left out are, for
//! they differ on purpose:
//!
//! - `type text` on more than 512 bytes, of which xfs_db shows the first 512 alone;
//! - `ls` of a directory with leaves, where xfs_db gives each name the cookie of the next one;
//! - `stack`, `addr` and `type` without arguments, and words of refusals, which are our own.

#![allow(clippy::unwrap_used)]

mod structures;

use std::path::Path;
use untorn_db::Session;
use untorn_device::{Access, FileDevice};
use untorn_torture::kernel::{self, Caching, MkfsOptions, MountOptions, Mounted, Recipe, Scratch};

const MIB: u64 = 1 << 20;
/// What separates the answers of a batch.
const MARK: &str = "~~~~";
/// Structures of one run of xfs_db.
const BATCH: usize = 150;

/// Makes a volume, fills it, and compares all of it.
fn compare(size: u64, options: &MkfsOptions) {
    if !kernel::demand() {
        return;
    }
    let scratch = Scratch::new().unwrap();
    let path = scratch.image("volume");
    kernel::make_volume(&path, size, options).unwrap();
    let caching = MountOptions { caching: Caching::Direct, ..MountOptions::default() };
    let mounted = Mounted::with(&path, &caching).unwrap();
    kernel::fill(&mounted.root(), Recipe::EveryForm, 1).unwrap();
    mounted.unmount().unwrap();
    let device = FileDevice::open(&path, Access::ReadOnly).unwrap();
    let mut session = Session::open(&device, &path.display().to_string()).unwrap();
    let all = structures::all(&mut session);
    for batch in all.chunks(BATCH) {
        compare_batch(&path, &mut session, batch);
    }
    let others = commands(&session);
    compare_batch(&path, &mut session, &others);
    println!("{} structures print as xfs_db prints them", all.len());
}

fn compare_batch(path: &Path, session: &mut Session<'_>, batch: &[Vec<String>]) {
    let mark = format!("echo {MARK}");
    let words = batch.iter().flat_map(|commands| commands.iter().chain([&mark]));
    let words: Vec<_> = words.map(String::as_str).collect();
    let theirs = kernel::xfs_db(path, &words).unwrap();
    let mark = format!("{MARK} \n");
    let theirs = theirs.split(&mark).map(str::to_owned);
    for (commands, theirs) in batch.iter().zip(theirs) {
        let ours: String = commands.iter().map(|c| session.run(c).unwrap().text).collect();
        same(commands, &ours, &theirs);
    }
}

/// Panics at the first line that differs.
fn same(commands: &[String], ours: &str, theirs: &str) {
    if ours == theirs {
        return;
    }
    let pairs = ours.split('\n').zip(theirs.split('\n')).enumerate();
    let different = pairs.into_iter().find(|(_, (ours, theirs))| ours != theirs);
    let (line, (ours, theirs)) = different.unwrap_or((0, ("longer or shorter", "")));
    panic!("{commands:?}, line {line}:\nuntorn: {ours}\nxfs_db: {theirs}");
}

/// Commands besides `print`, and paths of fields, that both must answer alike.
fn commands(session: &Session<'_>) -> Vec<Vec<String>> {
    let root = session.shape().superblock.rootino.get();
    let whole = ["version", "info", "uuid", "label", "hash abcdefghi", "freesp", "freesp -s"];
    let bins = [
        "freesp -d -a 1",
        "freesp -h 1 -h 100",
        "freesp -e 5000",
        "freesp -m 4",
        "frag",
        "frag -d",
        "frag -f",
    ];
    let mut all: Vec<Vec<String>> = whole.iter().chain(&bins).map(|c| vec![(*c).into()]).collect();
    let units = ["agno", "agbno", "agino", "daddr", "fsblock", "ino", "inoidx", "byte", "agboff"];
    let from = ["ino ROOT", "agno 1 agbno 5", "daddr 1000 bboff 77"];
    for (from, unit) in from.iter().flat_map(|from| units.iter().map(move |unit| (from, unit))) {
        // A unit in words of itself is refused by xfs_db.
        if !from.split(' ').any(|word| word == *unit) {
            let from = from.replace("ROOT", &root.to_string());
            all.push(vec![format!("convert {from} {unit}")]);
        }
    }
    let lines = [
        "inode ROOT; ls; inode; daddr; fsblock",
        "path /directories; ls; ls -i",
        "path /directories/leaf; bmap",
        "path /directories/node; bmap -d",
        "path /directories/block; ls; bmap",
        "path /attributes/remote; bmap; bmap -a; bmap -d",
        "path /extents/btree; bmap; bmap 3 7; p core.format u3.bmbt.ptrs u3.bmbt.keys[1]",
        "path /extents/list; p u3.bmx[1] u3.bmx[1-2].startblock core.flags a v3.crtime",
        "path /extents/list; addr u3.bmx[1].startblock; p; daddr",
        "path /extents/list; dblock 0; p",
        "path /directories/block; dblock 0; p bhdr.bestfree bhdr.hdr.owner bleaf[0-2] bu[3].name",
        "path /directories/block; dblock 0; addr bu[1].inumber; p core.mode; inode",
        "path /files/symlink-1; p u3.symlink; p u3",
        "path /files/character; p u3",
        "agf 0; addr bnoroot; daddr; back; p seqno; forward; fsblock",
        "agi 1; addr root; p bno; push; agf 1; p length; pop; p owner",
        "agi 0; p unlinked[3-5]; agfl 0; p bno[1] bno[1-2]; addr bno[1]; daddr",
        "sb 0; addr rootino; p core.magic v3.inumber; sb 1; p fname uuid agcount crc",
        "fsblock 1; p",
        "daddr 1; p; type text; p",
    ];
    let words = |line: &&str| line.replace("ROOT", &root.to_string());
    let split = |line: String| line.split("; ").map(str::to_owned).collect();
    all.extend(lines.iter().map(words).map(split));
    all
}

#[test]
fn a_default_volume_with_rmapbt_prints_as_xfs_db_prints_it_kernel() {
    compare(400 * MIB, &MkfsOptions { rmapbt: true, ..Default::default() });
}

#[test]
fn a_volume_of_small_blocks_and_large_directory_blocks_prints_as_xfs_db_prints_it_kernel() {
    compare(
        320 * MIB,
        &MkfsOptions {
            block_size: 1024,
            directory_block_size: Some(4096),
            rmapbt: true,
            nrext64: true,
            ..Default::default()
        },
    );
}

#[test]
fn a_volume_of_large_blocks_prints_as_xfs_db_prints_it_kernel() {
    let options = MkfsOptions {
        block_size: 65536,
        rmapbt: true,
        nrext64: true,
        label: Some("sixty-four".to_owned()),
        ..Default::default()
    };
    compare(2048 * MIB, &options);
}

#[test]
fn a_volume_without_anything_optional_prints_as_xfs_db_prints_it_kernel() {
    let options = MkfsOptions {
        block_size: 1024,
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
fn a_volume_of_large_sectors_and_inodes_prints_as_xfs_db_prints_it_kernel() {
    let options = MkfsOptions {
        sector_size: 4096,
        inode_size: 1024,
        ag_count: Some(7),
        arguments: ["-d", "su=64k,sw=4"].map(str::to_owned).to_vec(),
        log_size: Some(16 * MIB),
        ..Default::default()
    };
    compare(480 * MIB, &options);
}
