//! The space calls of an open file: its length, holes, blocks set aside.

use super::File;
use crate::error::Result;
use crate::io::{self, Seek, SizeRule, Sync};
use std::ops::Range;

impl File {
    fn change(&self, what: &str, call: impl FnOnce() -> Result<()>) -> Result<()> {
        self.volume.demand_write(what)?;
        call()?;
        match self.at_least(Sync::Visible)? {
            Sync::Visible => Ok(()),
            Sync::Durable | Sync::Complete => self.sync(),
        }
    }

    /// Gives the file `size` bytes: what is behind is gone, what is new reads as zeroes.
    ///
    /// Old or new after a crash, never half. Blocks behind a new, smaller end are freed in as many
    /// transactions as it takes; a crash between them leaves blocks behind the end of the file,
    /// which nobody sees and [`File::trim_past_end`] frees.
    pub fn truncate(&self, size: u64) -> Result<()> {
        self.change("truncate", || io::truncate(&self.volume.core, &self.inode, size))
    }

    /// Sets blocks aside for every byte of `range`: writing there will not run out of space. New
    /// blocks read as zeroes and follow the file's extent size hint where there is room.
    ///
    /// All blocks are found before anything changes: [`Error::NoSpace`](crate::Error::NoSpace)
    /// leaves the file as it was. The size changes last.
    pub fn allocate(&self, range: Range<u64>, rule: SizeRule) -> Result<()> {
        self.change("allocate", || io::allocate(&self.volume.core, &self.inode, range, rule))
    }

    /// Makes the bytes of `range` zeroes and frees the blocks that lie in it whole. The size stays.
    ///
    /// Old or new after a crash where one transaction can carry it (thousands of extents on a
    /// usual journal); beyond that a crash leaves zeroes in a first part of the range and the old
    /// bytes in the rest.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use untorn::{NewFile, OpenOptions, SizeRule, Sync, Volume, mkfs};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let device = Arc::new(untorn_device::MemoryDevice::new(64 << 20));
    /// # mkfs::make(&*device, &mkfs::Options::default())?;
    /// # let volume = Volume::open(device, OpenOptions::default())?;
    /// let file = volume.create_file("/table", NewFile::default())?;
    /// file.allocate(0..1 << 20, SizeRule::Grow)?; // a megabyte that is sure to be there
    /// file.write_atomic(0, &[7; 65536], Sync::Visible)?;
    /// file.punch_hole(8192..16384)?;
    /// assert_eq!(file.seek_hole(0)?, Some(8192));
    /// assert_eq!(file.seek_data(8192)?, Some(16384));
    /// file.collapse_range(8192..16384)?; // the hole goes, what is behind it moves down
    /// assert_eq!(file.size()?, (1 << 20) - 8192);
    /// # volume.close()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn punch_hole(&self, range: Range<u64>) -> Result<()> {
        self.change("punch a hole", || io::punch_hole(&self.volume.core, &self.inode, range))
    }

    /// Makes the bytes of `range` zeroes with blocks behind all of them. Its promises after a
    /// crash are those of [`File::punch_hole`]; the size changes last.
    pub fn zero_range(&self, range: Range<u64>, rule: SizeRule) -> Result<()> {
        self.change("zero a range", || io::zero_range(&self.volume.core, &self.inode, range, rule))
    }

    /// Frees what lies behind the end of the file unless somebody asked for it: blocks stay in a
    /// file that was preallocated, that may only grow, or that has an extent size hint.
    pub fn trim_past_end(&self) -> Result<()> {
        self.change("trim", || io::trim_past_end(&self.volume.core, &self.inode))
    }

    /// Ends the use of the file: as [`File::trim_past_end`], where the volume may be written.
    /// Dropping a file leaves what lies behind its end until somebody trims it.
    pub fn close(self) -> Result<()> {
        match self.volume.demand_write("trim") {
            Ok(()) => io::trim_past_end(&self.volume.core, &self.inode),
            Err(_) => Ok(()),
        }
    }

    /// Takes the bytes of `range` out of the file; what is behind them moves down. The range must
    /// be whole blocks and end before the file does.
    ///
    /// Old or new after a crash where one transaction can carry it. Beyond that, extents move in
    /// batches and the size changes last: a crash leaves a file of the old size in which a first
    /// part has moved down and a hole of the range's length stands before the rest.
    pub fn collapse_range(&self, range: Range<u64>) -> Result<()> {
        self.change("collapse a range", || {
            io::collapse_range(&self.volume.core, &self.inode, range)
        })
    }

    /// Puts a hole as long as `range` in at its start; that byte and all behind it move up. The
    /// range must be whole blocks and begin before the file ends.
    ///
    /// Old or new after a crash where one transaction can carry it. Beyond that the size changes
    /// first and extents move in batches from the last on: a crash leaves a file of the new size
    /// in which a last part has moved up and a hole of the range's length stands before it.
    pub fn insert_range(&self, range: Range<u64>) -> Result<()> {
        self.change("insert a range", || io::insert_range(&self.volume.core, &self.inode, range))
    }

    /// Gives the file copies of all blocks in `range` that other files use too, and sets blocks
    /// aside in its holes: writing there will not run out of space. Bytes and size stay.
    /// [`Error::NoSpace`](crate::Error::NoSpace) leaves everything as it was.
    pub fn unshare_range(&self, range: Range<u64>) -> Result<()> {
        self.change("unshare a range", || io::unshare_range(&self.volume.core, &self.inode, range))
    }

    /// The first byte at or behind `offset` that was written; nothing where there is none before
    /// the end of the file. Exact to the block.
    pub fn seek_data(&self, offset: u64) -> Result<Option<u64>> {
        io::seek(&self.volume.core, &self.inode, offset, Seek::Data)
    }

    /// The first byte at or behind `offset` in a hole or in blocks that were set aside and not
    /// written; the end of the file where there is none. Nothing where `offset` is not before the
    /// end of the file. Exact to the block.
    pub fn seek_hole(&self, offset: u64) -> Result<Option<u64>> {
        io::seek(&self.volume.core, &self.inode, offset, Seek::Hole)
    }
}
