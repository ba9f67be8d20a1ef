//! `untorn mkfs --from`: a volume from a directory or a tar archive.
//!
//! Invariants: a file gets its name when all is written; where anything fails, what was there is
//! there as before. A device, or a part of an image, cannot be so: it is left without a volume.

use super::beside::Beside;
use super::least;
use crate::arguments::Mkfs;
use crate::failure::{Code, End, Outcome, Refusal};
use crate::show::filled::Filled;
use crate::{progress, show, target};
use anyhow::{Context, bail, ensure};
use serde::Serialize;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use untorn::mkfs::{self, Contents, Options, Overwrite};
use untorn_device::{Access, BlockDevice, DeviceGeometry, FileDevice};
use untorn_image::{Built, Epoch, Error, Tree, What, build, minimum, room_for, spool};

/// What has less bytes is no device, and no volume.
const SECTOR: u64 = 512;
/// Volumes tried where one that should be large enough is not.
const TRIES: u32 = 8;

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    layout: show::info::Layout,
    filled: Filled,
}

/// Makes the volume, fills it, and prints its layout.
pub fn run(
    arguments: &Mkfs,
    image: &Path,
    options: Options,
    epoch: Option<Epoch>,
    out: &mut dyn Write,
) -> Outcome {
    ensure!(
        !(arguments.filling.minimize && options.size.is_some()),
        "-d size= and --minimize exclude each other"
    );
    let path = final_path(image)?;
    let mut tree = read(arguments, &path)?;
    tree.own(&arguments.filling.whose.owners()?);
    if let Some(epoch) = epoch {
        tree.stamp(epoch);
    }
    let job = Job { arguments, path: &path, options, tree: &tree };
    let name = image.display().to_string();
    if arguments.dry_run {
        let made = job.rehearse().with_context(|| name.clone())?;
        if !arguments.quiet {
            out.write_all(untorn::info::layout(&name, &made).as_bytes())?;
        }
        return Ok(End::Well);
    }
    let built = job.make().with_context(|| name.clone())?;
    let superblock = &built.made.superblock;
    if show::is_json() {
        let layout = show::info::Layout::of(&name, superblock, None);
        show::json(out, &Shown { layout, filled: Filled::of(&built.summary) })?;
    } else if !arguments.quiet {
        out.write_all(untorn::info::layout(&name, superblock).as_bytes())?;
    }
    Ok(End::Well)
}

/// Where the image really is: a name that leads to another file is not replaced.
fn final_path(image: &Path) -> anyhow::Result<PathBuf> {
    match fs::symlink_metadata(image) {
        Ok(_) => fs::canonicalize(image).with_context(|| image.display().to_string()),
        Err(_) => Ok(image.to_owned()),
    }
}

/// The folder for files that are needed for a while.
pub(super) fn scratch(path: &Path) -> PathBuf {
    let device = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    match parent {
        _ if device => std::env::temp_dir(),
        Some(parent) => parent.to_owned(),
        None => PathBuf::from("."),
    }
}

/// Looks through the source of the image at `path`.
fn read(arguments: &Mkfs, path: &Path) -> anyhow::Result<Tree> {
    let Some(from) = &arguments.filling.from else { bail!("no source") };
    let (mut tree, scratch) = (Tree::new(), scratch(path));
    tree.shun(path);
    if from.as_os_str() == "-" {
        let stdin = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
        tree.add_tar(seekable(stdin, &scratch)?, "standard input")?;
        return Ok(tree);
    }
    let name = || format!("--from {}", from.display());
    let found = fs::metadata(from).with_context(name)?;
    if found.is_dir() {
        // A link to a directory is meant to be the directory.
        let from = fs::canonicalize(from).with_context(name)?;
        tree.add_directory(b"", &from)?;
        return Ok(tree);
    }
    let block_device = found.file_type().is_block_device();
    ensure!(!block_device, "{}: neither a directory nor an archive", name());
    let file = File::open(from).with_context(name)?;
    tree.add_tar(seekable(file, &scratch)?, &from.display().to_string())?;
    Ok(tree)
}

/// A file that can be read in any order.
fn seekable(mut file: File, scratch: &Path) -> anyhow::Result<File> {
    use std::io::Seek;
    let plain = file.metadata()?.is_file() && file.stream_position()? == 0;
    Ok(if plain { file } else { spool(file, scratch)? })
}

struct Job<'a> {
    arguments: &'a Mkfs,
    path: &'a Path,
    options: Options,
    tree: &'a Tree,
}

/// What stands at the name of the image.
enum There {
    /// Nothing, or an empty file.
    Nothing,
    /// A regular file that will be replaced, of this many bytes, which the volume takes over where
    /// it can.
    File(u64),
    /// Something that is written where it is.
    Fixed,
}

impl Job<'_> {
    fn there(&self) -> There {
        let place = &self.arguments.place;
        match fs::metadata(self.path) {
            Err(_) => There::Nothing,
            Ok(found) if found.is_file() && found.len() == 0 => There::Nothing,
            Ok(found) if found.is_file() && place.offset.is_none() && place.partition.is_none() => {
                There::File(found.len())
            }
            Ok(_) => There::Fixed,
        }
    }

    fn make(&self) -> anyhow::Result<Built> {
        match self.there() {
            There::Nothing => self.replacing(None),
            There::File(length) => {
                // Held until it is replaced, so that nobody else uses it.
                let _old = match length {
                    ..SECTOR => None,
                    _ => Some(self.demand_unknown()?),
                };
                self.replacing(Some(length))
            }
            There::Fixed => self.in_place(),
        }
    }

    /// The file that will be replaced, where what is in it is not known.
    fn demand_unknown(&self) -> anyhow::Result<FileDevice> {
        let old = FileDevice::open(self.path, Access::ReadWrite)?;
        if self.options.overwrite == Overwrite::Refuse
            && let Some(what) = mkfs::holds(&old)?
        {
            return Err(super::occupied(mkfs::MkfsError::Occupied { what }));
        }
        Ok(old)
    }

    /// The size of a file that will be replaced, where a volume can have it.
    fn kept(&self, length: u64) -> Option<u64> {
        let options = Options { size: None, ..self.options.clone() };
        mkfs::rehearse(&geometry(length), &options).is_ok().then_some(length)
    }

    fn rehearse(&self) -> anyhow::Result<untorn_format::Superblock> {
        let size = match self.there() {
            There::Fixed => {
                let device = Arc::new(FileDevice::open(self.path, Access::ReadOnly)?);
                Some(target::window(device, &self.arguments.place)?.geometry().size)
            }
            There::File(length) => self.kept(length),
            There::Nothing => None,
        };
        let options = self.sized(size)?;
        let size = size.or(options.size).unwrap_or(0).max(options.size.unwrap_or(0));
        Ok(mkfs::rehearse(&geometry(size), &options)?.superblock)
    }

    /// The options with a size: chosen, the smallest, that of what is there, or a comfortable one.
    fn sized(&self, there: Option<u64>) -> anyhow::Result<Options> {
        if self.arguments.filling.minimize {
            let bar = progress::bar(None);
            let mut watch = progress::watch(&bar);
            let scratch = scratch(self.path);
            let found = minimum(self.tree, &self.options, &scratch, &mut watch)?;
            bar.finish_and_clear();
            return Ok(found.options);
        }
        let size = self.options.size.or(there);
        let size = size.unwrap_or_else(|| room_for(self.tree, &self.options));
        Ok(Options { size: Some(size), ..self.options.clone() })
    }

    /// Writes a file beside the name, and gives it the name at the end.
    fn replacing(&self, old: Option<u64>) -> anyhow::Result<Built> {
        ensure!(
            self.arguments.place.partition.is_none(),
            "does not exist, so it has no partitions"
        );
        let mut options = self.sized(old.and_then(|length| self.kept(length)))?;
        let mut tries = if self.arguments.filling.minimize { TRIES } else { 1 };
        loop {
            let beside = Beside::new(self.path)?;
            match self.new_file(&beside, &options) {
                Ok(built) => {
                    beside.become_image(old.is_some() || self.path.exists())?;
                    return Ok(built);
                }
                Err(error) => {
                    tries -= 1;
                    let is_full = matches!(error.downcast_ref(), Some(Error::NoRoom { .. }));
                    if tries == 0 || !is_full {
                        return Err(advised(error));
                    }
                    let size = options.size.unwrap_or(0);
                    options.size = Some((size + size / 100 + (1 << 20)).next_multiple_of(1 << 16));
                }
            }
        }
    }

    fn new_file(&self, beside: &Beside, options: &Options) -> anyhow::Result<Built> {
        let size = super::new_size(self.arguments, self.path, options)?;
        let device: Arc<dyn BlockDevice> = Arc::new(beside.create(size)?);
        let options = Options { contents: Contents::Zeroed, ..options.clone() };
        let built = self.build(target::window(device, &self.arguments.place)?, &options);
        built.map_err(|error| least::advised(error, &options))
    }

    fn build(&self, device: Arc<dyn BlockDevice>, options: &Options) -> anyhow::Result<Built> {
        let bytes = self.tree.items().map(|item| match &item.what {
            What::File(contents) => contents.data,
            _ => 0,
        });
        let bar = progress::bar(Some(bytes.fold(0, u64::saturating_add)));
        let mut watch = progress::watch(&bar);
        let built = build(device, options, self.tree, &mut watch);
        bar.finish_and_clear();
        match built {
            Err(Error::Mkfs(error)) => Err(super::occupied(error)),
            built => Ok(built?),
        }
    }

    /// Writes to a device, or into an image that has other parts.
    fn in_place(&self) -> anyhow::Result<Built> {
        let device = Arc::new(FileDevice::open(self.path, Access::ReadWrite)?);
        let window = target::window(device, &self.arguments.place)?;
        let geometry = window.geometry();
        let options = self.sized(Some(geometry.size))?;
        let before = mkfs::holds(&*window)?;
        let built = self.build(Arc::clone(&window), &options);
        let refused = |error: &anyhow::Error| {
            before.is_some() && options.overwrite == Overwrite::Refuse
                || matches!(error.downcast_ref(), Some(mkfs::MkfsError::Refused { .. }))
        };
        if built.as_ref().is_err_and(|error| !refused(error)) {
            // Half a tree must not be taken for one.
            window.write_at(0, &vec![0; geometry.sector_size.max(4096) as usize])?;
            window.flush()?;
        }
        built.map_err(advised)
    }
}

/// A file of this size.
fn geometry(size: u64) -> DeviceGeometry {
    DeviceGeometry { size, sector_size: 512, memory_alignment: 1, read_only: false }
}

/// Says what to do where space ran out.
fn advised(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(Error::NoRoom { needed, .. }) => {
            let mib = needed.div_ceil(1 << 20);
            let remedy = format!("give -d size={mib}m, or --minimize");
            Refusal::new(Code::NoSpace, format!("{error:#}")).or(remedy).into()
        }
        _ => error,
    }
}
