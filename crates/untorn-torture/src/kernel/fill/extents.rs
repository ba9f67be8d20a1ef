//! Data forks in every form and extents in every state.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{FallocateFlags, copy_file_range, fallocate, ioctl_ficlone};

use super::{Site, if_supported, write, write_at};
use crate::kernel::command;

/// Sparse, unwritten, fragmented, hinted and shared files.
pub(super) fn every_form(site: &mut Site) -> Result<()> {
    let folder = site.folder("extents")?;
    sparse(site, &folder)?;
    unwritten(site, &folder)?;
    fragmented(site, &folder)?;
    hinted(site, &folder)?;
    let shared = site.folder("shared")?;
    if_supported(clones(site, &shared))
}

/// Data at distances up to the far end of what a file may be, and a hole at the end.
fn sparse(site: &mut Site, folder: &Path) -> Result<()> {
    let file = File::create(folder.join("sparse"))?;
    for offset in [0, 1 << 20, (1 << 30) + 5, 1 << 42, (1 << 62) + 4097] {
        write_at(&file, &site.dice.bytes(9000), offset)?;
    }
    File::create(folder.join("all-hole"))?.set_len(1 << 40)?;
    let tail = File::create(folder.join("hole-at-end"))?;
    write_at(&tail, b"head", 0)?;
    Ok(tail.set_len(10 << 20)?)
}

/// Preallocation: untouched, written in its middle, past the end of the file, zeroed.
fn unwritten(site: &mut Site, folder: &Path) -> Result<()> {
    let keep = FallocateFlags::KEEP_SIZE;
    let create = |name: &str| File::create(folder.join(name));
    fallocate(create("unwritten")?, FallocateFlags::empty(), 0, 1 << 20)?;
    let middle = create("unwritten-around-data")?;
    fallocate(&middle, FallocateFlags::empty(), 0, 1 << 20)?;
    write_at(&middle, &site.dice.bytes(70_000), 300_000)?;
    let past = create("unwritten-past-end")?;
    write_at(&past, &site.dice.bytes(5000), 0)?;
    fallocate(&past, keep, 0, 1 << 20)?;
    let zeroed = create("zeroed")?;
    write_at(&zeroed, &site.dice.bytes(200_000), 0)?;
    Ok(fallocate(&zeroed, FallocateFlags::ZERO_RANGE, 50_000, 100_000)?)
}

/// Files of so many extents that the fork is a list, a btree of one level, a btree of two.
fn fragmented(site: &mut Site, folder: &Path) -> Result<()> {
    // An inode of 512 bytes holds 12 extents (21 where Linux leaves no room for attributes), or as
    // many pointers to leaves, less one, of (block - 72) / 16 extents each.
    let leaf = (site.block - 72) / 16;
    let most = most_blocks(site)?;
    for (name, count) in [("list", 7), ("list-full", 12), ("btree", 60), ("btree-leaves", 4 * leaf)]
    {
        alternate_blocks(site, &folder.join(name), count.min(most))?;
    }
    alternate_blocks(site, &folder.join("btree-levels"), (22 * leaf).min(most))?;
    punched(site, &folder.join("punched"), (2 * leaf).min(most / 2))
}

/// Blocks that one file may take: a tree of 64 KiB blocks would need gigabytes to be deep.
fn most_blocks(site: &Site) -> Result<u64> {
    const BYTES: u64 = 64 << 20;
    Ok((site.free_blocks()? / 8).min(BYTES / site.block))
}

/// A file of `count` extents: every other block is a hole.
fn alternate_blocks(site: &mut Site, path: &Path, count: u64) -> Result<()> {
    let file = File::create(path)?;
    // Writes past the end would be given room ahead, which then fills the holes.
    file.set_len(2 * count * site.block)?;
    let mut block = site.dice.bytes(site.block as usize);
    for number in 0..count {
        block[..8].copy_from_slice(&number.to_le_bytes());
        write_at(&file, &block, 2 * number * site.block)?;
    }
    Ok(file.sync_all()?)
}

/// A file that was whole and lost every other block: its extents are neighbours of single free
/// blocks.
fn punched(site: &mut Site, path: &Path, holes: u64) -> Result<()> {
    let file = File::create(path)?;
    write_at(&file, &site.dice.bytes((2 * holes * site.block) as usize), 0)?;
    file.sync_all()?;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for number in 0..holes {
        fallocate(&file, punch, 2 * number * site.block, site.block)?;
    }
    Ok(())
}

/// Files with hints for the size of extents, set while they were empty.
fn hinted(site: &mut Site, folder: &Path) -> Result<()> {
    for (name, hint) in [("extsize", "extsize 1m"), ("cowextsize", "cowextsize 256k")] {
        let path = folder.join(name);
        File::create(&path)?;
        // cowextsize is refused by a volume without reflink: then the file has no hint.
        command::output("xfs_io", &["-c".as_ref(), hint.as_ref(), path.as_os_str()])?;
        write(&path, site.dice.bytes(100_000))?;
    }
    Ok(())
}

/// Whole and partial clones, one of many sharers, and clones that were written to since.
fn clones(site: &mut Site, folder: &Path) -> Result<()> {
    let original = folder.join("original");
    write(&original, site.dice.bytes(2 << 20))?;
    for number in 0..5 {
        let clone = clone_file(&original, &folder.join(format!("clone-{number}")))?;
        let bytes = site.dice.bytes(4096 + number as usize * 5000);
        write_at(&clone, &bytes, number * 300_000)?;
    }
    let file = File::open(&original)?;
    let parts = File::create(folder.join("clone-of-parts"))?;
    for (from, to) in [(0u64, 1u64 << 20), (1 << 19, 0), (1 << 18, 3 << 20)] {
        let (mut from, mut to) = (from, to);
        copy_file_range(&file, Some(&mut from), &parts, Some(&mut to), 1 << 18)?;
    }
    shattered_clone(site, folder)
}

/// A clone of which every other block was written to: as many refcount records as blocks.
fn shattered_clone(site: &mut Site, folder: &Path) -> Result<()> {
    let count = (site.block / 4).min(most_blocks(site)?);
    let whole = folder.join("whole");
    write(&whole, site.dice.bytes((2 * count * site.block) as usize))?;
    let clone = clone_file(&whole, &folder.join("whole-rewritten"))?;
    let block = site.dice.bytes(site.block as usize);
    for number in 0..count {
        write_at(&clone, &block, 2 * number * site.block)?;
    }
    clone.sync_all()?;
    alternate_blocks(site, &folder.join("parts"), count)?;
    clone_file(&folder.join("parts"), &folder.join("parts-clone"))?;
    Ok(())
}

fn clone_file(from: &Path, to: &Path) -> Result<File> {
    let (source, clone) = (File::open(from)?, File::create(to)?);
    ioctl_ficlone(&clone, &source)?;
    Ok(clone)
}
