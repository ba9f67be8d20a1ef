//! Memory: how much a process has at most while it reads and writes, and what an extent and an
//! inode take.
//!
//! Every workload runs in a process of its own, so that its peak is its own; caches have small
//! limits, so that what is beyond them shows.

use super::line::Lines;
use super::peer::{OurFile, format_and_open, sparse_image};
use super::scale::Scale;
use super::shape::{BLOCK, scattered};
use super::subject::{Door, Durability, Overwrites, Subject, read_all, write_all};
use crate::kernel::scratch_root;
use anyhow::{Context, Result, bail, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use untorn::{File, NewFile, OpenOptions, Volume, mkfs};
use untorn_device::{Access, FileDevice};

/// First argument of a process that runs one workload.
pub(super) const CHILD: &str = "--child";

/// Bytes that the caches of a workload may take: pages, then metadata.
const PAGES: usize = 32 << 20;
const METADATA: usize = 16 << 20;

/// Inodes in one directory, whose block they must fit.
const IN_DIRECTORY: u64 = 1_000;

const FILE: &str = "/file";

/// What a process does, by the name that the table shows.
type Workload = (&'static str, fn(&OurFile, u64) -> Result<()>);

const WORKLOADS: [Workload; 8] = [
    ("open the volume", |_, _| Ok(())),
    ("atomic 4 KiB", |file, size| overwrite(file, size, 4096, Durability::Unsynced)),
    ("atomic 4 KiB dsync", |file, size| overwrite(file, size, 4096, Durability::Dsync)),
    ("atomic 1 MiB", |file, size| overwrite(file, size, 1 << 20, Durability::Unsynced)),
    ("direct write", |file, size| write_all(file, size, Door::Direct).map(drop)),
    ("direct read", |file, size| read_all(file, size, Door::Direct).map(drop)),
    ("buffered write", |file, size| write_all(file, size, Door::Cached).map(drop)),
    ("buffered read", |file, size| read_all(file, size, Door::Cached).map(drop)),
];

fn overwrite(file: &OurFile, size: u64, write: usize, durability: Durability) -> Result<()> {
    let time = Duration::from_secs(if size > 128 << 20 { 2 } else { 0 });
    let time = time + Duration::from_millis(200);
    let load = Overwrites { file: size, write, durability, time, seed: 1 };
    load.on(file, 1).map(drop)
}

/// Peaks, and bytes per extent and inode.
pub(super) fn measure(scale: &Scale, lines: &mut Lines<'_>) -> Result<()> {
    lines.expect(WORKLOADS.len() as u64 + 3)?;
    let size = scale.streamed / 2;
    let image = sparse_image(&scratch_root(), size * 2 + (256 << 20))?;
    lay_out(&image, size)?;
    let mut baseline = 0;
    for (name, _) in WORKLOADS {
        lines.step(name)?;
        let peak = child_of(&[name, path(&image)?, &size.to_string()])?;
        if baseline == 0 {
            baseline = peak;
        }
        lines.memory(name, peak, baseline, (PAGES + METADATA) as u64)?;
    }
    lines.step(EXERCISE)?;
    let peak = child_of(&[EXERCISE, path(&image)?, &scale.exercises.to_string()])?;
    let OpenOptions { page_bytes, store, .. } = OpenOptions::default();
    lines.memory(EXERCISE, peak, baseline, (page_bytes + store.cache_bytes) as u64)?;
    drop(image);
    let extents = scale.extents.iter().rev().nth(1).copied().unwrap_or(scale.extents[0]);
    lines.step(&format!("{extents} extents"))?;
    per_extent(extents, lines)?;
    lines.step(&format!("{} inodes", scale.inodes))?;
    per_inode(scale.inodes, lines)
}

fn path(image: &Path) -> Result<&str> {
    image.to_str().context("the scratch folder has a name in UTF-8")
}

fn limited() -> OpenOptions {
    let mut options = OpenOptions { page_bytes: PAGES, ..OpenOptions::default() };
    options.store.cache_bytes = METADATA;
    options
}

fn lay_out(image: &Path, size: u64) -> Result<()> {
    let volume = format_and_open(image, OpenOptions::default())?;
    let file = OurFile(volume.create_file(FILE, NewFile::default())?);
    write_all(&file, size, Door::Direct)?;
    Ok(volume.close()?)
}

fn per_extent(extents: u64, lines: &mut Lines<'_>) -> Result<()> {
    let image = sparse_image(&scratch_root(), 64 << 30)?;
    let volume = format_and_open(&image, OpenOptions::default())?;
    drop(scattered(&volume, FILE, extents)?);
    volume.close()?;
    let grown = child_of(&[EXTENTS, path(&image)?, &extents.to_string()])?;
    lines.fact("memory per extent of a file that was read", grown as f64 / extents as f64, "bytes")
}

fn per_inode(inodes: u64, lines: &mut Lines<'_>) -> Result<()> {
    let image = sparse_image(&scratch_root(), 4 << 30)?;
    let device = Arc::new(FileDevice::open(&image, Access::ReadWrite)?);
    let options = mkfs::Options { dir_block_size: Some(65536), ..mkfs::Options::default() };
    mkfs::make(&*device, &options)?;
    let volume = Volume::open(device, OpenOptions::default())?;
    for number in 0..inodes {
        let (folder, name) = (number / IN_DIRECTORY, number % IN_DIRECTORY);
        if name == 0 {
            volume.create_dir(format!("/{folder}"), NewFile::default())?;
        }
        drop(volume.create_file(format!("/{folder}/{name}"), NewFile::default())?);
    }
    volume.close()?;
    let grown = child_of(&[INODES, path(&image)?, &inodes.to_string()])?;
    lines.fact(
        "memory per open inode, its cluster in the cache",
        grown as f64 / inodes as f64,
        "bytes",
    )
}

const EXERCISE: &str = "fsx, caches as by default";
const EXTENTS: &str = "extents";
const INODES: &str = "inodes";

/// Runs one workload in a process of its own; the bytes that it tells.
fn child_of(arguments: &[&str]) -> Result<u64> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(CHILD).args(arguments).stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = command.output()?;
    ensure!(output.status.success(), "{}: {}", arguments.join(" "), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().parse()?)
}

/// The process of one workload: tells the most memory that it had, or by how much it grew.
pub(super) fn child(arguments: &[String]) -> Result<()> {
    let [name, image, number] = arguments else { bail!("{CHILD} WORKLOAD IMAGE NUMBER") };
    let (image, number) = (Path::new(image), number.parse()?);
    let told = match name.as_str() {
        EXTENTS => growth(image, |volume| read_extents(volume, number))?,
        INODES => growth(image, open_all)?,
        EXERCISE => {
            super::exercise::on_image(image, number)?;
            status("VmHWM:")?
        }
        name => peak(image, name, number)?,
    };
    println!("{told}");
    Ok(())
}

fn peak(image: &Path, name: &str, size: u64) -> Result<u64> {
    let workload = WORKLOADS.iter().find(|(known, _)| *known == name);
    let (_, workload) = workload.with_context(|| format!("no workload {name}"))?;
    let device = Arc::new(FileDevice::open(image, Access::ReadWrite)?);
    let volume = Volume::open(device, limited())?;
    let file = OurFile(volume.open_file(FILE)?);
    workload(&file, size)?;
    file.sync()?;
    volume.close()?;
    status("VmHWM:")
}

/// By how much the process grew while `work` was done and what it gave back was kept.
fn growth<T>(image: &Path, work: impl Fn(&Volume) -> Result<T>) -> Result<u64> {
    let device = Arc::new(FileDevice::open(image, Access::ReadWrite)?);
    let mut options = OpenOptions::default();
    options.store.cache_bytes = 1 << 30;
    let volume = Volume::open(device, options)?;
    let before = status("VmRSS:")?;
    let kept = work(&volume)?;
    let after = status("VmRSS:")?;
    drop(kept);
    Ok(after.saturating_sub(before))
}

fn read_extents(volume: &Volume, extents: u64) -> Result<File> {
    let file = volume.open_file(FILE)?;
    let mut bytes = [0; BLOCK as usize];
    for number in 0..extents {
        file.read_at(number * 2 * BLOCK, &mut bytes)?;
    }
    Ok(file)
}

fn open_all(volume: &Volume) -> Result<Vec<File>> {
    let mut files = Vec::new();
    for folder in volume.read_dir("/")? {
        for entry in volume.entries_of(folder.ino)? {
            files.push(volume.file(entry.ino)?);
        }
    }
    Ok(files)
}

/// A number of bytes that the kernel tells of this process.
fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.with_context(|| format!("the kernel does not tell {name}"))?.parse::<u64>()? << 10)
}
