//! Moving a device in memory from and to a regular file, holes kept as holes.
//!
//! Never here: ownership of the file. It is copied as it is at the moment, so nobody else may be
//! writing it.

use std::{fs::File, io, os::unix::fs::FileExt, path::Path};

use rustix::{
    fs::{SeekFrom, seek},
    io::Errno,
};

use super::{MemoryDevice, PAGE, SECTOR_SIZE, write_to};
use crate::BlockDevice;

/// Bytes copied at a time.
const CHUNK: u64 = 1 << 20;

impl MemoryDevice {
    /// A copy of the regular file at `path`, up to its last whole 512-byte sector.
    pub fn load(path: impl AsRef<Path>) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let device = Self::new(length - length % u64::from(SECTOR_SIZE));
        let mut at = 0;
        while let Some((start, end)) = next_data(&file, at, device.geometry.size)? {
            device.load_range(&file, start, end)?;
            at = end;
        }
        Ok(device)
    }

    /// Writes the content to a regular file at `path`, which is created or replaced. Pages never
    /// written become holes.
    pub fn store(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.geometry.size)?;
        let numbers = self.tree.read().numbers();
        for number in numbers {
            let offset = number * PAGE as u64;
            let mut page = [0; PAGE];
            let length = (self.geometry.size - offset).min(PAGE as u64) as usize;
            self.read_at(offset, &mut page[..length]).map_err(io::Error::other)?;
            file.write_all_at(&page[..length], offset)?;
        }
        Ok(())
    }

    fn load_range(&self, file: &File, start: u64, end: u64) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK as usize];
        for offset in (start..end).step_by(CHUNK as usize) {
            let chunk = &mut chunk[..(end - offset).min(CHUNK) as usize];
            file.read_exact_at(chunk, offset)?;
            write_to(&mut self.tree.write(), offset, chunk);
        }
        Ok(())
    }
}

/// The next stretch of the file that is no hole, from byte `at` on and before `size`.
fn next_data(file: &File, at: u64, size: u64) -> io::Result<Option<(u64, u64)>> {
    let start = match seek(file, SeekFrom::Data(at)) {
        Ok(start) if start < size => start,
        Ok(_) | Err(Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let end = seek(file, SeekFrom::Hole(start))?;
    Ok(Some((start, end.min(size))))
}
