//! The volume that is exercised: in memory, or in an image.
//!
//! Invariants: of an image that was there before, only the exercised file is touched.

use super::options::Fsx;
use crate::failure::{Code, Refusal};
use crate::show;
use anyhow::{Context, ensure};
use std::sync::Arc;
use untorn::mkfs::{self, Contents, Options};
use untorn::{Error, NewFile, OpenOptions, Volume};
use untorn_device::{Access, BlockDevice, FileDevice};
use untorn_format::inode::FileKind;
use untorn_torture::fsx::{Ground, Settings};

/// The volume for one run, its file, and what the file holds.
pub struct Site {
    /// What targets are made on.
    pub ground: Ground,
    /// What the file holds.
    pub contents: Vec<u8>,
}

/// Makes or opens the volume as the arguments say, and takes its block size into the settings.
pub fn site(arguments: &Fsx, settings: &mut Settings) -> anyhow::Result<Site> {
    match &arguments.volume.image {
        None => Ok(Site { ground: memory(arguments, settings)?, contents: Vec::new() }),
        Some(path) => {
            let found = image(arguments, settings);
            found.with_context(|| path.display().to_string())
        }
    }
}

/// A new volume in memory.
pub fn memory(arguments: &Fsx, settings: &Settings) -> anyhow::Result<Ground> {
    let (size, options) = geometry(arguments, settings)?;
    Ground::memory(size, &options, &arguments.file)
}

/// Size of a new volume, and what mkfs is told.
fn geometry(arguments: &Fsx, settings: &Settings) -> anyhow::Result<(u64, Options)> {
    let place = &arguments.volume;
    let least = if place.block_size > 16 << 10 { 512 << 20 } else { 64 << 20 };
    let size = place.size.unwrap_or(least.max(16 * settings.file_limit).next_multiple_of(1 << 20));
    let sectors = size.is_multiple_of(512);
    ensure!(sectors && size <= 1 << 46, "--size {size}: whole sectors, at most 64 TiB");
    let block_size = u32::try_from(place.block_size).ok().context("--block-size: too large")?;
    let mut options = Options { block_size, contents: Contents::Zeroed, ..Options::default() };
    options.features.rmapbt = place.rmapbt == 1;
    options.log.size = place.log_size;
    Ok((size, options))
}

fn image(arguments: &Fsx, settings: &mut Settings) -> anyhow::Result<Site> {
    let path = arguments.volume.image.as_deref().context("no image")?;
    let device: Arc<dyn BlockDevice> = match path.exists() {
        true => Arc::new(FileDevice::open(path, Access::ReadWrite)?),
        false => {
            let (size, options) = geometry(arguments, settings)?;
            let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::create(path, size)?);
            if let Err(error) = mkfs::make(&*device, &options) {
                std::fs::remove_file(path)?;
                return Err(error.into());
            }
            device
        }
    };
    let volume = Volume::open(Arc::clone(&device), OpenOptions::default())?;
    let contents = file(&volume, arguments, settings);
    settings.block_size = volume.superblock().geometry.block_size() as u64;
    volume.close().context("closing the volume")?;
    Ok(Site { ground: Ground::Device(device), contents: contents? })
}

/// The file, made new unless it is to be kept; what it holds.
fn file(volume: &Volume, arguments: &Fsx, settings: &mut Settings) -> anyhow::Result<Vec<u8>> {
    let path = &arguments.file;
    if arguments.ways.keep {
        let file = volume.open_file(path)?;
        let size = file.size()?;
        ensure!((1..=settings.file_limit.max(1 << 30)).contains(&size), "-k: {size} bytes");
        settings.file_limit = size;
        let mut bytes = vec![0; size as usize];
        file.read_at(0, &mut bytes)?;
        return Ok(bytes);
    }
    match volume.metadata(path) {
        Ok(found) if found.kind == FileKind::Regular => volume.remove(path)?,
        Err(Error::NotFound(_)) => {}
        Ok(found) => {
            let told = format!("{path}: is a {}", show::mode::kind(found.kind));
            let remedy = "name a file that may be overwritten, or one that does not exist";
            return Err(Refusal::new(Code::NotARegularFile, told).or(remedy).into());
        }
        Err(error) => return Err(error.into()),
    }
    volume.create_file(path, NewFile::default())?;
    Ok(Vec::new())
}
