//! Listing a directory piece by piece, from any position, in bounded memory.

use super::{DirEntry, Volume};
use crate::dir::{Cookie, Listed};
use crate::error::Result;
use crate::inode::Inode;
use crate::namespace::{self, Follow};
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::Ino;
use untorn_format::dir::FileType;

/// Entries that are taken at a time: what a listing holds of a directory of any size.
const BATCH: usize = 256;

/// The entries of a directory from some position on, `.` and `..` included, in directory order.
///
/// The directory may change meanwhile: entries that were neither added nor removed are met exactly
/// once, others at most once. After an error there is nothing more.
pub struct Listing {
    volume: Volume,
    inode: Arc<Inode>,
    batch: Batch,
    /// Behind the last entry that was given out.
    given: Cookie,
    /// Behind the last entry of the batch; `None` when the directory has no more.
    next: Option<Cookie>,
}

impl Volume {
    /// Lists the directory `path` from `from` on: [`Cookie::START`], or where another listing
    /// stood, which may have been that of another process long ago.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, Volume, mkfs};
    /// use untorn::dir::Cookie;
    ///
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default())?;
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// # volume.create_dir("/dir", NewFile::default())?;
    /// volume.create_file("/dir/one", NewFile::default())?;
    /// volume.create_file("/dir/two", NewFile::default())?;
    /// let mut listing = volume.list_dir("/dir", Cookie::START)?;
    /// let first = listing.by_ref().take(3).last().transpose()?;
    /// assert_eq!(first.unwrap().name, b"one");
    /// let rest = volume.list_dir("/dir", listing.cookie())?;
    /// assert_eq!(rest.count(), 1);
    /// # volume.close()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn list_dir(&self, path: impl AsRef<[u8]>, from: Cookie) -> Result<Listing> {
        self.listing(self.inode(path.as_ref(), Follow::Last)?, from)
    }

    /// The same of the directory with this number.
    pub fn list_dir_of(&self, dir: Ino, from: Cookie) -> Result<Listing> {
        self.listing(self.core.inode_by_number(dir)?, from)
    }

    fn listing(&self, inode: Arc<Inode>, from: Cookie) -> Result<Listing> {
        let (volume, batch) = (self.clone(), Batch::default());
        let mut listing = Listing { volume, inode, batch, given: from, next: Some(from) };
        listing.fill()?;
        Ok(listing)
    }
}

impl Listing {
    /// Where a listing resumes that shall go on behind the entry that came last.
    pub fn cookie(&self) -> Cookie {
        self.given
    }

    /// Takes the next batch, if there is one.
    fn fill(&mut self) -> Result<()> {
        let Some(from) = self.next.take() else { return Ok(()) };
        let Self { volume, inode, batch, next, .. } = self;
        batch.clear();
        namespace::list(&volume.core, inode, from, |entry| {
            batch.push(&entry);
            if batch.entries.len() < BATCH {
                return ControlFlow::Continue(());
            }
            *next = Some(entry.next);
            ControlFlow::Break(())
        })
    }
}

impl Iterator for Listing {
    type Item = Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_given_out()
            && let Err(error) = self.fill()
        {
            self.batch.clear();
            self.next = None;
            return Some(Err(error));
        }
        let (entry, behind) = self.batch.next()?;
        self.given = behind;
        Some(Ok(entry))
    }
}

/// Entries taken from a directory and not given out yet, their names one behind the other: a name
/// becomes memory of its own when it is given out.
#[derive(Default)]
struct Batch {
    entries: Vec<Waiting>,
    names: Vec<u8>,
    /// Entries given out.
    given: usize,
    /// Bytes of names given out.
    named: usize,
}

/// An entry whose name lies elsewhere.
struct Waiting {
    ino: Ino,
    file_type: FileType,
    /// Bytes of its name.
    length: usize,
    /// Where a listing resumes behind it.
    behind: Cookie,
}

impl Batch {
    fn clear(&mut self) {
        self.entries.clear();
        self.names.clear();
        (self.given, self.named) = (0, 0);
    }

    fn push(&mut self, entry: &Listed<'_>) {
        let Listed { name, ino, file_type, next: behind } = *entry;
        self.names.extend_from_slice(name);
        self.entries.push(Waiting { ino, file_type, length: name.len(), behind });
    }

    fn is_given_out(&self) -> bool {
        self.given == self.entries.len()
    }

    fn next(&mut self) -> Option<(DirEntry, Cookie)> {
        let &Waiting { ino, file_type, length, behind } = self.entries.get(self.given)?;
        let name = self.names[self.named..][..length].to_vec();
        self.given += 1;
        self.named += length;
        Some((DirEntry { name, ino, file_type }, behind))
    }
}
