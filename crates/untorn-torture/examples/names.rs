//! Makes, finds, lists and removes the files of one directory, in memory: for profilers.
//!
//! ```text
//! names [files]
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

fn main() -> Result<()> {
    let files = std::env::args().nth(1).map_or(Ok(100_000), |word| word.parse())?;
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
    timed("find", files, |number| {
        volume.metadata(path(number * 7919 % files))?;
        Ok(())
    })?;
    let began = Instant::now();
    let listed = volume.read_dir("/d")?.len();
    println!("list: {:?} for {listed} names", began.elapsed());
    timed("remove", files, |number| Ok(volume.remove(path(number))?))?;
    Ok(volume.close()?)
}
