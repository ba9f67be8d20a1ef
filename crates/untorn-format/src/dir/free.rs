//! Free index blocks of node-form directories: the longest free region of each data block.
//! Reading and checking (`xfs_dir3_free_*`).
//!
//! ```text
//! | header 64: magic .. owner, firstdb u32, nvalid u32, nused u32, pad | best u16 * nvalid ... |
//! ```
//!
//! Block `n` of the free space covers the data blocks from `n * capacity` on. `best` is 0xffff
//! where the directory has no such data block; `nused` counts the others.

use super::leaf::NO_BLOCK;
use super::space::DirBlock;
use crate::Fault;
use crate::bytes::{array, view};
use crate::da::stamp::{self, DirHeader};
use crate::kind::Identity;
use crate::wire::{U16, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// `XFS_DIR3_FREE_MAGIC`: "XDF3".
pub(crate) const MAGIC: u32 = 0x5844_4633;
const WHAT: &str = "directory free index";

#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) block: DirHeader,
    pub(crate) first: U32,
    pub(crate) valid: U32,
    pub(crate) used: U32,
    pub(crate) pad: U32,
}
const _: () = assert!(size_of::<Header>() == 64);

/// Data blocks that one free index block of `block_size` bytes covers.
pub fn capacity(block_size: usize) -> usize {
    block_size.saturating_sub(size_of::<Header>()) / size_of::<U16>()
}

/// A free index block.
#[derive(Clone, Copy, Debug)]
pub struct Free<'a> {
    header: &'a Header,
    bests: &'a [U16],
}

impl<'a> Free<'a> {
    /// Reads the header. Faults: another magic number, more bests than fit.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Fault> {
        let header: &Header = view(WHAT, bytes, 0)?;
        let found = header.block.magic.get();
        if found != MAGIC {
            return Err(Fault::Magic { what: WHAT, found: found.into() });
        }
        let valid = header.valid.get();
        let wrong = Fault::Field { what: WHAT, field: "nvalid", value: valid.into() };
        let count = usize::try_from(valid).ok().filter(|&n| n <= capacity(bytes.len()));
        let bests = array(WHAT, bytes, size_of::<Header>(), count.ok_or(wrong)?)?;
        Ok(Self { header, bests })
    }
    /// The first data block that it covers.
    pub fn first(&self) -> DirBlock {
        DirBlock(self.header.first.get())
    }
    /// Longest free region in bytes of each data block covered; [`NO_BLOCK`] where there is none.
    pub fn bests(&self) -> impl Iterator<Item = u16> + use<'a> {
        self.bests.iter().map(|best| best.get())
    }
    /// That of the `index`th data block covered.
    pub fn best(&self, index: usize) -> Option<u16> {
        self.bests.get(index).map(|best| best.get())
    }
    /// Data blocks covered that exist.
    pub fn used(&self) -> u32 {
        self.header.used.get()
    }
}

/// Checks a free index block just read.
pub fn verify(bytes: &[u8], identity: &Identity<'_>) -> Result<(), Fault> {
    let free = Free::parse(bytes)?;
    stamp::DIR.verify(WHAT, bytes, identity)?;
    let first = free.first().0;
    if u64::from(first) % capacity(bytes.len()) as u64 != 0 {
        return Err(Fault::Field { what: WHAT, field: "firstdb", value: first.into() });
    }
    let used = free.bests().filter(|&best| best != NO_BLOCK).count();
    if used as u64 != u64::from(free.used()) {
        return Err(Fault::Field { what: WHAT, field: "nused", value: free.used().into() });
    }
    Ok(())
}
