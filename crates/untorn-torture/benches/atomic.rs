//! Atomic overwrites, side by side in one run: untorn on an image file, Linux RWF_ATOMIC on a loop
//! device with direct I/O over an image in the same folder, plain pwrite to a raw file there.
//!
//! Each round measures all of them; what is printed are medians of the ratios of each round, since
//! machines are noisy. `UNTORN_BENCH_ROUNDS` and `UNTORN_BENCH_MILLIS` set the budget.

use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use untorn::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::FileDevice;
use untorn_torture::kernel::measure::{
    Contender, Durability, LinuxAtomic, Load, Measurement, RawDirect, overwrite_at_random, rewrite,
};
use untorn_torture::kernel::{MkfsOptions, demand, scratch_root};

const IMAGE: u64 = 1 << 30;
const FILE: u64 = 128 << 20;

/// untorn: atomic writes through the library to a file on an image file.
struct Untorn {
    file: File,
    _volume: Volume,
    _image: tempfile::TempPath,
}

impl Untorn {
    fn new(folder: &Path) -> Result<Self> {
        let image = tempfile::Builder::new().suffix(".img").tempfile_in(folder)?.into_temp_path();
        std::fs::File::options().write(true).open(&image)?.set_len(IMAGE)?;
        rewrite(&image)?;
        let device = FileDevice::open(&image, untorn_device::Access::ReadWrite)?;
        let options = mkfs::Options { uuid: Some([7; 16]), ..mkfs::Options::default() };
        mkfs::make(&device, &options)?;
        let volume = Volume::open(Arc::new(device), OpenOptions::default())?;
        let file = volume.create_file("/file", NewFile::default())?;
        Ok(Self { file, _volume: volume, _image: image })
    }
}

impl Contender for Untorn {
    fn name(&self) -> &str {
        "untorn write_atomic"
    }

    fn measure(&mut self, load: &Load) -> Result<Measurement> {
        let piece = vec![1; 1 << 20];
        for offset in (0..load.file_size).step_by(piece.len()) {
            self.file.write_atomic(offset, &piece, Sync::Visible)?;
        }
        self.file.sync()?;
        let sync = match load.durability {
            Durability::Unsynced => Sync::Visible,
            Durability::Dsync => Sync::Durable,
        };
        overwrite_at_random(load, |offset, bytes| {
            Ok(self.file.write_atomic(offset, bytes, sync)?)
        })
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One line of the table: rates of all, and untorn's as ratios.
fn compare(contenders: &mut [Box<dyn Contender>], load: &Load, rounds: u64) -> Result<()> {
    let mut rates = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        let load = Load { seed: load.seed + round, ..*load };
        for (rates, contender) in rates.iter_mut().zip(contenders.iter_mut()) {
            let name = contender.name().to_owned();
            rates.push(contender.measure(&load).with_context(|| name)?.rate());
        }
    }
    let ours = rates[0].clone();
    let ratio = |other: &[f64]| median(ours.iter().zip(other).map(|(a, b)| a / b).collect());
    let size = format!("{} KiB", load.write_size / 1024);
    print!("{size:>9} {:<9}", format!("{:?}", load.durability));
    rates.iter().for_each(|rates| print!(" {:>12.0}", median(rates.clone())));
    rates[1..].iter().for_each(|rates| print!(" {:>10.2}x", ratio(rates)));
    println!();
    Ok(())
}

fn main() -> Result<()> {
    // `cargo test` runs benches too: nothing is measured there.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let folder = scratch_root();
    let mut contenders: Vec<Box<dyn Contender>> = vec![Box::new(Untorn::new(&folder)?)];
    if demand() {
        let options = MkfsOptions { rmapbt: true, ..MkfsOptions::default() };
        contenders.push(Box::new(LinuxAtomic::new(&folder, IMAGE, &options)?));
    }
    contenders.push(Box::new(RawDirect::new(&folder)?));
    print!("writes per second  ");
    contenders.iter().for_each(|c| print!(" {:>12}", c.name().split(' ').next().unwrap_or("")));
    contenders[1..].iter().for_each(|c| {
        print!(" {:>11}", format!("to {}", c.name().split(' ').next().unwrap_or("")))
    });
    println!();
    let time = Duration::from_millis(setting("UNTORN_BENCH_MILLIS", 400));
    for durability in [Durability::Unsynced, Durability::Dsync] {
        for write_size in [4 << 10, 16 << 10, 64 << 10, 1 << 20] {
            let load = Load { file_size: FILE, write_size, durability, time, seed: 1 };
            compare(&mut contenders, &load, setting("UNTORN_BENCH_ROUNDS", 5))?;
        }
    }
    Ok(())
}
