//! `untorn mkfs`: makes a volume from the options of mkfs.xfs.
//!
//! Invariants: where it refuses, nothing was written and no file was left behind.

mod beside;
mod choice;
mod epoch;
mod file;
mod fill;
mod least;
mod letters;
mod options;
mod set;
mod supported;

use crate::arguments::Mkfs;
use crate::failure::{Code, End, Outcome, Refusal};
use crate::{show, target};
use anyhow::{Context, bail};
use options::Wanted;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use untorn::mkfs::{self, Contents, Made, Options};
use untorn_device::{Access, BlockDevice, DeviceGeometry, FileDevice};

/// Makes the volume and prints its layout.
pub fn run(arguments: &Mkfs, out: &mut dyn Write) -> Outcome {
    let Some(image) = arguments.image.as_deref().filter(|_| !arguments.supported) else {
        supported::print(show::is_json(), out)?;
        return Ok(End::Well);
    };
    let mut wanted = Wanted::of(arguments)?;
    let epoch = epoch::of(arguments)?;
    wanted.options.time = epoch.map(epoch::time);
    if arguments.filling.from.is_some() {
        return fill::run(arguments, image, wanted.options, epoch, out);
    }
    let made = match (arguments.dry_run, image.exists()) {
        (true, exists) => {
            let sized = wanted.options.size.is_some() && is_empty(image);
            rehearse(arguments, image, wanted.options, exists && !sized)?
        }
        (false, true) if wanted.options.size.is_some() && is_empty(image) => {
            in_empty_file(arguments, image, wanted.options)?
        }
        (false, true) => on_existing(arguments, image, &wanted.options)?,
        (false, false) => in_new_file(arguments, image, wanted.options)?,
    };
    let name = image.display().to_string();
    if show::is_json() {
        show::json(out, &show::info::Layout::of(&name, &made.superblock, None))?;
    } else if !arguments.quiet {
        out.write_all(untorn::info::layout(&name, &made.superblock).as_bytes())?;
    }
    Ok(End::Well)
}

fn on_existing(arguments: &Mkfs, image: &Path, options: &Options) -> anyhow::Result<Made> {
    let device = FileDevice::open(image, Access::ReadWrite)?;
    let window = target::window(Arc::new(device), &arguments.place)?;
    make(&*window, options).with_context(|| image.display().to_string())
}

/// Whether it is a file with nothing in it, as one that was just made for an image.
fn is_empty(image: &Path) -> bool {
    fs::metadata(image).is_ok_and(|found| found.is_file() && found.len() == 0)
}

/// The file gets the size of the volume; it is empty again where that fails.
fn in_empty_file(arguments: &Mkfs, path: &Path, options: Options) -> anyhow::Result<Made> {
    let name = || path.display().to_string();
    let size = new_size(arguments, path, &options)?;
    let resize = |size| fs::File::options().write(true).open(path).and_then(|f| f.set_len(size));
    resize(size).with_context(name)?;
    let options = Options { contents: Contents::Zeroed, ..options };
    let made = on_existing(arguments, path, &options);
    let made = made.map_err(|error| least::advised(error, &options));
    if made.is_err() {
        resize(0).with_context(name)?;
    }
    made
}

fn in_new_file(arguments: &Mkfs, path: &Path, options: Options) -> anyhow::Result<Made> {
    let size = new_size(arguments, path, &options)?;
    let device: Arc<dyn BlockDevice> = Arc::new(FileDevice::create(path, size)?);
    let options = Options { contents: Contents::Zeroed, ..options };
    let made = target::window(device, &arguments.place)
        .map_err(anyhow::Error::from)
        .and_then(|window| make(&*window, &options))
        .map_err(|error| least::advised(error, &options));
    if made.is_err() {
        fs::remove_file(path).with_context(|| format!("removing {} again", path.display()))?;
    }
    made.with_context(|| path.display().to_string())
}

/// What would be made.
fn rehearse(
    arguments: &Mkfs,
    image: &Path,
    options: Options,
    exists: bool,
) -> anyhow::Result<Made> {
    let device = match exists {
        true => {
            let device = FileDevice::open(image, Access::ReadOnly)?;
            target::window(Arc::new(device), &arguments.place)?.geometry()
        }
        false => {
            let size = new_size(arguments, image, &options)?;
            DeviceGeometry { size, sector_size: 512, memory_alignment: 1, read_only: false }
        }
    };
    let made = mkfs::rehearse(&device, &options);
    let made = made.map_err(|error| match exists {
        true => error.into(),
        false => least::advised(error.into(), &options),
    });
    made.with_context(|| image.display().to_string())
}

fn make(device: &dyn BlockDevice, options: &Options) -> anyhow::Result<Made> {
    mkfs::make(device, options).map_err(occupied)
}

fn occupied(error: mkfs::MkfsError) -> anyhow::Error {
    match error {
        mkfs::MkfsError::Occupied { .. } => {
            Refusal::new(Code::Occupied, error).or("give -f").into()
        }
        error => error.into(),
    }
}

/// Size of a file that does not exist yet: the volume and what lies before it.
fn new_size(arguments: &Mkfs, path: &Path, options: &Options) -> anyhow::Result<u64> {
    let Some(size) = options.size else {
        bail!(
            "{} does not exist; to make it, say how large: -d size=1g, or what with: --from",
            path.display()
        );
    };
    if arguments.place.partition.is_some() {
        bail!("{} is not there or empty, so it has no partitions", path.display());
    }
    let end = size.checked_add(arguments.place.offset.unwrap_or(0));
    end.context("the volume would end past what 64 bits can say")
}
