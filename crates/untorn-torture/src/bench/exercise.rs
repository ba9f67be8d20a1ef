//! Operations of the file system exerciser per second, with the parameters of generic/521.
//!
//! The C program is not measured here: what it did where it was measured stands beside. In its
//! place the same operations, made by our generator, go through system calls to Linux.

use super::line::{Lines, Rate};
use super::peer::{Linux, rewrite, sparse_image};
use super::scale::Scale;
use super::through::PathTarget;
use crate::fsx::{Exerciser, Generator, Ground, Kind, Power, Settings, Target, possible, profile};
use crate::kernel::scratch_root;
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use untorn::{NewFile, OpenOptions, Volume, mkfs};
use untorn_device::{Access, BlockDevice, FileDevice, MemoryDevice};

/// What the C fsx does a second on a loop mount of Linux on a machine like this.
const C_FSX: f64 = 6_400.0;

const VOLUME: u64 = 256 << 20;
const FILE: &str = "/exercised";

/// Operations per second, the time to begin and the last look of the checker not counted.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    let folder = scratch_root();
    lines.expect(1 + scale.rounds)?;
    lines.step("making images")?;
    let linux = Linux::new(&folder, VOLUME)?;
    let image = sparse_image(&folder, VOLUME)?;
    rewrite(&image)?;
    let settings = settings()?;
    let shared = |kind: &Kind| {
        use Kind::{Batch, CloneRange, DedupeRange, ExchangeRange, WriteAtomic};
        ![Batch, CloneRange, DedupeRange, ExchangeRange, WriteAtomic].contains(kind)
    };
    let calls = Settings { kinds: settings.kinds.filter(|kind| shared(&kind)), ..settings.clone() };
    // The first round warms up.
    for round in 0..=scale.rounds {
        lines.wait();
        lines.step("operations")?;
        let seeded = |settings: &Settings| Settings { seed: round + 1, ..settings.clone() };
        let (all, calls) = (seeded(&settings), seeded(&calls));
        let theirs = linux.as_ref().map(|linux| on_mount(linux, &calls, scale)).transpose()?;
        for place in [Place::Memory, Place::Image(&image)] {
            let (whole, part) = (ours(&place, &all, scale)?, ours(&place, &calls, scale)?);
            if round == 0 {
                continue;
            }
            let mut tell = |case: &str, who, value| {
                let case = format!("{case}, {}", place.name());
                lines.rate(&Rate { case: &case, who, unit: "operations/s", round, value })
            };
            tell("all operations", "untorn", whole)?;
            tell("all operations", "C fsx (recorded)", C_FSX)?;
            tell("system calls", "untorn", part)?;
            if let Some(theirs) = theirs {
                tell("system calls", "linux", theirs)?;
            }
        }
    }
    Ok(())
}

/// Where our volume lies.
enum Place<'a> {
    /// In memory: the library alone.
    Memory,
    /// On an image, as that of Linux.
    Image(&'a Path),
}

impl Place<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Memory => "in memory",
            Self::Image(_) => "on an image",
        }
    }

    fn device(&self) -> Result<Arc<dyn BlockDevice>> {
        Ok(match self {
            Self::Memory => Arc::new(MemoryDevice::new(VOLUME)),
            Self::Image(image) => Arc::new(FileDevice::open(image, Access::ReadWrite)?),
        })
    }
}

fn settings() -> Result<Settings> {
    let profile = profile("generic/521").context("there is a profile")?;
    let settings = profile.into_iter().next().context("it has a run")?.settings;
    let kinds = settings.kinds.without(Kind::Remount).without(Kind::Crash);
    Ok(Settings { kinds, ..settings })
}

fn ours(place: &Place<'_>, settings: &Settings, scale: &Scale) -> Result<f64> {
    let device = place.device()?;
    let overwrite = mkfs::Overwrite::Force;
    mkfs::make(&*device, &mkfs::Options { overwrite, ..mkfs::Options::default() })?;
    let volume = Volume::open(Arc::clone(&device), OpenOptions::default())?;
    drop(volume.create_file(FILE, NewFile::default())?);
    volume.close()?;
    let target = Ground::Device(device).target(FILE, Power::Stays);
    let target = target.map_err(|trouble| anyhow::anyhow!("{trouble:?}"))?;
    exercise(target, settings, scale)
}

/// Exercises a file of a new volume on an image.
pub(super) fn on_image(image: &Path, operations: u64) -> Result<()> {
    let scale = Scale { exercises: operations, ..Scale::quick() };
    ours(&Place::Image(image), &settings()?, &scale).map(drop)
}

fn on_mount(linux: &Linux, settings: &Settings, scale: &Scale) -> Result<f64> {
    let path = linux.at("exercised");
    let _ = std::fs::remove_file(&path);
    exercise(PathTarget::open(&path, settings.file_limit)?, settings, scale)
}

fn exercise(target: impl Target, settings: &Settings, scale: &Scale) -> Result<f64> {
    let kinds = possible(settings.kinds, &target);
    assert_eq!(kinds, settings.kinds, "all sides do the same operations");
    let mut exerciser = Exerciser::new(settings, target, &[]);
    let mut generator = Generator::new(settings);
    let failed = |failure| anyhow::anyhow!("the exerciser found: {failure:?}");
    exerciser.prepare(Power::Stays).map_err(failed)?;
    let began = Instant::now();
    for _ in 0..scale.exercises {
        let op = generator.next(exerciser.size(), settings);
        exerciser.step(op).map_err(failed)?;
    }
    let rate = scale.exercises as f64 / began.elapsed().as_secs_f64();
    exerciser.finish().map_err(failed)?;
    Ok(rate)
}
