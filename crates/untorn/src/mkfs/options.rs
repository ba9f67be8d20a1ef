//! What a new volume shall be: every choice there is, with the defaults of mkfs.xfs for a plain
//! file.
//!
//! Nothing is checked here: [`super::make`] checks each choice against the device and against the
//! others, and names the one that it refuses.

use std::time::SystemTime;

/// What a new volume shall be. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Size of the volume; the device's by default.
    pub size: Option<u64>,
    /// Block size: a power of two from 1024 to 65536. 4096 by default.
    pub block_size: u32,
    /// Sector size: a power of two from 512 to 32768, not above the block size nor below the
    /// device's, which is the default.
    pub sector_size: Option<u32>,
    /// Inode size: a power of two from 512 to 2048, at most half a block. 512 by default.
    pub inode_size: u32,
    /// Directory block size: a power of two from the block size to 65536. The larger of 4096 and
    /// the block size by default.
    pub dir_block_size: Option<u32>,
    /// Number or size of the allocation groups.
    pub groups: Groups,
    /// Stripe of the device beneath; none by default.
    pub stripe: Option<Stripe>,
    /// Where the log lies and how large it is.
    pub log: Log,
    /// Optional features.
    pub features: FeatureSet,
    /// Most space for inodes in percent, 0 for no limit. By default 25, from 1 TiB on 5, from
    /// 50 TiB on 1.
    pub inode_percent: Option<u8>,
    /// UUID; random by default.
    pub uuid: Option<[u8; 16]>,
    /// Label: at most twelve bytes, none of them zero.
    pub label: String,
    /// What the root directory hands down to files made in it.
    pub root: RootHints,
    /// Time of creation of the root directory; now by default.
    pub time: Option<SystemTime>,
    /// What to do where something known lies on the device.
    pub overwrite: Overwrite,
    /// What the device holds.
    pub contents: Contents,
    /// Whether to give the device's space back first.
    pub discard: Discard,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            size: None,
            block_size: 4096,
            sector_size: None,
            inode_size: 512,
            dir_block_size: None,
            groups: Groups::Default,
            stripe: None,
            log: Log::default(),
            features: FeatureSet::default(),
            inode_percent: None,
            uuid: None,
            label: String::new(),
            root: RootHints::default(),
            time: None,
            overwrite: Overwrite::Refuse,
            contents: Contents::Unknown,
            discard: Discard::Keep,
        }
    }
}

/// Number or size of the allocation groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Groups {
    /// As many as mkfs.xfs makes on a single disk; fewer where a group could not hold the log.
    #[default]
    Default,
    /// This many.
    Count(u32),
    /// As many as there are when each but the last has this many bytes: a multiple of the block
    /// size.
    Size(u64),
}

/// How the device beneath stripes what it stores. Allocations are aligned to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stripe {
    /// Bytes that go to one disk: a multiple of the block size.
    pub unit: u64,
    /// Bytes that go to all disks: a multiple of the unit.
    pub width: u64,
}

/// Where the log lies and how large it is. It lies inside the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// Size in bytes: a multiple of the block size. By default that of mkfs.xfs: 64 MiB up to
    /// 128 GiB of volume, 1/2048 of it above, and on volumes below 300 MiB the least that Linux
    /// accepts.
    pub size: Option<u64>,
    /// Allocation group that holds it; the middle one by default.
    pub group: Option<u32>,
    /// Alignment of its records in bytes: a power of two from the block size to 256 KiB. By default
    /// that of the data if it is not larger, else none with 512-byte sectors, else a block.
    pub stripe_unit: Option<u32>,
    /// What it gets where no size was chosen.
    pub room: LogRoom,
}

/// How large a log is that nobody chose the size of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogRoom {
    /// As mkfs.xfs makes it.
    #[default]
    Usual,
    /// The least that Linux accepts: for images that shall be small.
    Least,
}

/// Optional features. By default those are on that Linux 5.15 and everything later mounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureSet {
    /// Groups index inode chunks with free inodes.
    pub finobt: bool,
    /// Groups know the owner of each block.
    pub rmapbt: bool,
    /// Files may share blocks; needed for atomic writes by Linux.
    pub reflink: bool,
    /// Inode chunks may have holes.
    pub sparse: bool,
    /// Times reach to 2486.
    pub bigtime: bool,
    /// Groups count the blocks of their inode btrees; needs `finobt`.
    pub inobtcount: bool,
    /// Files may have 2^48 extents.
    pub nrext64: bool,
    /// Files can exchange ranges whatever a crash does; Linux 6.10 and later.
    pub exchange: bool,
    /// Files know the directories that name them; Linux 6.10 and later.
    pub parent: bool,
}

impl FeatureSet {
    /// What mkfs.xfs switches on today: Linux 5.19 and later mount it.
    pub const USUAL: Self = Self {
        finobt: true,
        rmapbt: true,
        reflink: true,
        sparse: true,
        bigtime: true,
        inobtcount: true,
        nrext64: true,
        exchange: false,
        parent: false,
    };
    /// Every feature on.
    pub const ALL: Self = Self { exchange: true, parent: true, ..Self::USUAL };
    /// What Linux 5.15 and later mount.
    pub const DEFAULT: Self = Self { nrext64: false, ..Self::USUAL };
    /// Every feature off.
    pub const NONE: Self = Self {
        finobt: false,
        rmapbt: false,
        reflink: false,
        sparse: false,
        bigtime: false,
        inobtcount: false,
        nrext64: false,
        exchange: false,
        parent: false,
    };
}

impl Default for FeatureSet {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What the root directory hands down to files made in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RootHints {
    /// Extent size hint in bytes, a multiple of the block size; 0 for none.
    pub extent_size: u64,
    /// Copy-on-write extent size hint in bytes, a multiple of the block size; 0 for none. Needs
    /// reflink.
    pub cow_extent_size: u64,
    /// Project.
    pub project: Option<u32>,
    /// New files lie in the realtime section, once the volume has one.
    pub realtime: Inherit,
    /// New files are mapped to memory without the page cache (DAX), where Linux can.
    pub dax: Inherit,
}

/// Whether the root directory hands a flag down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inherit {
    /// It does not.
    #[default]
    No,
    /// It does.
    Yes,
}

/// What to do where something known lies on the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Refuse, naming it.
    #[default]
    Refuse,
    /// Destroy it.
    Force,
}

/// What the device holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Contents {
    /// Anything: old signatures are looked for and wiped, the log is zeroed.
    #[default]
    Unknown,
    /// Zeroes, all of it: a new sparse file or memory. Zeroes are not written again, and there is
    /// nothing to discard.
    Zeroed,
}

/// Whether to give the device's space back first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discard {
    /// Leave it.
    #[default]
    Keep,
    /// Discard the part of the device that the volume takes.
    Whole,
}
