//! A part of a device as a device of its own: a volume at an offset, or in a partition.
//!
//! Invariants: the window begins and ends on sectors of the device and lies inside it, so that
//! every request inside the window is a request inside the device.
//!
//! Never here: reading partition tables (see [`crate::partition`]).

use std::sync::Arc;

use crate::{
    BlockDevice, DeviceError, DeviceGeometry, Discarded, Operation, ReadRequest, Result,
    WriteRequest, partition,
};

/// The bytes from `offset` to `offset + length` of another device.
pub struct WindowDevice {
    device: Arc<dyn BlockDevice>,
    offset: u64,
    geometry: DeviceGeometry,
}

impl WindowDevice {
    /// The `length` bytes of `device` from byte `offset`, both whole sectors inside the device
    /// ([`DeviceError::Unusable`] otherwise).
    pub fn new(device: Arc<dyn BlockDevice>, offset: u64, length: u64) -> Result<Self> {
        let DeviceGeometry { size, sector_size, .. } = device.geometry();
        if !(offset | length).is_multiple_of(u64::from(sector_size)) {
            return Err(DeviceError::Unusable(format!(
                "a window of {length} bytes at byte {offset} is not made of whole \
                 {sector_size}-byte sectors; choose multiples of {sector_size}"
            )));
        }
        match offset.checked_add(length) {
            Some(end) if end <= size && length > 0 => {}
            _ => {
                return Err(DeviceError::Unusable(format!(
                    "a window of {length} bytes at byte {offset} does not lie inside the device \
                     of {size} bytes"
                )));
            }
        }
        let geometry = DeviceGeometry { size: length, ..device.geometry() };
        Ok(Self { device, offset, geometry })
    }

    /// Everything in `device` from byte `offset` to its last whole sector.
    pub fn from_offset(device: Arc<dyn BlockDevice>, offset: u64) -> Result<Self> {
        let DeviceGeometry { size, sector_size, .. } = device.geometry();
        let rest = size.saturating_sub(offset);
        let whole = rest - rest % u64::from(sector_size);
        Self::new(device, offset, whole)
    }

    /// Partition `number` of `device`, counted as Linux counts them (from 1; logical partitions of
    /// an MBR from 5). The error for one that does not exist lists those that do.
    pub fn partition(device: Arc<dyn BlockDevice>, number: u32) -> Result<Self> {
        let place = partition::partition(&*device, number)?;
        Self::new(device, place.offset, place.length)
    }

    /// Where the window begins on the device, in bytes.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    fn at(&self, operation: Operation, offset: u64, length: usize) -> Result<u64> {
        self.geometry.check(operation, offset, length as u64)?;
        Ok(self.offset + offset)
    }
}

impl BlockDevice for WindowDevice {
    fn geometry(&self) -> DeviceGeometry {
        self.geometry
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        self.device.read_at(self.at(Operation::Read, offset, bytes.len())?, bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.device.write_at(self.at(Operation::Write, offset, bytes.len())?, bytes)
    }

    fn flush(&self) -> Result<()> {
        self.device.flush()
    }

    fn discard(&self, offset: u64, length: u64) -> Result<Discarded> {
        self.geometry.check(Operation::Discard, offset, length)?;
        self.device.discard(self.offset + offset, length)
    }

    fn read_batch(&self, requests: &mut [ReadRequest<'_>]) -> Result<()> {
        let mut moved = requests
            .iter_mut()
            .map(|request| {
                let offset = self.at(Operation::Read, request.offset, request.bytes.len())?;
                Ok(ReadRequest { offset, bytes: &mut *request.bytes })
            })
            .collect::<Result<Vec<_>>>()?;
        self.device.read_batch(&mut moved)
    }

    fn write_batch(&self, requests: &[WriteRequest<'_>]) -> Result<()> {
        let moved = requests
            .iter()
            .map(|request| {
                let offset = self.at(Operation::Write, request.offset, request.bytes.len())?;
                Ok(WriteRequest { offset, bytes: request.bytes })
            })
            .collect::<Result<Vec<_>>>()?;
        self.device.write_batch(&moved)
    }
}

#[cfg(test)]
mod tests;
