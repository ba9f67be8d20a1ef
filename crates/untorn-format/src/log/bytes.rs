//! Reading and writing of log items, which the log stores little-endian.
//!
//! Linux writes items in the order of the host that wrote them and says which in every record
//! (`h_fmt`). Only little-endian logs are read and written, on any host.

use crate::fault::Fault;

/// A cursor over an item region that a disk may have filled with anything.
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0 }
    }
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let short = Fault::Short {
            what: self.what,
            have: self.bytes.len(),
            need: self.at.saturating_add(count),
        };
        let end = self.at.checked_add(count).ok_or_else(|| short.clone())?;
        let taken = self.bytes.get(self.at..end).ok_or(short)?;
        self.at = end;
        Ok(taken)
    }
    pub(crate) fn skip(&mut self, count: usize) -> Result<(), Fault> {
        self.take(count).map(drop)
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N)?);
        Ok(out)
    }
    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }
    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }
    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }
    pub(crate) fn be32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_be_bytes)
    }
    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }
}

/// Bytes that most regions do not exceed.
const USUAL: usize = 64;

/// The other direction: fields appended in order.
#[derive(Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Starts a region with the item's type and the number of its regions.
    pub(crate) fn item(kind: u16, regions: usize) -> Self {
        let regions = u16::try_from(regions).unwrap_or_else(|_| panic!("{regions} regions"));
        Self { bytes: Vec::with_capacity(USUAL) }.u16(kind).u16(regions)
    }
    pub(crate) fn u16(mut self, value: u16) -> Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn u32(mut self, value: u32) -> Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn u64(mut self, value: u64) -> Self {
        self.bytes.extend_from_slice(&value.to_le_bytes());
        self
    }
    pub(crate) fn be32(mut self, value: u32) -> Self {
        self.bytes.extend_from_slice(&value.to_be_bytes());
        self
    }
    pub(crate) fn zeroes(mut self, count: usize) -> Self {
        self.bytes.resize(self.bytes.len() + count, 0);
        self
    }
    pub(crate) fn done(self) -> Vec<u8> {
        self.bytes
    }
}

/// `length` rounded up to the 4 bytes that every region of the log is a multiple of.
pub fn region_length(length: usize) -> usize {
    length.next_multiple_of(4)
}
