//! Files that share blocks, and ranges that change places.

use super::alike::Likeness;
use super::{File, NewFile, Volume};
use crate::error::{Error, Result};
use crate::io::Sync;
use crate::io::share::{
    self, Clone, Dedupe, Exchange, ExchangeOptions, Freshness, Span, is_too_large,
};
use crate::namespace::{self, NewInode};
use crate::tx::Tx;
use std::ops::Range;
use std::sync::Arc;

impl File {
    /// Makes `call`, which shares or moves blocks between two files, durable where one of them is
    /// marked synchronous.
    fn with<T>(&self, other: &File, what: &str, call: impl FnOnce() -> Result<T>) -> Result<T> {
        self.volume.demand_write(what)?;
        if !Arc::ptr_eq(&self.volume.core, &other.volume.core) {
            let why = format!("cannot {what} between two volumes: blocks belong to one");
            return Err(Error::Invalid(why));
        }
        let done = call()?;
        // What changed in the other file was of the same transactions.
        if other.at_least(self.at_least(Sync::Visible)?)? != Sync::Visible {
            self.sync()?;
        }
        Ok(done)
    }

    /// Makes the file hold the bytes of `range` of `source` from byte `at` on, by sharing their
    /// blocks: nothing is copied. Until one of the files is written, each block is there once.
    ///
    /// Both places must be whole blocks; only where `range` ends at the end of `source` may its
    /// last block be a part of one, and then it must end this file too. The two ranges of one file
    /// must not overlap. The file grows as needed.
    ///
    /// Untorn where one journal transaction can carry it; where it cannot, it goes from left to
    /// right in as few as can be, the size last: after a power cut a prefix may be there, block by
    /// block old or new.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{Error, NewFile, OpenOptions, Sync, Volume, mkfs};
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let source = volume.create_file("/source", NewFile::default())?;
    /// source.write_atomic(0, &[7; 10_000], Sync::Visible)?;
    /// let copy = volume.create_file("/copy", NewFile::default())?;
    /// copy.clone_range(0, &source, 0..10_000)?;
    /// assert!(copy.extents()?.iter().all(|extent| extent.shared));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn clone_range(&self, at: u64, source: &File, range: Range<u64>) -> Result<()> {
        let what = Clone::Range { at, range };
        self.with(source, "clone", || {
            share::clone_range(&self.volume.core, &self.inode, &source.inode, &what)
        })
    }

    /// Makes the file share all blocks of `source`, from its start on; bytes behind those stay. See
    /// [`File::clone_range`].
    pub fn clone_from(&self, source: &File) -> Result<()> {
        self.with(source, "clone", || {
            share::clone_range(&self.volume.core, &self.inode, &source.inode, &Clone::Whole)
        })
    }

    /// Makes the file share the blocks of `range` of `source` from byte `at` on, if it holds the
    /// same bytes there. Bytes, size and times stay as they are.
    pub fn dedupe_range(&self, at: u64, source: &File, range: Range<u64>) -> Result<Dedupe> {
        self.with(source, "share blocks", || {
            share::dedupe_range(&self.volume.core, &self.inode, at, &source.inode, &range)
        })
    }

    /// Copies the bytes of `range` of `source` to byte `at`: how many there were before its end.
    /// Blocks are shared where they can be; elsewhere bytes go through memory, of which it takes
    /// little. Not atomic: a power cut or an error may leave a part.
    pub fn copy_range(&self, at: u64, source: &File, range: Range<u64>) -> Result<u64> {
        self.with(source, "copy", || {
            share::copy_range(&self.volume.core, &self.inode, at, &source.inode, &range)
        })
    }

    /// Exchanges `length` bytes from byte `at` on with those of `other` from `other_at` on, whole
    /// or not at all: only maps change, no byte is copied. Whole blocks, or up to the ends of both
    /// files. Refused, with nothing changed, where one journal transaction cannot carry it. Any
    /// volume will do: no feature is needed.
    pub fn exchange_range(&self, at: u64, other: &File, other_at: u64, length: u64) -> Result<()> {
        let (span, options) = (Span::Bytes(length), ExchangeOptions::default());
        self.exchange(at, other, other_at, span, options)
    }

    /// [`File::exchange_range`] with more to choose: up to the ends of both files, only what was
    /// written in the other, a rehearsal, only if the file was not changed.
    pub fn exchange(
        &self,
        at: u64,
        other: &File,
        other_at: u64,
        span: Span,
        options: ExchangeOptions,
    ) -> Result<()> {
        let (one, two) = ((&self.inode, at), (&other.inode, other_at));
        self.with(other, "exchange", || {
            let exchange = Exchange { one, other: two, span, options };
            share::exchange_range(&self.volume.core, &exchange)
        })
    }

    /// What tells [`File::exchange_if_unchanged`] whether the file was changed after now.
    pub fn freshness(&self) -> Result<Freshness> {
        share::freshness(&self.volume.core, &self.inode)
    }

    /// Exchanges all bytes and the sizes of two files, refused where this file was changed after
    /// `since` was taken from it.
    ///
    /// To change a file as a whole: take its freshness, write the new contents to another file,
    /// exchange the two.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{Error, NewFile, OpenOptions, Sync, Volume, mkfs};
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default()).unwrap();
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// # let settings = volume.create_file("/settings", NewFile::default())?;
    /// # settings.write_atomic(0, b"colour = red", Sync::Visible)?;
    /// let since = settings.freshness()?;
    /// let new = volume.create_file("/settings.new", NewFile::default())?;
    /// new.write_atomic(0, b"colour = blue, taste = sour", Sync::Visible)?;
    /// settings.exchange_if_unchanged(&new, since)?;
    /// assert_eq!(settings.size()?, 27);
    /// # Ok::<(), Error>(())
    /// ```
    pub fn exchange_if_unchanged(&self, other: &File, since: Freshness) -> Result<()> {
        let unless_changed = Some(since);
        let options = ExchangeOptions { unless_changed, ..ExchangeOptions::default() };
        self.exchange(0, other, 0, Span::ToEnd, options)
    }
}

impl Volume {
    /// Makes the file `to`, which must not exist, with all bytes, owner and permissions of the file
    /// `from`, by sharing its blocks.
    ///
    /// One transaction where the journal can carry it and no attribute has a value in blocks of its
    /// own: then the file is there whole or not at all.
    pub fn clone_file(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Result<File> {
        self.demand_write("clone")?;
        let (source, to) = (self.open_file(from)?, to.as_ref());
        super::names::demand_no_slash(to)?;
        let (parent, name) = namespace::parent_of(&self.core, to)?;
        let like = Likeness::of(self, source.ino())?;
        if !like.attributes.iter().all(|one| namespace::is_beside(&self.core, one)) {
            return self.clone_in_steps(&source, &like, to);
        }
        let make = |tx: &mut Tx<'_>| {
            let inode = namespace::create_in(tx, &parent, &name, like.new_inode())?;
            like.give_core(tx, &inode)?;
            namespace::take_over(tx, inode.ino, &like.attributes)?;
            Ok(inode)
        };
        let file = match share::clone_new(&self.core, &source.inode, &parent, make) {
            Ok(inode) => File::new(self.clone(), inode),
            Err(error) if is_too_large(&error) => self.clone_in_steps(&source, &like, to)?,
            Err(error) => return Err(error),
        };
        if source.at_least(Sync::Visible)? != Sync::Visible {
            file.sync()?;
        }
        Ok(file)
    }

    /// Makes the file first and its contents afterwards; it goes again where that fails.
    fn clone_in_steps(&self, source: &File, like: &Likeness, to: &[u8]) -> Result<File> {
        let NewInode { permissions, uid, gid, .. } = like.new_inode();
        let file = self.create_file(to, NewFile { permissions, uid, gid })?;
        let done = like.give(self, &file.inode).and_then(|()| file.clone_from(source));
        if let Err(error) = done {
            // What went wrong first is what the caller should know.
            let _ = self.remove(to);
            return Err(error);
        }
        Ok(file)
    }
}
