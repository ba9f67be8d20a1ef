//! Where the forks of an inode lie and what form they have.

use super::WHAT;
use super::disk::{CORE_SIZE, CORE_SIZE_V2, DinodeDisk};
use crate::fault::Fault;
use crate::records::Fork;
use std::ops::Range;

/// What a fork holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForkFormat {
    /// A device number of four bytes, or nothing that means anything.
    Dev,
    /// The contents themselves.
    Local,
    /// A list of extents.
    Extents,
    /// The root of a bmbt.
    Btree,
    /// Unused, by this number on disk.
    Uuid,
    /// The root of a realtime btree (metadir).
    MetaBtree,
}

impl ForkFormat {
    /// The number on disk.
    pub fn to_disk(self) -> u8 {
        match self {
            Self::Dev => 0,
            Self::Local => 1,
            Self::Extents => 2,
            Self::Btree => 3,
            Self::Uuid => 4,
            Self::MetaBtree => 5,
        }
    }
    /// The form that the disk calls `value`; `field` names it in the fault.
    pub fn from_disk(field: &'static str, value: u8) -> Result<Self, Fault> {
        Ok(match value {
            0 => Self::Dev,
            1 => Self::Local,
            2 => Self::Extents,
            3 => Self::Btree,
            4 => Self::Uuid,
            5 => Self::MetaBtree,
            _ => return Err(Fault::Field { what: WHAT, field, value: value.into() }),
        })
    }
}

/// Bytes of an inode that a fork takes. The attribute fork is empty where there is none; a fork
/// offset past the end gives an empty attribute fork too.
pub fn fork_range(version: u8, fork_offset: u8, inode_size: usize, fork: Fork) -> Range<usize> {
    let core = if version >= 3 { CORE_SIZE } else { CORE_SIZE_V2 };
    let start = core.min(inode_size);
    let split = match fork_offset {
        0 => inode_size,
        units => (core + usize::from(units) * 8).min(inode_size),
    };
    match fork {
        Fork::Data => start..split,
        Fork::Attr => split..inode_size,
    }
}

fn range_of(bytes: &[u8], fork: Fork) -> Result<Range<usize>, Fault> {
    let raw = DinodeDisk::of(bytes)?;
    Ok(fork_range(raw.version, raw.forkoff, bytes.len(), fork))
}

fn slice(bytes: &[u8], fork: Fork) -> Result<&[u8], Fault> {
    let range = range_of(bytes, fork)?;
    Ok(bytes.get(range).unwrap_or_default())
}

fn slice_mut(bytes: &mut [u8], fork: Fork) -> Result<&mut [u8], Fault> {
    let range = range_of(bytes, fork)?;
    Ok(bytes.get_mut(range).unwrap_or_default())
}

/// The data fork of a whole inode.
pub fn data_fork(bytes: &[u8]) -> Result<&[u8], Fault> {
    slice(bytes, Fork::Data)
}
/// The attribute fork of a whole inode; empty without one.
pub fn attr_fork(bytes: &[u8]) -> Result<&[u8], Fault> {
    slice(bytes, Fork::Attr)
}
/// The data fork of a staged inode.
pub fn data_fork_mut(bytes: &mut [u8]) -> Result<&mut [u8], Fault> {
    slice_mut(bytes, Fork::Data)
}
/// The attribute fork of a staged inode.
pub fn attr_fork_mut(bytes: &mut [u8]) -> Result<&mut [u8], Fault> {
    slice_mut(bytes, Fork::Attr)
}
