//! The volume that a command works on: the device, the part of it, the volume.
//!
//! Invariants: who reads opens the device read-only and replays a dirty journal in memory; who
//! writes closes the volume again, so that its journal needs no replay.

mod order;

use crate::arguments::{Image, Place};
use crate::failure::{self, Code, Outcome, Refusal};
use crate::show::Deeds;
use anyhow::Context;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use untorn::{Access, Error, OpenOptions, Volume};
use untorn_device::{Access as DeviceAccess, BlockDevice, DeviceError, FileDevice, WindowDevice};

/// The part of the device at `image` that holds the volume.
pub fn device(image: &Image, access: DeviceAccess) -> anyhow::Result<Arc<dyn BlockDevice>> {
    let device = FileDevice::open(&image.image, access)
        .map_err(|error| order::first(image, apart(image, error)))?;
    window(Arc::new(device), &image.place).with_context(|| image.name())
}

/// The error of an image that cannot be opened; says how it is typed where a path was typed behind
/// it, as `cp` and `put` take it.
fn apart(image: &Image, error: DeviceError) -> anyhow::Error {
    let typed = image.image.to_string_lossy();
    match typed.split_once(":/") {
        Some((image, path)) if Path::new(image).exists() => {
            let remedy = format!("image and path stand apart here: `{image} /{path}`");
            Refusal::new(Code::HostNotFound, error).or(remedy).into()
        }
        _ => error.into(),
    }
}

/// The part of `device` that `place` names.
pub fn window(
    device: Arc<dyn BlockDevice>,
    place: &Place,
) -> untorn_device::Result<Arc<dyn BlockDevice>> {
    Ok(match (place.offset, place.partition) {
        (Some(offset), _) => Arc::new(WindowDevice::from_offset(device, offset)?),
        (None, Some(number)) => Arc::new(WindowDevice::partition(device, number)?),
        (None, None) => device,
    })
}

fn open(
    image: &Image,
    device: Arc<dyn BlockDevice>,
    options: OpenOptions,
) -> anyhow::Result<Volume> {
    let opened = Volume::open(device, options).with_context(|| image.name());
    opened.map_err(|error| match error.downcast_ref() {
        Some(Error::NotXfs) => order::first(image, error),
        _ => error,
    })
}

/// The volume for reading. Says so where it is shown as a replay would leave it.
pub fn read(image: &Image) -> anyhow::Result<Volume> {
    let device = device(image, DeviceAccess::ReadOnly)?;
    let options = OpenOptions { access: Access::ReadOnly, ..OpenOptions::default() };
    let volume = open(image, device, options)?;
    if !volume.recovery().was_clean {
        let told = "journal is dirty: showing the volume as recovery would leave it";
        failure::warn(Code::DirtyJournal, told);
    }
    Ok(volume)
}

/// Opens the volume for writing, does `work` and closes it, also where the work failed.
pub fn write<T>(
    image: &Image,
    work: impl FnOnce(&Volume) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let device = device(image, DeviceAccess::ReadWrite)?;
    let volume = open(image, device, OpenOptions::default())?;
    let done = work(&volume);
    let closed = volume.close().context("closing the volume");
    let done = done?;
    closed?;
    Ok(done)
}

/// Changes the volume by `work`, which tells what it does: programs get one list under the word
/// `verb`, also where the rest failed, people what they asked for. Nothing is said where the volume
/// cannot be opened.
pub fn change(
    image: &Image,
    out: &mut dyn Write,
    verb: &'static str,
    work: impl FnOnce(&Volume, &mut Deeds) -> Outcome,
) -> Outcome {
    write(image, |volume| Deeds::told(out, verb, |deeds| work(volume, deeds)))
}
