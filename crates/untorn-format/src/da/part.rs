//! Blocks that carry a part of a value behind one header: remote attribute values and remote
//! symlink targets.

use super::Birth;
use super::stamp::RemoteHeader;
use crate::Fault;
use crate::bytes::{put, run, view, view_mut};

const WHAT: &str = "new block";

/// Bytes of a value that a block or extent of `size` bytes holds.
pub(crate) fn capacity(size: usize) -> usize {
    size.saturating_sub(size_of::<RemoteHeader>())
}

/// A part of a value and where in the value it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// First byte in the value.
    pub offset: usize,
    /// The bytes.
    pub bytes: &'a [u8],
}

impl<'a> Part<'a> {
    /// Reads a block. Faults: another magic number, more bytes than the block or a value of `max`
    /// bytes holds.
    pub(crate) fn parse(
        what: &'static str,
        magic: u32,
        max: usize,
        bytes: &'a [u8],
    ) -> Result<Self, Fault> {
        let header: &RemoteHeader = view(what, bytes, 0)?;
        let found = header.magic.get();
        if found != magic {
            return Err(Fault::Magic { what, found: found.into() });
        }
        let (offset, length) = (header.offset.get() as usize, header.bytes.get() as usize);
        if offset.saturating_add(length) > max {
            return Err(Fault::Field { what, field: "offset", value: offset as u64 });
        }
        Ok(Self { offset, bytes: run(what, bytes, size_of::<RemoteHeader>(), length)? })
    }

    /// Fills `block` with this part; what it does not fill is zero. Panics when it is longer than
    /// the block's capacity.
    pub(crate) fn encode(&self, block: &mut [u8], birth: &Birth, magic: u32) {
        let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        block.fill(0);
        let header = view_mut(WHAT, block, 0).map(|header: &mut RemoteHeader| {
            birth.write_remote(header, magic);
            header.offset.set(length(self.offset));
            header.bytes.set(length(self.bytes.len()));
        });
        let written = header.and_then(|()| put(WHAT, block, size_of::<RemoteHeader>(), self.bytes));
        assert!(written.is_ok(), "a part of a value is longer than its block");
    }
}
