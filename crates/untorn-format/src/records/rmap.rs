//! Reverse mappings: who owns a run of blocks.

use super::array;
use super::extent::{Extent, ExtentState, Fork};
use crate::fault::Fault;
use crate::units::{AgBlock, FileBlock, Ino};

/// The owner of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RmapOwner {
    /// An inode: contents, attributes or bmbt blocks.
    Inode(Ino),
    /// No owner: matches nothing.
    Null,
    /// Owner not known.
    Unknown,
    /// AG headers.
    Fs,
    /// The internal log.
    Log,
    /// Free space and reverse mapping btrees and the free list.
    Ag,
    /// Inode btrees.
    Inobt,
    /// Inode chunks.
    Inodes,
    /// Reference count btrees.
    Refcount,
    /// Blocks staged for copy-on-write.
    Cow,
}

impl RmapOwner {
    /// The owner as the disk says it: special owners are -1 to -9.
    pub fn to_disk(self) -> u64 {
        let special = match self {
            Self::Inode(ino) => return ino.0,
            Self::Null => 1,
            Self::Unknown => 2,
            Self::Fs => 3,
            Self::Log => 4,
            Self::Ag => 5,
            Self::Inobt => 6,
            Self::Inodes => 7,
            Self::Refcount => 8,
            Self::Cow => 9u64,
        };
        special.wrapping_neg()
    }
    /// The owner that the disk calls `word`; `None` for special numbers that have no meaning.
    pub fn from_disk(word: u64) -> Option<Self> {
        if word >> 63 == 0 {
            return Some(Self::Inode(Ino(word)));
        }
        Some(match word.wrapping_neg() {
            1 => Self::Null,
            2 => Self::Unknown,
            3 => Self::Fs,
            4 => Self::Log,
            5 => Self::Ag,
            6 => Self::Inobt,
            7 => Self::Inodes,
            8 => Self::Refcount,
            9 => Self::Cow,
            _ => return None,
        })
    }
    /// Whether the owner is an inode.
    pub fn is_inode(self) -> bool {
        matches!(self, Self::Inode(_))
    }
}

/// What an inode uses the blocks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RmapRole {
    /// Blocks mapped by the fork at a file offset. Also every owner that is not an inode.
    Mapped,
    /// Blocks of the fork's own bmbt; they have no offset.
    BmbtBlock,
}

/// A run of blocks of one AG with one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RmapRec {
    /// First block.
    pub start: AgBlock,
    /// Length in blocks; never zero.
    pub length: u32,
    /// Who owns them.
    pub owner: RmapOwner,
    /// First file block that they hold; zero for bmbt blocks and owners other than inodes.
    pub offset: FileBlock,
    /// The fork that maps them.
    pub fork: Fork,
    /// What the fork uses them for.
    pub role: RmapRole,
    /// Whether they were written.
    pub state: ExtentState,
}

/// The key of a reverse mapping, ordered as the btree is: block, owner, then offset with its flags
/// (never the unwritten flag).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RmapKey {
    /// Block.
    pub start: AgBlock,
    /// Owner as the disk says it.
    pub owner: u64,
    /// Offset with the fork in bit 63 and the role in bit 62.
    pub offset: u64,
}

impl RmapKey {
    /// Bytes of one key. A node holds two for each pointer: lowest, then highest.
    pub const SIZE: usize = 20;

    /// Reads a key.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let raw: [u8; Self::SIZE] = array("reverse mapping key", bytes)?;
        let (start, owner, offset) = fields(&raw, 4);
        Ok(Self { start, owner, offset: offset & !RmapRec::UNWRITTEN })
    }
    /// The bytes of this key.
    pub fn encode(self) -> [u8; Self::SIZE] {
        let mut out = [0; Self::SIZE];
        out[..4].copy_from_slice(&self.start.0.to_be_bytes());
        out[4..12].copy_from_slice(&self.owner.to_be_bytes());
        out[12..].copy_from_slice(&self.offset.to_be_bytes());
        out
    }
}

/// Start, owner and offset of a key or record whose owner lies at `owner_at`.
fn fields(raw: &[u8], owner_at: usize) -> (AgBlock, u64, u64) {
    let start = raw.first_chunk().copied().map_or(0, u32::from_be_bytes);
    let tail = raw.get(owner_at..owner_at + 16).and_then(|t| t.first_chunk().copied());
    let tail = tail.map_or(0, u128::from_be_bytes);
    (AgBlock(start), (tail >> 64) as u64, tail as u64)
}

impl RmapRec {
    /// Bytes of a record.
    pub const SIZE: usize = 24;
    const ATTR: u64 = 1 << 63;
    const BMBT: u64 = 1 << 62;
    pub(super) const UNWRITTEN: u64 = 1 << 61;
    const FLAGS: u64 = Self::ATTR | Self::BMBT | Self::UNWRITTEN;

    /// A mapping of an owner that is not an inode.
    pub fn special(start: AgBlock, length: u32, owner: RmapOwner) -> Self {
        assert!(!owner.is_inode());
        let (offset, fork) = (FileBlock(0), Fork::Data);
        let (role, state) = (RmapRole::Mapped, ExtentState::Written);
        Self { start, length, owner, offset, fork, role, state }
    }
    /// Reads a record; impossible combinations of owner, offset and flags are faults.
    pub fn decode(bytes: &[u8]) -> Result<Self, Fault> {
        let raw: [u8; Self::SIZE] = array("reverse mapping", bytes)?;
        let (start, owner, offset) = fields(&raw, 8);
        let length = crate::wire::be32(&raw, 4).unwrap_or(0);
        let fault = |field, value| Fault::Field { what: "reverse mapping", field, value };
        let rec = Self {
            start,
            length,
            owner: RmapOwner::from_disk(owner).ok_or(fault("rm_owner", owner))?,
            offset: FileBlock(offset & !Self::FLAGS),
            fork: if offset & Self::ATTR == 0 { Fork::Data } else { Fork::Attr },
            role: if offset & Self::BMBT == 0 { RmapRole::Mapped } else { RmapRole::BmbtBlock },
            state: match offset & Self::UNWRITTEN {
                0 => ExtentState::Written,
                _ => ExtentState::Unwritten,
            },
        };
        if length == 0 || start.0.checked_add(length).is_none() {
            return Err(fault("rm_blockcount", length.into()));
        }
        if rec.is_possible() { Ok(rec) } else { Err(fault("rm_offset", offset)) }
    }
    /// Whether its owner can have such a record at all.
    pub fn is_possible(&self) -> bool {
        let bare = self.fork == Fork::Data && self.role == RmapRole::Mapped;
        let written = self.state == ExtentState::Written;
        let last = self.offset.0.saturating_add(u64::from(self.length));
        match (self.owner, self.role) {
            (RmapOwner::Null, _) => false,
            (RmapOwner::Inode(_), RmapRole::Mapped) => {
                last <= Extent::MAX_FILE_BLOCK.0 + 1 && (written || self.fork == Fork::Data)
            }
            (RmapOwner::Inode(_), RmapRole::BmbtBlock) => written && self.offset.0 == 0,
            _ => bare && written && self.offset.0 == 0,
        }
    }
    /// The bytes of this record.
    pub fn encode(self) -> [u8; Self::SIZE] {
        assert!(self.length != 0 && self.is_possible(), "{self:?}");
        let unwritten = if self.state == ExtentState::Unwritten { Self::UNWRITTEN } else { 0 };
        let mut out = [0; Self::SIZE];
        out[..4].copy_from_slice(&self.start.0.to_be_bytes());
        out[4..8].copy_from_slice(&self.length.to_be_bytes());
        out[8..16].copy_from_slice(&self.owner.to_disk().to_be_bytes());
        out[16..].copy_from_slice(&(self.flagged_offset() | unwritten).to_be_bytes());
        out
    }
    fn flagged_offset(&self) -> u64 {
        let fork = if self.fork == Fork::Attr { Self::ATTR } else { 0 };
        let role = if self.role == RmapRole::BmbtBlock { Self::BMBT } else { 0 };
        self.offset.0 | fork | role
    }
    /// The lowest key: of the first block.
    pub fn low_key(&self) -> RmapKey {
        RmapKey { start: self.start, owner: self.owner.to_disk(), offset: self.flagged_offset() }
    }
    /// The highest key: of the last block.
    pub fn high_key(&self) -> RmapKey {
        let mut key = self.low_key();
        let last = self.length - 1;
        key.start = AgBlock(key.start.0.saturating_add(last));
        if self.owner.is_inode() && self.role == RmapRole::Mapped {
            key.offset += u64::from(last);
        }
        key
    }
    /// The block after the last.
    pub fn end(&self) -> AgBlock {
        AgBlock(self.start.0.saturating_add(self.length))
    }
}
