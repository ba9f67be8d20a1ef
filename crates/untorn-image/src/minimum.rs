//! The smallest volume that a tree fits into.
//!
//! Volumes of a size are rehearsed: everything is done but for writing contents, whose blocks are
//! only set aside. First one that is surely large enough, then ever smaller ones by what was left.

use crate::build::fill;
use crate::error::{Error, Result, at_host};
use crate::populate::{Data, Step};
use crate::room::most_needed;
use crate::tree::Tree;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use untorn::mkfs::{Groups, LogRoom, MkfsError, Options, Overwrite};
use untorn_device::FileDevice;

/// The smallest group.
const GROUP: u64 = 16 << 20;
/// Below this, volumes have two groups.
const TWO_GROUPS: u64 = 256 << 20;
/// Sizes are multiples of this.
const STEP: u64 = 64 << 10;
/// Volumes that are rehearsed at most.
const MOST_TRIES: u32 = 12;

/// A size, and the options that make a volume of it.
#[derive(Clone, Debug)]
pub struct Minimum {
    /// Bytes.
    pub size: u64,
    /// The options with the size, the smallest log and as few groups as are good for it.
    pub options: Options,
}

/// Finds the smallest volume for `tree`, to within one part in two hundred. It is rehearsed in
/// sparse files without names in the folder `scratch`.
pub fn minimum(
    tree: &Tree,
    options: &Options,
    scratch: &Path,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Minimum> {
    let smallest = smallest(options);
    let mut size = most_needed(tree, options).max(smallest);
    let (mut fits, mut too_small) = (None, 0);
    for _ in 0..MOST_TRIES {
        let tried = sized(options, size);
        match rehearse(tree, &tried.options, size, scratch, watch) {
            Ok(left) => {
                fits = Some(tried);
                // What is left shrinks with the volume, and so does what groups keep for btrees.
                let next = rounded(size.saturating_sub(left).max(smallest)).max(too_small);
                if size - next.min(size) <= close_to(size) {
                    break;
                }
                size = next;
            }
            Err(Error::NoRoom { .. } | Error::Mkfs(MkfsError::Refused { .. })) => {
                too_small = size + STEP;
                match &fits {
                    Some(fits) if fits.size - size <= close_to(size) => break,
                    Some(fits) => size = rounded(size + (fits.size - size) / 4),
                    None => size = rounded(size + size / 4),
                }
            }
            Err(error) => return Err(error),
        }
    }
    match fits {
        Some(fits) => Ok(fits),
        None => Ok(sized(options, size)),
    }
}

/// The next larger size to try where a volume of `minimum` turned out too small after all.
impl Minimum {
    /// The same, a little larger.
    #[must_use]
    pub fn larger(&self) -> Self {
        let size = rounded(self.size + close_to(self.size));
        Self { size, options: Options { size: Some(size), ..self.options.clone() } }
    }
}

fn rounded(size: u64) -> u64 {
    size.next_multiple_of(STEP)
}

fn close_to(size: u64) -> u64 {
    (size / 200).max(4 * STEP)
}

/// Two groups where nobody chose them: xfs_repair wants a second superblock to compare with.
fn smallest(options: &Options) -> u64 {
    match options.groups {
        Groups::Default => 2 * GROUP,
        Groups::Count(count) => u64::from(count) * GROUP,
        Groups::Size(size) => size.max(GROUP),
    }
}

fn sized(options: &Options, size: u64) -> Minimum {
    let mut options = Options { size: Some(size), ..options.clone() };
    options.log.room = LogRoom::Least;
    if options.groups == Groups::Default && size < TWO_GROUPS {
        options.groups = Groups::Count(2);
    }
    Minimum { size, options }
}

/// Bytes that are left where everything is done but for writing contents.
fn rehearse(
    tree: &Tree,
    options: &Options,
    size: u64,
    scratch: &Path,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<u64> {
    let file = tempfile::tempfile_in(scratch).map_err(at_host(scratch))?;
    file.set_len(size).map_err(at_host(scratch))?;
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let device = Arc::new(FileDevice::open(path, untorn_device::Access::ReadWrite)?);
    let options = Options {
        overwrite: Overwrite::Force,
        contents: untorn::mkfs::Contents::Zeroed,
        ..options.clone()
    };
    let built = fill(device, &options, tree, Data::Reserve, watch)?;
    Ok(built.space.available * u64::from(built.space.block_size))
}
