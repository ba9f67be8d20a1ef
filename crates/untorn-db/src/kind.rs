//! The types of structures that a place can hold.

use crate::field::Field;
use crate::tables;
use untorn_format::btree::BtreeKind;

/// What the bytes of a place are read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Free space of an AG.
    Agf,
    /// Free list of an AG.
    Agfl,
    /// Inodes of an AG.
    Agi,
    /// Block of an attribute fork.
    Attr3,
    /// Extents of an attribute fork.
    Bmapbta,
    /// Extents of a data fork.
    Bmapbtd,
    /// Free space by block.
    Bnobt,
    /// Free space by length.
    Cntbt,
    /// Reverse mappings.
    Rmapbt,
    /// Reference counts.
    Refcntbt,
    /// Bytes.
    Data,
    /// Block of a directory.
    Dir3,
    /// Quota of an owner.
    Dqblk,
    /// Inode chunks.
    Inobt,
    /// Bytes of a file.
    Inodata,
    /// Inode.
    Inode,
    /// Bytes of the log.
    Log,
    /// Bytes of the realtime bitmap.
    Rtbitmap,
    /// Bytes of the realtime summary.
    Rtsummary,
    /// Superblock.
    Sb,
    /// Block of a symbolic link.
    Symlink,
    /// Bytes with their characters.
    Text,
    /// Inode chunks with free inodes.
    Finobt,
}

/// Every type and its name.
pub(crate) const TYPES: [(Type, &str); 23] = [
    (Type::Agf, "agf"),
    (Type::Agfl, "agfl"),
    (Type::Agi, "agi"),
    (Type::Attr3, "attr3"),
    (Type::Bmapbta, "bmapbta"),
    (Type::Bmapbtd, "bmapbtd"),
    (Type::Bnobt, "bnobt"),
    (Type::Cntbt, "cntbt"),
    (Type::Rmapbt, "rmapbt"),
    (Type::Refcntbt, "refcntbt"),
    (Type::Data, "data"),
    (Type::Dir3, "dir3"),
    (Type::Dqblk, "dqblk"),
    (Type::Inobt, "inobt"),
    (Type::Inodata, "inodata"),
    (Type::Inode, "inode"),
    (Type::Log, "log"),
    (Type::Rtbitmap, "rtbitmap"),
    (Type::Rtsummary, "rtsummary"),
    (Type::Sb, "sb"),
    (Type::Symlink, "symlink"),
    (Type::Text, "text"),
    (Type::Finobt, "finobt"),
];

impl Type {
    /// The type that xfs_db calls so.
    pub fn named(name: &str) -> Option<Self> {
        TYPES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind)
    }
    /// Every type.
    pub fn all() -> impl Iterator<Item = Self> {
        TYPES.iter().map(|(kind, _)| *kind)
    }
    /// Its name.
    pub fn name(self) -> &'static str {
        TYPES.iter().find(|(kind, _)| *kind == self).map_or("none", |(_, name)| name)
    }
    /// Whether version 4 of the format has the same layout.
    pub(crate) fn is_of_version_4(self) -> bool {
        matches!(self, Self::Sb | Self::Agf | Self::Agi | Self::Inode)
    }
    /// The type of blocks of a tree; those of data forks stand for both forks.
    pub(crate) const fn of_tree(kind: BtreeKind) -> Self {
        match kind {
            BtreeKind::Bnobt => Self::Bnobt,
            BtreeKind::Cntbt => Self::Cntbt,
            BtreeKind::Inobt => Self::Inobt,
            BtreeKind::Finobt => Self::Finobt,
            BtreeKind::Rmapbt => Self::Rmapbt,
            BtreeKind::Refcountbt => Self::Refcntbt,
            BtreeKind::Bmbt => Self::Bmapbtd,
        }
    }
    /// Its fields; none where it is shown as bytes.
    pub(crate) fn fields(self) -> Option<&'static [Field]> {
        Some(match self {
            Self::Sb => tables::superblock::SB,
            Self::Agf => tables::group::AGF,
            Self::Agi => tables::group::AGI,
            Self::Agfl => tables::group::AGFL,
            Self::Bnobt => tables::btree::BNOBT,
            Self::Cntbt => tables::btree::CNTBT,
            Self::Inobt => tables::btree::INOBT,
            Self::Finobt => tables::btree::FINOBT,
            Self::Rmapbt => tables::btree::RMAPBT,
            Self::Refcntbt => tables::btree::REFCNTBT,
            Self::Bmapbtd => tables::btree::BMAPBTD,
            Self::Bmapbta => tables::btree::BMAPBTA,
            Self::Inode => tables::inode::INODE,
            Self::Dir3 => tables::dir::DIR3,
            Self::Attr3 => tables::attr::ATTR3,
            Self::Symlink => tables::symlink::SYMLINK,
            Self::Dqblk => tables::dquot::DQBLK,
            Self::Data | Self::Inodata | Self::Log | Self::Text => return None,
            Self::Rtbitmap | Self::Rtsummary => return None,
        })
    }
}
