//! A device as a stream of bytes, for readers of partition tables.
//!
//! Invariants: reads whole sectors through one sector of memory. The end is the end of the device.
//!
//! Never here: writing.

use std::{
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    ops::Range,
};

use crate::BlockDevice;

/// A position in the bytes of a device.
pub(super) struct Reader<'a> {
    device: &'a dyn BlockDevice,
    position: u64,
    /// Bytes to show in place of others of the same length: (where they are, where they show).
    shown: Option<(u64, Range<u64>)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(device: &'a dyn BlockDevice) -> Self {
        Self { device, position: 0, shown: None }
    }

    /// Shows the bytes that begin at `from` in the place of those in `at`.
    pub(super) fn showing(device: &'a dyn BlockDevice, from: u64, at: Range<u64>) -> Self {
        Self { device, position: 0, shown: Some((from, at)) }
    }

    /// Where the bytes at the position really are.
    fn place(&self) -> u64 {
        match &self.shown {
            Some((from, at)) if at.contains(&self.position) => from + (self.position - at.start),
            _ => self.position,
        }
    }
}

impl Read for Reader<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let geometry = self.device.geometry();
        let sector_size = u64::from(geometry.sector_size);
        let place = self.place();
        if place >= geometry.size {
            return Ok(0);
        }
        let within = (place % sector_size) as usize;
        let mut sector = vec![0; sector_size as usize];
        self.device.read_at(place - within as u64, &mut sector).map_err(io::Error::other)?;
        let length = bytes.len().min(sector.len() - within);
        bytes[..length].copy_from_slice(&sector[within..within + length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(by) => self.device.geometry().size.checked_add_signed(by),
        };
        self.position = position.ok_or(ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
