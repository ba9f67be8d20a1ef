//! Units as types. Conversions between them live in [`crate::Geometry`] alone.

use std::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl $name {
            /// This unit `count` further on; `None` on overflow.
            pub fn checked_add(self, count: $inner) -> Option<Self> {
                self.0.checked_add(count).map(Self)
            }
            /// This unit `count` further back; `None` below zero.
            pub fn checked_sub(self, count: $inner) -> Option<Self> {
                self.0.checked_sub(count).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

unit! {
    /// Number of an allocation group.
    AgNumber(u32)
}
unit! {
    /// A filesystem block within its allocation group.
    AgBlock(u32)
}
unit! {
    /// A filesystem block of the volume as the disk names it: AG number in the high bits, AG block
    /// in the low `sb_agblklog` bits. Not linear: use [`crate::Geometry`].
    FsBlock(u64)
}
unit! {
    /// A 512-byte unit of the device, counted from the start of the volume (`daddr`).
    DiskAddr(u64)
}
unit! {
    /// A block of a file: byte offset divided by the block size.
    FileBlock(u64)
}
unit! {
    /// Inode number of the volume.
    Ino(u64)
}
unit! {
    /// Inode number within its allocation group.
    AgIno(u32)
}
unit! {
    /// A length in filesystem blocks.
    BlockCount(u64)
}

/// Log sequence number: cycle in the high half, 512-byte block of the log in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lsn(pub u64);

impl Lsn {
    /// The LSN of `block` (512-byte units from the start of the log) in `cycle`.
    pub fn new(cycle: u32, block: u32) -> Self {
        Self(u64::from(cycle) << 32 | u64::from(block))
    }
    /// How often the log had been filled before.
    pub fn cycle(self) -> u32 {
        (self.0 >> 32) as u32
    }
    /// Position in 512-byte units from the start of the log.
    pub fn block(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.cycle(), self.block())
    }
}

/// A run of blocks within one allocation group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgExtent {
    /// The allocation group.
    pub ag: AgNumber,
    /// First block.
    pub start: AgBlock,
    /// Length in blocks; never zero.
    pub length: u32,
}

impl AgExtent {
    /// The block after the last.
    pub fn end(self) -> AgBlock {
        AgBlock(self.start.0.saturating_add(self.length))
    }
}

/// "No AG block" as 32-bit pointers on disk say it.
pub const NULL_AG_BLOCK: u32 = u32::MAX;
/// "No block" as 64-bit pointers on disk say it.
pub const NULL_FS_BLOCK: u64 = u64::MAX;
/// "No inode" as 32-bit AG inode numbers say it.
pub const NULL_AG_INO: u32 = u32::MAX;
/// "No inode" as 64-bit inode numbers say it.
pub const NULL_INO: u64 = u64::MAX;
/// The unit of [`DiskAddr`] in bytes.
pub const BASIC_BLOCK: u32 = 512;
