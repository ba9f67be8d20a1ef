//! Makes, finds, lists and removes the files of one directory, in memory: for profilers.
//!
//! ```text
//! names [files] [rounds of looking] [rounds of listing]
//! ```

use anyhow::Result;
use std::sync::Arc;
use std::time::Instant;
use untorn::{NewFile, OpenOptions, Volume, mkfs};
use untorn_device::MemoryDevice;

/// Does `work` for every file and says what each took.
fn timed(what: &str, files: u64, mut work: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let began = Instant::now();
    (0..files).try_for_each(&mut work)?;
    let each = began.elapsed() / u32::try_from(files.max(1))?;
    println!("{what}: {each:?} each");
    Ok(())
}

/// The argument at `index`.
fn argument(index: usize, otherwise: u64) -> Result<u64> {
    Ok(std::env::args().nth(index).map_or(Ok(otherwise), |word| word.parse())?)
}

fn main() -> Result<()> {
    let files = argument(1, 100_000)?;
    let (looks, lists) = (argument(2, 1)?, argument(3, 1)?);
    let device = Arc::new(MemoryDevice::new(16 << 30));
    mkfs::make(&*device, &mkfs::Options::default())?;
    let volume = Volume::open(device, OpenOptions::default())?;
    volume.create_dir("/d", NewFile::default())?;
    let path = |number: u64| format!("/d/file-{number}");
    timed("create", files, |number| {
        volume.create_file(path(number), NewFile::default())?;
        Ok(())
    })?;
    volume.sync()?;
    timed("find", files * looks, |number| {
        volume.metadata(path(number * 7919 % files))?;
        Ok(())
    })?;
    timed("list", lists, |_| {
        anyhow::ensure!(volume.read_dir("/d")?.len() as u64 == files);
        Ok(())
    })?;
    timed("remove", files, |number| Ok(volume.remove(path(number))?))?;
    Ok(volume.close()?)
}
