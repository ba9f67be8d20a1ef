//! Random atomic overwrites of a 128 MiB file, 4 KiB each unless said otherwise, for profilers: on
//! a volume in memory nothing but the CPU time of the commit path, on an image the device, too.
//!
//! ```text
//! overwrites [writes] [visible|durable] [threads] [image to overwrite or -] [bytes a write]
//! valgrind --tool=callgrind --toggle-collect='overwrites::measured*' overwrites 3000
//! ```

use anyhow::Result;
use std::sync::Arc;
use std::time::Instant;
use untorn::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::{Access, AlignedBuffer, BlockDevice, FileDevice, MemoryDevice};
use untorn_torture::dice::Dice;

const FILE: u64 = 128 << 20;

/// What is written.
#[derive(Clone, Copy)]
struct Load {
    writes: u64,
    /// Bytes of each.
    bytes: usize,
    sync: Sync,
}

/// What is measured.
#[inline(never)]
fn measured(file: &File, load: Load, seed: u64) -> Result<()> {
    overwrite(file, load, seed)
}

#[inline(always)]
fn overwrite(file: &File, load: Load, seed: u64) -> Result<()> {
    let Load { writes, bytes: length, sync } = load;
    let mut dice = Dice::new(seed);
    let mut bytes = AlignedBuffer::zeroed(length, 4096);
    dice.fill(&mut bytes);
    for _ in 0..writes {
        let offset = dice.below(FILE / length as u64) * length as u64;
        bytes[..8].copy_from_slice(&dice.roll().to_le_bytes());
        file.write_atomic(offset, &bytes, sync)?;
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let writes = arguments.next().map_or(Ok(20_000), |word| word.parse())?;
    let sync = match arguments.next().as_deref() {
        Some("durable") => Sync::Durable,
        _ => Sync::Visible,
    };
    let threads: u64 = arguments.next().map_or(Ok(1), |word| word.parse())?;
    let device: Arc<dyn BlockDevice> = match arguments.next() {
        Some(image) if image != "-" => Arc::new(FileDevice::open(image, Access::ReadWrite)?),
        _ => Arc::new(MemoryDevice::new(4 << 30)),
    };
    let bytes = arguments.next().map_or(Ok(4096), |word| word.parse())?;
    mkfs::make(
        &*device,
        &mkfs::Options {
            uuid: Some([7; 16]),
            overwrite: mkfs::Overwrite::Force,
            ..mkfs::Options::default()
        },
    )?;
    let volume = Volume::open(device, OpenOptions::default())?;
    let file = &volume.create_file("/file", NewFile::default())?;
    let piece = vec![1; 1 << 20];
    for offset in (0..FILE).step_by(piece.len()) {
        file.write_atomic(offset, &piece, Sync::Visible)?;
    }
    file.sync()?;
    // The file's extents shatter first; what comes after is the steady state.
    overwrite(file, Load { writes: 20_000, bytes, sync: Sync::Visible }, 0)?;
    let load = Load { writes: writes / threads, bytes, sync };
    let began = Instant::now();
    std::thread::scope(|scope| {
        let others = 2..=threads;
        let run = |seed| scope.spawn(move || measured(file, load, seed));
        let running: Vec<_> = others.map(run).collect();
        measured(file, load, 1)?;
        let join = |thread: std::thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().try_for_each(join)
    })?;
    let each = began.elapsed() / u32::try_from(writes.max(1))?;
    println!("{writes} writes by {threads} threads, {each:?} each");
    Ok(volume.close()?)
}
