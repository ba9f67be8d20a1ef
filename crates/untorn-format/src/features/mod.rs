//! Feature bits of the superblock: their names, the first Linux that knows each, and what untorn
//! does with volumes that have them.
//!
//! Three words decide: an unknown `incompat` bit refuses the volume, an unknown `ro_compat` bit
//! allows reading only, `log_incompat` bits matter while the log is dirty. Volumes of version 4
//! keep theirs in `sb_versionnum` and `sb_features2`; they can be recognised, no more.

#[cfg(test)]
mod tests;

use std::fmt;

/// The word of the superblock that a bit lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FeatureWord {
    /// Harmless to those who do not know them.
    Compat,
    /// Safe to read without knowing them.
    RoCompat,
    /// Not safe without knowing them.
    Incompat,
    /// Not safe to replay or extend the log without knowing them.
    LogIncompat,
}

impl fmt::Display for FeatureWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Compat => "compat",
            Self::RoCompat => "ro_compat",
            Self::Incompat => "incompat",
            Self::LogIncompat => "log_incompat",
        })
    }
}

/// How far untorn supports a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Support {
    /// Not at all.
    Refuse,
    /// Reading only.
    ReadOnly,
    /// Reading and writing.
    ReadWrite,
}

/// What a volume is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading; the device is not touched.
    Read,
    /// Reading and writing.
    Write,
}

/// A feature bit that has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// The word it lies in.
    pub word: FeatureWord,
    /// Its bit, from 0.
    pub bit: u8,
    /// The name that mkfs.xfs and `xfs_info` use, or the kernel's where they have none.
    pub name: &'static str,
    /// First Linux that knows it.
    pub since: &'static str,
    /// What untorn does with it.
    pub support: Support,
}

const fn feature(
    word: FeatureWord,
    bit: u8,
    name: &'static str,
    since: &'static str,
    support: Support,
) -> Feature {
    Feature { word, bit, name, since, support }
}

/// Every feature bit that Linux 6.18 knows.
pub const FEATURES: [Feature; 16] = {
    use FeatureWord::*;
    use Support::*;
    [
        feature(RoCompat, 0, "finobt", "3.16", ReadWrite),
        feature(RoCompat, 1, "rmapbt", "4.8", ReadWrite),
        feature(RoCompat, 2, "reflink", "4.9", ReadWrite),
        feature(RoCompat, 3, "inobtcount", "5.10", ReadWrite),
        feature(Incompat, 0, "ftype", "3.13", ReadWrite),
        feature(Incompat, 1, "sparse", "4.2", ReadWrite),
        feature(Incompat, 2, "meta_uuid", "4.3", ReadWrite),
        feature(Incompat, 3, "bigtime", "5.10", ReadWrite),
        feature(Incompat, 4, "needsrepair", "5.11", Refuse),
        feature(Incompat, 5, "nrext64", "5.19", ReadWrite),
        feature(Incompat, 6, "exchange", "6.10", ReadWrite),
        feature(Incompat, 7, "parent", "6.10", ReadWrite),
        feature(Incompat, 8, "metadir", "6.13", Refuse),
        feature(Incompat, 9, "zoned", "6.15", Refuse),
        feature(Incompat, 10, "zone_gaps", "6.15", Refuse),
        feature(LogIncompat, 0, "xattrs", "5.19", ReadWrite),
    ]
};

/// The feature words of a v5 superblock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features {
    /// `sb_features_compat`.
    pub compat: u32,
    /// `sb_features_ro_compat`.
    pub ro_compat: u32,
    /// `sb_features_incompat`.
    pub incompat: u32,
    /// `sb_features_log_incompat`.
    pub log_incompat: u32,
}

macro_rules! queries {
    ($($(#[$doc:meta])* $name:ident = $word:ident bit $bit:literal;)*) => {
        $($(#[$doc])* pub fn $name(&self) -> bool { self.$word >> $bit & 1 == 1 })*
    };
}

impl Features {
    queries! {
        /// Whether AGs index inode chunks with free inodes.
        has_finobt = ro_compat bit 0;
        /// Whether AGs know the owner of each block.
        has_rmapbt = ro_compat bit 1;
        /// Whether files may share blocks.
        has_reflink = ro_compat bit 2;
        /// Whether AGIs count the blocks of their btrees.
        has_inobtcount = ro_compat bit 3;
        /// Whether directory entries hold the kind of file.
        has_ftype = incompat bit 0;
        /// Whether inode chunks may have holes.
        has_sparse_inodes = incompat bit 1;
        /// Whether metadata carries a UUID other than the user's.
        has_meta_uuid = incompat bit 2;
        /// Whether times may count nanoseconds since 1901.
        has_bigtime = incompat bit 3;
        /// Whether xfs_repair must run first.
        has_needsrepair = incompat bit 4;
        /// Whether inodes may count extents with 48 and 32 bits.
        has_nrext64 = incompat bit 5;
        /// Whether logs may hold exchange-range intents.
        has_exchrange = incompat bit 6;
        /// Whether files name their parents.
        has_parent = incompat bit 7;
        /// Whether metadata inodes live in a tree of their own.
        has_metadir = incompat bit 8;
        /// Whether the realtime section is zoned.
        has_zoned = incompat bit 9;
        /// Whether zones are smaller than their stride.
        has_zone_gaps = incompat bit 10;
        /// Whether the log may hold attribute intents.
        has_log_xattrs = log_incompat bit 0;
    }

    fn word(&self, word: FeatureWord) -> u32 {
        match word {
            FeatureWord::Compat => self.compat,
            FeatureWord::RoCompat => self.ro_compat,
            FeatureWord::Incompat => self.incompat,
            FeatureWord::LogIncompat => self.log_incompat,
        }
    }
    /// The named features that the volume has, word by word.
    pub fn named(&self) -> impl Iterator<Item = &'static Feature> + '_ {
        FEATURES.iter().filter(|f| self.word(f.word) >> f.bit & 1 == 1)
    }
    /// The bits of `word` that have no name.
    pub fn unknown(&self, word: FeatureWord) -> impl Iterator<Item = u8> {
        let known = FEATURES.iter().filter(move |f| f.word == word);
        let rest = known.fold(self.word(word), |rest, f| rest & !(1 << f.bit));
        (0..32u8).filter(move |bit| rest >> bit & 1 == 1)
    }
    /// Whether untorn may open the volume for `access`. The first reason against it is returned,
    /// graver ones first. Unknown bits of `log_incompat` count against writing only: a reader of a
    /// dirty log finds the item that it does not know.
    pub fn check(&self, access: Access) -> Result<(), Unsupported> {
        if let Some(bit) = self.unknown(FeatureWord::Incompat).next() {
            return Err(Unsupported::UnknownIncompat { bit });
        }
        let refused = self.named().find(|f| f.support == Support::Refuse);
        if let Some(f) = refused {
            return Err(Unsupported::Refused { name: f.name, since: f.since });
        }
        if access == Access::Read {
            return Ok(());
        }
        if let Some(bit) = self.unknown(FeatureWord::RoCompat).next() {
            return Err(Unsupported::UnknownRoCompat { bit });
        }
        if let Some(bit) = self.unknown(FeatureWord::LogIncompat).next() {
            return Err(Unsupported::UnknownLogIncompat { bit });
        }
        match self.named().find(|f| f.support == Support::ReadOnly) {
            Some(f) => Err(Unsupported::ReadOnly { name: f.name }),
            None => Ok(()),
        }
    }
}

/// What untorn does not open a volume for; the text names it, and "is not supported" fits behind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Not version 5.
    #[error("superblock version {version} (5 alone is known here)")]
    Version {
        /// The version.
        version: u8,
    },
    /// mkfs or another tool did not finish.
    #[error("a volume that another tool has not finished making or changing")]
    InProgress,
    /// A feature that nobody here knows.
    #[error("incompatible feature bit {bit} (not known here)")]
    UnknownIncompat {
        /// The bit.
        bit: u8,
    },
    /// A feature that nobody here knows, safe to read.
    #[error("writing with read-only-compatible feature bit {bit} (not known here)")]
    UnknownRoCompat {
        /// The bit.
        bit: u8,
    },
    /// A log feature that nobody here knows.
    #[error("writing with log-incompatible feature bit {bit} (not known here)")]
    UnknownLogIncompat {
        /// The bit.
        bit: u8,
    },
    /// A feature that untorn refuses.
    #[error("the feature {name} (Linux {since} and later)")]
    Refused {
        /// Its name.
        name: &'static str,
        /// First Linux that knows it.
        since: &'static str,
    },
    /// A feature that untorn reads only.
    #[error("writing to a volume with {name}")]
    ReadOnly {
        /// Its name.
        name: &'static str,
    },
}

/// Version 4 bits of `sb_versionnum`, with their names.
pub const VERSION_BITS: [(u16, &str); 12] = [
    (0x0010, "attr"),
    (0x0020, "nlink"),
    (0x0040, "quota"),
    (0x0080, "align"),
    (0x0100, "dalign"),
    (0x0200, "shared"),
    (0x0400, "logv2"),
    (0x0800, "sector"),
    (0x1000, "extflg"),
    (0x2000, "dirv2"),
    (0x4000, "asciici"),
    (0x8000, "morebits"),
];

/// Bits of `sb_features2`, with their names.
pub const FEATURES2_BITS: [(u32, &str); 6] = [
    (0x0002, "lazy-count"),
    (0x0008, "attr2"),
    (0x0010, "parent (old)"),
    (0x0080, "projid32bit"),
    (0x0100, "crc"),
    (0x0200, "ftype"),
];
