//! Opening a large volume, reading one file and closing it again.

use super::line::Lines;
use super::peer::{format_and_open, sparse_image};
use super::scale::Scale;
use crate::kernel::{Aligned, scratch_root};
use anyhow::{Result, ensure};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use untorn::{NewFile, OpenOptions, Sync, Volume};
use untorn_device::{Access, FileDevice};

const SIZE: u64 = 1 << 40;
const CONTENTS: usize = 16 << 10;

/// Most milliseconds that it should take.
const MOST: f64 = 20.0;

/// Milliseconds, the median of all rounds.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    lines.expect(2)?;
    lines.step("a sparse image of 1 TiB")?;
    let image = sparse_image(&scratch_root(), SIZE)?;
    let volume = format_and_open(&image, OpenOptions::default())?;
    let file = volume.create_file("/file", NewFile::default())?;
    file.write_at(0, &Aligned::new(CONTENTS), Sync::Durable)?;
    drop(file);
    volume.close()?;
    lines.step("opening, reading a file, closing")?;
    let mut costs = Vec::new();
    for _ in 0..scale.rounds * 3 {
        lines.wait();
        let began = Instant::now();
        look(&image)?;
        costs.push(began.elapsed().as_secs_f64() * 1e3);
    }
    costs.sort_by(f64::total_cmp);
    let what = "open 1 TiB, read a file of 16 KiB, close";
    lines.limited(what, costs[costs.len() / 2], "ms", MOST)
}

fn look(image: &Path) -> Result<()> {
    let device = Arc::new(FileDevice::open(image, Access::ReadWrite)?);
    let volume = Volume::open(device, OpenOptions::default())?;
    let mut bytes = vec![0; CONTENTS];
    let read = volume.open_file("/file")?.read_at(0, &mut bytes)?;
    ensure!(read == CONTENTS, "{read} bytes were read");
    Ok(volume.close()?)
}
