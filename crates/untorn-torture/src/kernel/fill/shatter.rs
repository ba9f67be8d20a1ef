//! Volumes with little room, in little pieces.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use anyhow::{Result, ensure};
use rustix::fs::{FallocateFlags, fallocate};

use super::Site;

/// Small files until nothing fits, every other one removed, then larger files into the gaps.
pub(super) fn shattered(site: &mut Site) -> Result<()> {
    let folder = site.folder("small")?;
    let path = |number: u64| folder.join(format!("{}/{number}", number % 16));
    (0..16).try_for_each(|part| fs::create_dir_all(folder.join(format!("{part}"))))?;
    let mut made = 0;
    loop {
        let blocks = if site.dice.chance(1, 4) { 1 + site.dice.below(12) } else { 1 };
        let bytes = site.dice.bytes((blocks * site.block) as usize);
        match fs::write(path(made), bytes) {
            Ok(()) => made += 1,
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => return Err(error.into()),
        }
    }
    (0..made).step_by(2).try_for_each(|number| fs::remove_file(path(number)))?;
    sync(site)?;
    into_gaps(site, 4)
}

/// Files in which every extent is as short as the gap that it found.
fn into_gaps(site: &mut Site, count: u64) -> Result<()> {
    let folder = site.folder("in-gaps")?;
    let length = site.free_blocks()? * site.block / (2 * count);
    for number in 0..count {
        let piece = site.dice.bytes(1 << 16);
        let file = File::create(folder.join(format!("{number}")))?;
        for at in (0..length).step_by(piece.len()) {
            file.write_all_at(&piece, at)?;
        }
    }
    sync(site)
}

/// One preallocated file over nearly all free space, from which single blocks are punched.
pub(super) fn crumbs(site: &mut Site, blocks: u64) -> Result<()> {
    let free = site.free_blocks()?;
    // Room for the map of the file itself and for what the volume keeps back.
    let taken = free - free / 20 - 64;
    ensure!(2 * blocks < taken, "{blocks} crumbs do not fit in {free} free blocks");
    let file = File::create(site.root.join("loaf"))?;
    fallocate(&file, FallocateFlags::empty(), 0, taken * site.block)?;
    let rest = File::create(site.root.join("rest"))?;
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    for number in 0..blocks {
        fallocate(&file, punch, (2 * number + 1) * site.block, site.block)?;
    }
    take_the_rest(site, &rest, blocks)
}

/// Preallocates what is free in longer pieces, until only the crumbs are left.
fn take_the_rest(site: &Site, rest: &File, crumbs: u64) -> Result<()> {
    let mut at = 0;
    let mut step = 1024;
    while step >= 2 {
        let enough = site.free_blocks()? > crumbs + step + 64;
        match fallocate(rest, FallocateFlags::empty(), at, step * site.block) {
            Ok(()) if enough => at += step * site.block,
            _ => step /= 2,
        }
    }
    sync(site)
}

fn sync(site: &Site) -> Result<()> {
    Ok(rustix::fs::syncfs(File::open(&site.root)?)?)
}
