//! A tree of many small files and some large ones into a new image: by untorn, without root, and by
//! mkfs.xfs, a loop mount, `cp -a` and unmounting.
//!
//! Both end when all is on the device: unmounting flushes it, and so does closing a volume. Both
//! read a source that the page cache has.

use super::line::{Lines, Rate};
use super::scale::Scale;
use crate::dice::Dice;
use crate::kernel::{MkfsOptions, Mounted, demand, make_volume, scratch_root};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use untorn::mkfs;
use untorn_device::FileDevice;
use untorn_image::{Tree, build};

/// Bytes of a buffer that contents are cut from.
const BUFFER: usize = 4 << 20;

/// Bytes per second of a whole tree.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let (files, bytes) = (scale.inodes * 2, scale.streamed);
    let folder = tempfile::tempdir_in(scratch_root())?;
    let source = folder.path().join("source");
    let rounds = scale.tree_rounds;
    lines.expect(1 + rounds)?;
    lines.step("making a tree")?;
    sow(&source, files, bytes)?;
    let size = bytes + bytes / 2 + (512 << 20);
    let image = folder.path().join("volume.img");
    let linux = demand();
    let case = format!("{files} files, {} MiB", bytes >> 20);
    // The first round warms up.
    for round in 0..=rounds {
        lines.wait();
        lines.step(&case)?;
        let mut told = |who, seconds: f64| -> Result<()> {
            fs::remove_file(&image)?;
            let value = (bytes >> 20) as f64 / seconds;
            match round {
                0 => Ok(()),
                _ => lines.rate(&Rate { case: &case, who, unit: "MiB/s", round, value }),
            }
        };
        told("untorn", by_untorn(&source, &image, size)?)?;
        if linux {
            told("linux", by_linux(&source, &image, size)?)?;
        }
    }
    Ok(())
}

/// Makes a tree: most files small, a few with half of all bytes, three directories deep.
fn sow(root: &Path, files: u64, bytes: u64) -> Result<()> {
    let mut dice = Dice::new(1);
    let mut buffer = vec![0; BUFFER];
    buffer.chunks_mut(8).for_each(|word| {
        word.copy_from_slice(&(dice.below(u64::MAX - 1) | 1).to_le_bytes());
    });
    let small = (bytes / 2 / files).max(1);
    for number in 0..files {
        let dir = root.join((number % 20).to_string()).join((number / 20 % 50).to_string());
        fs::create_dir_all(&dir)?;
        let length = dice.below(2 * small) as usize;
        fs::write(dir.join(number.to_string()), &buffer[..length.min(BUFFER)])?;
    }
    for number in 0..8 {
        let name = root.join(format!("large-{number}"));
        let mut file = fs::File::create(name)?;
        for _ in 0..(bytes / 16) as usize / BUFFER {
            std::io::Write::write_all(&mut file, &buffer)?;
        }
        file.sync_all()?;
    }
    Ok(())
}

fn by_untorn(source: &Path, image: &Path, size: u64) -> Result<f64> {
    let began = Instant::now();
    let mut tree = Tree::new();
    tree.add_directory(b"", source)?;
    let device = Arc::new(FileDevice::create(image, size)?);
    let contents = mkfs::Contents::Zeroed;
    let options = mkfs::Options { contents, ..mkfs::Options::default() };
    build(device, &options, &tree, &mut |_| {})?;
    Ok(began.elapsed().as_secs_f64())
}

fn by_linux(source: &Path, image: &Path, size: u64) -> Result<f64> {
    let began = Instant::now();
    make_volume(image, size, &MkfsOptions::default())?;
    let mounted = Mounted::new(image)?;
    let contents = source.join(".");
    let copy = Command::new("cp").arg("-a").arg(contents).arg(mounted.root()).status();
    ensure!(copy.context("cp")?.success(), "cp failed");
    mounted.unmount()?;
    Ok(began.elapsed().as_secs_f64())
}
