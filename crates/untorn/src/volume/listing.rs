//! Listing a directory piece by piece, from any position, in bounded memory.

use super::{DirEntry, Volume};
use crate::dir::{Cookie, Listed};
use crate::error::Result;
use crate::inode::Inode;
use crate::namespace::{self, Follow};
use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;
use untorn_format::Ino;

/// Entries that are taken at a time: what a listing holds of a directory of any size.
const BATCH: usize = 256;

/// The entries of a directory from some position on, `.` and `..` included, in directory order.
///
/// The directory may change meanwhile: entries that were neither added nor removed are met exactly
/// once, others at most once. After an error there is nothing more.
pub struct Listing {
    volume: Volume,
    inode: Arc<Inode>,
    batch: VecDeque<(DirEntry, Cookie)>,
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
        let (volume, batch) = (self.clone(), VecDeque::new());
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
        namespace::list(&volume.core, inode, from, |entry: Listed<'_>| {
            let Listed { name, ino, file_type, next: behind } = entry;
            batch.push_back((DirEntry { name: name.to_vec(), ino, file_type }, behind));
            if batch.len() < BATCH {
                return ControlFlow::Continue(());
            }
            *next = Some(behind);
            ControlFlow::Break(())
        })
    }
}

impl Iterator for Listing {
    type Item = Result<DirEntry>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.batch.is_empty()
            && let Err(error) = self.fill()
        {
            self.batch.clear();
            self.next = None;
            return Some(Err(error));
        }
        let (entry, behind) = self.batch.pop_front()?;
        self.given = behind;
        Some(Ok(entry))
    }
}
