//! What one operation costs where there is more of what it searches: extents of the file, free
//! extents of the group, bytes of the volume.
//!
//! Volumes lie in memory, and what is read comes from nowhere: only the time of the library is
//! measured. Opening is measured on sparse images, with what the device adds to it. All sizes of a
//! curve take turns.

use super::blank::Blank;
use super::line::Lines;
use super::peer::sparse_image;
use super::scale::Scale;
use super::shape::{BLOCK, scattered, shatter};
use super::subject::in_turn;
use crate::dice::Dice;
use crate::kernel::{Aligned, scratch_root};
use anyhow::Result;
use std::sync::Arc;
use std::time::Instant;
use untorn::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::{Access, BlockDevice, FileDevice};

/// Room for the largest file and its metadata, in one group of a quarter of it.
const ROOM: u64 = 64 << 30;

/// Seconds per operation.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let Scale { extents, free, volumes, .. } = scale;
    lines.expect((extents.len() + free.len() + 2 * volumes.len() + 4) as u64)?;
    with_extents(scale, lines)?;
    with_free_extents(scale, lines)?;
    with_volumes(scale, lines)?;
    with_images(scale, lines)
}

/// An open volume on a device that is as large as it.
fn volume(device: Arc<dyn BlockDevice>) -> Result<Volume> {
    let contents = mkfs::Contents::Zeroed;
    mkfs::make(&*device, &mkfs::Options { contents, ..mkfs::Options::default() })?;
    // Metadata must not leave memory: reading it again is the device's time.
    let mut options = OpenOptions::default();
    options.store.cache_bytes = 1 << 30;
    Ok(Volume::open(device, options)?)
}

/// One volume at one size of what its operations search.
struct Place {
    size: u64,
    device: Arc<Blank>,
    volume: Volume,
    file: File,
}

type Curve<'a> = (&'static str, &'a dyn Fn(&Place, &mut Dice) -> Result<()>);

/// Costs are small and the machine is noisy.
fn rounds(scale: &Scale) -> u64 {
    scale.rounds * 3
}

/// Measures every curve at every place, in turns.
fn turns(
    places: &[Place],
    curves: &[Curve<'_>],
    scale: &Scale,
    lines: &mut Lines<'_>,
) -> Result<()> {
    // The first round warms up.
    for round in 0..=rounds(scale) {
        lines.wait();
        for (curve, operation) in curves {
            for place in in_turn(round, places) {
                let mut dice = Dice::at(round, place.size);
                let began = Instant::now();
                for _ in 0..scale.repeats {
                    operation(place, &mut dice)?;
                }
                let seconds = began.elapsed().as_secs_f64() / scale.repeats as f64;
                if round > 0 {
                    lines.cost(curve, place.size, round, seconds)?;
                }
            }
        }
    }
    Ok(())
}

fn read_block(file: &File, block: u64) -> Result<()> {
    let mut bytes = [0; BLOCK as usize];
    file.read_at(block * BLOCK, &mut bytes)?;
    Ok(())
}

fn overwrite_block(file: &File, block: u64) -> Result<()> {
    let bytes = Aligned::new(BLOCK as usize);
    Ok(file.write_atomic(block * BLOCK, &bytes, Sync::Visible)?)
}

fn append_block(file: &File) -> Result<()> {
    file.append_atomic(&Aligned::new(BLOCK as usize), Sync::Visible)?;
    Ok(())
}

/// Reads, overwrites and appends to files of many extents.
fn with_extents(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let mut places = Vec::new();
    for size in scale.extents.iter().copied() {
        lines.step(&format!("a file of {size} extents"))?;
        let device = Blank::new(ROOM);
        let volume = volume(device.clone())?;
        let file = scattered(&volume, "/scattered", size)?;
        places.push(Place { size, device, volume, file });
    }
    lines.step("files of many extents")?;
    let curves: [Curve<'_>; 3] = [
        ("read 4 KiB by extents of the file", &|place, dice| {
            let block = dice.below(place.size) * 2;
            place.device.while_blank(|| read_block(&place.file, block))
        }),
        ("overwrite 4 KiB by extents of the file", &|place, dice| {
            overwrite_block(&place.file, dice.below(place.size) * 2)
        }),
        ("append 4 KiB by extents of the file", &|place, _| append_block(&place.file)),
    ];
    turns(&places, &curves, scale, lines)
}

/// Overwrites and appends where free space is in pieces.
fn with_free_extents(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let mut places = Vec::new();
    for size in scale.free.iter().copied() {
        lines.step(&format!("{size} free extents"))?;
        let device = Blank::new(ROOM);
        let volume = volume(device.clone())?;
        drop(shatter(&volume, "/shattered", size)?);
        let file = volume.create_file("/appended", NewFile::default())?;
        places.push(Place { size, device, volume, file });
    }
    lines.step("many free extents")?;
    let curves: [Curve<'_>; 2] = [
        ("append 4 KiB by free extents", &|place, _| append_block(&place.file)),
        ("overwrite 4 KiB by free extents", &|place, dice| {
            // What is overwritten becomes free: little beside the fewest free extents.
            overwrite_block(&place.file, dice.below(50))
        }),
    ];
    turns(&places, &curves, scale, lines)
}

/// Writes on volumes of many sizes.
fn with_volumes(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let mut places = Vec::new();
    for size in scale.volumes.iter().copied() {
        lines.step(&format!("a volume of {} GiB", size >> 30))?;
        let device = Blank::new(size);
        let volume = volume(device.clone())?;
        let file = volume.create_file("/file", NewFile::default())?;
        places.push(Place { size, device, volume, file });
    }
    lines.step("volumes of many sizes")?;
    let curves: [Curve<'_>; 3] = [
        ("append 4 KiB by bytes of the volume", &|place, _| append_block(&place.file)),
        ("overwrite 4 KiB by bytes of the volume", &|place, dice| {
            overwrite_block(&place.file, dice.below(1_000))
        }),
        ("make and remove a file by bytes of the volume", &|place, _| {
            drop(place.volume.create_file("/new", NewFile::default())?);
            Ok(place.volume.remove("/new")?)
        }),
    ];
    turns(&places, &curves, scale, lines)
}

/// Opens and closes volumes of many sizes on sparse images.
fn with_images(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let mut images = Vec::new();
    for size in scale.volumes.iter().copied() {
        lines.step(&format!("an image of {} GiB", size >> 30))?;
        let image = sparse_image(&scratch_root(), size)?;
        let device = Arc::new(FileDevice::open(&image, Access::ReadWrite)?);
        volume(device)?.close()?;
        images.push((size, image));
    }
    lines.step("opening")?;
    for round in 0..=rounds(scale) {
        lines.wait();
        for (size, image) in in_turn(round, &images) {
            let began = Instant::now();
            let device = Arc::new(FileDevice::open(image, Access::ReadWrite)?);
            Volume::open(device, OpenOptions::default())?.close()?;
            if round > 0 {
                let seconds = began.elapsed().as_secs_f64();
                lines.cost("open and close by bytes of the volume", *size, round, seconds)?;
            }
        }
    }
    Ok(())
}
