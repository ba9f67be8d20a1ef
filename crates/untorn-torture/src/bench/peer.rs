//! Who is measured: untorn, Linux XFS, plain files, plain files that are written twice or noted.

use super::path::{Overwriting, PathFile, open_direct};
use super::subject::{Door, Durability, PIECE, Subject, write_all};
use crate::kernel::{
    Aligned, Caching, Extra, MkfsOptions, MountOptions, Mounted, demand, make_volume,
};
use anyhow::{Result, ensure};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempPath;
use untorn::{File, NewFile, OpenOptions, Sync, Volume, mkfs};
use untorn_device::{Access, FileDevice};

/// Somebody who has files.
pub(super) trait Peer {
    /// Who it is, in one word.
    fn name(&self) -> &'static str;

    /// New files in the place of those made before, each of `size` bytes, which are all written.
    fn files(&mut self, count: usize, size: u64) -> Result<Vec<Box<dyn Subject + '_>>>;
}

fn lay_out(file: &dyn Subject, size: u64) -> Result<()> {
    write_all(file, size, Door::Direct)?;
    Ok(())
}

/// An image of `size` bytes in a folder; nothing is written to it yet.
pub(super) fn sparse_image(folder: &Path, size: u64) -> Result<TempPath> {
    let image = tempfile::Builder::new().suffix(".img").tempfile_in(folder)?;
    image.as_file().set_len(size)?;
    Ok(image.into_temp_path())
}

/// Writes every byte of a file again, by direct I/O: afterwards the filesystem below need not
/// allocate or convert anything when the file is overwritten.
pub(super) fn rewrite(path: &Path) -> Result<()> {
    let file = open_direct(path)?;
    let mut piece = Aligned::new(PIECE);
    for offset in (0..file.metadata()?.len()).step_by(PIECE) {
        file.read_exact_at(&mut piece, offset)?;
        file.write_all_at(&piece, offset)?;
    }
    Ok(file.sync_all()?)
}

/// Formats the image with the features that all volumes here have, and opens it.
pub(super) fn format_and_open(image: &Path, options: OpenOptions) -> Result<Volume> {
    let device = Arc::new(FileDevice::open(image, Access::ReadWrite)?);
    let wanted = mkfs::Options { uuid: Some([7; 16]), ..mkfs::Options::default() };
    mkfs::make(&*device, &wanted)?;
    Ok(Volume::open(device, options)?)
}

/// untorn, through its library, on an image.
pub(super) struct Ours {
    volume: Volume,
    _image: TempPath,
}

impl Ours {
    /// A new volume of `size` bytes in the folder.
    pub fn new(folder: &Path, size: u64, options: OpenOptions) -> Result<Self> {
        let image = sparse_image(folder, size)?;
        rewrite(&image)?;
        Ok(Self { volume: format_and_open(&image, options)?, _image: image })
    }
}

impl Peer for Ours {
    fn name(&self) -> &'static str {
        "untorn"
    }

    fn files(&mut self, count: usize, size: u64) -> Result<Vec<Box<dyn Subject + '_>>> {
        for entry in self.volume.read_dir("/")? {
            self.volume.remove([b"/", &entry.name[..]].concat())?;
        }
        self.volume.sync()?;
        let mut files: Vec<Box<dyn Subject>> = Vec::new();
        for number in 0..count {
            let file = self.volume.create_file(format!("/{number}"), NewFile::default())?;
            let file = OurFile(file);
            lay_out(&file, size)?;
            files.push(Box::new(file));
        }
        Ok(files)
    }
}

/// A file of untorn.
pub(super) struct OurFile(pub File);

impl Subject for OurFile {
    fn overwrite(&self, offset: u64, bytes: &[u8], durability: Durability) -> Result<()> {
        let sync = match durability {
            Durability::Unsynced => Sync::Visible,
            Durability::Dsync => Sync::Durable,
        };
        Ok(self.0.write_atomic(offset, bytes, sync)?)
    }

    fn write(&self, door: Door, offset: u64, bytes: &[u8]) -> Result<()> {
        let write = match door {
            Door::Cached => File::write_cached,
            Door::Direct => File::write_at,
            Door::Atomic => File::write_atomic,
        };
        Ok(write(&self.0, offset, bytes, Sync::Visible)?)
    }

    fn read(&self, door: Door, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let read = match door {
            Door::Cached => self.0.read_cached(offset, bytes)?,
            Door::Direct | Door::Atomic => self.0.read_at(offset, bytes)?,
        };
        ensure!(read == bytes.len(), "{read} of {} bytes were read", bytes.len());
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(self.0.sync()?)
    }

    /// The cache is given an eighth of what is streamed: nothing of the beginning is in it.
    fn forget(&self) -> Result<()> {
        self.sync()
    }
}

/// Linux XFS on a loop device with direct I/O over an image.
pub(super) struct Linux {
    mounted: Mounted,
    /// Goes when dropped, after the mount.
    _image: TempPath,
}

impl Linux {
    /// A new volume of `size` bytes in the folder; nothing where the kernel cannot be asked.
    pub fn new(folder: &Path, size: u64) -> Result<Option<Self>> {
        if !demand() {
            return Ok(None);
        }
        let image = sparse_image(folder, size)?;
        let options = MkfsOptions {
            rmapbt: true,
            nrext64: true,
            extra: vec![Extra::ExchangeRange],
            ..MkfsOptions::default()
        };
        make_volume(&image, size, &options)?;
        rewrite(&image)?;
        let mount = |more: &str| {
            let options = format!("nodiscard{more}");
            let caching = Caching::Direct;
            Mounted::with(&image, &MountOptions { caching, options, ..MountOptions::default() })
        };
        // Where the option is not known or not met, large writes are refused one by one.
        let mounted = mount(",max_atomic_write=1m").or_else(|_| mount(""))?;
        Ok(Some(Self { mounted, _image: image }))
    }

    /// Where its files are.
    pub fn at(&self, name: &str) -> std::path::PathBuf {
        self.mounted.at(name)
    }
}

impl Peer for Linux {
    fn name(&self) -> &'static str {
        "linux"
    }

    fn files(&mut self, count: usize, size: u64) -> Result<Vec<Box<dyn Subject + '_>>> {
        let path = |number| self.mounted.at(format!("{number}"));
        (0..).map(path).take_while(|path| std::fs::remove_file(path).is_ok()).for_each(drop);
        self.mounted.sync()?;
        new_files((0..count).map(path), size, || Ok(Overwriting::Atomic))
    }
}

/// Files in a folder of the filesystem that holds everybody's images.
pub(super) struct Plain {
    folder: tempfile::TempDir,
    side: Side,
}

/// Whether a side area is written with plain files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// No: what the device and the filesystem below can do.
    None,
    /// Yes, and synced twice: how programs keep writes whole without help.
    First,
    /// A note of each is, after it was synced: the least that any journal of them does.
    Behind,
}

impl Plain {
    /// Files in a new folder below `folder`.
    pub fn new(folder: &Path, side: Side) -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir_in(folder)?, side })
    }
}

impl Peer for Plain {
    fn name(&self) -> &'static str {
        match self.side {
            Side::None => "raw",
            Side::First => "twice",
            Side::Behind => "noted",
        }
    }

    fn files(&mut self, count: usize, size: u64) -> Result<Vec<Box<dyn Subject + '_>>> {
        let folder = self.folder.path();
        for entry in std::fs::read_dir(folder)? {
            std::fs::remove_file(entry?.path())?;
        }
        let area = || {
            let side = PathFile::open(&folder.join("side"), Overwriting::Plain)?;
            lay_out(&side, PIECE as u64)?;
            open_direct(&folder.join("side"))
        };
        let paths = (0..count).map(|number| folder.join(format!("{number}")));
        new_files(paths, size, || match self.side {
            Side::None => Ok(Overwriting::Plain),
            Side::First => Ok(Overwriting::Twice(area()?)),
            Side::Behind => Ok(Overwriting::Noted(area()?)),
        })
    }
}

fn new_files<'a>(
    paths: impl Iterator<Item = std::path::PathBuf>,
    size: u64,
    overwriting: impl Fn() -> Result<Overwriting>,
) -> Result<Vec<Box<dyn Subject + 'a>>> {
    let mut files: Vec<Box<dyn Subject>> = Vec::new();
    for path in paths {
        let file = PathFile::open(&path, overwriting()?)?;
        lay_out(&file, size)?;
        files.push(Box::new(file));
    }
    Ok(files)
}
